package console

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// actBytesMax bounds the body of an action or a message.
	actBytesMax = 64 << 10
	// reasonCharactersMax bounds why something is done.
	reasonCharactersMax = 500
	// idempotencyKey is the header that makes a repeated request the same one.
	idempotencyKey = "Idempotency-Key"

	actFields   = "action, by, reason, channel, step, slot, value, into"
	writeFields = "by, reason, channel, and one of text, media, location, contact, template"
)

// whose is what both requests say of the conversation and of who acts.
type whose struct {
	// Channel may be left out if the person has one conversation only.
	Channel string `json:"channel"`
	By      string `json:"by"`
	Reason  string `json:"reason"`
}

func (w whose) check() error {
	for _, word := range []struct {
		field, value string
		most         int
	}{{"channel", w.Channel, nameCharactersMax}, {"by", w.By, nameCharactersMax}, {"reason", w.Reason, reasonCharactersMax}} {
		if err := checkWords(word.field, word.value, word.most); err != nil {
			return err
		}
	}
	if w.By == "" {
		return refuse(http.StatusBadRequest, "give by: who does it")
	}
	return nil
}

// act is POST /api/v1/sessions/{contact}/actions: what a person of the business does to
// a conversation. It takes its turn in the contact's lane.
func (a *API) act(w http.ResponseWriter, r *http.Request) {
	var body struct {
		whose
		Action string          `json:"action"`
		Step   string          `json:"step"`
		Slot   string          `json:"slot"`
		Value  json.RawMessage `json:"value"`
		Into   string          `json:"into"`
	}
	err := readBody(w, r, actBytesMax, actFields, &body)
	if err == nil && body.Action == flow.ActSay {
		err = refuse(http.StatusBadRequest, "POST to messages instead: it takes what is said")
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	a.operate(w, r, body.whose, body.Into, &parleyv1.OperatorAction{Verb: body.Action, Step: body.Step, Slot: body.Slot, Json: body.Value})
}

// write is POST /api/v1/sessions/{contact}/messages: what a person of the business writes.
// The conversation is theirs from then on, until it is given back.
func (a *API) write(w http.ResponseWriter, r *http.Request) {
	var body struct {
		whose
		Text     string          `json:"text"`
		Media    json.RawMessage `json:"media"`
		Location json.RawMessage `json:"location"`
		Contact  json.RawMessage `json:"contact"`
		Template json.RawMessage `json:"template"`
	}
	action := &parleyv1.OperatorAction{Verb: flow.ActSay}
	err := readBody(w, r, actBytesMax, writeFields, &body)
	if err == nil {
		err = content(action, body.Text, map[string]json.RawMessage{
			"media": body.Media, "location": body.Location, "contact": body.Contact, "template": body.Template,
		})
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	a.operate(w, r, body.whose, "", action)
}

// content gives an action what is said: exactly one thing.
func content(action *parleyv1.OperatorAction, text string, others map[string]json.RawMessage) error {
	given := 0
	if text != "" {
		given++
		action.Content = &parleyv1.OperatorAction_Text{Text: &parleyv1.Text{Body: text}}
	}
	for _, name := range []string{"media", "location", "contact", "template"} {
		if len(others[name]) == 0 {
			continue
		}
		given++
		var into proto.Message
		switch name {
		case "media":
			media := &parleyv1.Media{}
			into, action.Content = media, &parleyv1.OperatorAction_Media{Media: media}
		case "location":
			place := &parleyv1.GeoPoint{}
			into, action.Content = place, &parleyv1.OperatorAction_Location{Location: place}
		case "contact":
			card := &parleyv1.ContactCard{}
			into, action.Content = card, &parleyv1.OperatorAction_Contact{Contact: card}
		case "template":
			template := &parleyv1.Template{}
			into, action.Content = template, &parleyv1.OperatorAction_Template{Template: template}
		}
		if err := protojson.Unmarshal(others[name], into); err != nil {
			return refuse(http.StatusBadRequest, "%s is not understood: give the fields of the message as README.md lists them", name)
		}
	}
	if given != 1 {
		return refuse(http.StatusBadRequest, "%d things to say: give exactly one of text, media, location, contact, template", given)
	}
	return nil
}

// operate puts an action into the lane of the conversation that it is for, unless it is
// known already that it would be refused there. into names another contact.
func (a *API) operate(w http.ResponseWriter, r *http.Request, who whose, into string, action *parleyv1.OperatorAction) {
	action.By, action.Reason = who.By, who.Reason
	err := who.check()
	var at conversation
	if err == nil {
		at, err = a.conversation(r.Context(), r.PathValue("contact"), who.Channel)
	}
	if err == nil && (into != "" || action.GetVerb() == flow.ActMerge) {
		action.Into, err = a.mergesInto(r.Context(), at.contact, action.GetVerb(), into)
	}
	if err == nil {
		err = a.canAct(r.Context(), at, action)
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	a.enter(w, r, at, "operator/", flow.OperatorInput("", 0, action))
}

// enter puts an input into the lane of a conversation, and answers with its id, which
// begins so. A key of the request's makes it the same input if it is repeated.
func (a *API) enter(w http.ResponseWriter, r *http.Request, at conversation, begins string, in *parleyv1.Input) {
	key := r.Header.Get(idempotencyKey)
	if err := checkWords(idempotencyKey, key, nameCharactersMax); err != nil {
		a.refused(w, r, err)
		return
	}
	if key == "" {
		key = rand.Text()
	}
	id := begins + at.session.Key.Contact.String() + "/" + key
	order, err := a.order(&parleyv1.Envelope{
		Id: id, Channel: at.session.Key.Channel, Portfolio: at.contact.Portfolio, LaneKey: at.contact.LaneKey,
		ContactId: at.session.Key.Contact[:], // somebody else may have been heard in the lane first
	}, in)
	if err == nil {
		err = a.in.Publish(r.Context(), order)
	}
	if err != nil {
		a.unsent(w, r, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]string{"id": id, "channel": at.session.Key.Channel})
}

// mergesInto is the id of the other contact whom an operator says the person is, too.
func (a *API) mergesInto(ctx context.Context, contact store.Contact, verb, into string) ([]byte, error) {
	if verb != flow.ActMerge || into == "" {
		return nil, refuse(http.StatusBadRequest, "merge needs into: a phone number, user id or contact id of the same person; no other action takes it")
	}
	found, err := a.store.FindContacts(ctx, strings.TrimPrefix(into, "+"))
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(found, func(c store.ContactView) bool { return c.Portfolio != contact.Portfolio })
	switch {
	case len(others) == 0:
		return nil, refuse(http.StatusNotFound, "no contact of the same business has that phone number, user id or contact id")
	case len(others) > 1:
		return nil, refuse(http.StatusConflict, "several contacts have that: name the one by its contact id")
	case others[0].ID == contact.ID:
		return nil, refuse(http.StatusConflict, "they are one contact already")
	}
	return others[0].ID[:], nil
}

// conversation is one session with its contact.
type conversation struct {
	contact store.Contact
	session store.Session
}

// conversation finds who is named by phone, BSUID or id, on a channel if that is given.
func (a *API) conversation(ctx context.Context, contact, channel string) (found conversation, err error) {
	views, err := a.store.FindSessions(ctx, strings.TrimPrefix(contact, "+"))
	if err != nil {
		return found, err
	}
	keys := map[store.SessionKey]bool{}
	for _, v := range views {
		if channel == "" || v.Channel == channel {
			keys[store.SessionKey{Channel: v.Channel, Contact: v.ContactID}] = true
		}
	}
	switch {
	case len(keys) == 0:
		return found, refuse(http.StatusNotFound, "nobody of that phone number or user id has a session there")
	case len(keys) > 1:
		return found, refuse(http.StatusConflict, "the person has conversations on several channels: give channel")
	}
	for key := range keys {
		known, err := a.store.LoadKnown(ctx, []uuid.UUID{key.Contact}, nil)
		return conversation{known.Contacts[key.Contact], known.Sessions[key]}, err
	}
	return found, nil
}

// canAct asks the engine whether the action can be done to the session as it is now. It
// is asked again at its turn: what came before it may have changed the answer.
func (a *API) canAct(ctx context.Context, at conversation, action *parleyv1.OperatorAction) error {
	s := at.session.State
	pinned, err := a.store.LoadFlow(ctx, s.Flow, s.FlowVersion)
	if err != nil {
		return err
	}
	in := flow.OperatorInput("", 0, action)
	in.Contact = &parleyv1.ContactInfo{OptedOut: at.contact.OptedOut, Blocked: at.contact.Blocked}
	if why := flow.Refuses(pinned, pinned, s, in); why != "" {
		return refuse(http.StatusConflict, "%s", why)
	}
	return nil
}
