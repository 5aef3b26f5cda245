package session

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// PEERS C1, C36: a message that comes again, in the same batch, in the next one
// or days later, has its effect once.
func TestDuplicates(t *testing.T) {
	d := newDesk(t)
	hi, name := fake.Text(ada, "wamid.1", start, "hi"), fake.Text(ada, "wamid.2", start, "Ada")
	d.post(hi, hi, name, hi, name)
	d.run(100)
	d.post(name, hi)
	d.run(1)
	d.time = d.time.Add(8 * 24 * time.Hour)
	if _, err := d.store.ForgetInbox(t.Context(), inboxAge, 1000); err != nil {
		t.Fatal(err)
	}
	d.retake()
	d.post(hi, name)
	d.run(100)
	d.wantReplies(ada, askName, askEmail("Ada"))
	d.consistent(t)
}

// PEERS C3: the same id on another number is another message, and so are the
// same words under another id.
func TestNotDuplicates(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	d.postBody(channel, fake.Payload("1", "200000000000002", fake.Text(ada, "wamid.1", start, "hi")))
	d.run(100)
	d.say(ada, "wamid.2", "hi")
	d.wantReplies(ada, askName, askName, askEmail("hi"))
}

// PEERS C2: a message is not marked as seen by a commit that failed.
func TestNotSeenBeforeCommit(t *testing.T) {
	d := newDesk(t)
	d.post(fake.Text(ada, "wamid.1", start, "hi"))
	d.store.before = func([]store.TurnPart) error { return errors.New("database down") }
	for range 3 {
		if _, err := d.step(10); err == nil {
			t.Fatal("no error")
		}
		d.retake()
	}
	d.store.before = nil
	d.run(10)
	d.wantReplies(ada, askName)
	d.consistent(t)
}

// RELIABILITY D2: a commit that happened unseen is not repeated.
func TestCommitInDoubt(t *testing.T) {
	d := newDesk(t)
	d.post(fake.Text(ada, "wamid.1", start, "hi"), fake.Text(ada, "wamid.2", start, "Ada"))
	d.store.after = func([]store.TurnPart) error { return errors.New("connection lost") }
	if _, err := d.step(1); err == nil {
		t.Fatal("no error")
	}
	d.retake()
	d.store.after = func([]store.TurnPart) error { return nil }
	d.run(10)
	d.wantReplies(ada, askName, askEmail("Ada"))
	d.consistent(t)
}

// PEERS C6, RELIABILITY C2: whoever lost a shard writes nothing there, and the
// other shards of the same batch are not held up by it.
func TestFenced(t *testing.T) {
	d := newDesk(t)
	people := []fake.Person{ada, bob, hid, {Phone: "15550000003", Name: "P3"}, {Phone: "15550000004", Name: "P4"}, {Phone: "15550000005", Name: "P5"}}
	for n, p := range people {
		d.post(fake.Text(p, fmt.Sprint("wamid.", n), start, "hi"))
	}
	parts := d.parts(100)
	if len(parts) < 2 {
		t.Fatal("everybody is in one shard, so this test shows nothing")
	}
	lost := parts[0].Fence.Shard
	d.exec(`UPDATE leases SET epoch = epoch + 1 WHERE service = 'session' AND shard = $1`, lost)
	held, err := d.Apply(t.Context(), parts)
	if err != nil || len(held) != len(parts)-1 {
		t.Fatalf("held %v, %v", held, err)
	}
	for shard, events := range d.relay.events {
		if shard == lost && len(events) > 0 {
			t.Error("events of a fenced shard were relayed")
		}
	}
	if events, err := d.store.ReadEvents(t.Context(), lost, 0, 10); err != nil || len(events) > 0 {
		t.Errorf("a zombie wrote %d events, %v", len(events), err)
	}
	d.retake()
	d.run(100)
	for _, p := range people {
		d.wantReplies(p, askName)
	}
	d.consistent(t)
}

// poison fails every commit that holds an input of this id, as a value that
// PostgreSQL refuses would.
func poison(id string) func([]store.TurnPart) error {
	return func(parts []store.TurnPart) error {
		for _, part := range parts {
			for _, e := range part.Events {
				if e.GetInputReceived().GetInput().GetId() == id {
					return &pgconn.PgError{Code: "22021", Message: "invalid byte sequence"}
				}
			}
		}
		return nil
	}
}

// A message that the database refuses parks its contact, and nobody else.
func TestRefusedByTheDatabase(t *testing.T) {
	d := newDesk(t)
	d.store.before = poison("wamid.bad")
	d.post(fake.Text(ada, "wamid.1", start, "hi"), fake.Text(bob, "wamid.2", start, "hi"), fake.Text(ada, "wamid.bad", start, "Ada"),
		fake.Text(bob, "wamid.3", start, "Bob"), fake.Text(ada, "wamid.4", start, "later"), fake.Text(hid, "wamid.5", start, "hi"))
	d.run(100)
	d.wantReplies(ada, askName)
	d.wantReplies(bob, askName, askEmail("Bob"))
	d.wantReplies(hid, askName)
	d.wantParked(ada, "wamid.bad", "wamid.4")
	d.consistent(t)
}

// wantParked checks that the person is parked with exactly these updates, in order.
func (d *desk) wantParked(p fake.Person, want ...string) {
	d.t.Helper()
	contact, _ := d.known(p)
	rows, err := d.conn.Query(d.t.Context(), `SELECT data FROM dead_letters WHERE contact_id = $1 AND kind = 'parked' AND redriven_at IS NULL ORDER BY position`, contact.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	var got []string
	for rows.Next() {
		var data []byte
		e := &parleyv1.Envelope{}
		if err := errors.Join(rows.Scan(&data), proto.Unmarshal(data, e)); err != nil {
			d.t.Fatal(err)
		}
		got = append(got, e.Id)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") || contact.Parked != (len(want) > 0) {
		d.t.Fatalf("parked is %t with %v, want %v", contact.Parked, got, want)
	}
}

// TestHistories: whatever people write, however often it is delivered, however
// it falls into batches, and whichever commits fail or happen unseen: everybody
// is told exactly what one undisturbed conversation would have told them.
func TestHistories(t *testing.T) {
	d := newDesk(t)
	live, err := d.store.LoadFlow(t.Context(), "lead", 0)
	if err != nil {
		t.Fatal(err)
	}
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		d.after = maps.Clone(d.heads)
		people := []fake.Person{
			{Phone: fmt.Sprint(15550000000 + run), Name: "A"}, {BSUID: fmt.Sprint("US.", run), Name: "B"}, {Phone: fmt.Sprint(4915100000000 + run), Name: "C"},
		}
		want := map[string]*conversation{}
		for n := range rapid.IntRange(1, 15).Draw(t, "messages") {
			p := rapid.SampledFrom(people).Draw(t, "person")
			text := rapid.SampledFrom([]string{"hi", "Ada", "ada@example.org", "not an email", "RESTART", "\u0000", "{email}"}).Draw(t, "text")
			item := fake.Text(p, fmt.Sprintf("wamid.%d.%d", run, n), start, text)
			for range rapid.IntRange(1, 3).Draw(t, "deliveries") {
				d.post(item)
			}
			if want[p.Name] == nil {
				want[p.Name] = &conversation{}
			}
			want[p.Name].hear(live, text)
		}
		d.disturbed(t)
		for _, p := range people {
			if want[p.Name] == nil {
				continue
			}
			if got := d.replies(p); strings.Join(got, "\n") != strings.Join(want[p.Name].replies, "\n") {
				t.Fatalf("%s was told %q, want %q", p.Name, got, want[p.Name].replies)
			}
		}
	})
	d.consistent(t)
}

// disturbed applies all that waits, with failures.
func (d *desk) disturbed(t *rapid.T) {
	lost := errors.New("connection lost")
	for {
		fail := rapid.SampledFrom([]string{"no", "no", "before", "after"}).Draw(t, "failure")
		d.store.before = func([]store.TurnPart) error { return map[string]error{"before": lost}[fail] }
		d.store.after = func([]store.TurnPart) error { return map[string]error{"after": lost}[fail] }
		more, err := d.step(rapid.IntRange(1, 6).Draw(t, "batch"))
		if err != nil && fail == "no" {
			t.Fatalf("%v", err)
		}
		if err != nil {
			d.retake()
		}
		if !more {
			return
		}
	}
}

// conversation is one person's, in memory: one turn after the other.
type conversation struct {
	state   flow.State
	replies []string
}

func (c *conversation) hear(f *flow.Flow, text string) {
	text = strings.ReplaceAll(text, "\x00", "")
	message := &parleyv1.IncomingMessage{Type: "text", Text: text}
	if text == "" {
		message.Type = "unsupported"
	}
	events, next := flow.Turn(f, f, c.state, &parleyv1.Input{Body: &parleyv1.Input_Message{Message: message}})
	c.state = next
	for _, e := range events {
		if q := e.GetMessageQueued(); q != nil {
			c.replies = append(c.replies, q.GetText().GetBody())
		}
	}
}
