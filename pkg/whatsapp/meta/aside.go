package meta

import (
	"cmp"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// asideTypes are the types of a message that say nothing, and what they are called here
// (WIRE.md 1.6). Some clients of Meta know deletions by older names.
var asideTypes = map[string]string{
	"reaction": "reaction", "edit": "edit", "revoke": "revoke", "revoked": "revoke", "deleted": "revoke", "request_welcome": "request_welcome",
}

// asideParts are what an unsupported message may be that says nothing either: of
// numbers that are not used with the phone's app, Meta tells no more (WIRE.md 1.6).
var asideParts = map[string]bool{
	"edit": true, "revoke": true, "reaction": true, "keep_in_chat": true, "pin": true, "poll_update": true,
}

// asideKind is what an update does besides saying something; empty for a message.
func asideKind(raw value) string {
	switch kind := raw.get("type").text(); kind {
	case "interactive": // leave to call is the person's, not an answer
		if word := "call_permission_reply"; raw.get(kind, "type").is(word) {
			return word
		}
		return ""
	case "system":
		return cmp.Or(limited(raw.get("system", "type"), maxTypeBytes), kind)
	case unsupported, "unknown":
		if part := raw.get("unsupported", "type").text(); asideParts[part] {
			return part
		}
		return ""
	default:
		return asideTypes[kind]
	}
}

// DecodeAside reads what a person does to a message, or besides all messages, out of
// a KIND_MESSAGE envelope. It is nil for what was said, and for what concerns a group.
func DecodeAside(e *parleyv1.Envelope) *parleyv1.Aside {
	raw, err := update(e)
	if err != nil || raw.get("group_id").text() != "" {
		return nil
	}
	return asideOf(raw)
}

func asideOf(raw value) *parleyv1.Aside {
	aside := &parleyv1.Aside{Kind: asideKind(raw)}
	body := raw.get(raw.get("type").text())
	switch aside.Kind {
	case "":
		return nil
	case "reaction":
		aside.MessageId, aside.Emoji = idOf(body.get("message_id")), limited(body.get("emoji"), maxTypeBytes)
	case "edit", "revoke":
		aside.MessageId = idOf(cmp.Or(body.get("original_message_id"), body.get("message_id")))
	}
	if message := body.get("message"); aside.Kind == "edit" && message.isObject() {
		aside.Edited = messageOf(message)
	}
	return aside
}

// DecodeEcho reads what the business did with the phone's own app, out of a KIND_ECHO
// envelope; nil if it concerns a group.
func DecodeEcho(e *parleyv1.Envelope) *parleyv1.Echo {
	raw, err := update(e)
	if err != nil || raw.get("group_id").text() != "" {
		return nil
	}
	if aside := asideOf(raw); aside != nil {
		return &parleyv1.Echo{Aside: aside}
	}
	return &parleyv1.Echo{Message: messageOf(raw)}
}

// DecodePreference reads a KIND_PREFERENCE envelope; nil if it says nothing.
func DecodePreference(e *parleyv1.Envelope) *parleyv1.Preference {
	raw, err := update(e)
	p := &parleyv1.Preference{Category: limited(raw.get("category"), maxTypeBytes), Value: limited(raw.get("value"), maxTypeBytes)}
	if err != nil || p.Value == "" {
		return nil
	}
	return p
}
