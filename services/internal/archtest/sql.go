package archtest

import (
	"go/ast"
	"maps"
	"slices"
)

// statementArgument says which argument of a method is SQL: those of pgx, and
// the ones here that hand a statement on to them.
var statementArgument = map[string]int{
	"Queue": 0,
	"Exec":  1, "Query": 1, "QueryRow": 1,
	"heldShards": 1, "exec": 1, "mustChange": 1,
}

// builtStatements are the functions that may run a statement which is not a
// constant, and why no value of a user can get into it.
var builtStatements = map[string]string{
	"pkg/store.ReplaceCounts": "one of two table names that stand in the line above",
	"pkg/store.heldShards":    "hands on its parameter; its callers are checked",
	"pkg/store.mustChange":    "hands on its parameter; its callers are checked",
	"pkg/store.Query":         "hands on its parameter; its callers are checked",
	"pkg/store/pgtest.exec":   "hands on its parameter; its callers are checked",
	"pkg/store/pgtest.create": "CREATE DATABASE takes no parameters; the names are numbers that the package makes",
	"pkg/store/pgtest.drop":   "DROP DATABASE takes no parameters; the names are numbers that the package makes",
}

// SQL reports statements that are put together while the program runs. Values
// travel as parameters, so that no text of a user can become SQL.
func SQL(tree *Tree) []Finding {
	found, unused := statements(tree)
	for _, name := range unused {
		found = append(found, Finding{Text: "sql.go allows " + name + ", which builds no statement: remove it"})
	}
	return found
}

// statements returns the statements that are neither constant nor allowed, and
// the allowances that nothing needs.
func statements(tree *Tree) (found []Finding, unused []string) {
	needed := map[string]bool{}
	for _, p := range tree.Packages {
		p.inspect(func(node ast.Node) {
			function, ok := node.(*ast.FuncDecl)
			if !ok || function.Body == nil {
				return
			}
			name := p.Path + "." + function.Name.Name
			for _, statement := range p.built(function.Body) {
				if builtStatements[name] != "" {
					needed[name] = true
					continue
				}
				found = append(found, tree.find(statement, "%s runs SQL that is not a constant", name))
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(builtStatements)) {
		if !needed[name] {
			unused = append(unused, name)
		}
	}
	return found, unused
}

// built returns the SQL arguments in a function that are not constant.
func (p *Package) built(body *ast.BlockStmt) []ast.Expr {
	var list []ast.Expr
	ast.Inspect(body, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		at, runs := statementArgument[method.Sel.Name]
		if runs && at < len(call.Args) && !p.constant(call.Args[at]) {
			list = append(list, call.Args[at])
		}
		return true
	})
	return list
}
