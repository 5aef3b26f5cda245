package meta

import (
	"errors"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var (
	errNoObject = errors.New("raw update is not a JSON object")
	errNoText   = errors.New("text message without a body")
	errNoPlace  = errors.New("location without coordinates")
)

// DecodeMessage turns a KIND_MESSAGE envelope into the input's message. ok is
// false for what is authentic but no part of a conversation, as reactions, edits,
// system messages, messages to a group and types that Parley does not know: they
// are kept, and no flow reacts. The error names no person.
func DecodeMessage(e *parleyv1.Envelope) (msg *parleyv1.IncomingMessage, ok bool, err error) {
	raw, err := update(e)
	if err != nil {
		return nil, false, err
	}
	if raw.get("group_id").text() != "" {
		return nil, false, nil
	}
	msg = &parleyv1.IncomingMessage{
		Type: raw.get("type").text(), ReplyTo: idOf(raw.get("context", "id")), Referral: referralOf(raw.get("referral")),
	}
	if ok, err = decodeContent(msg, raw.get(msg.Type)); !ok || err != nil {
		return nil, false, err
	}
	return msg, true, nil
}

// update is the raw update of an envelope.
func update(e *parleyv1.Envelope) (value, error) {
	raw, fault := parse(e.GetRaw())
	if fault != "" || !raw.isObject() {
		return value{}, errNoObject
	}
	return raw, nil
}
