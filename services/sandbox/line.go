package sandbox

import (
	"context"
	"slices"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// line is how people reach the business: its number at Meta, or its session of
// WASenderApi.
type line struct {
	provider faults.Provider
	number   string // as people see it; only shown
	poster   *poster
	// ready waits until WhatsApp reaches the line; false if ctx ended before. Nil is always.
	ready func(ctx context.Context) bool
	// write makes the webhook of what a person says, and the name of the message.
	write func(id string, d draft, at time.Time) (name string, body []byte)
}

// Line is a line as the page shows it.
type Line struct {
	Provider faults.Provider `json:"provider"`
	Number   string          `json:"number"`
}

// linesOf are the lines that a person can write to, the number at Meta first. A session
// of WASenderApi knows people by their phone numbers.
func (s *Sandbox) linesOf(person fake.Person) []*line {
	if s.session == nil || person.Phone == "" {
		return []*line{s.meta}
	}
	return []*line{s.meta, s.session.line}
}

// lineOf is the line that a message is for. fault says why it cannot go there.
func (s *Sandbox) lineOf(m message, person fake.Person) (l *line, fault string) {
	switch {
	case m.Provider == "" || m.Provider == faults.Meta:
		return s.meta, ""
	case m.Provider != faults.WASender:
		return nil, `provider must be "meta" or "wasender"`
	case s.session == nil:
		return nil, noSession
	case person.Phone == "":
		return nil, "a session of WASenderApi knows people by their phone numbers: this person has none"
	case !slices.Contains(sessionTypes, m.Type):
		return nil, "a session of WASenderApi has no buttons, lists, templates or forms: answer with words, a number chooses"
	}
	return s.session.line, ""
}

// shown adds to a phone what its person can write to.
func (s *Sandbox) shown(v PhoneView) PhoneView {
	person, _ := personOf(v.ID)
	for _, l := range s.linesOf(person) {
		v.Lines = append(v.Lines, Line{Provider: l.provider, Number: l.number})
	}
	v.Business = s.meta.number
	return v
}
