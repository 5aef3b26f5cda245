package wasender

import (
	"strconv"
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// choice is a button or a row, as a text can show it.
type choice struct{ id, title, description string }

// numbered writes a message with choices as a text: WASenderApi has neither buttons
// nor lists. A flow understands a choice by the number of its place, so the lines
// are those of a flow's own numbered text ("2. Tomorrow (from 9)"). What a flow
// understands by its title only stands without a number: yes and no, where a number
// would be a new answer, and the row that turns the page. Empty parts are left out.
func numbered(header, body, footer string, choices []choice) string {
	var lines []string
	number := 0
	for _, c := range choices {
		line := c.title
		if c.description != "" {
			line += " (" + c.description + ")"
		}
		if isWord(c.id) {
			lines = append(lines, "• "+line)
			continue
		}
		number++
		lines = append(lines, strconv.Itoa(number)+". "+line)
	}
	return joined("\n\n", header, joined("\n", body, strings.Join(lines, "\n")), footer)
}

// isWord reports whether a flow understands the choice of an id by its title only.
// The last part of the id says so: "yes" and "no", with the answer that they confirm
// behind a hyphen, and "page-" for another page of a long list (pkg/flow, choice.go).
func isWord(id string) bool {
	if !strings.HasPrefix(id, "p1.") {
		return false
	}
	word, page, _ := strings.Cut(id[strings.LastIndexByte(id, '.')+1:], "-")
	return word == "yes" || word == "no" || word == "page" && page != ""
}

// joined joins the parts that are not empty.
func joined(separator string, parts ...string) string {
	var full []string
	for _, part := range parts {
		if part != "" {
			full = append(full, part)
		}
	}
	return strings.Join(full, separator)
}

func buttonsText(b *parleyv1.Buttons) string {
	var choices []choice
	for _, button := range b.GetButtons() {
		choices = append(choices, choice{id: button.GetId(), title: button.GetTitle()})
	}
	return numbered(b.GetHeader().GetText(), b.GetBody(), b.GetFooter(), choices)
}

// listText leaves the titles of sections out: the rows are counted through all of
// them, and a flow's lists have one section.
func listText(l *parleyv1.List) string {
	var choices []choice
	for _, section := range l.GetSections() {
		for _, row := range section.GetRows() {
			choices = append(choices, choice{row.GetId(), row.GetTitle(), row.GetDescription()})
		}
	}
	return numbered(l.GetHeader(), l.GetBody(), l.GetFooter(), choices)
}

func linkText(l *parleyv1.Link) string {
	link := joined(": ", l.GetTitle(), l.GetUrl())
	return joined("\n\n", l.GetHeader().GetText(), joined("\n", l.GetBody(), link), l.GetFooter())
}
