package meta

import (
	"cmp"
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// typePayment is the type of a status that says what became of a payment, and the kind
// of aside that it becomes.
const typePayment = "payment"

// payment keeps what became of the payment of an order that we sent. Its id is the
// message's, and the same status may come again after another one.
func (s *splitter) payment(c *change, r value) {
	payer, _ := recipients(r)
	if laneKey(payer) == "" {
		payer = identity(r.get("from"), r.get("from_user_id"), r.get("from_parent_user_id"))
	}
	s.deed(c, r, payer)
}

// action keeps what somebody did with a message of ours. Meta names nobody yet; the
// set of actions is open (WIRE.md 1.6).
func (s *splitter) action(c *change, a value) {
	s.deed(c, a, identity(
		cmp.Or(a.get("wa_id"), a.get("from")), cmp.Or(a.get("user_id"), a.get("from_user_id")),
		cmp.Or(a.get("parent_user_id"), a.get("from_parent_user_id")),
	))
}

// deed is the person's, or else the number's.
func (s *splitter) deed(c *change, v value, person *parleyv1.Identity) {
	switch {
	case !v.isObject():
		s.unreadable(c, v.raw(), "not an object")
	case laneKey(person) == "" || c.number == "":
		s.account(c, v)
	default:
		s.add(c, parleyv1.Kind_KIND_ACTION, c.digest(v.raw()), person, cmp.Or(v.get("timestamp"), c.entryTime), v.raw())
	}
}

// DecodeAction reads a KIND_ACTION envelope; nil if it does not say what was done.
func DecodeAction(e *parleyv1.Envelope) *parleyv1.Aside {
	raw, err := update(e)
	if err != nil {
		return nil
	}
	return actionOf(raw)
}

func actionOf(raw value) *parleyv1.Aside {
	kind := limited(raw.get("action_type"), maxTypeBytes)
	data := raw.get(kind + "_data")
	if data == (value{}) {
		data = raw.get("marketing_messages_link_click_data") // also of landing pages that were opened
	}
	switch {
	case raw.get("type").is(typePayment):
		return &parleyv1.Aside{
			Kind: typePayment, MessageId: idOf(raw.get("id")), State: limited(raw.get("status"), maxTypeBytes),
			Reference: limited(raw.get(typePayment, "reference_id"), maxFieldBytes),
		}
	case kind == "":
		return nil
	}
	return &parleyv1.Aside{Kind: kind, State: limited(data.get("click_component"), maxTypeBytes), Reference: limited(data.get("product_id"), maxFieldBytes)}
}

// actionFacts are those of what was done by nobody who is named.
func actionFacts(raw value) []*parleyv1.AccountFact {
	did := actionOf(raw)
	if did == nil {
		return nil
	}
	return fact(NoticeAction, did.Kind, cmp.Or(strings.TrimSpace(did.State+" "+did.Reference), "done"))
}
