package archtest

import (
	"go/ast"
	"go/types"
	"maps"
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
	// The grammar of an address; the package's network half is net/smtp.
	"net/mail",
	// Flow files, with line and column for the linter's messages.
	"github.com/goccy/go-yaml", "github.com/goccy/go-yaml/ast", "github.com/goccy/go-yaml/parser", "github.com/goccy/go-yaml/token",
	// Plurals and numbers of many languages.
	"golang.org/x/text/feature/plural", "golang.org/x/text/language", "golang.org/x/text/unicode/norm",
	// The vocabulary, and its encoding.
	modulePrefix + "proto/parley/v1", "google.golang.org/protobuf/proto",
}

// pureExcept are the functions of allowed packages that ask the world or tell it.
var pureExcept = map[string][]string{
	"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"},
	"fmt":  {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
}

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
			if what := p.impure(node); what != "" {
				found = append(found, tree.find(node, "%s is pure and must not %s", p.Path, what))
			}
		})
	}
	return found
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
