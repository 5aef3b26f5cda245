package sandbox

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
)

// sessionTypes are the messages that people can write to a session.
var sessionTypes = []string{"text", "image", "document", "location", "contacts"}

func sessionPerson(id string) fake.Person {
	person, _ := personOf(id)
	return fake.Person{Phone: person.Phone, Name: person.Name}
}

// writeToSession says what a person says in the words of WhatsApp Web.
func writeToSession(id string, d draft, at time.Time) (name string, body []byte) {
	name = fake.NewID()
	person := sessionPerson(id)
	kind, content := sessionContent(d)
	if d.context != "" {
		content["contextInfo"] = object{"stanzaId": d.context}
	}
	message := fake.Message(person, fake.Key(person, name, false), at, d.text, map[string]any{kind: content})
	return name, fake.Received("", at, message)
}

// sessionContent is a draft as WhatsApp Web has it.
func sessionContent(d draft) (kind string, content object) {
	if cards, ok := d.content.([]object); ok {
		return "contactsArrayMessage", object{"contacts": sessionCards(cards)}
	}
	said := d.content.(object)
	switch d.typ {
	case "location":
		return "locationMessage", renamed(said, map[string]string{
			"latitude": "degreesLatitude", "longitude": "degreesLongitude", "name": "name", "address": "address",
		})
	case "image", "document":
		content = renamed(said, map[string]string{"mime_type": "mimetype", "sha256": "fileSha256", "filename": "fileName", "caption": "caption"})
		content["url"], content["mediaKey"], content["fileLength"] = "https://mmg.whatsapp.net/sandbox", "a2V5", "1024"
		return d.typ + "Message", content
	}
	return "extendedTextMessage", object{"text": d.text}
}

// renamed are the members of an object that have another name elsewhere.
func renamed(o object, names map[string]string) object {
	out := object{}
	for from, to := range names {
		if value, ok := o[from]; ok {
			out[to] = value
		}
	}
	return out
}

// sessionCards are vCards of Meta's cards.
func sessionCards(cards []object) (list []object) {
	for _, c := range cards {
		name := c["name"].(object)["formatted_name"]
		phone := c["phones"].([]object)[0]["phone"]
		list = append(list, object{"displayName": name, "vcard": fmt.Sprintf("BEGIN:VCARD\nVERSION:3.0\nFN:%s\nTEL;type=CELL:%s\nEND:VCARD", name, phone)})
	}
	return list
}

// heardBySession is a message of the business as its person's phone keeps it. Its
// content is that of Meta's, so that the page draws both alike.
func heardBySession(send fake.Send, name string, at time.Time) *Bubble {
	b := &Bubble{WAMID: name, At: at, Type: send.Kind, Text: clip(send.Text, maxContentBytes)}
	var body struct {
		FileName string          `json:"fileName"`
		Location json.RawMessage `json:"location"`
		Contact  struct{ Name, Phone string }
	}
	if json.Unmarshal(send.Body, &body) != nil {
		return b
	}
	content := json.RawMessage(nil)
	switch send.Kind {
	case "text":
		content = encode(object{"body": send.Text})
	case "location":
		content = body.Location
	case "contact":
		b.Type = "contacts"
		content = encode([]object{{"name": object{"formatted_name": body.Contact.Name}, "phones": []object{{"phone": body.Contact.Phone}}}})
	default:
		file := object{"link": send.Link}
		file.setIfAny("caption", send.Text)
		file.setIfAny("filename", body.FileName)
		content = encode(file)
	}
	if len(content) <= maxContentBytes {
		b.Content = content
	}
	return b
}
