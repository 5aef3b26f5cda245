package meta

import (
	"errors"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var errNoObject = errors.New("raw update is not a JSON object")

// unsupported is the type of a message that Meta cannot say more of.
const unsupported = "unsupported"

// DecodeMessage turns a KIND_MESSAGE envelope into the input's message. ok is
// false for what is authentic but nothing that a person said: asides, as
// [DecodeAside] reads them, and messages to a group ([DecodeGroupMessage]). A type that Parley does not know is a message without content: somebody
// waits for an answer to it. The error names no person.
func DecodeMessage(e *parleyv1.Envelope) (msg *parleyv1.IncomingMessage, ok bool, err error) {
	raw, err := update(e)
	if err != nil {
		return nil, false, err
	}
	if raw.get("group_id").text() != "" || asideKind(raw) != "" {
		return nil, false, nil
	}
	return messageOf(raw), true, nil
}

// messageOf reads a message, or what an edited one says now.
func messageOf(raw value) *parleyv1.IncomingMessage {
	context := raw.get("context")
	msg := &parleyv1.IncomingMessage{
		Type: typeOf(raw), ReplyTo: idOf(context.get("id")), Referral: referralOf(raw.get("referral")),
		Forwarded: context.get("forwarded").isTrue(), FrequentlyForwarded: context.get("frequently_forwarded").isTrue(),
		Product: productOf(context.get("referred_product")),
	}
	body := raw.get(msg.Type)
	decodeContent(msg, body)
	if card := msg.GetContact(); card != nil {
		card.Requested = wasRequested(raw, body.first())
	}
	return msg
}

// typeOf is Meta's word for the kind of a message, or its word for what it cannot say.
// A message without a type is what it has the content of.
func typeOf(raw value) string {
	if kind := limited(raw.get("type"), maxTypeBytes); kind != "" && kind != "unknown" {
		return kind
	}
	for _, kind := range contentTypes {
		if content := raw.get(kind); !raw.get("type").isString() && (content.isObject() || content.isList()) {
			return kind
		}
	}
	return unsupported
}

// update is the raw update of an envelope.
func update(e *parleyv1.Envelope) (value, error) {
	raw, fault := parse(e.GetRaw())
	if fault != "" || !raw.isObject() {
		return value{}, errNoObject
	}
	return raw, nil
}
