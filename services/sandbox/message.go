package sandbox

import (
	"encoding/json"
	"fmt"
	"mime"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
)

// Limits of what a person sends.
const (
	maxTextRunes     = 4096 // of a message
	maxCaptionRunes  = 1024 // of a photo or a document, which may have none
	maxFilenameRunes = 240
	maxCards         = 10 // in one message
)

// message is what a person sends, as the API takes it. Which fields count depends
// on the type: doc.go lists them.
type message struct {
	Type      string                     `json:"type"`
	Provider  faults.Provider            `json:"provider"` // whose line it goes to; empty for Meta's
	Text      string                     `json:"text"`
	Filename  string                     `json:"filename"`
	Latitude  *float64                   `json:"latitude"`
	Longitude *float64                   `json:"longitude"`
	Name      string                     `json:"name"`
	Address   string                     `json:"address"`
	Contacts  []card                     `json:"contacts"`
	Shared    bool                       `json:"shared"`
	Context   string                     `json:"context"`
	ID        string                     `json:"id"`
	Title     string                     `json:"title"`
	Payload   string                     `json:"payload"`
	FlowToken string                     `json:"flow_token"`
	Values    map[string]json.RawMessage `json:"values"`
}

// card is somebody in a person's address book.
type card struct {
	Name         string `json:"name"`
	Phone        string `json:"phone"`
	Email        string `json:"email"`
	Organization string `json:"organization"`
}

// draft is a message as WhatsApp posts it.
type draft struct {
	typ     string // as WhatsApp calls it
	text    string // shown on the phone
	content any    // what stands under the type's name
	context string // wamid of the message that it answers; empty for none
}

// draft makes the message ready to be posted. fault says why WhatsApp would not
// let a person send it; it is empty if it would.
func (m message) draft(at time.Time, find finder) (d draft, fault string) {
	if len(m.Context) > maxWAMIDBytes {
		return draft{}, "context must be a wamid, of at most 512 bytes"
	}
	d, fault = m.compose(at, find)
	if fault == "" && len(encode(d.content)) > maxContentBytes {
		return draft{}, "the message must have at most 32 KiB of JSON"
	}
	return d, fault
}

func (m message) compose(at time.Time, find finder) (draft, string) {
	switch m.Type {
	case "text":
		return m.typed()
	case "image":
		return m.photo(at)
	case "document":
		return m.document(at)
	case "location":
		return m.location()
	case "contacts":
		return m.cards()
	case "button", "list":
		return m.choice(find)
	case "template_button":
		return m.templateButton(find)
	case "form":
		return m.form(find)
	}
	return draft{}, "type must be text, image, document, location, contacts, button, list, template_button or form"
}

func (m message) typed() (draft, string) {
	if runes := utf8.RuneCountInString(m.Text); runes == 0 || runes > maxTextRunes {
		return draft{}, "text must have 1 to 4096 characters"
	}
	return draft{typ: "text", text: m.Text, content: object{"body": m.Text}, context: m.Context}, ""
}

func (m message) photo(at time.Time) (draft, string) {
	return m.file(at, "image", object{"mime_type": "image/jpeg"})
}

func (m message) document(at time.Time) (draft, string) {
	if runes := utf8.RuneCountInString(m.Filename); runes == 0 || runes > maxFilenameRunes {
		return draft{}, "filename of a document must have 1 to 240 characters"
	}
	kind := mime.TypeByExtension(path.Ext(m.Filename))
	if kind == "" {
		kind = "application/octet-stream"
	}
	return m.file(at, "document", object{"mime_type": kind, "filename": m.Filename})
}

// file is a file of which WhatsApp tells everything but the bytes.
func (m message) file(at time.Time, typ string, content object) (draft, string) {
	if utf8.RuneCountInString(m.Text) > maxCaptionRunes {
		return draft{}, "text, the caption, must have at most 1024 characters"
	}
	content["id"] = "1" + strconv.FormatInt(at.UnixNano(), 10)
	content["sha256"] = "aGFzaA=="
	content.setIfAny("caption", m.Text)
	return draft{typ: typ, text: m.Text, content: content, context: m.Context}, ""
}

func (m message) location() (draft, string) {
	switch {
	case m.Latitude == nil || *m.Latitude < -90 || *m.Latitude > 90:
		return draft{}, "latitude must be a number from -90 to 90"
	case m.Longitude == nil || *m.Longitude < -180 || *m.Longitude > 180:
		return draft{}, "longitude must be a number from -180 to 180"
	}
	content := object{"latitude": *m.Latitude, "longitude": *m.Longitude}
	content.setIfAny("name", m.Name)
	content.setIfAny("address", m.Address)
	return draft{typ: "location", text: m.Name, content: content, context: m.Context}, ""
}

func (m message) cards() (draft, string) {
	if len(m.Contacts) == 0 || len(m.Contacts) > maxCards {
		return draft{}, "contacts must have 1 to 10 cards"
	}
	var names []string
	var content []object
	for _, c := range m.Contacts {
		if c.Name == "" || c.Phone == "" {
			return draft{}, "every card of contacts must have a name and a phone"
		}
		names = append(names, c.Name)
		o := c.object()
		if m.Shared { // by the button of a message that asked for it
			o["origin"] = "contact_request"
		}
		content = append(content, o)
	}
	return draft{typ: "contacts", text: strings.Join(names, ", "), content: content, context: m.Context}, ""
}

func (c card) object() object {
	first, _, _ := strings.Cut(c.Name, " ")
	phone := object{"phone": c.Phone, "type": "CELL"}
	phone.setIfAny("wa_id", digits(c.Phone))
	o := object{
		"name":   object{"formatted_name": c.Name, "first_name": first},
		"phones": []object{phone},
		"origin": "other",
	}
	if c.Email != "" {
		o["emails"] = []object{{"email": c.Email, "type": "HOME"}}
	}
	if c.Organization != "" {
		o["org"] = object{"company": c.Organization}
	}
	return o
}

// object is one of JSON.
type object map[string]any

func (o object) setIfAny(key, value string) {
	if value != "" {
		o[key] = value
	}
}

// encode writes JSON. It panics on what is none: everything of ours is.
func encode(value any) json.RawMessage {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("sandbox: %v", err))
	}
	return data
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}
