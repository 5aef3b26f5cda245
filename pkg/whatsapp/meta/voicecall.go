package meta

import (
	"strings"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// call keeps a step of a phone call with the person who called, or was called. Which
// side is which says the direction, and the number of the business where payloads lack
// it, or disagree. Source: Meta, "Calling API" (WIRE.md 1.9).
func (s *splitter) call(c *change, v value) {
	id, event := v.get("id").text(), v.get("event").text()
	ours := v.get("direction").is("BUSINESS_INITIATED")
	from := identity(v.get("from"), v.get("from_user_id"), v.get("from_parent_user_id"))
	to := identity(v.get("to"), v.get("to_user_id"), v.get("to_parent_user_id"))
	if v.get("direction") == (value{}) {
		ours = c.displayed != "" && from.Phone == c.displayed
	}
	person, business := from, to
	if ours {
		person, business = to, from
	}
	if c.displayed != "" && person.Phone == c.displayed {
		person = business
	}
	s.voiceCall(c, v, id, event, person, ours)
}

// callStatus keeps what became of a call that the business makes.
func (s *splitter) callStatus(c *change, r value) {
	recipient, _ := recipients(r)
	s.voiceCall(c, r, r.get("id").text(), r.get("status").text(), recipient, true)
}

func (s *splitter) voiceCall(c *change, v value, id, state string, person *parleyv1.Identity, ours bool) {
	if laneKey(person) == "" && c.people.only != nil {
		person = proto.CloneOf(c.people.only)
	}
	switch {
	case !validID(id) || !validID(state):
		s.unreadable(c, v.raw(), "call without an id or an event")
	case laneKey(person) == "":
		s.unreadable(c, v.raw(), "call with nobody")
	case c.number == "":
		s.unreadable(c, v.raw(), "call without a phone_number_id")
	default:
		s.add(c, parleyv1.Kind_KIND_VOICE_CALL, id+"/"+state, person, v.get("timestamp"), v.raw())
		s.envelopes[len(s.envelopes)-1].Ours = ours
	}
}

// DecodeVoiceCall reads a KIND_VOICE_CALL envelope. A call that ended was taken if Meta
// says how long it was.
func DecodeVoiceCall(e *parleyv1.Envelope) (*parleyv1.VoiceCall, error) {
	raw, err := update(e)
	if err != nil {
		return nil, err
	}
	call := &parleyv1.VoiceCall{CallId: idOf(raw.get("id")), Ours: e.GetOurs(), Seconds: uint32(max(raw.get("duration").number(), 0))}
	switch event := raw.get("event"); {
	case event.is("connect"):
		call.State = "ringing"
	case event.is("terminate") && call.Seconds > 0:
		call.State = "taken"
	case event.is("terminate"):
		call.State = "missed"
	default:
		call.State = strings.ToLower(limited(event, maxTypeBytes) + limited(raw.get("status"), maxTypeBytes))
	}
	return call, nil
}

// WithoutSession is the raw update of a call without what sets up its connection, which
// is of no use later and names addresses of the person's network.
func WithoutSession(e *parleyv1.Envelope) []byte {
	raw, err := update(e)
	if err != nil {
		return nil
	}
	kept := raw.appendWithout(nil, "session")
	if rest, fault := parse(kept); fault == "" {
		kept = rest.appendWithout(nil, "connection")
	}
	return kept
}
