package wasender

import parleyv1 "github.com/parleyhq/parley/proto/parley/v1"

// StatusPosts is the group that people post their status to: all who have their number see
// it, so it is said to nobody.
const StatusPosts = "status@broadcast"

// DecodeGroupMessage reads what a person wrote or did in a group, a channel, a broadcast
// list or their status, out of a KIND_MESSAGE envelope; nil if it was in none.
func DecodeGroupMessage(e *parleyv1.Envelope) *parleyv1.GroupMessage {
	raw, fault := parse(e.GetRaw())
	if fault != "" || !raw.isObject() {
		return nil
	}
	f := raw.fields()
	aside, whose := doneTo(e.GetField(), raw)
	k := keyOf(whose)
	if aside == nil {
		k = keyIn(f)
	}
	if !k.chat.isGroup() && !groupEvents[e.GetField()] {
		return nil
	}
	g := &parleyv1.GroupMessage{Group: k.chat.String(), Aside: aside}
	if aside != nil {
		return g
	}
	content := decoding{msg: &parleyv1.IncomingMessage{}, id: k.id, body: f.get("messageBody").text()}
	if ok, err := content.decode(f.get("message")); ok && err == nil {
		g.Message = content.msg
		return g
	}
	if g.Aside = contentAside(f); g.Aside == nil {
		g.Aside = &parleyv1.Aside{Kind: "unknown"}
	}
	return g
}
