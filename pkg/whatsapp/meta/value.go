package meta

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/parleyhq/parley/pkg/whatsapp/grammar"
)

// maxDepth is how deep the JSON of a POST may be nested. Meta's own is about 12 deep.
const maxDepth = 64

// value is one JSON value of a document. The zero value stands for none.
type value struct {
	doc        *grammar.Document
	start, end int
}

// parse checks data, and gives its value or says what is wrong with it.
func parse(data []byte) (root value, fault string) {
	doc, err := grammar.Read(data, maxDepth)
	if err != nil {
		return value{}, err.Error()
	}
	start := doc.Start()
	return value{doc, start, doc.ValueEnd(start)}, ""
}

// raw is the value byte for byte.
func (v value) raw() []byte {
	if v.doc == nil {
		return nil
	}
	return v.doc.Data[v.start:v.end:v.end]
}

func (v value) startsWith(c byte) bool { return v.doc != nil && v.doc.Data[v.start] == c }

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
		for at := d.GapEnd(v.start + 1); d.Data[at] != '}'; {
			key := value{d, at, d.StringEnd(at)}
			at = d.MemberStart(key.end)
			member := value{d, at, d.ValueEnd(at)}
			if !yield(key, member) {
				return
			}
			at = d.NextStart(member.end)
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
		for at := d.GapEnd(v.start + 1); d.Data[at] != ']'; {
			element := value{d, at, d.ValueEnd(at)}
			if !yield(element) {
				return
			}
			at = d.NextStart(element.end)
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
