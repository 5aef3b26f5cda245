package flow

import (
	"strings"
	"testing"
	"unicode/utf8"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

func TestIsEmail(t *testing.T) {
	local := func(n int) string { return strings.Repeat("a", n) + "@example.org" }
	for value, want := range map[string]bool{
		"ada@example.org":            true,
		"Ada.L+x@mail.Example.co.uk": true,
		"o'brien@example.org":        true,
		"jürgen@köln.example":        true,
		local(242):                   true, // 254 bytes
		local(243):                   false,
		"":                           false,
		"ada":                        false,
		"ada@":                       false,
		"@example.org":               false,
		"ada@localhost":              false,
		"ada@example.":               false,
		"ada@.org":                   false,
		"ada@example..org":           false,
		"ada@[192.0.2.1]":            false,
		"a b@example.org":            false,
		`"a b"@example.org`:          false,
		"<ada@example.org>":          false,
		"Ada <ada@example.org>":      false,
		"ada@example.org (work)":     false,
		"ada@example.org, b@c.de":    false,
		"ada@b@example.org":          false,
		"ada@example.org\nbcc: x":    false,
		"mailto:ada@example.org":     false,
	} {
		if got := isEmail(value); got != want {
			t.Errorf("isEmail(%q) = %t", value, got)
		}
	}
}

func TestAnswerOf(t *testing.T) {
	for _, c := range []struct{ kind, text, want string }{
		{"text", " a \u00a0\n", "a"},
		{"button", "Yes", "Yes"},
		{"interactive", "First", "First"},
		{"text", "a\x00\xff\xfeb", "a\ufffdb"},
		{"text", "\x00 \x00", ""},
		{"image", "a caption", ""},
		{"", "a", ""},
	} {
		if got := answerOf(message("m1", c.kind, c.text).GetMessage()); got != c.want {
			t.Errorf("%s %q gives %q, want %q", c.kind, c.text, got, c.want)
		}
	}
	if got := answerOf(new(parleyv1.Input).GetMessage()); got != "" {
		t.Errorf("an input without a message gives %q", got)
	}
}

// TestLongAnswers checks the limit of a text, and that no reply passes WhatsApp's.
func TestLongAnswers(t *testing.T) {
	f := load(t, "survey").WithVersion(1)
	_, s := Turn(f, nil, State{}, message("m1", "text", "oi"))
	long := strings.Repeat("é", AnswerCharactersMax)

	// At a step without an invalid text the prompt is said again.
	events, s := Turn(f, f, s, message("m2", "text", long+"é"))
	wantRejected(t, events, ReasonLength, "May we ask you two questions?\nWrite {yes} or {no}.")
	_, s = Turn(f, f, s, message("m3", "text", "yes"))

	events, s = Turn(f, f, s, message("m4", "text", long+"é"))
	wantRejected(t, events, ReasonLength, "Shorter, please.")

	events, s = Turn(f, f, s, message("m5", "text", long))
	if s.Step != "mail" || s.Answers["town"] != long {
		t.Fatalf("an answer of %d characters was not taken", AnswerCharactersMax)
	}
	if body := said(events); !strings.Contains(body, long) || utf8.RuneCountInString(body) > TextCharactersMax {
		t.Errorf("the reply has %d characters", utf8.RuneCountInString(body))
	}

	// An address that is far too long is no address.
	events, _ = Turn(f, f, s, message("m6", "text", long+"@example.org"))
	wantRejected(t, events, ReasonEmail, "Not an address, dear "+long+".")
}

func wantRejected(t *testing.T, events []*parleyv1.Event, reason, body string) {
	t.Helper()
	if len(events) != 3 || events[1].GetAnswerRejected().GetReason() != reason {
		t.Fatalf("events %v, want a rejection for %s", events, reason)
	}
	if got := said(events); got != body {
		t.Errorf("said %q, want %q", got, body)
	}
}

// said returns the text of a turn's last message.
func said(events []*parleyv1.Event) string {
	return events[len(events)-1].GetMessageQueued().GetText().GetBody()
}
