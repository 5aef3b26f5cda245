package flow

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// checkMessage checks a message against WhatsApp's limits (Cloud API, messages).
func checkMessage(t tester, m *parleyv1.MessageQueued) {
	t.Helper()
	switch c := m.GetContent().(type) {
	case *parleyv1.MessageQueued_Text:
		wantLength(t, "text", c.Text.GetBody(), 1, 4096)
	case *parleyv1.MessageQueued_Buttons:
		checkButtons(t, c.Buttons)
	case *parleyv1.MessageQueued_List:
		checkList(t, c.List)
	case *parleyv1.MessageQueued_Link:
		checkFrame(t, c.Link.GetHeader(), c.Link.GetBody(), c.Link.GetFooter())
		wantLength(t, "title", c.Link.GetTitle(), 1, 20)
		checkAddress(t, c.Link.GetUrl())
	case *parleyv1.MessageQueued_Share:
		wantLength(t, "body", c.Share.GetBody(), 1, 1024)
	case *parleyv1.MessageQueued_Form:
		checkFrame(t, c.Form.GetHeader(), c.Form.GetBody(), c.Form.GetFooter())
		wantLength(t, "title", c.Form.GetTitle(), 1, 30)
		if len(c.Form.GetData()) > 0 && !json.Valid(c.Form.GetData()) || c.Form.GetToken() == "" || c.Form.GetFormId() == "" {
			t.Fatalf("form %v", c.Form)
		}
	case *parleyv1.MessageQueued_Media:
		checkFile(t, c.Media, 1024)
	case *parleyv1.MessageQueued_Template:
		checkTemplate(t, c.Template)
	case *parleyv1.MessageQueued_Contact:
		wantLength(t, "name", c.Contact.GetName(), 1, 200)
	case *parleyv1.MessageQueued_Reaction:
		if c.Reaction.GetMessageId() == "" || c.Reaction.GetEmoji() == "" {
			t.Fatalf("reaction %v", c.Reaction)
		}
	case *parleyv1.MessageQueued_Typing:
		if c.Typing.GetMessageId() == "" {
			t.Fatalf("typing %v", c.Typing)
		}
	case *parleyv1.MessageQueued_Location:
	default:
		t.Fatalf("a message without content: %v", m)
	}
}

func wantLength(t tester, what, s string, least, most int) {
	t.Helper()
	blank := least > 0 && strings.TrimSpace(s) == ""
	if n := utf8.RuneCountInString(s); blank || n < least || n > most || !utf8.ValidString(s) || strings.Contains(s, "\x00") {
		t.Fatalf("%s of %d characters, want %d to %d: %q", what, n, least, most, s)
	}
}

func checkFrame(t tester, h *parleyv1.Header, body, footer string) {
	t.Helper()
	wantLength(t, "body", body, 1, 1024)
	wantLength(t, "footer", footer, 0, 60)
	switch {
	case h.GetMedia() != nil:
		checkFile(t, h.GetMedia(), 0)
	case h != nil:
		wantLength(t, "header", h.GetText(), 1, 60)
	}
}

func checkButtons(t tester, m *parleyv1.Buttons) {
	t.Helper()
	checkFrame(t, m.GetHeader(), m.GetBody(), m.GetFooter())
	titles, ids := map[string]bool{}, map[string]bool{}
	for _, b := range m.GetButtons() {
		wantLength(t, "button", b.GetTitle(), 1, 20)
		titles[b.GetTitle()], ids[b.GetId()] = true, true
		if len(b.GetId()) == 0 || len(b.GetId()) > 256 {
			t.Fatalf("id %q", b.GetId())
		}
	}
	if n := len(m.GetButtons()); n < 1 || n > 3 || len(titles) != n || len(ids) != n {
		t.Fatalf("buttons %v", m.GetButtons())
	}
}

func checkList(t tester, m *parleyv1.List) {
	t.Helper()
	wantLength(t, "header", m.GetHeader(), 0, 60)
	wantLength(t, "body", m.GetBody(), 1, 4096)
	wantLength(t, "footer", m.GetFooter(), 0, 60)
	wantLength(t, "label", m.GetButton(), 1, 20)
	ids, rows := map[string]bool{}, 0
	for _, s := range m.GetSections() {
		for _, r := range s.GetRows() {
			rows++
			wantLength(t, "row", r.GetTitle(), 1, 24)
			wantLength(t, "description", r.GetDescription(), 0, 72)
			ids[r.GetId()] = true
			if len(r.GetId()) == 0 || len(r.GetId()) > 200 {
				t.Fatalf("id %q", r.GetId())
			}
		}
	}
	if rows < 1 || rows > 10 || len(ids) != rows {
		t.Fatalf("%d rows: %v", rows, m)
	}
}

func checkFile(t tester, m *parleyv1.Media, caption int) {
	t.Helper()
	wantLength(t, "caption", m.GetCaption(), 0, caption)
	wantLength(t, "filename", m.GetFilename(), 0, 240)
	if (m.GetId() == "") == (m.GetLink() == "") {
		t.Fatalf("file %v", m)
	}
	if m.GetLink() != "" {
		checkAddress(t, m.GetLink())
	}
}

func checkAddress(t tester, s string) {
	t.Helper()
	wantLength(t, "address", s, 1, 2000)
	if !strings.HasPrefix(s, "http") || strings.ContainsAny(s, " \n\t\"<>") {
		t.Fatalf("address %q", s)
	}
}

func checkTemplate(t tester, m *parleyv1.Template) {
	t.Helper()
	if m.GetName() == "" || m.GetLanguage() == "" {
		t.Fatalf("template %v", m)
	}
	for _, p := range m.GetBody() {
		wantLength(t, "parameter", p.GetText(), 1, 1024)
		if strings.ContainsAny(p.GetText(), "\n\t") || strings.Contains(p.GetText(), "    ") {
			t.Fatalf("parameter %q", p.GetText())
		}
	}
	for _, b := range m.GetButtons() {
		wantLength(t, "parameter", b.GetText(), 1, 2000)
	}
}
