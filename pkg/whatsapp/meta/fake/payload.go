// Package fake plays Meta: the payloads it posts and the Graph API it answers
// with. It is for tests, the sandbox and the load generator, and shares no code
// with the package that decodes what it makes.
package fake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// displayNumber is what every business number of the fake shows to people.
const displayNumber = "15550001111"

// Person is somebody who writes to a business. Either id may be empty: a person
// who adopted a username may be known by BSUID only, and an old account by phone only.
type Person struct {
	Phone string // digits
	BSUID string // "US.1349..."
	Name  string // profile name
}

// Item is one update inside a webhook POST.
type Item struct {
	field   string
	list    string          // "messages", "statuses" ...; empty if value is a whole change value
	value   json.RawMessage // one element of the list, or the change value
	contact *contact        // what contacts[] says about the person; nil if Meta leaves it out
}

type contact struct {
	Profile *profile `json:"profile,omitempty"`
	WaID    string   `json:"wa_id,omitempty"`
	UserID  string   `json:"user_id,omitempty"`
}

type profile struct {
	Name string `json:"name"`
}

func contactOf(p Person) *contact {
	c := &contact{WaID: p.Phone, UserID: p.BSUID}
	if p.Name != "" {
		c.Profile = &profile{Name: p.Name}
	}
	return c
}

// Message is a message of any type. The body becomes the object named like the
// type (for "contacts" it is an array); nil leaves it out. It panics if the body
// cannot be written as JSON.
func Message(p Person, id string, at time.Time, typ string, body any, options ...Option) Item {
	message := map[string]any{"id": id, "timestamp": seconds(at), "type": typ}
	setIfAny(message, "from", p.Phone)
	setIfAny(message, "from_user_id", p.BSUID)
	if body != nil {
		message[typ] = body
	}
	for _, option := range options {
		option(message)
	}
	item := Item{field: "messages", list: "messages", value: encode(message)}
	if typ != "system" { // Meta never sends contacts with a system message
		item.contact = contactOf(p)
	}
	return item
}

// Receipt is what became of a message that was sent to p: sent, delivered, read,
// played or failed. The callback is the biz_opaque_callback_data of the send;
// empty leaves it out. A failed receipt carries error 131026 and, as Meta's do,
// no contact, and no BSUID if the send went to a phone number.
func Receipt(p Person, wamid, status string, at time.Time, callback string) Item {
	failed := status == "failed"
	receipt := map[string]any{"id": wamid, "status": status, "timestamp": seconds(at)}
	setIfAny(receipt, "recipient_id", p.Phone)
	if !failed || p.Phone == "" {
		setIfAny(receipt, "recipient_user_id", p.BSUID)
	}
	setIfAny(receipt, "biz_opaque_callback_data", callback)
	item := Item{field: "messages", list: "statuses"}
	if failed {
		receipt["errors"] = []any{map[string]any{
			"code": 131026, "title": "Message undeliverable", "message": "Message undeliverable",
			"error_data": map[string]any{"details": "Message undeliverable."},
		}}
	} else {
		item.contact = contactOf(p)
	}
	item.value = encode(receipt)
	return item
}

// Echo is a message that the business wrote to p with the phone's own app. Its type
// and body are those of a message.
func Echo(p Person, id string, at time.Time, typ string, body any) Item {
	message := map[string]any{"id": id, "timestamp": seconds(at), "type": typ, "from": displayNumber}
	setIfAny(message, "to", p.Phone)
	setIfAny(message, "to_user_id", p.BSUID)
	if body != nil {
		message[typ] = body
	}
	return Item{field: "smb_message_echoes", list: "message_echoes", value: encode(message), contact: contactOf(p)}
}

// Preference is what p wants to hear of the business: "stop" or "resume".
func Preference(p Person, at time.Time, value string) Item {
	preference := map[string]any{"category": "marketing_messages", "value": value, "detail": "by choice", "timestamp": at.Unix()}
	setIfAny(preference, "wa_id", p.Phone)
	setIfAny(preference, "user_id", p.BSUID)
	return Item{field: "user_preferences", list: "user_preferences", value: encode(preference), contact: contactOf(p)}
}

// Raw is any other change: its field and its whole value. It panics if the value
// cannot be written as JSON.
func Raw(field string, value any) Item {
	return Item{field: field, value: encode(value)}
}

type change struct {
	Field string `json:"field"`
	Value any    `json:"value"`
}

type changeValue struct {
	Product  string            `json:"messaging_product"`
	Metadata map[string]string `json:"metadata"`
	Contacts []*contact        `json:"contacts,omitempty"`
	Messages []json.RawMessage `json:"messages,omitempty"`
	Statuses []json.RawMessage `json:"statuses,omitempty"`
	Echoes   []json.RawMessage `json:"message_echoes,omitempty"`
	Wishes   []json.RawMessage `json:"user_preferences,omitempty"`
	Actions  []json.RawMessage `json:"user_actions,omitempty"`
	Calls    []json.RawMessage `json:"calls,omitempty"`
	Book     []json.RawMessage `json:"state_sync,omitempty"`
	History  []json.RawMessage `json:"history,omitempty"`
}

// Payload is the body of one POST: the items in order, for one business number
// of one WhatsApp business account. Neighbours of one kind share a change, and a
// person is named once in its contacts. Like Meta's, the body is plain ASCII.
func Payload(waba, channel string, items ...Item) []byte {
	changes := []change{}
	for len(items) > 0 {
		n := 1
		for n < len(items) && items[0].list != "" && items[n].list == items[0].list && items[n].field == items[0].field {
			n++
		}
		changes = append(changes, changeOf(channel, items[:n]))
		items = items[n:]
	}
	return escape(encode(map[string]any{
		"object": "whatsapp_business_account",
		"entry":  []any{map[string]any{"id": waba, "changes": changes}},
	}))
}

// changeOf puts items of one list, or the one item that is a change, into a change.
func changeOf(channel string, items []Item) change {
	if items[0].list == "" {
		return change{Field: items[0].field, Value: items[0].value}
	}
	value := &changeValue{
		Product:  "whatsapp",
		Metadata: map[string]string{"display_phone_number": displayNumber, "phone_number_id": channel},
	}
	lists := map[string]*[]json.RawMessage{
		"messages": &value.Messages, "statuses": &value.Statuses, "message_echoes": &value.Echoes, "user_preferences": &value.Wishes,
		"user_actions": &value.Actions, "calls": &value.Calls, "state_sync": &value.Book, "history": &value.History,
	}
	named := map[[2]string]bool{}
	for _, item := range items {
		list := lists[item.list]
		*list = append(*list, item.value)
		if c := item.contact; c != nil && !named[[2]string{c.WaID, c.UserID}] {
			named[[2]string{c.WaID, c.UserID}] = true
			value.Contacts = append(value.Contacts, c)
		}
	}
	return change{Field: items[0].field, Value: value}
}

// Sign is the X-Hub-Signature-256 header of a body: "sha256=<hex>".
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func seconds(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

func setIfAny(object map[string]any, key, value string) {
	if value != "" {
		object[key] = value
	}
}

func encode(value any) json.RawMessage {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("fake: %v", err))
	}
	return data
}

// escape writes JSON the way Meta does: every character beyond ASCII as \uXXXX,
// and "/" as "\/". Both only ever stand inside strings.
func escape(data []byte) []byte {
	var b strings.Builder
	b.Grow(len(data) + len(data)/8)
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		data = data[size:]
		switch {
		case r == '/':
			b.WriteString(`\/`)
		case r < utf8.RuneSelf:
			b.WriteByte(byte(r))
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return []byte(b.String())
}
