package meta

import (
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// fieldHistory is the webhook field, and the list in it, of what was written before a
// number of the WhatsApp Business app was connected (WIRE.md 1.9). Meta tells it in
// chunks of threads, in any order; what files a message had comes later, each as a
// message of its own in the same field, and names no thread.
const fieldHistory = "history"

// statesOfPast are what became of a past message, in the words of receipts.
var statesOfPast = map[string]string{
	"PENDING": "pending", "SENT": "sent", "DELIVERED": "delivered", "READ": "read", "PLAYED": "played", "ERROR": "failed",
}

// chunk takes a part of the history apart: its progress, its errors, and each message of
// its threads. Lists that are not known are kept with all of it.
func (s *splitter) chunk(c *change, h value) {
	if !h.isObject() {
		s.unreadable(c, h.raw(), "history is not an object")
		return
	}
	before, unknown := len(s.envelopes), false
	for key, member := range h.members() {
		switch {
		case key.is("metadata") && member.isObject():
			s.account(c, member)
		case key.is("errors") && member.isList():
			for fault := range member.elements() {
				s.account(c, fault)
			}
		case key.is("threads") && member.isList():
			for thread := range member.elements() {
				s.thread(c, thread)
			}
		default:
			unknown = unknown || member.first() != value{}
		}
	}
	if unknown || len(s.envelopes) == before {
		s.account(c, h)
	}
}

// thread takes apart what was written with one person. If it does not say with whom,
// each message does.
func (s *splitter) thread(c *change, t value) {
	messages := t.get("messages")
	if !messages.isList() {
		s.unreadable(c, t.raw(), "a thread without messages")
		return
	}
	person := identity(t.get("id"), t.get("user_id"), t.get("parent_user_id"))
	if laneKey(person) == "" {
		person = nil
	}
	for m := range messages.elements() {
		s.past(c, person, m)
	}
}

// past keeps a message of the past in the lane of the person, who is known if it stands
// in a thread. Its id is told apart from that of the message itself, which may still be
// delivered: that is to be answered.
func (s *splitter) past(c *change, person *parleyv1.Identity, m value) {
	id := m.get("id").text()
	from := identity(m.get("from"), m.get("from_user_id"), m.get("from_parent_user_id"))
	ours := c.displayed != "" && from.Phone == c.displayed || m.get("to") != value{} || m.get("to_user_id") != value{}
	switch {
	case person == nil && ours:
		person = identity(m.get("to"), m.get("to_user_id"), m.get("to_parent_user_id"))
	case person == nil:
		person = from
	default:
		ours = ours || laneKey(from) != "" && from.Phone != person.Phone && from.Bsuid != person.Bsuid
		person = &parleyv1.Identity{Phone: person.Phone, Bsuid: person.Bsuid, ParentBsuid: person.ParentBsuid}
	}
	switch {
	case !validID(id):
		s.unreadable(c, m.raw(), "past message without an id")
	case laneKey(person) == "":
		s.unreadable(c, m.raw(), "past message without a person")
	case c.number == "":
		s.unreadable(c, m.raw(), "past message without a phone_number_id")
	default:
		s.add(c, parleyv1.Kind_KIND_HISTORY, envelopeID(id, m), person, m.get("timestamp"), m.raw())
		s.envelopes[len(s.envelopes)-1].Ours = ours
	}
}

// placeholder is the type of a past message whose file comes later.
const placeholder = "media_placeholder"

const pastPrefix = "history/"

// envelopeID names a past message; what stands in place of its file has another name.
func envelopeID(id string, m value) string {
	if m.get("type").is(placeholder) {
		return pastPrefix + id + "/" + placeholder
	}
	return pastPrefix + id
}

// PastID is the provider's id of the message that a KIND_HISTORY envelope is about, of
// the envelope's.
func PastID(envelope string) string {
	return strings.TrimSuffix(strings.TrimPrefix(envelope, pastPrefix), "/"+placeholder)
}

// DecodePast reads a KIND_HISTORY envelope.
func DecodePast(e *parleyv1.Envelope) (*parleyv1.PastMessage, error) {
	raw, err := update(e)
	if err != nil {
		return nil, err
	}
	p := &parleyv1.PastMessage{Ours: e.GetOurs(), Aside: asideOf(raw)}
	if p.Aside == nil {
		p.Message = messageOf(raw)
	}
	p.Status = statesOfPast[strings.ToUpper(raw.get("history_context", "status").text())]
	return p, nil
}

// historyFacts reads how far the history has come.
func historyFacts(chunk value) []*parleyv1.AccountFact {
	progress := limited(chunk.get("progress"), maxTypeBytes)
	if progress == "" {
		return nil
	}
	return fact(NoticeHistory, "", "phase "+limited(chunk.get("phase"), maxTypeBytes)+", "+progress+" %")
}
