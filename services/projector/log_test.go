package projector

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/pgtest"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

func heardEvent(m *parleyv1.IncomingMessage) *parleyv1.Event {
	return inputEvent(&parleyv1.Input{Id: "wamid.in", Body: &parleyv1.Input_Message{Message: m}})
}

func asideEvent(a *parleyv1.Aside) *parleyv1.Event {
	return inputEvent(&parleyv1.Input{Id: "wamid.in", Body: &parleyv1.Input_Aside{Aside: a}})
}

func inputEvent(in *parleyv1.Input) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{Input: in}}}
}

func toldEvent(q *parleyv1.MessageQueued) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_MessageQueued{MessageQueued: q}}
}

// What each kind of message is called, and what there is to read of it.
func TestMessageOf(t *testing.T) {
	for want, e := range map[string]*parleyv1.Event{
		"in text hi":                            heardEvent(&parleyv1.IncomingMessage{Type: "text", Text: "hi"}),
		"in document a.pdf":                     heardEvent(&parleyv1.IncomingMessage{Type: "document", Content: &parleyv1.IncomingMessage_Media{Media: &parleyv1.IncomingMedia{Filename: "a.pdf"}}}),
		"in location Home 1.5,-2":               heardEvent(&parleyv1.IncomingMessage{Type: "location", Content: &parleyv1.IncomingMessage_Location{Location: &parleyv1.GeoPoint{Name: "Home", Latitude: 1.5, Longitude: -2}}}),
		"in contacts Bo":                        heardEvent(&parleyv1.IncomingMessage{Type: "contacts", Content: &parleyv1.IncomingMessage_Contact{Contact: &parleyv1.ContactCard{Name: "Bo"}}}),
		"in text ab":                            heardEvent(&parleyv1.IncomingMessage{Type: "text", Text: "a\x00b"}),
		"in order 2 products":                   heardEvent(&parleyv1.IncomingMessage{Type: "order", Content: &parleyv1.IncomingMessage_Order{Order: &parleyv1.Order{Items: make([]*parleyv1.OrderItem, 2)}}}),
		"in reaction 👍":                         asideEvent(&parleyv1.Aside{Kind: "reaction", MessageId: "wamid.T", Emoji: "👍"}),
		"in edit better":                        asideEvent(&parleyv1.Aside{Kind: "edit", Edited: &parleyv1.IncomingMessage{Type: "text", Text: "better"}}),
		"out text from the app":                 inputEvent(&parleyv1.Input{Id: "echo/wamid.in", Body: &parleyv1.Input_Echo{Echo: &parleyv1.Echo{Message: &parleyv1.IncomingMessage{Type: "text", Text: "from the app"}}}}),
		"out revoke ":                           inputEvent(&parleyv1.Input{Body: &parleyv1.Input_Echo{Echo: &parleyv1.Echo{Aside: &parleyv1.Aside{Kind: "revoke"}}}}),
		"in preference marketing_messages stop": inputEvent(&parleyv1.Input{Body: &parleyv1.Input_Preference{Preference: &parleyv1.Preference{Category: "marketing_messages", Value: "stop"}}}),
		"in revoke ":                            asideEvent(&parleyv1.Aside{Kind: "revoke", MessageId: "wamid.T"}),
		"out text hello":                        toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: "hello"}}}),
		"out image look":                        toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Media{Media: &parleyv1.Media{Kind: "image", Caption: "look"}}}),
		"out buttons sure?":                     toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Buttons{Buttons: &parleyv1.Buttons{Body: "sure?"}}}),
		"out list which?":                       toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_List{List: &parleyv1.List{Body: "which?"}}}),
		"out share number?":                     toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Share{Share: &parleyv1.ShareRequest{Body: "number?", What: "contact"}}}),
		"out link see":                          toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Link{Link: &parleyv1.Link{Body: "see"}}}),
		"out form fill":                         toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Form{Form: &parleyv1.Form{Body: "fill"}}}),
		"out location 0,0":                      toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Location{Location: &parleyv1.GeoPoint{}}}),
		"out contact Ann":                       toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Contact{Contact: &parleyv1.ContactCard{Name: "Ann"}}}),
		"out template hello_world":              toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Template{Template: &parleyv1.Template{Name: "hello_world"}}}),
		"out reaction 👍":                        toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Reaction{Reaction: &parleyv1.Reaction{Emoji: "👍"}}}),
		"out unknown ":                          toldEvent(&parleyv1.MessageQueued{}),
		"":                                      toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Typing{Typing: &parleyv1.Typing{}}}),
		" ":                                     {Body: &parleyv1.Event_SessionCompleted{SessionCompleted: &parleyv1.SessionCompleted{}}},
		"in call missed":                        inputEvent(&parleyv1.Input{Body: &parleyv1.Input_VoiceCall{VoiceCall: &parleyv1.VoiceCall{State: "missed"}}}),
		"out call taken, 90 s":                  inputEvent(&parleyv1.Input{Body: &parleyv1.Input_VoiceCall{VoiceCall: &parleyv1.VoiceCall{State: "taken", Seconds: 90, Ours: true}}}),
		"in text long ago": inputEvent(&parleyv1.Input{Body: &parleyv1.Input_PastMessage{PastMessage: &parleyv1.PastMessage{
			Message: &parleyv1.IncomingMessage{Type: "text", Text: "long ago"},
		}}}),
		"out reaction x": inputEvent(&parleyv1.Input{Body: &parleyv1.Input_PastMessage{PastMessage: &parleyv1.PastMessage{
			Aside: &parleyv1.Aside{Kind: "reaction", Emoji: "x"}, Ours: true,
		}}}),
		"in group text all of you": inputEvent(&parleyv1.Input{Body: &parleyv1.Input_GroupMessage{GroupMessage: &parleyv1.GroupMessage{
			Group: "G", Message: &parleyv1.IncomingMessage{Type: "text", Text: "all of you"},
		}}}),
		"out group revoke ":           inputEvent(&parleyv1.Input{Body: &parleyv1.Input_GroupMessage{GroupMessage: &parleyv1.GroupMessage{Group: "G", Aside: &parleyv1.Aside{Kind: "revoke"}, Ours: true}}}),
		"in payment captured order-7": asideEvent(&parleyv1.Aside{Kind: "payment", State: "captured", Reference: "order-7"}),
		"in interactive Yes":          heardEvent(&parleyv1.IncomingMessage{Type: "interactive", Text: "Yes", Tap: "p1.x"}),
		"in image a picture of a cat": heardEvent(&parleyv1.IncomingMessage{Type: "image", Text: "a picture of a cat"}),
	} {
		id := store.ContactID("p", "ann")
		e.ContactId = id[:]
		m, said, err := messageOf(e)
		if err != nil || said != (len(want) > 1) || said && m.Direction+" "+m.Kind+" "+m.Body != want {
			t.Errorf("%q: %+v, %t, %v", want, m, said, err)
		}
	}
	short := heardEvent(&parleyv1.IncomingMessage{Type: "text"})
	short.ContactId = []byte("short")
	if _, _, err := messageOf(short); err == nil {
		t.Error("a message without a contact is taken")
	}
	if _, said, err := messageOf(&parleyv1.Event{Body: &parleyv1.Event_AccountNoticed{AccountNoticed: &parleyv1.AccountNoticed{}}}); said || err != nil {
		t.Errorf("a notice, which is about nobody: %t, %v", said, err)
	}
}

// A message of the past stands in the log where it was written, under its own id; one
// without a time, or of the future, where it was told.
func TestPastMessageInTheLog(t *testing.T) {
	id, told := store.ContactID("p", "ann"), time.UnixMilli(1_800_000_000_000)
	for written, want := range map[int64]int64{1_700_000_000_000: 1_700_000_000_000, 0: told.UnixMilli(), told.UnixMilli() + 1: told.UnixMilli()} {
		e := inputEvent(&parleyv1.Input{
			Id: "history/wamid.p/media_placeholder", ProviderAtMs: written,
			Body: &parleyv1.Input_PastMessage{PastMessage: &parleyv1.PastMessage{Message: &parleyv1.IncomingMessage{Type: "media_placeholder"}}},
		})
		e.ContactId, e.AtMs = id[:], told.UnixMilli()
		if m, said, err := messageOf(e); err != nil || !said || m.ProviderID != "wamid.p" || m.At.UnixMilli() != want {
			t.Errorf("written at %d: %+v, %t, %v", written, m, said, err)
		}
	}
}

// Whatever stands in a text, PostgreSQL takes the JSON, and only NUL is missing.
func TestWithoutNUL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune{'\x00', '\\', 'u', '0', '"', 'ä', 'a'})).Draw(t, "text")
		data, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal(withoutNUL(data), &got); err != nil || got != readable(text) {
			t.Fatalf("%q: %q, %v", data, got, err)
		}
	})
}

// The log is written under the fence of its own leases, once.
func TestLog(t *testing.T) {
	dsn := pgtest.New(t, store.Migrate)
	s, err := store.Open(t.Context(), dsn, 2, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.EnsureLeases(t.Context(), store.ServiceMessages, 1); err != nil {
		t.Fatal(err)
	}
	leases, err := s.Acquire(t.Context(), store.ServiceMessages, "me", time.Minute, 1, nil)
	if err != nil || len(leases) != 1 {
		t.Fatal(leases, err)
	}
	id, now := store.ContactID("p", "ann"), time.Now()
	part := lane.Part{Fence: store.Fence{Shard: 0, Epoch: leases[0].Epoch, To: 3, At: now}}
	for n, e := range []*parleyv1.Event{
		inputEvent(&parleyv1.Input{Id: "wamid.in", Raw: []byte(`{"a":"\u0000"}`), Body: &parleyv1.Input_Message{
			Message: &parleyv1.IncomingMessage{Type: "text", Text: "hi\x00 \\u0000"},
		}}),
		{Body: &parleyv1.Event_SessionCompleted{SessionCompleted: &parleyv1.SessionCompleted{}}},
		toldEvent(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: "hello"}}}),
	} {
		e.Offset, e.ContactId, e.AtMs, e.Channel = uint64(n+1), id[:], now.UnixMilli(), "c"
		part.Messages = append(part.Messages, lane.Message{Pos: uint64(n + 1), Event: e})
	}
	log := NewLog(s, zerolog.Nop())
	for i, want := range []int{1, 0} {
		held, err := log.Apply(t.Context(), []lane.Part{part})
		if err != nil || len(held) != want {
			t.Fatalf("try %d: held %v, %v", i, held, err)
		}
	}
	list, err := s.Messages(t.Context(), store.MessageQuery{From: now.Add(-time.Minute), To: now.Add(time.Minute), Limit: 10, Raw: true})
	if err != nil || len(list) != 2 || list[0].Body != `hi \u0000` || list[1].Body != "hello" || list[0].ProviderID != "wamid.in" ||
		string(list[0].Raw) != `{"a":"\u0000"}` || len(list[1].Raw) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
	next := part
	next.Fence.From, next.Fence.To, next.Messages = 3, 4, []lane.Message{{Pos: 4, Event: part.Messages[0].Event}}
	if parked, err := log.Park(t.Context(), next, errors.New("no room")); err != nil || !parked {
		t.Errorf("park: %t, %v", parked, err)
	}
}
