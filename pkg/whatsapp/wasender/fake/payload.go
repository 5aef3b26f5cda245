package fake

import (
	"maps"
	"time"
)

// Person is somebody who writes to a business. Phone may be empty: then only the
// LID is known.
type Person struct {
	Phone string // digits
	LID   string // digits
	Name  string
}

func (p Person) jid() string {
	if p.LID != "" {
		return p.LID + "@lid"
	}
	return p.Phone + "@s.whatsapp.net"
}

// Update is one element of an event: a message, a key, a receipt.
type Update map[string]any

// Key names a message that p wrote, or that we wrote to p.
func Key(p Person, id string, fromMe bool) Update {
	key := Update{"id": id, "fromMe": fromMe, "remoteJid": p.jid(), "addressingMode": "pn"}
	if p.LID != "" {
		key["addressingMode"], key["senderLid"] = "lid", p.LID+"@lid"
	}
	if p.Phone != "" && !fromMe {
		key["senderPn"], key["cleanedSenderPn"] = p.Phone+"@s.whatsapp.net", p.Phone
	}
	return key
}

// GroupKey names a message that p wrote in a group, a status or a channel.
func GroupKey(p Person, chat, id string) Update {
	key := Update{"id": id, "fromMe": false, "remoteJid": chat, "participant": p.jid()}
	if p.Phone != "" {
		key["participantPn"], key["cleanedParticipantPn"] = p.Phone+"@s.whatsapp.net", p.Phone
	}
	return key
}

// Message is a message with a key and a content, as WhatsApp Web has it. A body is
// WASenderApi's unified text.
func Message(p Person, key Update, at time.Time, body string, content map[string]any) Update {
	m := Update{"key": key, "messageTimestamp": at.Unix(), "message": content}
	if p.Name != "" {
		m["pushName"] = p.Name
	}
	if body != "" {
		m["messageBody"] = body
	}
	return m
}

// Text is what somebody typed.
func Text(p Person, id string, at time.Time, text string) Update {
	return Message(p, Key(p, id, false), at, text, map[string]any{"conversation": text})
}

// Reply is a text that answers to another message.
func Reply(p Person, id string, at time.Time, text, to string) Update {
	return Message(p, Key(p, id, false), at, text, map[string]any{
		"extendedTextMessage": map[string]any{"text": text, "contextInfo": map[string]any{"stanzaId": to}},
	})
}

// File is a file; kind is "image", "video", "audio", "document" or "sticker". More
// are members of it, as a caption.
func File(p Person, id string, at time.Time, kind, mimeType string, more map[string]any) Update {
	file := map[string]any{
		"url": "https://mmg.whatsapp.net/" + id, "mimetype": mimeType, "mediaKey": "a2V5", "fileSha256": "c2hh", "fileLength": "1024",
	}
	maps.Copy(file, more)
	caption, _ := file["caption"].(string)
	return Message(p, Key(p, id, false), at, caption, map[string]any{kind + "Message": file})
}

// Tap is a tap on a button of somebody else's message.
func Tap(p Person, id string, at time.Time, button, title string) Update {
	return Message(p, Key(p, id, false), at, title, map[string]any{
		"buttonsResponseMessage": map[string]any{"selectedButtonId": button, "selectedDisplayText": title},
	})
}

// Shape is one of the ways in which an event holds its updates.
type Shape int

// The shapes.
const (
	Object Shape = iota // {"messages":{..}}
	List                // {"messages":[{..}]}
	Bare                // {..}
	Naked               // [{..}]
)

// Event is the body of one POST: an event with updates under a name, which List and
// Naked can hold several of; the others have the first. The session is its sessionId.
func Event(event, session string, at time.Time, shape Shape, name string, updates ...Update) []byte {
	var data any = updates
	switch {
	case shape == Object && len(updates) > 0:
		data = map[string]any{name: updates[0]}
	case shape == List:
		data = map[string]any{name: updates}
	case shape == Bare && len(updates) > 0:
		data = updates[0]
	}
	return Raw(event, session, at, data)
}

// Raw is an event with any data. Its time is in milliseconds if it has any.
func Raw(event, session string, at time.Time, data any) []byte {
	timestamp := at.Unix()
	if at.Nanosecond() != 0 {
		timestamp = at.UnixMilli()
	}
	body := map[string]any{"event": event, "timestamp": timestamp, "data": data}
	if session != "" {
		body["sessionId"] = session
	}
	return encode(body)
}

// Received is messages.received, as most sessions subscribe to.
func Received(session string, at time.Time, m Update) []byte {
	return Event("messages.received", session, at, Object, "messages", m)
}

// Receipt is messages.update: what became of our message to p. Status is a number
// (2 is sent, 3 delivered, 4 read) or a word.
func Receipt(session string, p Person, id string, status any, at time.Time) []byte {
	return Raw("messages.update", session, at, map[string]any{"update": map[string]any{"status": status}, "key": Key(p, id, true)})
}

// GroupReceipt is message-receipt.update; read says that p read the message.
func GroupReceipt(session string, p Person, group, id string, isRead bool, at time.Time) []byte {
	receipt := map[string]any{"userJid": p.jid(), "receiptTimestamp": at.Unix()}
	if isRead {
		receipt["readTimestamp"] = at.Unix() + 1
	}
	key := map[string]any{"id": id, "remoteJid": group, "fromMe": true, "participant": p.jid()}
	return Raw("message-receipt.update", session, at, map[string]any{"message": map[string]any{"key": key, "receipt": receipt}})
}

// Sent is message.sent. A failed one has no key.
func Sent(session string, p Person, id string, at time.Time, failure string) []byte {
	if failure != "" {
		return Raw("message.sent", session, at, map[string]any{"success": false, "error": failure})
	}
	return Raw("message.sent", session, at, map[string]any{
		"key": Key(p, id, true), "message": map[string]any{"conversation": "ours"}, "success": true,
	})
}

// Deleted is messages.delete of messages of p.
func Deleted(session string, p Person, at time.Time, ids ...string) []byte {
	keys := []Update{}
	for _, id := range ids {
		keys = append(keys, Key(p, id, false))
	}
	return Raw("messages.delete", session, at, map[string]any{"keys": keys})
}

// Reaction is messages.reaction of p to a message of ours.
func Reaction(session string, p Person, id, target, emoji string, at time.Time) []byte {
	return Raw("messages.reaction", session, at, []any{map[string]any{
		"key": Key(p, target, true), "reaction": map[string]any{"text": emoji, "key": Key(p, id, false)},
	}})
}

// Status is session.status, which holds the session twice.
func Status(session, status string, at time.Time) []byte {
	return Raw("session.status", session, at, map[string]any{"status": status, "session_id": session})
}

// QR is qrcode.updated.
func QR(session, code string, at time.Time) []byte {
	return Raw("qrcode.updated", session, at, map[string]any{"qr": code})
}

// PollResults is poll.results: who voted for what in a poll of ours.
func PollResults(session string, p Person, id string, at time.Time, option string) []byte {
	return Raw("poll.results", session, at, map[string]any{
		"key": Key(p, id, true), "pollResult": []any{map[string]any{"name": option, "voters": []string{p.jid()}}},
	})
}

// Call is a call of p; the event is called "call" or "call.received".
func Call(event, session string, p Person, id string, at time.Time) []byte {
	return Raw(event, session, at, map[string]any{"call": map[string]any{
		"id": id, "from": p.jid(), "date": at.UTC().Format(time.RFC3339), "isGroup": false, "isVideo": false, "status": "offer",
	}})
}
