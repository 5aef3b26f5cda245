package wasender

import (
	"errors"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var errNoText = errors.New("text message without a text")

// maxWrappers bounds the shells around a message. WhatsApp Web has at most three.
const maxWrappers = 8

// wrappers are messages around a message, which is their member "message".
// Source: WhatsApp Web's message schema.
var wrappers = map[string]bool{
	"ephemeralMessage": true, "viewOnceMessage": true, "viewOnceMessageV2": true, "viewOnceMessageV2Extension": true,
	"documentWithCaptionMessage": true, "deviceSentMessage": true, "groupMentionedMessage": true,
	"associatedChildMessage": true, "lottieStickerMessage": true, "botInvokeMessage": true, "editedMessage": true,
}

// DecodeMessage turns a KIND_MESSAGE envelope into the input's message. ok is false
// for what is authentic but nothing that a person said: asides, as [DecodeAside] reads
// them, and messages to a group ([DecodeGroupMessage]). The error names no person.
func DecodeMessage(e *parleyv1.Envelope) (msg *parleyv1.IncomingMessage, ok bool, err error) {
	raw, fault := parse(e.GetRaw())
	if fault != "" || !raw.isObject() {
		return nil, false, errNoObject
	}
	f := raw.fields()
	k, said := keyIn(f), f.get("message")
	aside, _ := doneTo(e.GetField(), raw)
	if k.fromMe || k.chat.isGroup() || groupEvents[e.GetField()] || aside != nil {
		return nil, false, nil
	}
	if e.GetField() == eventUpdate {
		if said = f.get("update").get("message"); !isContent(said) {
			return nil, false, nil
		}
	}
	content := decoding{msg: &parleyv1.IncomingMessage{}, id: k.id, body: f.get("messageBody").text()}
	if ok, err = content.decode(said); !ok || err != nil {
		return nil, false, err
	}
	return content.msg, true, nil
}

// groupEvents bring what was written to many.
var groupEvents = map[string]bool{"messages-group.received": true, "messages-newsletter.received": true}

// decoding is what the reader of a content fills, and what it may fall back on:
// messageBody is WASenderApi's own idea of the text of any message.
type decoding struct {
	msg  *parleyv1.IncomingMessage
	id   string
	body string
}

// decode reads the content of a message, whatever it is wrapped in.
func (d *decoding) decode(message value) (ok bool, err error) {
	kind, content := unwrapped(message)
	if decode, isKnown := contents[kind]; isKnown {
		return decode(d, content)
	}
	switch {
	case asides[kind] != "":
		return false, nil
	case unsupported[kind]:
		d.msg.Type = "unsupported"
		return true, nil
	}
	return d.unknown()
}

// unwrapped is the content of a message, whatever it is wrapped in.
func unwrapped(message value) (kind string, content value) {
	for range maxWrappers {
		kind, content = contentOf(message)
		if !wrappers[kind] {
			return kind, content
		}
		message = content.get("message")
	}
	return kind, content
}

// isContent reports whether a message says something, and is no new text of an old one.
func isContent(message value) bool {
	outer, _ := contentOf(message)
	kind, _ := unwrapped(message)
	_, said := contents[kind]
	return outer != "editedMessage" && (said || unsupported[kind])
}

// isEmpty reports whether a message came without a content: it could not be decrypted
// yet, or brings keys only, or stands for something that happened.
func isEmpty(message fields) bool {
	kind, _ := unwrapped(message.get("message"))
	return kind == "" && message.get("messageBody").text() == ""
}

// contentOf finds the one member of a message that is its content. Beside it may
// stand what is about the message, or about a group's keys.
func contentOf(message value) (kind string, content value) {
	for _, member := range message.fields() {
		name := member.key.limited(maxIDBytes)
		_, isKnown := contents[name]
		switch {
		case member.value.isNull() || member.value.is("") || name == "messageContextInfo" || name == "senderKeyDistributionMessage":
		case isKnown || wrappers[name] || asides[name] != "":
			return name, member.value
		case kind == "":
			kind, content = name, member.value
		}
	}
	return kind, content
}

// unknown takes WASenderApi's word for the text of a content that Parley does not
// know; without one it is no part of a conversation.
func (d *decoding) unknown() (ok bool, err error) {
	if d.body == "" {
		return false, nil
	}
	d.msg.Type, d.msg.Text = "text", d.body
	return true, nil
}

// unsupported are contents that somebody waits for an answer to.
var unsupported = map[string]bool{
	"pollCreationMessage": true, "pollCreationMessageV2": true, "pollCreationMessageV3": true, "pollCreationMessageV4": true,
	"pollCreationMessageV5": true, "pollCreationMessageV6": true, "groupInviteMessage": true, "newsletterAdminInviteMessage": true,
	"productMessage": true, "eventMessage": true, "stickerPackMessage": true, "requestPaymentMessage": true, "sendPaymentMessage": true,
	"placeholderMessage": true, // what WhatsApp shows on the phone only
}
