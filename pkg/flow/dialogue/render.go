package dialogue

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Render tells a message of the flow as a dialogue file does, without the "< ".
// Only what a person sees is told, so ids of buttons are not.
func Render(m *parleyv1.MessageQueued) []string {
	switch content := m.GetContent().(type) {
	case *parleyv1.MessageQueued_Text:
		return textLines(content.Text.GetBody())
	case *parleyv1.MessageQueued_Media:
		return mediaLines(content.Media)
	case *parleyv1.MessageQueued_Buttons:
		b := content.Buttons
		titles := make([]string, len(b.GetButtons()))
		for i, button := range b.GetButtons() {
			titles[i] = "[" + button.GetTitle() + "]"
		}
		return framed(b.GetHeader(), b.GetBody(), b.GetFooter(), strings.Join(titles, " "))
	case *parleyv1.MessageQueued_List:
		return framed(&parleyv1.Header{Text: content.List.GetHeader()}, content.List.GetBody(), content.List.GetFooter(), rowLines(content.List)...)
	case *parleyv1.MessageQueued_Link:
		l := content.Link
		return framed(l.GetHeader(), l.GetBody(), l.GetFooter(), "["+l.GetTitle()+"]("+l.GetUrl()+")")
	case *parleyv1.MessageQueued_Form:
		return formLines(content.Form)
	case *parleyv1.MessageQueued_Share:
		return append(textLines(content.Share.GetBody()), "(share "+content.Share.GetWhat()+")")
	case *parleyv1.MessageQueued_Location:
		return []string{"(location) " + place(content.Location)}
	case *parleyv1.MessageQueued_Contact:
		c := content.Contact
		return []string{"(contact) " + joined(" ", c.GetName(), c.GetPhone(), c.GetEmail(), c.GetOrganization())}
	case *parleyv1.MessageQueued_Template:
		return templateLines(content.Template)
	case *parleyv1.MessageQueued_Reaction:
		return []string{"(reaction) " + content.Reaction.GetEmoji()}
	case *parleyv1.MessageQueued_Typing:
		return []string{"(typing)"}
	}
	return []string{"(unknown)"}
}

// joined puts a separator between the parts that are not empty.
func joined(separator string, parts ...string) string {
	var all []string
	for _, part := range parts {
		if part != "" {
			all = append(all, part)
		}
	}
	return strings.Join(all, separator)
}

// textLines are the lines of a text. Blanks at the end of a line, and blank lines
// at the end of the text, are not told: nobody sees them.
func textLines(body string) []string {
	body = strings.TrimRight(strings.ReplaceAll(body, "\r", ""), " \t\n")
	lines := strings.Split(body, "\n")
	for i, line := range lines {
		lines[i] = escaped(strings.TrimRight(line, " \t"))
	}
	return lines
}

// framed is a text with header, footer, and what can be tapped below it.
func framed(header *parleyv1.Header, body, footer string, below ...string) []string {
	lines := append(headerLines(header), textLines(body)...)
	if footer != "" {
		lines = append(lines, "(footer) "+footer)
	}
	return append(lines, below...)
}

func headerLines(h *parleyv1.Header) []string {
	switch {
	case h.GetMedia() != nil:
		return []string{"(header) " + mediaLines(h.GetMedia())[0]}
	case h.GetText() != "":
		return []string{"(header) " + h.GetText()}
	}
	return nil
}

// rowLines are the label of a list and its rows.
func rowLines(l *parleyv1.List) []string {
	lines := []string{"(list) " + l.GetButton()}
	for _, section := range l.GetSections() {
		if section.GetTitle() != "" {
			lines = append(lines, "(section) "+section.GetTitle())
		}
		for _, row := range section.GetRows() {
			lines = append(lines, joined(" ", "["+row.GetTitle()+"]", row.GetDescription()))
		}
	}
	return lines
}

// fileName tells which file beside the flow it is: by the beginning of its digest.
func fileName(m *parleyv1.Media) string {
	if m.GetSha256() == "" {
		return ""
	}
	return "file " + m.GetSha256()[:min(8, len(m.GetSha256()))]
}

func mediaLines(m *parleyv1.Media) []string {
	lines := []string{"(" + joined(" ", m.GetKind(), m.GetFilename(), cmp.Or(m.GetLink(), m.GetId(), fileName(m))) + ")"}
	if m.GetCaption() != "" {
		lines = append(lines, textLines(m.GetCaption())...)
	}
	return lines
}

// screenLine tells what an open form is shown.
func screenLine(a *parleyv1.FormAnswered) string {
	if a.GetFinished() {
		return "(finished) " + string(a.GetJson())
	}
	return "(screen " + a.GetScreen() + ") " + string(a.GetJson())
}

// callLine tells how a system of the business is asked.
func callLine(q *parleyv1.CallQueued) string {
	return strings.TrimSpace("(call " + q.GetMethod() + " " + q.GetUrl() + ") " + string(q.GetBody()))
}

func formLines(f *parleyv1.Form) []string {
	lines := framed(f.GetHeader(), f.GetBody(), f.GetFooter(), fmt.Sprintf("[%s](form %s)", f.GetTitle(), joined(" ", f.GetFormId(), f.GetScreen())))
	if len(f.GetData()) > 0 {
		lines = append(lines, "(data) "+string(f.GetData()))
	}
	return lines
}

// place is a location as the person writes one, too.
func place(l *parleyv1.GeoPoint) string {
	degrees := func(d float64) string { return strconv.FormatFloat(d, 'f', -1, 64) }
	where := degrees(l.GetLatitude()) + "," + degrees(l.GetLongitude())
	return joined(" | ", joined(" ", where, l.GetName()), l.GetAddress())
}

// templateLines name a template with its parameters: the text itself is at
// WhatsApp.
func templateLines(t *parleyv1.Template) []string {
	lines := append([]string{"(template " + joined(" ", t.GetName(), t.GetLanguage()) + ")"}, headerLines(t.GetHeader())...)
	for i, p := range t.GetBody() {
		lines = append(lines, "{"+cmp.Or(p.GetName(), strconv.Itoa(i+1))+"} "+p.GetText())
	}
	for _, b := range t.GetButtons() {
		lines = append(lines, fmt.Sprintf("(button %d) %s %s", b.GetIndex(), b.GetKind(), b.GetText()))
	}
	return lines
}
