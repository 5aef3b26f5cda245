package meta

import (
	"bytes"
	"cmp"
	"encoding/json"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyhq/parley/pkg/whatsapp/grammar"
)

const (
	// maxDepth is how deep the JSON of a POST may be nested. Meta's own is about 12 deep.
	maxDepth = 64
	// indexDepth is how deep the members of a message are.
	indexDepth = 9
	// indexBytes is the size from which on a container's end is noted: below, it is
	// found as fast.
	indexBytes = 256
)

// document is valid JSON with an index of its large outer containers. Walking over it
// copies nothing, so each update keeps its own bytes; the index keeps the price of
// a walk independent of what the containers hold.
type document struct {
	data  []byte
	spans []span // of large containers down to indexDepth, in order of their start
}

type span struct{ start, end int }

// value is one JSON value of a document. The zero value stands for none.
type value struct {
	doc        *document
	start, end int
}

// parse checks data, and gives its value or says what is wrong with it.
func parse(data []byte) (root value, fault string) {
	doc := &document{data: data}
	if err := grammar.Check(data, maxDepth, doc.closed); err != nil {
		return value{}, err.Error()
	}
	slices.SortFunc(doc.spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	start := len(data) - len(bytes.TrimLeft(data, " \n\t\r"))
	return value{doc, start, doc.valueEnd(start)}, ""
}

// closed notes where a container is, if it is large and far enough out.
func (d *document) closed(depth, start, end int) {
	if depth < indexDepth && end-start >= indexBytes {
		d.spans = append(d.spans, span{start, end})
	}
}

// valueEnd is the index behind the value that starts at at.
func (d *document) valueEnd(at int) int {
	switch d.data[at] {
	case '"':
		return d.stringEnd(at)
	case '{', '[':
		return d.containerEnd(at)
	}
	for at < len(d.data) && strings.IndexByte(",]} \n\t\r", d.data[at]) < 0 {
		at++
	}
	return at
}

func (d *document) containerEnd(at int) int {
	byStart := func(s span, at int) int { return cmp.Compare(s.start, at) }
	if i, ok := slices.BinarySearchFunc(d.spans, at, byStart); ok {
		return d.spans[i].end
	}
	for depth := 0; ; at++ {
		switch d.data[at] {
		case '"':
			at = d.stringEnd(at) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
		}
	}
}

// stringEnd is the index behind the string that starts at at.
func (d *document) stringEnd(at int) int {
	for at++; at < len(d.data); at++ {
		switch d.data[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(d.data)
}

// gapEnd is the index of what follows the white space at at.
func (d *document) gapEnd(at int) int {
	for d.data[at] <= ' ' { // valid JSON has no other control characters here
		at++
	}
	return at
}

// nextStart is where the next member or element starts, or where the container
// closes, given the end of the one before it.
func (d *document) nextStart(end int) int {
	at := d.gapEnd(end)
	if d.data[at] == ',' {
		return d.gapEnd(at + 1)
	}
	return at
}

// raw is the value byte for byte.
func (v value) raw() []byte {
	if v.doc == nil {
		return nil
	}
	return v.doc.data[v.start:v.end:v.end]
}

func (v value) startsWith(c byte) bool { return v.doc != nil && v.doc.data[v.start] == c }

func (v value) isObject() bool { return v.startsWith('{') }

func (v value) isList() bool { return v.startsWith('[') }

func (v value) isString() bool { return v.startsWith('"') }

func (v value) isTrue() bool { return v.startsWith('t') || v.is("true") }

func (v value) isNull() bool { return v.startsWith('n') }

// members yields the keys and values of an object in order, a repeated key
// repeatedly. Other values have none.
func (v value) members() iter.Seq2[value, value] {
	return func(yield func(key, member value) bool) {
		if !v.isObject() {
			return
		}
		d := v.doc
		for at := d.gapEnd(v.start + 1); d.data[at] != '}'; {
			key := value{d, at, d.stringEnd(at)}
			at = d.gapEnd(d.gapEnd(key.end) + len(":"))
			member := value{d, at, d.valueEnd(at)}
			if !yield(key, member) {
				return
			}
			at = d.nextStart(member.end)
		}
	}
}

// elements yields the elements of a list in order. Other values have none.
func (v value) elements() iter.Seq[value] {
	return func(yield func(value) bool) {
		if !v.isList() {
			return
		}
		d := v.doc
		for at := d.gapEnd(v.start + 1); d.data[at] != ']'; {
			element := value{d, at, d.valueEnd(at)}
			if !yield(element) {
				return
			}
			at = d.nextStart(element.end)
		}
	}
}

// items are the elements of a list, or an object that stands where a list of it belongs.
func (v value) items() iter.Seq[value] {
	if v.isObject() {
		return func(yield func(value) bool) { yield(v) }
	}
	return v.elements()
}

// get is the value at the end of a path of keys, the last one where a key is repeated.
func (v value) get(path ...string) value {
	for _, name := range path {
		var found value
		for key, member := range v.members() {
			if key.is(name) {
				found = member
			}
		}
		v = found
	}
	return v
}

// is reports whether v is the key or the string s.
func (v value) is(s string) bool {
	raw := v.raw()
	return v.startsWith('"') && (string(raw[1:len(raw)-1]) == s || (!isPlain(raw) && v.text() == s))
}

// first is the first element of a list.
func (v value) first() value {
	for element := range v.elements() {
		return element
	}
	return value{}
}

// text is what a string or a number says. Bytes that are not UTF-8 are replaced,
// and NUL, which PostgreSQL cannot hold, is dropped. Other values say nothing.
func (v value) text() string {
	raw := v.raw()
	if len(raw) == 0 || strings.IndexByte("{[tfn", raw[0]) >= 0 {
		return ""
	}
	if raw[0] != '"' {
		return string(raw)
	}
	if isPlain(raw) {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return strings.ReplaceAll(s, "\x00", "")
}

// isPlain reports whether a string is ASCII without escapes.
func isPlain(quoted []byte) bool {
	for _, c := range quoted {
		if c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}

// number is a whole number of at most 32 bits, written as one or as a string; 0
// if it is neither.
func (v value) number() int {
	n, _ := v.whole()
	return n
}

// whole is the same, and says whether it is one.
func (v value) whole() (n int, ok bool) {
	long, err := strconv.ParseInt(v.text(), 10, 32)
	if err != nil {
		return 0, false
	}
	return int(long), true
}

// decimal is what a number says, written as one or as a string; ok is false for other
// values, and for numbers that a float64 cannot hold.
func (v value) decimal() (n float64, ok bool) {
	n, err := strconv.ParseFloat(v.text(), 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// appendTo writes v anew: each string as text reads it, the rest as it is.
func (v value) appendTo(dst []byte) []byte {
	switch {
	case v.isObject():
		return v.appendWithout(dst, "")
	case v.isList():
		dst = append(dst, '[')
		start := len(dst)
		for element := range v.elements() {
			dst = element.appendTo(appendComma(dst, start))
		}
		return append(dst, ']')
	case v.startsWith('"'):
		return appendString(dst, v.text())
	}
	return append(dst, v.raw()...)
}

// appendWithout writes an object anew, without the members of one name; an empty
// name leaves none out.
func (v value) appendWithout(dst []byte, name string) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for key, member := range v.members() {
		if name != "" && key.is(name) {
			continue
		}
		dst = append(appendString(appendComma(dst, start), key.text()), ':')
		dst = member.appendTo(dst)
	}
	return append(dst, '}')
}

// appendComma separates what comes next from what was written since start.
func appendComma(dst []byte, start int) []byte {
	if len(dst) > start {
		return append(dst, ',')
	}
	return dst
}

// appendString writes a string without the escapes that only HTML needs.
func appendString(dst []byte, s string) []byte {
	b := bytes.NewBuffer(dst)
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string can always be written
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
