package meta

import (
	"cmp"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// card keeps what the address book of the business's own phone says of somebody. One
// that was removed from it says nothing of who anybody is.
func (s *splitter) card(c *change, v value) {
	person, contact := &parleyv1.Identity{}, v.get("contact")
	switch {
	case !v.isObject():
		s.unreadable(c, v.raw(), "not an object")
		return
	case !v.get("type").is("contact") || !contact.isObject():
		s.account(c, v)
		return
	case !v.get("action").is("remove"):
		person = identity(contact.get("phone_number"), contact.get("user_id"), contact.get("parent_user_id"))
		person.Username = limited(contact.get("username"), maxFieldBytes)
		person.Name = cmp.Or(limited(contact.get("full_name"), maxFieldBytes), limited(contact.get("first_name"), maxFieldBytes))
	}
	s.add(c, parleyv1.Kind_KIND_CARD, c.digest(v.raw()), person, cmp.Or(v.get("metadata", "timestamp"), c.entryTime), v.raw())
}

// originRequest marks a card that a person shared because they were asked for it.
const originRequest = "contact_request"

// sharedPhone is the person's own WhatsApp number, if the message shares it on request:
// Meta fills in that card, the person cannot (WIRE.md 2.4). It is empty for any other
// card, for several, and for one of several numbers.
func sharedPhone(m value) (phone string) {
	cards := m.get("contacts")
	card := cards.first()
	if !m.get("type").is("contacts") || !wasRequested(m, card) {
		return ""
	}
	n := 0
	for range cards.elements() {
		n++
	}
	for number := range card.get("phones").elements() {
		of := identity(number.get("wa_id"), value{}, value{}).Phone
		if n > 1 || of == "" || phone != "" && phone != of {
			return ""
		}
		phone = of
	}
	return phone
}

// wasRequested: sources have the origin on the card, and on the message.
func wasRequested(m, card value) bool {
	return card.get("origin").is(originRequest) || m.get("origin").is(originRequest)
}
