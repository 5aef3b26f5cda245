package wasender

import (
	"cmp"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	eventUpdate   = "messages.update"
	eventDelete   = "messages.delete"
	eventReaction = "messages.reaction"

	// maxKindBytes bounds the name of an aside, and an emoji.
	maxKindBytes = 64

	// pollUpdates is the member of an update with the votes on a poll.
	pollUpdates = "pollUpdates"
)

// asides are contents that say nothing, in Meta's words, even if WASenderApi finds a
// text in them. What a protocol message is says its type.
var asides = map[string]string{
	"reactionMessage": "reaction", "encReactionMessage": "reaction", "protocolMessage": "protocol", "pollUpdateMessage": "poll_update",
	"keepInChatMessage": "keep_in_chat", "pinInChatMessage": "pin", "call": "call",
}

// protocols are the types of a protocol message that people cause.
// Source: WhatsApp Web's message schema.
var protocols = map[string]string{"0": "revoke", "REVOKE": "revoke", "14": "edit", "MESSAGE_EDIT": "edit"}

// stubs are the types of a message without a content that tell something. Its content
// comes later if it is not decrypted yet.
// Source: WhatsApp Web's message schema.
var stubs = map[string]string{
	"1": "revoke", "REVOKE": "revoke", "2": "undecrypted", "CIPHERTEXT": "undecrypted",
	"40": "call", "CALL_MISSED_VOICE": "call", "41": "call", "CALL_MISSED_VIDEO": "call",
}

// DecodeAside reads what a person does to a message, or besides all messages, out of
// a KIND_MESSAGE envelope. It is nil for what was said, and for what concerns a group.
// Contents that Parley does not know, and WASenderApi has no text of, are asides: most
// of them are the protocol's own.
func DecodeAside(e *parleyv1.Envelope) *parleyv1.Aside {
	raw, fault := parse(e.GetRaw())
	if fault != "" || !raw.isObject() {
		return nil
	}
	f := raw.fields()
	if aside, whose := doneTo(e.GetField(), raw); aside != nil {
		if keyOf(whose).chat.isGroup() {
			return nil
		}
		return aside
	}
	switch k := keyIn(f); {
	case e.GetField() == eventUpdate:
		return changeOf(f)
	case k.fromMe || k.chat.isGroup() || groupEvents[e.GetField()]:
		return nil
	}
	return contentAside(f)
}

// contentAside is what a message does that says nothing.
func contentAside(f fields) *parleyv1.Aside {
	if isEmpty(f) {
		return &parleyv1.Aside{Kind: cmp.Or(stubs[f.get("messageStubType").limited(maxKindBytes)], "empty")}
	}
	return asideOf(unwrapped(f.get("message")))
}

// doneTo reads what the events about messages of before say, and the key of that message;
// nil for other events.
func doneTo(event string, raw value) (aside *parleyv1.Aside, whose value) {
	f := raw.fields()
	whose = f.get("key")
	switch event {
	case eventDelete:
		if !whose.isObject() {
			whose = raw
		}
		return about("revoke", whose), whose
	case eventReaction:
		aside = about("reaction", whose)
		aside.Emoji = f.get("reaction").get("text").limited(maxKindBytes)
		return aside, whose
	}
	return nil, value{}
}

// changeOf is what an update changes of a message.
func changeOf(f fields) *parleyv1.Aside {
	update, aside := f.get("update"), about("update", f.get("key"))
	content := update.get("message")
	switch {
	case isContent(content):
		return nil
	case content.isObject():
		aside.Kind, aside.Edited = "edit", editedOf(content)
	case stubs[update.get("messageStubType").limited(maxKindBytes)] == "revoke":
		aside.Kind = "revoke"
	case !update.get(pollUpdates).isNone():
		aside.Kind = "poll_update"
	}
	return aside
}

// editedOf is what an edited message says now; nil if that is not known.
func editedOf(content value) *parleyv1.IncomingMessage {
	if kind, protocol := unwrapped(content); asides[kind] == "protocol" {
		content = protocol.get("editedMessage")
	}
	now := decoding{msg: &parleyv1.IncomingMessage{}}
	if ok, err := now.decode(content); !ok || err != nil {
		return nil
	}
	return now.msg
}

// about is an aside about the message of a key.
func about(kind string, whose value) *parleyv1.Aside {
	aside := &parleyv1.Aside{Kind: kind}
	if id := whose.get("id").text(); validID(id) {
		aside.MessageId = id
	}
	return aside
}

func asideOf(kind string, content value) *parleyv1.Aside {
	if _, said := contents[kind]; said || unsupported[kind] || kind == "" {
		return nil
	}
	word := wordFor(kind, content)
	aside := about(word, content.get("key"))
	switch word {
	case "reaction":
		aside.Emoji = content.get("text").limited(maxKindBytes)
	case "edit":
		aside.Edited = editedOf(content.get("editedMessage"))
	}
	return aside
}

// wordFor is what an aside is called.
func wordFor(kind string, content value) string {
	word := asides[kind]
	switch known := protocols[content.get("type").text()]; {
	case word == "":
		return kind
	case word != "protocol":
		return word
	case known != "":
		return known
	case content.get("editedMessage").isObject():
		return "edit"
	case content.get("type").isNone() && content.get("key").isObject():
		return "revoke" // the first of the types, which may be left out
	}
	return word
}
