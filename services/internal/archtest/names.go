package archtest

import (
	"go/ast"
	"go/token"
	"regexp"
)

// namesHome is the only package that names streams and subjects.
const namesHome = "pkg/bus"

// busName matches a stream, a subject, or the beginning of one.
var busName = regexp.MustCompile(`^(WA_[A-Z]+$|wa\.)`)

// Names reports streams and subjects that are written out where they are used. A
// name that two programs spell apart is a message that nobody reads.
func Names(tree *Tree) []Finding {
	var found []Finding
	for _, p := range tree.Packages {
		if within(p.Path, namesHome) {
			continue
		}
		p.inspect(func(node ast.Node) {
			literal, ok := node.(*ast.BasicLit)
			if ok && literal.Kind == token.STRING && busName.MatchString(unquote(literal)) {
				found = append(found, tree.find(literal, "%s is a name of %s: use its constants and functions", literal.Value, namesHome))
			}
		})
	}
	return found
}
