package flow

import (
	"errors"
	"fmt"
	"math"
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

// written is a scalar; value is empty if it was absent or wrong, and then reported.
type written struct {
	key   string // as in item
	at    place
	value string
}

// report notes a problem. The format says what is wrong and what to do.
func (r *reader) report(at place, rule, format string, args ...any) {
	r.problems = append(r.problems, Problem{
		Rule:    rule,
		Line:    at.line,
		Column:  at.column,
		Message: fmt.Sprintf(format, args...),
		Excerpt: excerpt(r.lines, at.line, at.column),
	})
}

// warn notes what does not keep a flow from being published.
func (r *reader) warn(at place, rule, format string, args ...any) {
	r.report(at, rule, format, args...)
	r.problems[len(r.problems)-1].Warning = true
}

// document returns the value that the whole file is.
func (r *reader) document(source string) item {
	if at := strings.IndexFunc(source, isBroken); at >= 0 {
		line := strings.Count(source[:at], "\n") + 1
		r.report(place{line, 1}, ruleYAML, "the line is not valid UTF-8 text: save the file as UTF-8")
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
	r.report(at, ruleYAML, "this is not YAML: %s: check the indent, and put a text with : or { in quotes", message)
}

// only returns the one document of a file.
func (r *reader) only(docs []*ast.DocumentNode) item {
	docs = slices.DeleteFunc(docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	if len(docs) == 0 {
		r.report(place{1, 1}, ruleYAML, "the file is empty: write a flow with name, language, steps and completed")
		return item{}
	}
	if len(docs) > 1 {
		r.report(start(docs[1].Body), ruleYAML, "a second document begins here: write one flow in a file")
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
		r.report(in.at, ruleValue, "%s must have fields: write it as {%s: …}; it may have %s", in.key, strings.Join(known[:min(2, len(known))], ": …, "), strings.Join(known, ", "))
		return fields{}
	}
	all := fields{at: in.at, of: make(map[string]item, len(known))}
	for _, entry := range mapping.Values {
		r.field(all, entry, known)
	}
	return all
}

// nearest is the name that was probably meant.
func nearest(key string, known []string) (name string, found bool) {
	for _, name := range known {
		if distance(key, name) <= 1+len(name)/5 {
			return name, true
		}
	}
	return "", false
}

// suggestion names the field that was probably meant, or all there are.
func suggestion(key string, known []string) string {
	if name, found := nearest(key, known); found {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return "use " + strings.Join(known, ", ")
}

// distance is the number of letters to change, add, remove, or exchange with the
// next, between two words.
func distance(a, b string) int {
	var before, row []int
	next := make([]int, len(b)+1)
	for j := range next {
		next[j] = j
	}
	for i := range len(a) {
		before, row, next = row, next, make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
	}
	return next[len(b)]
}

// field adds one entry of a mapping.
func (r *reader) field(all fields, entry *ast.MappingValueNode, known []string) {
	key := entry.Key.GetToken()
	if !slices.Contains(known, key.Value) {
		r.report(placeOf(key), ruleField, "unknown field %q: %s", key.Value, suggestion(key.Value, known))
		return
	}
	if _, twice := all.of[key.Value]; twice {
		r.report(placeOf(key), ruleField, "field %q is here twice: keep one", key.Value)
		return
	}
	all.of[key.Value] = valueOf(entry)
}

// valueOf is the value of an entry of a mapping.
func valueOf(entry *ast.MappingValueNode) item {
	key := entry.Key.GetToken()
	value := item{key: strconv.Quote(key.Value), at: placeOf(key), node: entry.Value}
	switch entry.Value.(type) {
	case nil, *ast.NullNode: // nothing is written there: point to the key
		value.node = ast.Null(key)
	default:
		value.at = start(entry.Value)
	}
	return value
}

// pair is one entry of a mapping whose keys are free.
type pair struct {
	key   written
	value item
}

// pairs takes a mapping with free keys apart, in its order; what completes
// "must be a mapping of".
func (r *reader) pairs(in item, what string) []pair {
	if in.node == nil {
		return nil
	}
	mapping, ok := in.node.(*ast.MappingNode)
	if !ok || len(mapping.Values) == 0 {
		r.report(in.at, ruleValue, "%s must be a mapping of %s", in.key, what)
		return nil
	}
	seen := map[string]bool{}
	var all []pair
	for _, e := range mapping.Values {
		key := e.Key.GetToken()
		if seen[key.Value] {
			r.report(placeOf(key), ruleField, "%q is here twice: keep one", key.Value)
			continue
		}
		seen[key.Value] = true
		all = append(all, pair{key: written{key: in.key, at: placeOf(key), value: key.Value}, value: valueOf(e)})
	}
	return all
}

// path names a value by the way to it from the top of the file: the fields, and the
// numbers of entries of lists, from 1.
func (in item) path() string {
	way := strings.FieldsFunc(strings.TrimPrefix(in.node.GetPath(), "$"), func(r rune) bool { return r == '.' || r == '[' || r == ']' })
	for i, part := range way {
		if n, err := strconv.Atoi(part); err == nil {
			way[i] = strconv.Itoa(n + 1)
		}
	}
	return strings.Join(way, ".")
}

// isMapping and isList tell the shapes of a value apart where several are allowed.
func (in item) isMapping() bool { _, ok := in.node.(*ast.MappingNode); return ok }
func (in item) isList() bool    { _, ok := in.node.(*ast.SequenceNode); return ok }
func (in item) absent() bool    { return in.node == nil }

// isEmptyText tells the empty text from nothing written at all.
func (in item) isEmptyText() bool {
	n, ok := in.node.(*ast.StringNode)
	return ok && strings.TrimSpace(n.Value) == ""
}

// hasKey reports whether a mapping has the key.
func (in item) hasKey(name string) bool {
	mapping, ok := in.node.(*ast.MappingNode)
	return ok && slices.ContainsFunc(mapping.Values, func(v *ast.MappingValueNode) bool {
		return v.Key.GetToken().Value == name
	})
}

// scalar returns what a text, number or truth value says, as it is written.
func (r *reader) scalar(in item) written {
	switch n := in.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return written{key: in.key, at: in.at, value: n.GetToken().Value}
	}
	return r.text(in)
}

// number returns a number; ok is false if it was absent or wrong.
func (r *reader) number(in item) (n float64, ok bool) {
	if in.absent() {
		return 0, false
	}
	t := r.scalar(in)
	n, err := strconv.ParseFloat(t.value, 64)
	n, finite := number(n)
	if (err != nil || !finite) && t.value != "" {
		r.report(in.at, ruleValue, "%s must be a number", in.key)
	}
	return n, err == nil && finite
}

// count returns a whole number between low and high; 0 if absent or wrong.
func (r *reader) count(in item, low, high int) int {
	n, ok := r.number(in)
	if ok && (n != math.Trunc(n) || n < float64(low) || n > float64(high)) {
		r.report(in.at, ruleValue, "%s must be a whole number from %d to %d", in.key, low, high)
		return 0
	}
	return int(n)
}

// boolean returns a truth value; false if absent.
func (r *reader) boolean(in item) bool {
	if in.absent() {
		return false
	}
	n, ok := in.node.(*ast.BoolNode)
	if !ok {
		r.report(in.at, ruleValue, "%s must be true or false", in.key)
	}
	return ok && n.Value
}

// duration reads 500ms, 3s, 20m, 24h or 30d, in milliseconds; 0 if absent.
func (r *reader) duration(in item) (ms int64) {
	if in.absent() {
		return 0
	}
	t := r.scalar(in)
	units := []struct {
		name string
		ms   int64
	}{{"ms", 1}, {"s", 1000}, {"m", 60_000}, {"h", 3_600_000}, {"d", 86_400_000}}
	for _, unit := range units {
		digits, ok := strings.CutSuffix(t.value, unit.name)
		if n, err := strconv.ParseInt(digits, 10, 32); ok && err == nil && n > 0 && n <= 1_000_000 {
			return n * unit.ms
		}
	}
	if t.value != "" {
		r.report(in.at, ruleValue, "%q is no duration: write one such as 3s, 20m, 24h or 30d", t.value)
	}
	return 0
}

// required returns a field that must be there; purpose completes "add it:".
func (r *reader) required(all fields, key, purpose string) item {
	in, ok := all.of[key]
	if !ok && all.of != nil {
		r.report(all.at, ruleMissing, "field %q is missing: add it: %s", key, purpose)
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
		r.report(in.at, ruleValue, "%s must be a list with at least one entry", in.key)
		return nil
	}
	items := make([]item, len(sequence.Values))
	for i, value := range sequence.Values {
		items[i] = item{key: "an entry of " + in.key, at: start(value), node: value}
	}
	return items
}

// text returns what a scalar says, without blanks around it.
func (r *reader) text(in item) written {
	var value string
	switch n := in.node.(type) {
	case nil:
		return written{}
	case *ast.NullNode:
	case *ast.StringNode:
		value = strings.TrimSpace(n.Value)
	case *ast.LiteralNode:
		value = strings.TrimSpace(n.Value.Value)
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		r.report(in.at, ruleYAML, "%s uses an anchor, alias or tag: write the text itself", in.key)
		return written{}
	default:
		r.report(in.at, ruleValue, "%s must be text: put it in quotes", in.key)
		return written{}
	}
	switch {
	case value == "":
		r.report(in.at, ruleMissing, "%s is empty: write its text", in.key)
	case strings.ContainsFunc(value, isBroken): // by an escape: the source itself was checked
		r.report(in.at, ruleValue, "%s holds a character that is no text: remove the escape", in.key)
		value = ""
	}
	return written{key: in.key, at: in.at, value: value}
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
