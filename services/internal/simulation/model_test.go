package simulation

import (
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// dialogue is the demo's flow once more, as a person would describe it. It
// shares nothing with pkg/flow.
type dialogue struct {
	at     string // "", "name", "email" or "done"
	name   string
	thanks string
}

const (
	sayWelcome = "Welcome! What is your name?"
	sayInvalid = "That email looks invalid. Please try again."
	sayAgain   = "Send 'RESTART' to begin again."
)

func (d *dialogue) sayEmail() string { return "Hi " + d.name + ", what is your email?" }

// hear answers one message. version is the flow that a session begun now has.
func (d *dialogue) hear(m *parleyv1.IncomingMessage, version uint32) string {
	words := ""
	if m.GetType() == "text" {
		words = strings.TrimSpace(m.GetText())
	}
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
