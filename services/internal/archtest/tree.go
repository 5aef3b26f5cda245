package archtest

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// modulePrefix begins the import path of every package of the tree.
const modulePrefix = "github.com/parleyhq/parley/"

// Tree is the source of the repository, or of an example.
type Tree struct {
	// Packages are in the order of their paths.
	Packages []*Package
	fset     *token.FileSet
	root     string
}

// Package is one package of the tree, with the files of all systems and build tags.
type Package struct {
	// Path is the folder below the root: "pkg/flow".
	Path string
	// Files are the files without tests, Tests those of its tests.
	Files, Tests []*ast.File
	// Info knows what the identifiers of Files mean and which expressions are
	// constant, as far as the package itself says it: imports are not followed.
	Info *types.Info
}

// Finding is a place where a rule is broken.
type Finding struct {
	At   token.Position
	Text string
}

// String is how editors and terminals link to a place.
func (f Finding) String() string { return fmt.Sprintf("%s: %s", f.At, f.Text) }

// Load reads the Go files under the folders of root. Like the go command it
// leaves out testdata and hidden folders.
func Load(root string, folders ...string) (*Tree, error) {
	tree := &Tree{fset: token.NewFileSet(), root: root}
	packages := map[string]*Package{}
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(file string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".")):
				return filepath.SkipDir
			case entry.IsDir() || filepath.Ext(file) != ".go":
				return nil
			}
			return tree.parse(packages, file)
		})
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", folder, err)
		}
	}
	tree.Packages = slices.SortedFunc(maps.Values(packages), func(a, b *Package) int { return cmp.Compare(a.Path, b.Path) })
	for _, p := range tree.Packages {
		p.Info = resolve(tree.fset, p)
	}
	return tree, nil
}

func (t *Tree) parse(packages map[string]*Package, file string) error {
	syntax, err := parser.ParseFile(t.fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	folder, err := filepath.Rel(t.root, filepath.Dir(file))
	if err != nil {
		return err
	}
	p := packages[folder]
	if p == nil {
		p = &Package{Path: filepath.ToSlash(folder)}
		packages[folder] = p
	}
	if strings.HasSuffix(file, "_test.go") {
		p.Tests = append(p.Tests, syntax)
	} else {
		p.Files = append(p.Files, syntax)
	}
	return nil
}

// errNotFollowed is what the type checker hears about each import. It then takes
// whatever is used of the import for granted.
var errNotFollowed = errors.New("imports are not followed")

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errNotFollowed }

// resolve type-checks a package by itself. The compiler finds the errors, here
// they do not matter.
func resolve(fset *token.FileSet, p *Package) *types.Info {
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Defs:  map[*ast.Ident]types.Object{},
		Uses:  map[*ast.Ident]types.Object{},
	}
	config := types.Config{Importer: noImports{}, Error: func(error) {}}
	_, _ = config.Check(p.Path, fset, p.Files, info)
	return info
}

// find reports a broken rule at node. Paths are shown from the root.
func (t *Tree) find(node ast.Node, format string, args ...any) Finding {
	at := t.fset.Position(node.Pos())
	if short, err := filepath.Rel(t.root, at.Filename); err == nil {
		at.Filename = short
	}
	return Finding{At: at, Text: fmt.Sprintf(format, args...)}
}

// inspect shows every node of the package's files, without tests and generated
// files, to look.
func (p *Package) inspect(look func(ast.Node)) {
	for _, file := range p.Files {
		if ast.IsGenerated(file) {
			continue
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if node != nil {
				look(node)
			}
			return true
		})
	}
}

// imports lists the import paths of the package without its tests.
func (p *Package) imports() map[string]*ast.ImportSpec {
	list := map[string]*ast.ImportSpec{}
	for _, file := range p.Files {
		for _, spec := range file.Imports {
			list[unquote(spec.Path)] = spec
		}
	}
	return list
}

// selected returns the import path and the name of an expression like time.Now,
// or empty strings for one that selects from something else than an import.
func (p *Package) selected(expr ast.Expr) (importPath, name string) {
	selector, ok := expr.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	from, ok := selector.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	imported, ok := p.Info.Uses[from].(*types.PkgName)
	if !ok {
		return "", ""
	}
	return imported.Imported().Path(), selector.Sel.Name
}

// constant reports whether the compiler knows the value of expr.
func (p *Package) constant(expr ast.Expr) bool { return p.Info.Types[expr].Value != nil }

// within reports whether a package is one of the folders or below one.
func within(pkg string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		matched, err := path.Match(folder, pkg)
		return err == nil && matched || strings.HasPrefix(pkg, folder+"/")
	})
}

// unquote returns the text of a string literal.
func unquote(literal *ast.BasicLit) string {
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return "" // not a string
	}
	return text
}
