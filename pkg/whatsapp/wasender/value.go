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

// value is one JSON value, byte for byte. It is known to be valid; nil is none.
type value []byte

// field is a member of an object; its key has its quotes.
type field struct{ key, value value }

// fields are the members of an object, in order.
type fields []field

// parse checks data, and gives its value or says what is wrong with it.
func parse(data []byte) (root value, fault string) {
	if err := grammar.Check(data, maxDepth, nil); err != nil {
		return nil, err.Error()
	}
	return bytes.Trim(data, " \n\t\r"), ""
}

// structural are the bytes that a scan for the end of a container stops at.
var structural = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

// nextStructural is the index of the next of them at or behind at.
func nextStructural(data []byte, at int) int {
	for at < len(data) && !structural[data[at]] {
		at++
	}
	return at
}

// stringEnd is the index behind the string that starts at at, or the end of data
// if it does not end.
func stringEnd(data []byte, at int) int {
	for at++; at < len(data); at++ {
		switch data[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(data)
}

// valueEnd is the index behind the value that starts at at, or the end of data if
// it does not end.
func valueEnd(data []byte, at int) int {
	if at == len(data) || !structural[data[at]] {
		return at + scalarLength(data[at:])
	}
	for depth := 0; at < len(data); at = nextStructural(data, at) {
		switch data[at] {
		case '"':
			at = stringEnd(data, at)
		case '{', '[':
			depth++
			at++
		default:
			depth--
			at++
		}
		if depth <= 0 {
			return at
		}
	}
	return len(data)
}

// scalarLength is that of the number or the word that data begins with.
func scalarLength(data []byte) int {
	if n := bytes.IndexAny(data, ",:]} \n\t\r"); n >= 0 {
		return n
	}
	return len(data)
}

// gapEnd is the index of what follows the white space at at.
func gapEnd(data []byte, at int) int {
	for at < len(data) && data[at] <= ' ' {
		at++
	}
	return at
}

func (v value) startsWith(c byte) bool { return len(v) > 0 && v[0] == c }

func (v value) isObject() bool { return v.startsWith('{') }

func (v value) isList() bool { return v.startsWith('[') }

func (v value) isNull() bool { return v.startsWith('n') }

// fields are the members of an object. Other values have none.
func (v value) fields() fields {
	if !v.isObject() {
		return nil
	}
	var list fields
	for at := gapEnd(v, 1); v[at] != '}' && len(list) < maxMembers; {
		keyEnd := stringEnd(v, at)
		start := gapEnd(v, gapEnd(v, keyEnd)+len(":"))
		end := valueEnd(v, start)
		list = append(list, field{v[at:keyEnd], v[start:end:end]})
		at = nextStart(v, end)
	}
	return list
}

// elements yields the elements of a list in order. Other values have none.
func (v value) elements() iter.Seq[value] {
	return func(yield func(value) bool) {
		if !v.isList() {
			return
		}
		for at := gapEnd(v, 1); v[at] != ']'; {
			end := valueEnd(v, at)
			if !yield(v[at:end:end]) {
				return
			}
			at = nextStart(v, end)
		}
	}
}

// nextStart is where the next member or element starts, or where the container
// closes, given the end of the one before it.
func nextStart(data []byte, end int) int {
	at := gapEnd(data, end)
	if data[at] == ',' {
		return gapEnd(data, at+1)
	}
	return at
}

// first is the first element of a list.
func (v value) first() value {
	for element := range v.elements() {
		return element
	}
	return nil
}

// get is the member of a name, the last one if there are several.
func (f fields) get(name string) value {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].key.is(name) {
			return f[i].value
		}
	}
	return nil
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
	if !v.startsWith('"') || len(v) < len(s)+2 {
		return false // an escape is longer than what it stands for
	}
	return string(v[1:len(v)-1]) == s || bytes.IndexByte(v, '\\') >= 0 && v.text() == s
}

// isTrue reads a boolean, which may be written as a string.
func (v value) isTrue() bool { return string(v) == "true" || v.is("true") }

func (v value) isFalse() bool { return string(v) == "false" || v.is("false") }

// text is what a string says, or a number as it is written. Text is always valid:
// bytes that are not UTF-8 and halves of surrogate pairs become U+FFFD, and NUL,
// which PostgreSQL cannot hold, is dropped. Other values say nothing.
func (v value) text() string {
	switch {
	case len(v) == 0 || strings.IndexByte("{[tfn", v[0]) >= 0:
		return ""
	case v[0] != '"':
		return string(v)
	case bytes.IndexByte(v, '\\') < 0 && utf8.Valid(v):
		return string(v[1 : len(v)-1])
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
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
