package text

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// numberOf makes a value a number; ok is false for what is none, such as NaN.
func numberOf(value any) (n float64, ok bool) {
	switch v := value.(type) {
	case float64:
		n = v
	case int:
		n = float64(v)
	case int64:
		n = float64(v)
	default:
		return 0, false
	}
	return n, !math.IsNaN(n) && !math.IsInf(n, 0)
}

// appendPlain writes a value without any language: texts as they are, nil as
// nothing, and lists and objects as JSON. These go through a buffer of their own,
// for else the compiler would move every text's buffer to the heap.
func appendPlain(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return b
	case string:
		return append(b, v...)
	case bool:
		return strconv.AppendBool(b, v)
	case float64:
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	}
	return append(b, appendJSON(nil, value)...)
}

// appendJSON writes a value, which is a tree as JSON has it: the keys of objects
// in order, numbers without exponent.
func appendJSON(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendQuoted(b, v)
	case float64:
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	case []any:
		return appendList(b, v)
	case map[string]any:
		return appendObject(b, v)
	}
	return fmt.Append(b, value)
}

func appendList(b []byte, list []any) []byte {
	b = append(b, '[')
	for i, value := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, value)
	}
	return append(b, ']')
}

func appendObject(b []byte, object map[string]any) []byte {
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(object)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, key), ':')
		b = appendJSON(b, object[key])
	}
	return append(b, '}')
}

// appendQuoted escapes what JSON must, and nothing else: people read it. The
// escapes of strconv.Quote are not those of JSON.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
