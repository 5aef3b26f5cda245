package wasender

import (
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// maxVCardBytes bounds a card of an address book; a photo makes one large.
const maxVCardBytes = 256 << 10

// parseVCard reads a card of an address book (RFC 6350 and the versions before it).
// Of several numbers or addresses the first is taken. Any text will do.
func parseVCard(card string) *parleyv1.ContactCard {
	c, structured := &parleyv1.ContactCard{}, ""
	for line := range strings.Lines(unfold(card)) {
		head, text, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		name, params, _ := strings.Cut(head, ";")
		if _, grouped, isGrouped := strings.Cut(name, "."); isGrouped { // "item1.TEL"
			name = grouped
		}
		if !ok || len(text) > maxFieldBytes {
			continue
		}
		parts := components(text)
		text = unescapeVCard(text)
		switch strings.ToUpper(name) {
		case "FN":
			fill(&c.Name, text)
		case "N":
			fill(&structured, nameOf(parts))
		case "TEL":
			fill(&c.Phone, strings.TrimPrefix(text, "tel:"))
			fill(&c.Phone, parameter(params, "waid"))
		case "EMAIL":
			fill(&c.Email, text)
		case "ORG":
			fill(&c.Organization, parts[0])
		}
	}
	fill(&c.Name, structured)
	return c
}

// unfold joins lines that were broken (RFC 6350, section 3.2).
func unfold(card string) string {
	return strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "").Replace(card)
}

// unescapeVCard reads the escapes of a text (RFC 6350, section 3.4).
func unescapeVCard(text string) string {
	if !strings.Contains(text, `\`) {
		return strings.TrimSpace(text)
	}
	return strings.TrimSpace(strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\:`, ":", `\\`, `\`).Replace(text))
}

// components are the parts of a text that has several, of which an escaped semicolon
// separates none (RFC 6350, section 3.3).
func components(text string) []string {
	var parts []string
	from := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++ // what follows is meant as it is
		case ';':
			parts = append(parts, unescapeVCard(text[from:i]))
			from = i + 1
		}
	}
	return append(parts, unescapeVCard(text[from:]))
}

// nameOf puts "family;given;middle;prefix;suffix" in the order it is read.
func nameOf(structured []string) string {
	parts := append(structured, "", "", "", "", "")
	words := []string{}
	for _, part := range []string{parts[3], parts[1], parts[2], parts[0], parts[4]} {
		if part != "" {
			words = append(words, part)
		}
	}
	return strings.Join(words, " ")
}

// parameter is one of "type=CELL;waid=15550002222".
func parameter(params, name string) string {
	for param := range strings.SplitSeq(params, ";") {
		key, text, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(text)
		}
	}
	return ""
}
