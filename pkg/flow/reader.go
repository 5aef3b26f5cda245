package flow

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// reader takes a YAML tree apart. It notes each problem and reads on, so that
// one run reports them all.
type reader struct {
	lines    []string
	problems Problems
}

// place is a line and a column, both from 1.
type place struct{ line, column int }

// item is a value with the place where it stands. Its node is nil if the value is
// absent; whoever found a required value absent has reported it.
type item struct {
	key  string // what to call it in a message
	at   place
	node ast.Node
}

// fields is a mapping taken apart; of is nil if there was none to read.
type fields struct {
	at place
	of map[string]item
}

// text is a scalar; value is empty if it was absent or wrong, and then reported.
type text struct {
	key   string // as in item
	at    place
	value string
}

// report notes a problem. The format says what is wrong and what to do.
func (r *reader) report(at place, format string, args ...any) {
	r.problems = append(r.problems, Problem{
		Line:    at.line,
		Column:  at.column,
		Message: fmt.Sprintf(format, args...),
		Excerpt: excerpt(r.lines, at.line, at.column),
	})
}

// document returns the value that the whole file is.
func (r *reader) document(source string) item {
	if at := strings.IndexFunc(source, isBroken); at >= 0 {
		line := strings.Count(source[:at], "\n") + 1
		r.report(place{line, 1}, "the line is not valid UTF-8 text: save the file as UTF-8")
		return item{}
	}
	// Repeated keys are allowed here because fields reports them all.
	file, err := parser.ParseBytes([]byte(source), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return item{}
	}
	return r.only(file.Docs)
}

// isBroken reports whether c is no text: NUL, a byte that is not UTF-8, or the
// replacement character, which is what a program left of such a byte.
func isBroken(c rune) bool { return c == 0 || c == utf8.RuneError }

// syntax reports an error of the YAML parser, which stops at its first.
func (r *reader) syntax(err error) {
	var at place
	message := err.Error()
	if e := yaml.Error(nil); errors.As(err, &e) {
		at, message = placeOf(e.GetToken()), e.GetMessage()
	}
	r.report(at, "this is not YAML: %s: check the indent, and put a text with : or { in quotes", message)
}

// only returns the one document of a file.
func (r *reader) only(docs []*ast.DocumentNode) item {
	docs = slices.DeleteFunc(docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	if len(docs) == 0 {
		r.report(place{1, 1}, "the file is empty: write a flow with name, language, keywords, steps and completed")
		return item{}
	}
	if len(docs) > 1 {
		r.report(start(docs[1].Body), "a second document begins here: write one flow in a file")
	}
	return item{key: "the flow", at: start(docs[0].Body), node: docs[0].Body}
}

// fields takes a mapping apart; unknown and repeated keys are problems.
func (r *reader) fields(in item, known ...string) fields {
	if in.node == nil {
		return fields{}
	}
	mapping, ok := in.node.(*ast.MappingNode)
	if !ok {
		r.report(in.at, "%s must have the fields %s", in.key, strings.Join(known, ", "))
		return fields{}
	}
	all := fields{at: in.at, of: make(map[string]item, len(known))}
	for _, entry := range mapping.Values {
		r.field(all, entry, known)
	}
	return all
}

// field adds one entry of a mapping.
func (r *reader) field(all fields, entry *ast.MappingValueNode, known []string) {
	key := entry.Key.GetToken()
	if !slices.Contains(known, key.Value) {
		r.report(placeOf(key), "unknown field %q: use %s", key.Value, strings.Join(known, ", "))
		return
	}
	if _, twice := all.of[key.Value]; twice {
		r.report(placeOf(key), "field %q is here twice: keep one", key.Value)
		return
	}
	value := item{key: strconv.Quote(key.Value), at: placeOf(key), node: entry.Value}
	switch entry.Value.(type) {
	case nil, *ast.NullNode: // nothing is written there: point to the key
		value.node = ast.Null(key)
	default:
		value.at = start(entry.Value)
	}
	all.of[key.Value] = value
}

// required returns a field that must be there; purpose completes "add it:".
func (r *reader) required(all fields, key, purpose string) item {
	in, ok := all.of[key]
	if !ok && all.of != nil {
		r.report(all.at, "field %q is missing: add it: %s", key, purpose)
	}
	return in
}

// list returns the values of a sequence, which must have at least one.
func (r *reader) list(in item) []item {
	if in.node == nil {
		return nil
	}
	sequence, ok := in.node.(*ast.SequenceNode)
	if !ok || len(sequence.Values) == 0 {
		r.report(in.at, "%s must be a list with at least one entry", in.key)
		return nil
	}
	items := make([]item, len(sequence.Values))
	for i, value := range sequence.Values {
		items[i] = item{key: "an entry of " + in.key, at: start(value), node: value}
	}
	return items
}

// text returns what a scalar says, without blanks around it.
func (r *reader) text(in item) text {
	var value string
	switch n := in.node.(type) {
	case nil:
		return text{}
	case *ast.NullNode:
	case *ast.StringNode:
		value = strings.TrimSpace(n.Value)
	case *ast.LiteralNode:
		value = strings.TrimSpace(n.Value.Value)
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		r.report(in.at, "%s uses an anchor, alias or tag: write the text itself", in.key)
		return text{}
	default:
		r.report(in.at, "%s must be text: put it in quotes", in.key)
		return text{}
	}
	switch {
	case value == "":
		r.report(in.at, "%s is empty: write its text", in.key)
	case strings.ContainsFunc(value, isBroken): // by an escape: the source itself was checked
		r.report(in.at, "%s holds a character that is no text: remove the escape", in.key)
		value = ""
	}
	return text{key: in.key, at: in.at, value: value}
}

// start returns where a value begins. The token of a block mapping is its first
// colon, so its first key is taken.
func start(n ast.Node) place {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return placeOf(m.Values[0].Key.GetToken())
	}
	return placeOf(n.GetToken())
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}
