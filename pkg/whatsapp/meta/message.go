package meta

import (
	"errors"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var (
	errNoObject = errors.New("raw update is not a JSON object")
	errNoText   = errors.New("text message without a body")
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
	typ := raw.get("type").text()
	content, ok := contentOf(typ, raw.get(typ))
	if !ok || raw.get("group_id").text() != "" {
		return nil, false, nil
	}
	if typ == "text" && content == "" {
		return nil, false, errNoText
	}
	return &parleyv1.IncomingMessage{Type: typ, Text: content}, true, nil
}

// contentOf is the typed text, the title of a tapped choice or the caption in the
// body of a message. ok is false for a type that is no part of a conversation.
func contentOf(typ string, body value) (content string, ok bool) {
	switch typ {
	case "text":
		return body.get("body").text(), true
	case "image", "video", "document":
		return body.get("caption").text(), true
	case "audio", "voice", "sticker", "location", "contacts", "order":
		return "", true
	case "button":
		return body.get("text").text(), true
	case "interactive":
		return replyOf(body), true
	}
	return "", false
}

// replyOf is what a person tapped or filled in; empty for other replies.
func replyOf(interactive value) string {
	kind := interactive.get("type").text()
	switch kind {
	case "button_reply", "list_reply":
		return interactive.get(kind, "title").text()
	case "nfm_reply":
		return interactive.get(kind, "body").text()
	}
	return ""
}

// update is the raw update of an envelope.
func update(e *parleyv1.Envelope) (value, error) {
	raw, fault := parse(e.GetRaw())
	if fault != "" || !raw.isObject() {
		return value{}, errNoObject
	}
	return raw, nil
}
