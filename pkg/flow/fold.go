package flow

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// fold writes a word the way that people who mean the same may have typed it:
// in lower case, without accents, without blanks and punctuation around it, and
// with single blanks inside.
func fold(s string) string {
	if folded, ok := foldASCII(s); ok {
		return folded
	}
	var b strings.Builder
	for _, c := range norm.NFKD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, c):
		case unicode.IsSpace(c):
			b.WriteByte(' ')
		default:
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return strings.Join(strings.Fields(strings.TrimFunc(b.String(), isEdge)), " ")
}

// foldASCII folds the usual case without a table; ok is false for other texts.
func foldASCII(s string) (folded string, ok bool) {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] < ' ' || s[i] == ' ' && i > 0 && s[i-1] == ' ' {
			return "", false
		}
	}
	return strings.ToLower(strings.TrimFunc(s, isEdge)), true
}

// isLongerThan reports whether a text surely has more bytes than that once it is
// folded; most are known at a glance.
func isLongerThan(s string, folded int) bool {
	if len(s) <= folded {
		return false
	}
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] <= ' ' && i > 0 && s[i-1] <= ' ' {
			return false
		}
	}
	return len(strings.TrimFunc(s, isEdge)) > folded
}

// isEdge are the characters around a word that say nothing.
func isEdge(c rune) bool {
	return unicode.IsSpace(c) || strings.ContainsRune(`.,;:!?¡¿"'«»“”„‘’…()*_~`, c)
}
