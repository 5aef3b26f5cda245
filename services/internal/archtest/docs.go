package archtest

import (
	"go/ast"
	"slices"
	"strings"
)

// Docs reports packages that do not say what they are for.
func Docs(tree *Tree) []Finding {
	var found []Finding
	for _, p := range tree.Packages {
		files := slices.Concat(p.Files, p.Tests)
		if !slices.ContainsFunc(files, documents) {
			found = append(found, tree.find(files[0].Name, "%s has no package comment", p.Path))
		}
	}
	return found
}

// documents reports whether a file carries a package comment of more than the
// package's name.
func documents(file *ast.File) bool {
	return file.Doc != nil && len(strings.Fields(file.Doc.Text())) > 3
}
