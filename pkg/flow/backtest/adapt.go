package backtest

import (
	"strings"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// buttonPrefix begins the id of every button of a flow.
const buttonPrefix = "p1."

// adapted is an input that fits the version that it is played to. A tap on a button
// that only the recorded version has shown becomes what the button said, unless it
// was an old button then; a form comes back for the form that is open now, and
// a reply to a question by its name in this version.
func (r *replay) adapted(h heard) *parleyv1.Input {
	m := h.in.GetMessage()
	switch {
	case r.lacks(h.in.GetFormExchange().GetToken()):
		in := proto.CloneOf(h.in)
		in.GetFormExchange().Token = buttonPrefix + r.state.Progress.Ref + "." + r.state.Step + ".form"
		return in
	case r.names.of(m.GetRepliedTo().GetStep()) != m.GetRepliedTo().GetStep():
		in := proto.CloneOf(h.in)
		in.GetMessage().GetRepliedTo().Step = r.names.of(m.GetRepliedTo().GetStep())
		return in
	case wasStale(h.events):
		return h.in
	case strings.HasPrefix(m.GetTap(), buttonPrefix) && r.lacks(m.GetTap()):
		in := proto.CloneOf(h.in)
		in.GetMessage().Tap = ""
		return in
	case r.lacks(m.GetForm().GetToken()):
		in := proto.CloneOf(h.in)
		in.GetMessage().GetForm().Token = ""
		return in
	}
	return h.in
}

// lacks reports whether a button or a form was there, and is not in this version.
func (r *replay) lacks(id string) bool { return id != "" && !r.showed(id) && r.was.showed(id) }

// wasStale reports whether a tap was on an old button when it was recorded.
func wasStale(events []*parleyv1.Event) bool {
	for _, e := range events {
		if e.GetTapStale() != nil {
			return true
		}
	}
	return false
}

// showed reports whether the version has sent a button or a form with this id.
func (p *played) showed(id string) bool {
	for i := len(p.events) - 1; i >= 0; i-- {
		if m := p.events[i].GetMessageQueued(); m != nil && shows(m, id) {
			return true
		}
	}
	return false
}

func shows(m *parleyv1.MessageQueued, id string) bool {
	for _, b := range m.GetButtons().GetButtons() {
		if b.GetId() == id {
			return true
		}
	}
	for _, s := range m.GetList().GetSections() {
		for _, row := range s.GetRows() {
			if row.GetId() == id {
				return true
			}
		}
	}
	return m.GetForm().GetToken() == id
}
