package fake

import (
	"encoding/json"
	"strconv"
	"time"
)

// Option adds to a message what any message may have.
type Option func(message map[string]any)

// ReplyTo says that a message answers to one of the business. An empty wamid says
// nothing: Meta itself leaves the context out now and then.
func ReplyTo(wamid string) Option {
	return func(message map[string]any) {
		if wamid != "" {
			message["context"] = map[string]any{"from": displayNumber, "id": wamid}
		}
	}
}

// Context is the whole context of a message, as JSON.
func Context(context string) Option {
	return func(message map[string]any) { message["context"] = json.RawMessage(context) }
}

// Reaction puts an emoji on a message; an empty one takes it away, as Meta writes that.
func Reaction(p Person, id string, at time.Time, wamid, emoji string) Item {
	body := map[string]any{"message_id": wamid}
	setIfAny(body, "emoji", emoji)
	return Message(p, id, at, "reaction", body)
}

// Edit changes the text of a message that the person sent before.
func Edit(p Person, id string, at time.Time, wamid, text string) Item {
	return Message(p, id, at, "edit", map[string]any{
		"original_message_id": wamid, "message": map[string]any{"type": "text", "text": map[string]any{"body": text}},
	})
}

// Revoke deletes a message of the person for everybody.
func Revoke(p Person, id string, at time.Time, wamid string) Item {
	return Message(p, id, at, "revoke", map[string]any{"original_message_id": wamid})
}

// Referral is the advertisement or the post that a person came from.
type Referral struct {
	SourceID   string `json:"source_id,omitempty"`
	SourceType string `json:"source_type,omitempty"` // "ad" or "post"
	SourceURL  string `json:"source_url,omitempty"`
	Headline   string `json:"headline,omitempty"`
	Body       string `json:"body,omitempty"`
	ClickID    string `json:"ctwa_clid,omitempty"`
}

// From says that a message is the first after a tap on an advertisement or a post.
func From(r Referral) Option {
	return func(message map[string]any) { message["referral"] = r }
}

// Text is a text message.
func Text(p Person, id string, at time.Time, text string, options ...Option) Item {
	return Message(p, id, at, "text", map[string]any{"body": text}, options...)
}

// Media is a file that a person sends. What is empty is left out.
type Media struct {
	ID       string `json:"id,omitempty"` // empty for one that is made of the time
	MimeType string `json:"mime_type,omitempty"`
	SHA256   string `json:"sha256,omitempty"` // base64
	Filename string `json:"filename,omitempty"`
	Caption  string `json:"caption,omitempty"`
	Voice    bool   `json:"voice,omitempty"` // recorded in the chat
}

// File is a message that is a file: "image", "video", "audio", "document" or "sticker".
func File(p Person, id string, at time.Time, kind string, m Media, options ...Option) Item {
	if m.ID == "" {
		m.ID = "1" + strconv.FormatInt(at.UnixNano(), 10)
	}
	return Message(p, id, at, kind, m, options...)
}

// Image is a photo with a caption, which may be empty.
func Image(p Person, id string, at time.Time, caption string, options ...Option) Item {
	return File(p, id, at, "image", Media{MimeType: "image/jpeg", SHA256: "aGFzaA==", Caption: caption}, options...)
}

// Document is a PDF with a caption, which may be empty.
func Document(p Person, id string, at time.Time, filename, caption string, options ...Option) Item {
	m := Media{MimeType: "application/pdf", SHA256: "aGFzaA==", Filename: filename, Caption: caption}
	return File(p, id, at, "document", m, options...)
}

// Voice is a voice message.
func Voice(p Person, id string, at time.Time, options ...Option) Item {
	m := Media{MimeType: "audio/ogg; codecs=opus", SHA256: "aGFzaA==", Voice: true}
	return File(p, id, at, "audio", m, options...)
}

// Place is a point on the map; a dropped pin has neither name nor address.
type Place struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
}

// Location is a message that is a place.
func Location(p Person, id string, at time.Time, place Place, options ...Option) Item {
	return Message(p, id, at, "location", place, options...)
}

// Card is a person in an address book. What is empty is left out.
type Card struct{ Name, Phone, Email, Organization string }

// Contacts is a message with cards of an address book.
func Contacts(p Person, id string, at time.Time, cards []Card, options ...Option) Item {
	list := []any{}
	for _, card := range cards {
		list = append(list, card.object())
	}
	return Message(p, id, at, "contacts", list, options...)
}

func (c Card) object() map[string]any {
	card := map[string]any{"origin": "other"}
	if c.Name != "" {
		card["name"] = map[string]any{"formatted_name": c.Name, "first_name": c.Name}
	}
	if c.Phone != "" {
		card["phones"] = []any{map[string]any{"phone": c.Phone, "type": "CELL"}}
	}
	if c.Email != "" {
		card["emails"] = []any{map[string]any{"email": c.Email, "type": "HOME"}}
	}
	if c.Organization != "" {
		card["org"] = map[string]any{"company": c.Organization}
	}
	return card
}

// ButtonTap is a tap on a button of an interactive message.
func ButtonTap(p Person, id string, at time.Time, buttonID, title string, options ...Option) Item {
	return interactiveReply(p, id, at, "button_reply", map[string]any{"id": buttonID, "title": title}, options)
}

// ListTap is a tap on a row of a list.
func ListTap(p Person, id string, at time.Time, rowID, title, description string, options ...Option) Item {
	reply := map[string]any{"id": rowID, "title": title}
	setIfAny(reply, "description", description)
	return interactiveReply(p, id, at, "list_reply", reply, options)
}

// FormReply is a finished form (WhatsApp Flow). Body is what the chat shows, as
// "Sent"; responseJSON is the form's data with its flow_token, a JSON object as a
// string, though Meta promises neither.
func FormReply(p Person, id string, at time.Time, body, responseJSON string, options ...Option) Item {
	reply := map[string]any{"name": "flow", "body": body, "response_json": responseJSON}
	return interactiveReply(p, id, at, "nfm_reply", reply, options)
}

func interactiveReply(p Person, id string, at time.Time, kind string, reply map[string]any, options []Option) Item {
	return Message(p, id, at, "interactive", map[string]any{"type": kind, kind: reply}, options...)
}

// TemplateTap is a tap on a quick reply of a template.
func TemplateTap(p Person, id string, at time.Time, payload, text string, options ...Option) Item {
	return Message(p, id, at, "button", map[string]any{"payload": payload, "text": text}, options...)
}
