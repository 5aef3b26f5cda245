package console

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const inputFields = "channel, and one of text, location, contact"

// input is POST /api/v1/sessions/{contact}/input: what a system of the business says in
// the place of a person, who has said it elsewhere. It takes its turn in their lane and is
// judged like a message of theirs; for WhatsApp it is none, so it opens no window.
func (a *API) input(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Channel  string          `json:"channel"`
		Text     string          `json:"text"`
		Location json.RawMessage `json:"location"`
		Contact  json.RawMessage `json:"contact"`
	}
	var message *parleyv1.IncomingMessage
	var at conversation
	err := readBody(w, r, actBytesMax, inputFields, &body)
	if err == nil {
		message, err = saidInstead(body.Text, body.Location, body.Contact)
	}
	if err == nil {
		err = checkWords("channel", body.Channel, nameCharactersMax)
	}
	if err == nil {
		at, err = a.conversation(r.Context(), r.PathValue("contact"), body.Channel)
	}
	if err == nil && (at.contact.OptedOut || at.contact.Blocked) {
		err = refuse(http.StatusConflict, "the person wants to hear nothing more, or is blocked: nothing would come of it")
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	a.enter(w, r, at, flow.APIInput, &parleyv1.Input{Body: &parleyv1.Input_Message{Message: message}})
}

// saidInstead is a message of exactly one thing.
func saidInstead(text string, location, contact json.RawMessage) (*parleyv1.IncomingMessage, error) {
	given := 0
	for _, is := range []bool{text != "", len(location) > 0, len(contact) > 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, refuse(http.StatusBadRequest, "%d things to say: give exactly one of text, location, contact", given)
	}
	switch {
	case utf8.RuneCountInString(text) > flow.TextCharactersMax:
		return nil, refuse(http.StatusBadRequest, "text has more than %d characters, which no message of WhatsApp has: give less", flow.TextCharactersMax)
	case len(location) > 0:
		place := &parleyv1.GeoPoint{}
		if protojson.Unmarshal(location, place) != nil {
			return nil, refuse(http.StatusBadRequest, "location is not understood: give latitude, longitude, name, address")
		}
		return &parleyv1.IncomingMessage{Type: "location", Content: &parleyv1.IncomingMessage_Location{Location: place}}, nil
	case len(contact) > 0:
		card := &parleyv1.ContactCard{}
		if protojson.Unmarshal(contact, card) != nil {
			return nil, refuse(http.StatusBadRequest, "contact is not understood: give name, phone, email, organization")
		}
		return &parleyv1.IncomingMessage{Type: "contacts", Content: &parleyv1.IncomingMessage_Contact{Contact: card}}, nil
	}
	return &parleyv1.IncomingMessage{Type: "text", Text: text}, nil
}
