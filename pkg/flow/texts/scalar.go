package texts

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// plainText is what YAML surely reads as a text without quotes. It is narrower than
// YAML: what looks doubtful is quoted.
var plainText = regexp.MustCompile(`^[\pL¿¡][^\n\t"\\]*$`)

// notText are words that YAML, of some version, reads as something else.
var notText = regexp.MustCompile(`^(?i:true|false|null|yes|no|on|off|y|n)$`)

// canBePlain reports whether a text needs no quotes. In a flow mapping, such as
// {en: Hello}, more characters have a meaning.
func canBePlain(value string, inFlow bool) bool {
	return plainText.MatchString(value) && !notText.MatchString(value) && !strings.Contains(value, ": ") && !strings.Contains(value, " #") &&
		!strings.HasSuffix(value, ":") && strings.TrimSpace(value) == value && !strings.ContainsFunc(value, unicode.IsControl) &&
		!(inFlow && strings.ContainsAny(value, ",[]{}"))
}

// scalar writes a text on one line. Quotes say whether the author would quote it.
func scalar(value string, inFlow, quotes bool) string {
	if !quotes && canBePlain(value, inFlow) {
		return value
	}
	return quoted(value)
}

// quoted writes a text in double quotes.
func quoted(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// literal writes a text of several lines below a bar; ok is false if that would
// change it.
func literal(value, indent string) (block string, ok bool) {
	lines := strings.Split(value, "\n")
	for _, line := range lines {
		if strings.TrimRight(line, " \t") != line || strings.ContainsFunc(line, unicode.IsControl) {
			return "", false
		}
	}
	if len(lines) == 1 || strings.TrimLeft(lines[0], " ") != lines[0] {
		return "", false
	}
	var b strings.Builder
	b.WriteByte('|')
	for _, line := range lines {
		b.WriteByte('\n')
		if line != "" {
			b.WriteString(indent + line)
		}
	}
	return b.String(), true
}

// scalarEnd is where the scalar ends that begins at an offset. Value is what YAML
// reads there, so that a scalar of several lines is known by it. It is -1 if none is
// found.
func scalarEnd(source string, at int, value string) int {
	switch source[at] {
	case '"', '\'':
		return quotedEnd(source, at)
	case '|', '>':
		return blockEnd(source, at)
	}
	for end := at; end < len(source) && end-at < 4*len(value)+200; {
		end++
		if end == len(source) || strings.ContainsRune(",}]\n#", rune(source[end])) {
			if folded(source[at:end]) == strings.TrimSpace(value) {
				return at + len(strings.TrimRight(source[at:end], " \t\n"))
			}
		}
	}
	return -1
}

func quotedEnd(source string, at int) int {
	quote := source[at]
	for i := at + 1; i < len(source); i++ {
		switch {
		case source[i] == '\\' && quote == '"':
			i++
		case source[i] == quote && quote == '\'' && strings.HasPrefix(source[i+1:], "'"):
			i++
		case source[i] == quote:
			return i + 1
		}
	}
	return -1
}

// blockEnd is the end of the last line of a text below a bar: the lines that are
// indented like its first one.
func blockEnd(source string, at int) int {
	end, indent := at, -1
	for from := at; from < len(source); {
		line, _, _ := strings.Cut(source[from:], "\n")
		text := strings.TrimRight(line, " \t")
		depth := len(text) - len(strings.TrimLeft(text, " "))
		switch {
		case from == at:
			end = from + len(text)
		case text == "":
		case indent < 0:
			indent = depth
			end = from + len(text)
		case depth >= indent:
			end = from + len(text)
		default:
			return end
		}
		from += len(line) + 1
	}
	return end
}

// folded is what YAML reads of plain text over several lines.
func folded(source string) string {
	lines := strings.Split(source, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	var b strings.Builder
	for i, line := range lines {
		switch {
		case i == 0:
		case line == "":
			b.WriteByte('\n')
			continue
		case lines[i-1] != "":
			b.WriteByte(' ')
		}
		b.WriteString(line)
	}
	return strings.TrimSpace(b.String())
}
