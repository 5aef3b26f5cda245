package archtest

import (
	"go/ast"
	"slices"
)

const (
	// functionLinesMax is what fits on a screen, from the func to its last brace.
	functionLinesMax = 70
	// medianLinesMax keeps the usual function a few lines long, not just below the limit.
	medianLinesMax = 15
)

// Lengths reports functions that are too long to be read at once.
func Lengths(tree *Tree) []Finding {
	var found []Finding
	tree.functions(func(function *ast.FuncDecl, lines int) {
		if lines > functionLinesMax {
			found = append(found, tree.find(function, "%s has %d lines; %d is the limit", function.Name.Name, lines, functionLinesMax))
		}
	})
	return found
}

// MedianLines is the length of the tree's median function.
func MedianLines(tree *Tree) int {
	var all []int
	tree.functions(func(_ *ast.FuncDecl, lines int) { all = append(all, lines) })
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// functions shows every function that was written by hand, without tests.
func (t *Tree) functions(show func(function *ast.FuncDecl, lines int)) {
	for _, p := range t.Packages {
		p.inspect(func(node ast.Node) {
			if function, ok := node.(*ast.FuncDecl); ok {
				show(function, t.fset.Position(function.End()).Line-t.fset.Position(function.Pos()).Line+1)
			}
		})
	}
}
