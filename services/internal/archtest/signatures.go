package archtest

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// secretWords name what only its owner can compute. An identifier is taken apart
// at its capitals: wantMAC, signatureHeader.
var secretWords = []string{"signature", "sig", "mac", "hmac"}

// leaky are the comparisons that stop at the first difference.
var leaky = map[string][]string{
	"bytes":   {"Equal", "Compare", "HasPrefix", "HasSuffix", "Contains"},
	"strings": {"Compare", "EqualFold", "HasPrefix", "HasSuffix", "Contains"},
	"slices":  {"Equal", "Compare", "Contains"},
	"maps":    {"Equal"},
	"reflect": {"DeepEqual"},
}

// Signatures reports comparisons of signatures whose time tells how much of a
// forgery is right. hmac.Equal and crypto/subtle take the same time for any.
func Signatures(tree *Tree) []Finding {
	var found []Finding
	for _, p := range tree.Packages {
		p.inspect(func(node ast.Node) {
			if p.leaks(node) {
				found = append(found, tree.find(node, "compares a signature in a time that depends on it: use hmac.Equal"))
			}
		})
	}
	return found
}

func (p *Package) leaks(node ast.Node) bool {
	switch node := node.(type) {
	case *ast.BinaryExpr:
		return (node.Op == token.EQL || node.Op == token.NEQ) && p.secretAmong([]ast.Expr{node.X, node.Y})
	case *ast.CallExpr:
		from, name := p.selected(node.Fun)
		return slices.Contains(leaky[from], name) && p.secretAmong(node.Args)
	case *ast.SwitchStmt:
		return node.Tag != nil && !p.public(node.Tag) && secret(node.Tag)
	}
	return false
}

// secretAmong reports whether one of the operands is a signature and none is a
// constant: whether there is one at all, and its scheme, is no secret.
func (p *Package) secretAmong(operands []ast.Expr) bool {
	return !slices.ContainsFunc(operands, p.public) && slices.ContainsFunc(operands, secret)
}

// public reports whether an operand is a constant, nil, or a length.
func (p *Package) public(operand ast.Expr) bool {
	if call, ok := operand.(*ast.CallExpr); ok {
		name, ok := call.Fun.(*ast.Ident)
		return ok && name.Name == "len"
	}
	return p.constant(operand) || p.Info.Types[operand].IsNil()
}

// secret reports whether an expression speaks of a signature, or is the sum of a
// hash.
func secret(operand ast.Expr) bool {
	named := false
	ast.Inspect(operand, func(node ast.Node) bool {
		if name, ok := node.(*ast.Ident); ok {
			named = named || name.Name == "Sum" || slices.ContainsFunc(words(name.Name), func(word string) bool {
				return slices.Contains(secretWords, word)
			})
		}
		return true
	})
	return named
}

var (
	capitalAfterSmall = regexp.MustCompile(`([a-z])([A-Z])`)
	lastOfCapitals    = regexp.MustCompile(`([A-Z])([A-Z][a-z])`)
	noLetters         = regexp.MustCompile(`[^A-Za-z]+`)
)

// words takes a name apart at its capitals: "wantMACOf1" is want, mac, of.
func words(name string) []string {
	name = capitalAfterSmall.ReplaceAllString(name, "$1 $2")
	name = lastOfCapitals.ReplaceAllString(name, "$1 $2")
	return strings.Fields(strings.ToLower(noLetters.ReplaceAllString(name, " ")))
}
