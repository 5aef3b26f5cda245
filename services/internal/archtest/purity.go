package archtest

import (
	"go/ast"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// pure are the packages whose functions depend on their arguments alone: the
// same inputs give the same events and counts in a replay, years later.
var pure = []string{"pkg/flow", "pkg/insight"}

// pureImports are all that a pure package may import. What a name in pureExcept
// would let in is refused by name.
var pureImports = []string{
	// Values in, values out.
	"bytes", "cmp", "encoding/binary", "encoding/hex", "encoding/json", "errors", "fmt", "hash/fnv", "iter", "maps", "math", "math/big",
	"math/bits", "regexp", "slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf8", "crypto/sha256",
	// The type of what an expression gives; texts for translators as a table.
	"reflect", "encoding/csv",
	// The time zones themselves: a flow that names one means the same wherever it runs.
	"time/tzdata",
	// The grammar of an address; the package's network half is net/smtp.
	"net/mail",
	// The grammar of the address of a call; the half that goes there is net/http.
	"net/url",
	// Flow files, with line and column for the linter's messages.
	"github.com/goccy/go-yaml", "github.com/goccy/go-yaml/ast", "github.com/goccy/go-yaml/parser", "github.com/goccy/go-yaml/token",
	// Plurals and numbers of many languages.
	"golang.org/x/text/feature/plural", "golang.org/x/text/language", "golang.org/x/text/unicode/norm",
	"golang.org/x/text/message", "golang.org/x/text/number",
	// Expressions: compiled and type-checked, with no function that sees the world.
	"github.com/expr-lang/expr", "github.com/expr-lang/expr/ast", "github.com/expr-lang/expr/file", "github.com/expr-lang/expr/types",
	"github.com/expr-lang/expr/vm",
	// Phone numbers by the tables of all countries, which are part of the program.
	"github.com/nyaruka/phonenumbers",
	// The core itself, for what is built on it, its two grammars, and what it books.
	modulePrefix + "pkg/flow", modulePrefix + "pkg/flow/text", modulePrefix + "pkg/flow/when", modulePrefix + "pkg/flow/hours",
	modulePrefix + "pkg/flow/booking", modulePrefix + "pkg/flow/leads",
	// The vocabulary, and its encoding.
	modulePrefix + "proto/parley/v1", "google.golang.org/protobuf/proto",
}

// pureExcept are the functions of allowed packages that ask the world or tell it.
var pureExcept = map[string][]string{
	"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"},
	"fmt":  {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
}

// pureButIn names the file that may use such a function, as "package.Function".
// Compiling a flow looks its zone up by name, once; a turn only computes with it.
var pureButIn = map[string]string{"time.LoadLocation": "pkg/flow/compile.go"}

// Purity reports what a pure package must not do: see the clock, draw a random
// number, do I/O, log, wait, or start goroutines.
func Purity(tree *Tree) []Finding {
	var found []Finding
	for _, p := range tree.Packages {
		if !within(p.Path, pure...) {
			continue
		}
		for _, imported := range slices.Sorted(maps.Keys(p.imports())) {
			spec := p.imports()[imported]
			if !slices.Contains(pureImports, imported) {
				found = append(found, tree.find(spec, "%s is pure and must not import %s", p.Path, imported))
			} else if spec.Name != nil && spec.Name.Name == "." {
				found = append(found, tree.find(spec, "%s is pure: a dot import hides what it uses", p.Path))
			}
		}
		p.inspect(func(node ast.Node) {
			if what := p.impure(node); what != "" && !tree.mayBeImpure(node, what) {
				found = append(found, tree.find(node, "%s is pure and must not %s", p.Path, what))
			}
		})
	}
	return found
}

// mayBeImpure reports whether a node stands in the one file that may do so.
func (t *Tree) mayBeImpure(node ast.Node, what string) bool {
	file := pureButIn[strings.TrimPrefix(what, "use ")]
	return file != "" && strings.HasSuffix(filepath.ToSlash(t.fset.Position(node.Pos()).Filename), file)
}

// impure says what a node does that a pure package must not do.
func (p *Package) impure(node ast.Node) string {
	switch node := node.(type) {
	case *ast.GoStmt:
		return "start a goroutine"
	case *ast.ChanType, *ast.SelectStmt, *ast.SendStmt:
		return "use channels"
	case *ast.SelectorExpr:
		from, name := p.selected(node)
		if slices.Contains(pureExcept[from], name) {
			return "use " + from + "." + name
		}
	case *ast.Ident:
		builtin, ok := p.Info.Uses[node].(*types.Builtin)
		if ok && strings.HasPrefix(builtin.Name(), "print") {
			return "print"
		}
	}
	return ""
}
