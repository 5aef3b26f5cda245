package session

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// The texts of the demo flow.
const (
	askName  = "Welcome! What is your name?"
	badEmail = "That email looks invalid. Please try again."
	thanks   = "Thank you! Your information is saved."
	again    = "Send 'RESTART' to begin again."
)

func askEmail(name string) string { return fmt.Sprintf("Hi %s, what is your email?", name) }

// dialogue is a whole conversation, with its replies.
func dialogue(p fake.Person) (items []fake.Item, replies []string) {
	for i, text := range []string{"hi", "Ada", "nope", "ada@example.org", "thanks", "restart", "Ada L"} {
		items = append(items, fake.Text(p, fmt.Sprintf("wamid.%s%d", p.Name, i), start, text))
	}
	return items, []string{askName, askEmail("Ada"), badEmail, thanks, again, askName, askEmail("Ada L")}
}

// PEERS C5: a conversation is the same, whether its messages come one by one,
// in two or all at once.
func TestDialogue(t *testing.T) {
	d := newDesk(t)
	for n, p := range []fake.Person{ada, bob, hid} {
		items, replies := dialogue(p)
		d.post(items...)
		d.run([]int{1, 3, 100}[n])
		d.wantReplies(p, replies...)
	}
	var types []string
	for _, e := range d.events(ada) {
		types = append(types, store.EventType(e))
	}
	want := "SessionStarted InputReceived StepEntered MessageQueued TimerSet " +
		"InputReceived AnswerAccepted StepEntered MessageQueued " +
		"InputReceived AnswerRejected MessageQueued " +
		"InputReceived AnswerAccepted SessionCompleted MessageQueued " +
		"InputReceived MessageQueued " +
		"InputReceived SessionCancelled SessionStarted StepEntered MessageQueued TimerSet " +
		"InputReceived AnswerAccepted StepEntered MessageQueued"
	if got := strings.Join(types, " "); got != want {
		t.Errorf("events\n%s\nwant\n%s", got, want)
	}
	_, session := d.known(ada)
	if session.State.Step != "email" || session.State.Answers["name"] != "Ada L" || session.State.Failures != 0 {
		t.Errorf("%+v", session.State)
	}
	d.consistent(t)
}

// PEERS C16: many people in one batch, on all shards, do not meet.
func TestManyContactsInOneBatch(t *testing.T) {
	d := newDesk(t)
	var items []fake.Item
	people := make([]fake.Person, 40)
	for n := range people {
		people[n] = fake.Person{Phone: fmt.Sprint(15550000000 + n), Name: fmt.Sprint("P", n)}
	}
	for turn, text := range []string{"hi", "my name", "x@example.org"} {
		for n, p := range people {
			items = append(items, fake.Text(p, fmt.Sprintf("wamid.%d.%d", n, turn), start, strings.ReplaceAll(text, "my", p.Name)))
		}
	}
	d.post(items...)
	d.run(500)
	for _, p := range people {
		d.wantReplies(p, askName, askEmail(p.Name+" name"), thanks)
	}
	d.consistent(t)
}

// Every event says where it stands, whose it is, and what the session is after
// it; a message says where it goes.
func TestEventHeaders(t *testing.T) {
	d := newDesk(t)
	both := fake.Person{Phone: "15551112222", BSUID: "US.77", Name: "Both"}
	for n, p := range []fake.Person{ada, hid, both} {
		d.time = start.Add(time.Duration(n) * time.Minute)
		d.say(p, "wamid.1"+p.Name, "hi")
		d.say(p, "wamid.2"+p.Name, "Name")
		id := store.ContactID(channel, laneKey(p))
		first := d.events(p)[0].Offset
		for i, e := range d.events(p) {
			if e.Offset != first+uint64(i) || e.Version != uint32(i+1) || e.SessionId != store.SessionID(int(e.Shard), first) {
				t.Errorf("event %d of %s is %d/%d, version %d of session %d", i, p.Name, e.Shard, e.Offset, e.Version, e.SessionId)
			}
			if string(e.ContactId) != string(id[:]) || e.Channel != channel || e.AtMs != d.time.UnixMilli() {
				t.Errorf("event %d of %s: %v", i, p.Name, e)
			}
			if e.Flow != "lead" || e.FlowVersion != 1 || e.Language != "en" || e.SessionStartedAtMs != d.time.UnixMilli() {
				t.Errorf("event %d of %s: %v", i, p.Name, e)
			}
			if q := e.GetMessageQueued(); q != nil && (q.Phone != p.Phone || q.Bsuid != p.BSUID) {
				t.Errorf("goes to %s %s", q.Phone, q.Bsuid)
			}
			if in := e.GetInputReceived(); in != nil && (in.Input.ProviderAtMs == 0 || in.Input.AtMs != d.time.UnixMilli() || in.Input.GetMessage().GetType() != "text") {
				t.Errorf("input %v", in)
			}
		}
	}
	d.consistent(t)
}

// PEERS C24: people stay on the version that they began with; who begins, or
// begins again, gets the live one.
func TestVersions(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	d.say(bob, "wamid.2", "hi")
	d.publish(`
name: lead
language: de
keywords: {restart: [NEU, RESTART]}
steps:
  - {name: city, say: "Welche Stadt?", expect: {type: text, save: city}}
completed: {say: "Danke aus {city}", again: "Fertig"}
`)
	d.time = d.time.Add(liveFor)
	d.say(ada, "wamid.3", "Ada")
	d.say(bob, "wamid.4", "RESTART")
	d.say(hid, "wamid.5", "hi")
	d.say(hid, "wamid.6", "Ulm")
	d.wantReplies(ada, askName, askEmail("Ada"))
	d.wantReplies(bob, askName, "Welche Stadt?")
	d.wantReplies(hid, "Welche Stadt?", "Danke aus Ulm")
	for p, want := range map[string]uint32{ada.Name: 1, bob.Name: 2, hid.Name: 2} {
		_, s := d.known(map[string]fake.Person{"Ada": ada, "Bob": bob, "Hid": hid}[p])
		if s.State.FlowVersion != want {
			t.Errorf("%s is on version %d, want %d", p, s.State.FlowVersion, want)
		}
	}
	d.consistent(t)
}

// What a person sends beside text is rejected by a step that wants text, and
// counts as an answer of the wrong type.
func TestOtherMessages(t *testing.T) {
	d := newDesk(t)
	d.post(fake.Text(ada, "wamid.1", start, "hi"), fake.Image(ada, "wamid.2", start, "my caption"),
		fake.Message(ada, "wamid.3", start, "location", map[string]any{"latitude": 1, "longitude": 2}))
	d.run(100)
	d.wantReplies(ada, askName, askName, askName)
	_, s := d.known(ada)
	if s.State.Failures != 2 {
		t.Errorf("%d failures", s.State.Failures)
	}
}

// judge is a test, or a run of a property.
type judge interface {
	Helper()
	Fatalf(format string, args ...any)
}

// consistent checks what must hold after every batch: offsets without gaps,
// versions without gaps, each input once, the relayed events are the stored
// ones, and the fold of a session's events is its row.
func (d *desk) consistent(t judge) {
	t.Helper()
	inputs := map[string]int{}
	versions := map[uint64]uint32{}
	sessions := map[uint64][]*parleyv1.Event{}
	for shard := range shards {
		events, err := d.store.ReadEvents(d.t.Context(), shard, 0, 100_000)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for i, e := range events {
			if e.Offset != uint64(i+1) {
				t.Fatalf("shard %d: event %d stands at %d", shard, i+1, e.Offset)
			}
			if e.SessionId == 0 {
				continue // of no session
			}
			if versions[e.SessionId]++; e.Version != versions[e.SessionId] {
				t.Fatalf("session %d: version %d follows %d", e.SessionId, e.Version, versions[e.SessionId]-1)
			}
			if in := e.GetInputReceived(); in != nil {
				inputs[e.Channel+in.Input.Id]++
				if inputs[e.Channel+in.Input.Id] > 1 {
					t.Fatalf("input %s took effect twice", in.Input.Id)
				}
			}
			sessions[e.SessionId] = append(sessions[e.SessionId], e)
		}
		d.relayed(t, shard, events)
	}
	d.folded(t, sessions)
}

// relayed: after a commit in doubt the relay may miss events, never have others.
func (d *desk) relayed(t judge, shard int, events []*parleyv1.Event) {
	t.Helper()
	for _, e := range d.relay.events[shard] {
		if e.Offset == 0 || e.Offset > uint64(len(events)) || !proto.Equal(e, events[e.Offset-1]) {
			t.Fatalf("relayed event %d/%d is not the one that is stored", shard, e.Offset)
		}
	}
	if missing := len(events) - len(d.relay.events[shard]); missing > 0 && d.store.after == nil {
		t.Fatalf("shard %d: %d events were not relayed", shard, missing)
	}
}

func (d *desk) folded(t judge, sessions map[uint64][]*parleyv1.Event) {
	t.Helper()
	known, err := d.store.LoadKnown(d.t.Context(), d.contacts(t), []uuid.UUID{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, session := range known.Sessions {
		if want := fold(sessions[session.ID]); !reflect.DeepEqual(session.State, want) {
			t.Fatalf("session %d is %+v, its events say %+v", session.ID, session.State, want)
		}
	}
}

// contacts are the ids of everybody.
func (d *desk) contacts(t judge) []uuid.UUID {
	t.Helper()
	rows, err := d.conn.Query(d.t.Context(), `SELECT id FROM contacts`)
	if err != nil {
		t.Fatalf("%v", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		t.Fatalf("%v", err)
	}
	return ids
}
