package when

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold levels what people type differently and mean alike: case, accents, widths,
// blanks, dashes and apostrophes.
func fold(text string) string {
	var b strings.Builder
	for _, c := range norm.NFKD.String(text) {
		if c = level(c); c >= 0 {
			b.WriteRune(c)
		}
	}
	return strings.TrimFunc(b.String(), isEdge)
}

// level returns the plain form of a character, or -1 if it is not seen.
func level(c rune) rune {
	switch {
	case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		return c
	case unicode.IsSpace(c) || c == '\u200b': // the zero-width space parts words
		return ' '
	case unicode.Is(unicode.Mn, c) || unicode.Is(unicode.Cf, c): // accents, direction marks
		return -1
	case unicode.Is(unicode.Pd, c) || c == '−':
		return '-'
	case strings.ContainsRune("’‘´`ʼ", c):
		return '\''
	}
	return unicode.ToLower(c)
}

// isEdge are the characters around a text that say nothing.
func isEdge(c rune) bool {
	return strings.ContainsRune(" .,;:!?¡¿\"'«»“”„()*_~", c)
}

// readable reports whether a text is within the limits.
func readable(text string) bool {
	return len(text) <= textBytesMax && utf8.ValidString(text)
}
