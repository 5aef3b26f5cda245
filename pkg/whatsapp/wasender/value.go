package wasender

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parleyhq/parley/pkg/whatsapp/grammar"
)

const (
	// maxDepth is how deep the JSON of a POST may be nested. A quoted message inside
	// wrappers is about 20 deep.
	maxDepth = 64
	// maxMembers is how many members of an object are looked at. WhatsApp's have
	// below 60.
	maxMembers = 4096
)

// value is one JSON value of a document. The zero value stands for none.
type value struct {
	doc        *grammar.Document
	start, end int
}

// field is a member of an object; its key has its quotes.
type field struct{ key, value value }

// fields are the members of an object, in order.
type fields []field

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

func (v value) isNone() bool { return v.doc == nil }

func (v value) startsWith(c byte) bool { return v.doc != nil && v.doc.Data[v.start] == c }

func (v value) isObject() bool { return v.startsWith('{') }

func (v value) isList() bool { return v.startsWith('[') }

func (v value) isNull() bool { return v.startsWith('n') }

// fields are the members of an object. Other values have none.
func (v value) fields() fields {
	if !v.isObject() {
		return nil
	}
	var list fields
	d := v.doc
	for at := d.GapEnd(v.start + 1); d.Data[at] != '}' && len(list) < maxMembers; {
		key := value{d, at, d.StringEnd(at)}
		start := d.MemberStart(key.end)
		member := value{d, start, d.ValueEnd(start)}
		list = append(list, field{key, member})
		at = d.NextStart(member.end)
	}
	return list
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

// first is the first element of a list.
func (v value) first() value {
	for element := range v.elements() {
		return element
	}
	return value{}
}

// get is the member of a name, the last one if there are several.
func (f fields) get(name string) value {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].key.is(name) {
			return f[i].value
		}
	}
	return value{}
}

// get is the value at the end of a path of names.
func (v value) get(path ...string) value {
	for _, name := range path {
		v = v.fields().get(name)
	}
	return v
}

// is reports whether v is the string s.
func (v value) is(s string) bool {
	raw := v.raw()
	if !v.startsWith('"') || len(raw) < len(s)+2 {
		return false // an escape is longer than what it stands for
	}
	return string(raw[1:len(raw)-1]) == s || bytes.IndexByte(raw, '\\') >= 0 && v.text() == s
}

// isTrue reads a boolean, which may be written as a string.
func (v value) isTrue() bool { return v.startsWith('t') || v.is("true") }

func (v value) isFalse() bool { return v.startsWith('f') || v.is("false") }

// text is what a string says, or a number as it is written. Text is always valid:
// bytes that are not UTF-8 and halves of surrogate pairs become U+FFFD, and NUL,
// which PostgreSQL cannot hold, is dropped. Other values say nothing.
func (v value) text() string {
	raw := v.raw()
	switch {
	case len(raw) == 0 || strings.IndexByte("{[tfn", raw[0]) >= 0:
		return ""
	case raw[0] != '"':
		return string(raw)
	case bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw):
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return strings.ReplaceAll(s, "\x00", "")
}

// limited is a text of at most so many bytes; a longer one is left out: cut, it
// would say something else.
func (v value) limited(bytes int) string {
	if s := v.text(); len(s) <= bytes {
		return s
	}
	return ""
}

// decimal is what a number says, written as one or as a string; ok is false for other
// values, and for numbers that a float64 cannot hold.
func (v value) decimal() (n float64, ok bool) {
	n, err := strconv.ParseFloat(v.text(), 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// integer is a whole number that is not negative: as a number, as a string, or as
// the two halves that JavaScript makes of 64 bits ({"low":1,"high":0}). 0 if it is
// none of them.
func (v value) integer() int64 {
	if v.isObject() {
		f := v.fields()
		low, high := f.get("low"), f.get("high").integer()
		n, err := strconv.ParseInt(low.text(), 10, 64) // the low half may be negative
		if err != nil || n < math.MinInt32 || n > math.MaxUint32 || high > math.MaxInt32 {
			return 0
		}
		return high<<32 | int64(uint32(n))
	}
	n, err := strconv.ParseInt(v.text(), 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}
