package session

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// asides are what a person did besides saying something, as it was recorded.
func (d *desk) asides(p fake.Person) []*parleyv1.Aside {
	d.t.Helper()
	var list []*parleyv1.Aside
	for _, e := range d.events(p) {
		if a := e.GetInputReceived().GetInput().GetAside(); a != nil && e.SessionId == 0 {
			list = append(list, a)
		}
	}
	return list
}

// delivered says that what the person was told last has this id now, as the
// dispatcher does.
func (d *desk) delivered(p fake.Person, wamid string) *parleyv1.Event {
	d.t.Helper()
	events := d.events(p)
	for i := len(events) - 1; i >= 0; i-- {
		if e := events[i]; e.GetMessageQueued() != nil {
			content, err := proto.Marshal(e.GetMessageQueued())
			if err != nil {
				d.t.Fatal(err)
			}
			d.exec(`INSERT INTO deliveries (shard, "offset", channel, contact_id, session_id, content, state, wamid, queued_at)
				VALUES ($1, $2, $3, $4, $5, $6, 'accepted', $7, $8)`, e.Shard, e.Offset, e.Channel, e.ContactId, int64(e.SessionId),
				content, wamid, time.UnixMilli(e.AtMs))
			return e
		}
	}
	d.t.Fatal("nothing was said")
	return nil
}

// Reactions, edits and deletions are recorded with what they are about, once; they
// answer nothing, fail nothing, begin nothing, and are no dead letters.
func TestAsides(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	asked := d.delivered(ada, "wamid.ask")
	before := len(d.events(ada))
	_, session := d.known(ada)
	for range 2 {
		d.post(fake.Reaction(ada, "wamid.2", start, "wamid.ask", "👍"), fake.Edit(ada, "wamid.3", start, "wamid.1", "hello"),
			fake.Revoke(ada, "wamid.4", start, "wamid.1"), fake.Reaction(ada, "wamid.5", start, "wamid.nobody", ""),
			fake.Message(ada, "wamid.6", start, "system", map[string]any{"type": "customer_identity_changed"}),
			fake.Reaction(bob, "wamid.7", start, "wamid.ask", "x"))
		d.run(100)
	}
	d.wantReplies(ada, askName)
	d.wantReplies(bob)
	if got := len(d.events(ada)) - before; got != 5 || len(d.letters("")) != 0 {
		t.Errorf("%d more events, dead letters %+v", got, d.letters(""))
	}
	if _, now := d.known(ada); now.State.Version != session.State.Version || now.State.Failures != 0 || now.State.Progress.WindowUntilMs != session.State.Progress.WindowUntilMs {
		t.Errorf("the session is %+v, was %+v", now.State, session.State)
	}
	list := d.asides(ada)
	ours := store.DeliveryID(int(asked.Shard), asked.Offset)
	if list[0].GetOurs().GetDelivery() != ours || list[0].GetOurs().GetStep() != "name" || list[0].GetOurs().GetQueuedAtMs() != asked.AtMs || list[0].GetEmoji() != "👍" {
		t.Errorf("reaction %v", list[0])
	}
	if list[1].GetEdited().GetText() != "hello" || list[1].GetMessageId() != "wamid.1" || list[2].GetKind() != "revoke" || list[3].GetOurs() != nil {
		t.Errorf("%v", list)
	}
	for _, e := range d.events(ada) {
		if in := e.GetInputReceived().GetInput(); in != nil && !strings.Contains(string(in.GetRaw()), `"id":"`+in.GetId()+`"`) {
			t.Errorf("the raw of %s is %s", in.GetId(), in.GetRaw())
		}
	}
	if bobs := d.asides(bob); len(bobs) != 1 {
		t.Errorf("of somebody without a session: %v", bobs)
	}
	d.consistent(t)
}

// A reply is joined to the question that it answers: to an old one it answers nothing,
// and what is not known to be ours is an answer.
func TestReplies(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	d.delivered(ada, "wamid.ask")
	d.post(fake.Text(ada, "wamid.2", start, "Ada", fake.ReplyTo("wamid.ask")))
	d.run(1)
	d.wantReplies(ada, askName, askEmail("Ada"))
	d.post(fake.Text(ada, "wamid.3", start, "Eve", fake.ReplyTo("wamid.ask")))
	d.run(1)
	d.wantReplies(ada, askName, askEmail("Ada"), askEmail("Ada"))
	if _, s := d.known(ada); s.State.Step != "email" || s.State.Failures != 0 {
		t.Errorf("%+v", s.State)
	}
	d.post(fake.Text(ada, "wamid.4", start, "ada@example.org", fake.ReplyTo("wamid.unknown")))
	d.run(1)
	d.wantReplies(ada, askName, askEmail("Ada"), askEmail("Ada"), thanks)
	d.consistent(t)
}

// A reply that waited for a redrive is joined then.
func TestReplyIsRedriven(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	d.delivered(ada, "wamid.ask")
	d.say(ada, "wamid.2", "Ada")
	d.strand(ada, "gone")
	d.post(fake.Text(ada, "wamid.3", start, "Eve", fake.ReplyTo("wamid.ask")))
	d.run(1)
	d.strand(ada, "email")
	d.order(ada, "order", store.OperatorRedrive)
	d.run(1)
	d.wantReplies(ada, askName, askEmail("Ada"), askEmail("Ada"))
	d.consistent(t)
}

// A message of a kind that Parley does not know is answered as the wrong kind.
func TestUnsupportedMessages(t *testing.T) {
	d := newDesk(t)
	d.post(fake.Text(ada, "wamid.1", start, "hi"), fake.Message(ada, "wamid.2", start, "unsupported", map[string]any{"type": "gif"}),
		fake.Message(ada, "wamid.3", start, "hologram", map[string]any{"depth": 3}), fake.Message(ada, "wamid.4", start, "order", map[string]any{"text": "two"}))
	d.run(100)
	d.wantReplies(ada, strings.Split(strings.Repeat(askName+"|", 3)+askName, "|")...)
	if letters := d.letters(""); len(letters) > 0 {
		t.Errorf("%+v", letters)
	}
}
