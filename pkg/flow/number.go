package flow

import (
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// commaLanguages write 1.234,5; all others 1,234.5.
var commaLanguages = map[string]bool{
	"es": true, "pt": true, "fr": true, "de": true, "it": true, "nl": true, "pl": true, "ru": true, "uk": true, "tr": true, "sv": true,
	"da": true, "nb": true, "no": true, "fi": true, "cs": true, "sk": true, "hu": true, "ro": true, "bg": true, "el": true, "id": true,
	"vi": true, "ca": true, "gl": true, "hr": true, "sl": true, "sr": true, "lt": true, "lv": true, "et": true,
}

// parseNumber reads a number as the language writes it. A separator that cannot
// group thousands is a decimal sign: "1.5" is one and a half in every language,
// but "1.234" is what the language says.
func parseNumber(said, language string) (n float64, ok bool) {
	if len(said) > 4*numberMax { // far too long, however it is written
		return 0, false
	}
	said = strings.Map(digit, norm.NFKC.String(strings.TrimSpace(said)))
	if len(said) > numberMax || said == "" {
		return 0, false
	}
	base, _, _ := strings.Cut(language, "-")
	group, decimal := ",", "."
	if commaLanguages[base] && language != "es-MX" {
		group, decimal = ".", ","
	}
	plain, ok := arranged(said, group, decimal)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseFloat(plain, 64)
	return n + 0, err == nil // no negative zero
}

// arranged finds out which separators group, and writes the number for strconv.
func arranged(said, group, decimal string) (plain string, ok bool) {
	if strings.Contains(said, " ") { // then the blank groups, and either sign is the decimal one
		return ungrouped(strings.Replace(said, group, decimal, 1), " ", decimal)
	}
	if plain, ok = ungrouped(said, group, decimal); ok || strings.Contains(said, decimal) && strings.Contains(said, group) {
		return plain, ok
	}
	return ungrouped(said, decimal, group)
}

// zeros are the first digits of scripts that people count with besides ours.
var zeros = []rune{'٠', '۰', '०', '০', '௦', '๐'}

// digit writes a character of a number with ours.
func digit(c rune) rune {
	switch c {
	case '\'', '’', '٬':
		return ' ' // they group, as blanks do
	case '\u202f':
		return ' '
	case '٫':
		return '.'
	case '−', '–':
		return '-'
	}
	for _, zero := range zeros {
		if c >= zero && c <= zero+9 {
			return '0' + c - zero
		}
	}
	return c
}

// ungrouped writes a number for strconv; ok is false if the separators stand where
// they cannot.
func ungrouped(said, group, decimal string) (plain string, ok bool) {
	sign := ""
	if rest, negative := strings.CutPrefix(said, "-"); negative {
		sign, said = "-", strings.TrimPrefix(rest, " ")
	} else {
		said = strings.TrimPrefix(said, "+")
	}
	whole, fraction, hasFraction := strings.Cut(said, decimal)
	groups := strings.Split(whole, group)
	for i, digits := range groups {
		first := i == 0 && (len(digits) > 3 || digits[:min(1, len(digits))] == "0") // 0,123 groups nothing
		if !isDigits(digits) || len(groups) > 1 && (first || i > 0 && len(digits) != 3) {
			return "", false
		}
	}
	if hasFraction && !isDigits(fraction) {
		return "", false
	}
	plain = sign + strings.Join(groups, "")
	if hasFraction {
		plain += "." + fraction
	}
	return plain, true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
