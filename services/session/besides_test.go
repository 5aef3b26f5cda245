package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// beside are the inputs of a person that no session decided, as they were recorded.
func (d *desk) beside(p fake.Person) (list []*parleyv1.Input) {
	d.t.Helper()
	for _, e := range d.events(p) {
		if in := e.GetInputReceived().GetInput(); in != nil && e.SessionId == 0 {
			list = append(list, in)
		}
	}
	return list
}

// facts are those of all notices, by kind, subject and value.
func (d *desk) facts() (list []string) {
	d.t.Helper()
	for shard := range shards {
		events, err := d.store.ReadEvents(context.Background(), shard, 0, 1000)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, e := range events {
			for _, f := range e.GetAccountNoticed().GetFacts() {
				list = append(list, strings.Join(strings.Fields(f.GetKind()+" "+f.GetSubject()+" "+f.GetValue()), " "))
			}
		}
	}
	slices.Sort(list)
	return list
}

// Messages of the past are recorded with the time of then, once, and do nothing: no word
// of them begins or ends anything, no window opens, and a session goes on as it was. What
// was heard when it was written is not recorded again, and what is delivered after its
// history is answered all the same.
func TestHistoryIsRecorded(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	_, before := d.known(ada)
	then := start.Add(-30 * 24 * time.Hour)
	text := func(body string) map[string]any { return map[string]any{"body": body} }
	for range 2 {
		d.post(
			fake.Past(ada, "wamid.p1", then, false, "text", text("STOP")), fake.Past(ada, "wamid.p2", then, true, "text", text("What is it?")),
			fake.Past(ada, "wamid.p3", then, false, "media_placeholder", nil), fake.PastFile(ada, "wamid.p3", then),
			fake.Past(ada, "wamid.1", start, false, "text", text("hi")),
			fake.Past(bob, "wamid.p4", start, false, "text", text("RESTART")), fake.Past(hid, "wamid.p5", then, false, "reaction", map[string]any{"message_id": "x", "emoji": "+"}),
			fake.HistoryProgress(0, 55), fake.HistoryDeclined(),
		)
		d.run(100)
	}
	d.wantReplies(ada, askName)
	d.wantReplies(bob)
	if _, now := d.known(ada); now.State.Version != before.State.Version || now.State.Progress.WindowUntilMs != before.State.Progress.WindowUntilMs {
		t.Errorf("the session is %+v, was %+v", now.State, before.State)
	}
	if contact, _ := d.known(ada); contact.OptedOut {
		t.Error("a word of the past opted out")
	}
	list := d.beside(ada)
	if len(list) != 4 || list[0].GetPastMessage().GetOurs() || !list[1].GetPastMessage().GetOurs() || list[0].GetProviderAtMs() != then.UnixMilli() || list[0].GetPastMessage().GetStatus() != "read" {
		t.Errorf("%v", list)
	}
	if list[3].GetPastMessage().GetMessage().GetMedia() == nil || len(list[3].GetRaw()) == 0 {
		t.Errorf("the file is %v", list[3])
	}
	if of := d.beside(hid); len(of) != 1 || of[0].GetPastMessage().GetAside().GetEmoji() != "+" {
		t.Errorf("%v", of)
	}
	if facts := d.facts(); !slices.Contains(facts, "history phase 0, 55 %") || !slices.ContainsFunc(facts, func(f string) bool { return strings.HasPrefix(f, "alert error 2593109") }) {
		t.Errorf("%q", facts)
	}
	d.post(fake.Text(bob, "wamid.p4", start, "hi"))
	d.run(100)
	d.wantReplies(bob, askName)
	if letters := d.letters(""); len(letters) > 0 {
		t.Errorf("%+v", letters)
	}
	d.consistent(t)
}

// Calls, payments, groups and what is done without a name are recorded, each once, and
// no flow reacts; what sets up a call's connection is in no event.
func TestBesidesMessages(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	asked := d.delivered(ada, "wamid.ask")
	_, before := d.known(ada)
	for range 2 {
		d.post(
			fake.Call(ada, "wacid.1", start, "connect", 0), fake.Call(ada, "wacid.1", start, "terminate", time.Minute), fake.Call(ada, "wacid.2", start, "terminate", 0),
			fake.Payment(ada, "wamid.ask", "failed", "order-7", start), fake.Payment(ada, "wamid.ask", "captured", "order-7", start),
			fake.Text(ada, "wamid.g", start, "RESTART", fake.InGroup("G")), fake.Receipt(ada, "wamid.ask", "deleted", start, ""),
			fake.Click(start), fake.Raw("group_status_update", map[string]any{"groups": []any{map[string]any{"group_id": "G", "type": "group_suspend"}}}),
		)
		d.run(100)
	}
	d.wantReplies(ada, askName)
	if _, now := d.known(ada); now.State.Version != before.State.Version || now.State.Failures != 0 || now.State.Progress.WindowUntilMs != before.State.Progress.WindowUntilMs {
		t.Errorf("the session is %+v, was %+v", now.State, before.State)
	}
	list, ours := d.beside(ada), store.DeliveryID(int(asked.Shard), asked.Offset)
	if len(list) != 7 {
		t.Fatalf("%v", list)
	}
	var calls []string
	for _, in := range list[:3] {
		calls = append(calls, in.GetVoiceCall().GetState())
	}
	if strings.Join(calls, " ") != "ringing taken missed" || list[1].GetVoiceCall().GetSeconds() != 60 || strings.Contains(string(list[0].GetRaw()), "192.0.2.7") || len(list[0].GetRaw()) == 0 {
		t.Errorf("calls %v", list[:3])
	}
	if paid := list[4].GetAside(); paid.GetKind() != "payment" || paid.GetState() != "captured" || paid.GetReference() != "order-7" || paid.GetOurs().GetDelivery() != ours {
		t.Errorf("payment %v", paid)
	}
	if g := list[5].GetGroupMessage(); g.GetGroup() != "G" || g.GetMessage().GetText() != "RESTART" {
		t.Errorf("in the group %v", g)
	}
	if s := list[6].GetAside(); s.GetKind() != "status" || s.GetState() != "deleted" || s.GetOurs().GetDelivery() != ours {
		t.Errorf("status %v", s)
	}
	if facts := d.facts(); !slices.Equal(facts, []string{"action marketing_messages_link_click cta", "group group_suspend G"}) {
		t.Errorf("%q", facts)
	}
	if letters := d.letters(""); len(letters) > 0 {
		t.Errorf("%+v", letters)
	}
	d.consistent(t)
}

// The address book of the business's phone says who a person is whom we know, in whatever
// lane it comes: their own name stays. Of others it makes nobody, and who is removed from it
// stays who they are.
func TestAddressBook(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	d.say(fake.Person{BSUID: "US.9"}, "wamid.2", "hi")
	people := d.contacts(t)
	for range 2 {
		d.post(
			fake.Book(fake.Person{Phone: ada.Phone, BSUID: "US.1", Name: "Ada, pays late"}, start, "add"), fake.Book(fake.Person{BSUID: "US.9", Name: "Nina"}, start, "add"),
			fake.Book(fake.Person{Phone: "15559990000", Name: "Nobody"}, start, "add"), fake.Book(ada, start, "remove"), fake.Book(fake.Person{}, start, "add"),
		)
		d.run(100)
	}
	if contact, _ := d.known(ada); contact.Identity.GetBsuid() != "US.1" || contact.Identity.GetName() != ada.Name || contact.Identity.GetPhone() != ada.Phone {
		t.Errorf("Ada is %v", contact.Identity)
	}
	if contact, _ := d.known(fake.Person{BSUID: "US.9"}); contact.Identity.GetName() != "Nina" {
		t.Errorf("Nina is %v", contact.Identity)
	}
	if now := d.contacts(t); len(now) != len(people) {
		t.Errorf("%d contacts, there were %d", len(now), len(people))
	}
	d.say(fake.Person{BSUID: "US.1"}, "wamid.3", "Ada") // she is known by her user id alone now
	d.wantReplies(ada, askName, askEmail("Ada"))
	if letters := d.letters(""); len(letters) > 0 {
		t.Errorf("%+v", letters)
	}
	d.consistent(t)
}

// What people post to their status is in the log of those who are known; it makes nobody
// a contact.
func TestStatusPosts(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	for n, phone := range []string{ada.Phone, "15559990000"} {
		d.put(&parleyv1.Envelope{
			Id: fmt.Sprint("P", n), Kind: parleyv1.Kind_KIND_MESSAGE, Provider: "wasender", Channel: channel, Portfolio: channel, LaneKey: phone,
			Contact: &parleyv1.Identity{Phone: phone}, Field: "messages.upsert",
			Raw: []byte(`{"key":{"id":"P","remoteJid":"status@broadcast","participant":"` + phone + `@s.whatsapp.net"},"message":{"conversation":"on holiday"}}`),
		})
	}
	d.run(100)
	if list := d.beside(ada); len(list) != 1 || list[0].GetGroupMessage().GetMessage().GetText() != "on holiday" {
		t.Errorf("%v", list)
	}
	if n, letters := len(d.contacts(t)), d.letters(""); n != 1 || len(letters) > 0 {
		t.Errorf("%d contacts, dead letters %+v", n, letters)
	}
	d.wantReplies(ada, askName)
	d.consistent(t)
}

// Who shares their own number when asked for it is the person of that number from then on:
// one conversation goes on. A card that they chose themselves shows nothing.
func TestSharedNumber(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	secret := fake.Person{BSUID: "US.5", Name: "Ada"}
	d.post(fake.Contacts(secret, "wamid.2", start, []fake.Card{{Name: "Ada", Phone: "+" + ada.Phone}}))
	d.run(100)
	if len(d.contacts(t)) != 2 {
		t.Fatal("a card that anybody can make showed who somebody is")
	}
	d.post(fake.Shared(secret, "wamid.3", start, ada.Phone))
	d.run(100)
	d.post(fake.Text(secret, "wamid.4", start, "Ada"))
	d.run(100)
	contact, _ := d.known(ada)
	if contact.Identity.GetBsuid() != "US.5" || contact.Identity.GetPhone() != ada.Phone {
		t.Errorf("Ada is %v", contact.Identity)
	}
	d.consistent(t)
}
