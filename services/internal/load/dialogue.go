package load

import (
	"fmt"
	"strings"
)

// words is what a contact says in one message: a text, or a photo if image is set.
type words struct {
	text  string
	image bool
}

// dialogue is the flow "lead", written a second time and as plainly as can be, so
// that the checker shares no mistake with pkg/flow. The zero value is a person
// who has never written.
type dialogue struct {
	step string // "", "name", "email" or "completed"
	name string
}

// reply says what Parley must answer to these words, and moves on.
func (d *dialogue) reply(w words) string {
	text := strings.TrimSpace(w.text)
	if d.step == "" || (!w.image && strings.ToUpper(text) == "RESTART") {
		*d = dialogue{step: "name"}
		return "Welcome! What is your name?"
	}
	switch {
	case d.step == "completed":
		return "Send 'RESTART' to begin again."
	case w.image && d.step == "name":
		return "Welcome! What is your name?"
	case w.image:
		return fmt.Sprintf("Hi %s, what is your email?", d.name)
	case d.step == "name":
		*d = dialogue{step: "email", name: text}
		return fmt.Sprintf("Hi %s, what is your email?", d.name)
	case !looksLikeEmail(text):
		return "That email looks invalid. Please try again."
	}
	d.step = "completed"
	return "Thank you! Your information is saved."
}

// looksLikeEmail is right about the addresses of script.go; it need not be about others.
func looksLikeEmail(text string) bool {
	local, domain, found := strings.Cut(text, "@")
	dot := strings.LastIndex(domain, ".")
	return found && local != "" && dot > 0 && dot < len(domain)-1 && !strings.ContainsAny(text, " <>,") && !strings.Contains(domain, "@")
}
