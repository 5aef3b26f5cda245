package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// notes is a flow that gathers what a person writes in several messages.
const notes = `
name: notes
language: en
entry: [{keyword: [NOTE]}, {api: true}]
keywords: {stop: {words: [STOP], say: Bye.}}
steps:
  - {name: note, say: What happened?, expect: {type: text, save: note, quiet: 3s, wait: 8s}}
  - {name: more, say: "Noted: {note}. More?", expect: {type: text, save: more}}
completed: {say: Thanks., again: Done.}
`

const ask = "What happened?"

// putter is a Publisher to the end of the desk's stream.
type putter struct {
	desk *desk
	lose func() error
}

func (p putter) Publish(_ context.Context, messages ...bus.Message) error {
	if p.lose != nil {
		if err := p.lose(); err != nil {
			return err
		}
	}
	for _, m := range messages {
		e := &parleyv1.Envelope{}
		if err := proto.Unmarshal(m.Data, e); err != nil {
			return err
		}
		p.desk.put(e)
	}
	return nil
}

// clockwork is the timers of the desk's replica.
func (d *desk) clockwork(lose func() error) *Timers {
	return NewTimers(d.store, d.Owned, putter{d, lose}, shards, func() time.Time { return d.time }, zerolog.Nop())
}

func (d *desk) fire(timers *Timers, want int) {
	d.t.Helper()
	before := len(d.stream)
	if err := timers.Fire(context.Background()); err != nil {
		d.t.Fatal(err)
	}
	if got := len(d.stream) - before; got != want {
		d.t.Fatalf("%d timers fired, want %d", got, want)
	}
	d.run(100)
}

func (d *desk) pass(by time.Duration) { d.time = d.time.Add(by) }

// Fragments are answered once, when the person has been quiet: not before, and
// whoever owns the shard then.
func TestTimerEndsTheQuiet(t *testing.T) {
	d := newDesk(t)
	d.publish(notes)
	timers := d.clockwork(nil)
	d.say(ada, "wamid.1", "note")
	d.say(ada, "wamid.2", "the lamp")
	d.pass(2 * time.Second)
	d.fire(timers, 0)
	d.say(ada, "wamid.3", "is broken")
	d.pass(2 * time.Second)
	d.fire(timers, 0) // moved by the second fragment
	d.wantReplies(ada, ask)
	d.pass(time.Second)
	d.restart()
	d.fire(d.clockwork(nil), 1)
	d.wantReplies(ada, ask, "Noted: the lamp\nis broken. More?")
	d.pass(time.Hour)
	d.fire(timers, 0)
	d.consistent(t)
}

// A timer that is in its lane is not put there again; one that was lost is, and
// one that comes twice has its effect once.
func TestTimerFiresOnce(t *testing.T) {
	d := newDesk(t)
	d.publish(notes)
	failures := 1
	timers := d.clockwork(func() error {
		if failures--; failures >= 0 {
			return errors.New("no stream")
		}
		return nil
	})
	d.say(ada, "wamid.1", "note")
	d.say(ada, "wamid.2", "the lamp")
	d.pass(3 * time.Second)
	if err := timers.Fire(t.Context()); err == nil {
		t.Fatal("the failure is not reported")
	}
	for range 3 { // the first is the one that failed
		if err := timers.Fire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	fired := slices.Clone(d.stream[len(d.stream)-1:])
	if len(d.stream) != 3 {
		t.Fatalf("%d updates: the timer is in its lane already", len(d.stream))
	}
	d.pass(firedFor + time.Second)
	if err := timers.Fire(t.Context()); err != nil || len(d.stream) != 4 {
		t.Fatalf("%d updates: after so long, the timer must have been lost (%v)", len(d.stream), err)
	}
	d.stream = append(d.stream, lateCopy(fired[0], len(d.stream)+1))
	d.run(100)
	d.wantReplies(ada, ask, "Noted: the lamp. More?")
	if n := len(d.letters("")); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	d.consistent(t)
}

// A timer belongs to one session: one of an earlier session of the same person
// says nothing to the next.
func TestTimerOfAnEarlierSession(t *testing.T) {
	d := newDesk(t)
	d.publish(notes)
	timers := d.clockwork(nil)
	d.say(ada, "wamid.1", "note")
	d.say(ada, "wamid.2", "the lamp")
	d.pass(3 * time.Second)
	if err := timers.Fire(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := d.stream[len(d.stream)-1]
	d.stream = d.stream[:len(d.stream)-1]
	d.say(ada, "wamid.3", "STOP")
	d.say(ada, "wamid.4", "note")
	d.say(ada, "wamid.5", "the door")
	d.stream = append(d.stream, lateCopy(late, len(d.stream)+1))
	d.run(100)
	d.wantReplies(ada, ask, "Bye.", ask)
	d.pass(3 * time.Second)
	d.fire(timers, 1)
	d.wantReplies(ada, ask, "Bye.", ask, "Noted: the door. More?")
	d.consistent(t)
}

// The timer of a parked contact waits, and fires after the redrive.
func TestTimerOfAParkedContact(t *testing.T) {
	d := newDesk(t)
	d.publish(notes)
	timers := d.clockwork(nil)
	d.say(ada, "wamid.1", "note")
	d.say(ada, "wamid.2", "the lamp")
	d.strand(ada, "gone")
	d.say(ada, "wamid.3", "is broken")
	d.wantParked(ada, "wamid.3")
	d.pass(3 * time.Second)
	d.fire(timers, 0)
	d.strand(ada, "note")
	d.order(ada, "order", store.OperatorRedrive)
	d.run(100)
	d.wantParked(ada)
	d.wantReplies(ada, ask)
	d.pass(3 * time.Second)
	d.fire(timers, 1)
	d.wantReplies(ada, ask, "Noted: the lamp\nis broken. More?")
	d.consistent(t)
}

// Who opted out on one channel is not woken on another, and nothing goes round
// for ever.
func TestTimerOfWhoOptedOut(t *testing.T) {
	d := newDesk(t)
	d.publish(notes)
	timers := d.clockwork(nil)
	d.say(ada, "wamid.1", "note")
	d.say(ada, "wamid.2", "the lamp")
	contact, _ := d.known(ada)
	d.exec(`UPDATE contacts SET opted_out_at = now() WHERE id = $1`, contact.ID)
	d.pass(3 * time.Second)
	d.fire(timers, 1)
	d.pass(firedFor + time.Second)
	d.fire(timers, 0)
	d.wantReplies(ada, ask)
	d.consistent(t)
}

// Timers of many people are put into their lanes, each once.
func TestManyTimers(t *testing.T) {
	d := newDesk(t)
	d.publish(notes)
	const people = 150
	for n := range people {
		p := fake.Person{Phone: "1666000" + string(rune('0'+n/100)) + string(rune('0'+n/10%10)) + string(rune('0'+n%10)), Name: "P"}
		d.post(fake.Text(p, "wamid.a"+p.Phone, d.time, "note"), fake.Text(p, "wamid.b"+p.Phone, d.time, "x"))
	}
	d.run(500)
	d.pass(3 * time.Second)
	d.fire(d.clockwork(nil), people)
	d.fire(d.clockwork(nil), 0)
	d.consistent(t)
}
