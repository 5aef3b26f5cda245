package simulation

import (
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// dialogue is the two flows once more, as a person would describe them. It shares
// nothing with pkg/flow.
type dialogue struct {
	at     string // "", "name", "email" or "done"; "note" or "noted"
	name   string
	thanks string
	// parts of the note; wake is when it is whole if nothing is added, in any case
	// at last.
	parts      []string
	wake, last int64
}

const (
	sayWelcome = "Welcome! What is your name?"
	sayInvalid = "That email looks invalid. Please try again."
	sayAgain   = "Send 'RESTART' to begin again."
)

func (d *dialogue) sayEmail() string { return "Hi " + d.name + ", what is your email?" }

// hear answers one input. version is that of a session begun now.
func (d *dialogue) hear(in *parleyv1.Input, version uint32) string {
	if in.GetTimerDue() != nil {
		return d.note()
	}
	m, words := in.GetMessage(), ""
	if m.GetType() == "text" {
		words = strings.TrimSpace(m.GetText())
	}
	between := d.at == "" || d.at == "done" || d.at == "noted"
	switch {
	case between && words == "NOTE", (d.at == "note" || d.at == "noted") && words == "RESTART":
		*d = dialogue{at: "note"}
		return "Go on."
	case d.at == "noted":
		return "Done."
	case d.at == "note":
		return d.add(words, in.GetAtMs())
	}
	return d.lead(words, version)
}

// add keeps a part of a note. What comes when it should be whole already ends it.
func (d *dialogue) add(words string, now int64) string {
	if len(d.parts) == 0 {
		d.last = now + noteWait.Milliseconds()
	}
	d.parts = append(d.parts, words)
	d.wake = min(now+noteQuiet.Milliseconds(), d.last)
	if now >= d.last {
		return d.note()
	}
	return ""
}

func (d *dialogue) note() string {
	note := strings.Join(d.parts, "\n")
	*d = dialogue{at: "noted"}
	return "Noted: " + note
}

// lead is the demo.
func (d *dialogue) lead(words string, version uint32) string {
	if d.at == "" || strings.EqualFold(words, "restart") {
		*d = dialogue{at: "name", thanks: map[uint32]string{1: "Thank you!", 2: "Thanks a lot!"}[version]}
		return sayWelcome
	}
	switch d.at {
	case "name":
		if words == "" {
			return sayWelcome
		}
		d.at, d.name = "email", words
		return d.sayEmail()
	case "email":
		switch {
		case words == "":
			return d.sayEmail()
		case words != "ada@example.org":
			return sayInvalid
		}
		d.at = "done"
		return d.thanks + " Your information is saved."
	}
	return sayAgain
}
