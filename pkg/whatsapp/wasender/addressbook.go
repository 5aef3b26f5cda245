package wasender

import parleyv1 "github.com/parleyhq/parley/proto/parley/v1"

// cardFields are where the addresses of a contact, or of a chat, stand.
// Source: WASenderApi, "Webhook: Contact Upsert", "Webhook: Chat Upsert".
var cardFields = []string{"phoneNumber", "pn", "jid", "id", "lid"}

// card keeps what a contact or a chat says of who somebody is. A group is nobody.
func (s *splitter) card(v value) {
	if !v.isObject() {
		s.unreadable(v.raw(), "not an object")
		return
	}
	f := v.fields()
	person := identityOf(addresses(f, cardFields))
	for _, name := range []string{"notify", "name", "verifiedName"} {
		fill(&person.Name, f.get(name).limited(maxFieldBytes))
	}
	s.add(parleyv1.Kind_KIND_CARD, digest([]byte(s.event), v.raw()), person, value{}, v.raw())
}

// chatGone keeps that a chat was deleted, which says nothing of who anybody is.
func (s *splitter) chatGone(v value) {
	s.add(parleyv1.Kind_KIND_CARD, digest([]byte(s.event), s.at.raw(), v.raw()), &parleyv1.Identity{}, value{}, v.raw())
}
