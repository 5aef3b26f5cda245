package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/internal/platform"
)

// input puts an input into the person's lane, as the console does.
func (d *desk) input(p fake.Person, id string, in *parleyv1.Input) {
	d.t.Helper()
	raw, err := protojson.Marshal(in)
	if err != nil {
		d.t.Fatal(err)
	}
	d.put(&parleyv1.Envelope{
		Id: id, Kind: parleyv1.Kind_KIND_OPERATOR, Provider: "parley", Field: store.OperatorInput, Raw: raw,
		Channel: channel, Portfolio: channel, LaneKey: laneKey(p), Contact: &parleyv1.Identity{Phone: p.Phone, Bsuid: p.BSUID},
	})
	d.run(100)
}

// The word decides which flow begins, on the channel of another; STOP holds for
// the contact, whatever flow they come back to, and so does their language.
func TestWhatIsKeptWithTheContact(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "soporte")
	d.say(ada, "wamid.2", "baja")
	d.say(ada, "wamid.3", "hello?")
	if c, s := d.known(ada); !c.OptedOut || s.State.Status != flow.Cancelled {
		t.Fatalf("opted out %v, session %s", c.OptedOut, s.State.Status)
	}
	d.restart()
	d.say(ada, "wamid.4", "anyone?")
	last := d.replies(ada)[len(d.replies(ada))-1]
	if !strings.HasPrefix(last, "No te escribiremos") {
		t.Errorf("after opting out: %q", last)
	}
	d.say(ada, "wamid.5", "book")
	if c, s := d.known(ada); c.OptedOut || s.State.Flow != "booking" || s.State.Step != "service" || s.State.Language != "en" {
		t.Errorf("opted out %v, %s at %s in %s", c.OptedOut, s.State.Flow, s.State.Step, s.State.Language)
	}
	d.say(ada, "wamid.6", "español")
	d.say(ada, "wamid.7", "agent")
	d.restart()
	d.say(ada, "wamid.8", "restart")
	if c, s := d.known(ada); c.Language != "es" || s.State.Language != "es" {
		t.Errorf("the contact chose %q, the new session is in %s", c.Language, s.State.Language)
	}
	d.consistent(t)
}

const tours = `
name: tours
language: en
entry: [{keyword: [TOURS]}]
steps:
  - name: day
    say: Which day?
    expect: {type: choice, save: day, options: [monday, tuesday]}
  - name: hour
    say: At what time?
    expect:
      type: choice
      save: hour
      options: {table: tours, where: {day: day}, value: time, empty: {say: There is none., goto: day}}
  - name: people
    say: For how many?
    expect: {type: number, save: people}
completed: {say: Done., again: Done.}
`

func importTours(t *testing.T, d *desk, rows [][]string) {
	t.Helper()
	if _, err := d.store.ImportTable(t.Context(), "tours", []string{"day", "time"}, rows); err != nil {
		t.Fatal(err)
	}
}

// A choice from a table is looked up within the turn that offers it, and again in
// the one that takes it: what has gone from the table meanwhile cannot be chosen.
func TestLookupWithinTheTurn(t *testing.T) {
	d := newDesk(t)
	d.publish(tours)
	importTours(t, d, [][]string{{"monday", "16:30"}})
	for _, p := range []fake.Person{ada, bob} {
		for i, text := range []string{"tours", "monday"} {
			d.say(p, fmt.Sprint("wamid.", p.Name, i), text)
		}
	}
	d.restart()
	d.say(ada, "wamid.5", "16:30")
	importTours(t, d, nil)
	d.say(bob, "wamid.6", "16:30")
	if _, s := d.known(ada); s.State.Answers["hour"] != "16:30" || s.State.Step != "people" {
		t.Errorf("%v at %s", s.State.Answers, s.State.Step)
	}
	if _, s := d.known(bob); s.State.Answers["hour"] != nil || s.State.Step != "day" {
		t.Errorf("%v at %s", s.State.Answers, s.State.Step)
	}
	d.consistent(t)
}

// tableless is a Store whose tables cannot be asked.
type tableless struct {
	*flaky
	err error
}

func (s tableless) LookupRows(ctx context.Context, l flow.Lookup) ([][]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.flaky.LookupRows(ctx, l)
}

// A database that does not answer is no fault of the person: nothing of the batch
// holds, and it is tried again. A table that is not there parks who needs it.
func TestLookupFails(t *testing.T) {
	d := newDesk(t)
	d.publish(tours)
	importTours(t, d, [][]string{{"monday", "16:30"}})
	d.say(ada, "wamid.1", "tours")
	d.post(fake.Text(bob, "wamid.b", start, "hi"), fake.Text(ada, "wamid.4", start, "monday"))
	d.Service.store = tableless{d.store, errors.New("connection lost")}
	if _, err := d.step(100); err == nil || !strings.Contains(err.Error(), "connection lost") {
		t.Fatalf("%v", err)
	}
	if strings.Contains(d.log.String(), "parked") {
		t.Errorf("log: %s", d.log.String())
	}
	d.wantReplies(bob)
	d.Service.store = d.store
	d.run(100)
	d.wantReplies(bob, askName)
	if _, s := d.known(ada); s.State.Step != "hour" {
		t.Errorf("at %s", s.State.Step)
	}

	d.exec(`DELETE FROM table_rows`)
	d.exec(`DELETE FROM tables`)
	for i, text := range []string{"tours", "monday"} {
		d.say(hid, "wamid.h"+string(rune('1'+i)), text)
	}
	d.wantParked(hid, "wamid.h2")
	if got := d.letters(store.DeadParked)[0].Reason; !strings.Contains(got, `"tours"`) {
		t.Errorf("reason %q", got)
	}
	d.consistent(t)
}

const (
	trip1 = `
name: trip
language: en
entry: [{keyword: [TRIP]}, {api: true}]
slots: {code: {type: text, default: none}}
steps:
  - {name: city, say: "Which city?", expect: {type: text, save: city}}
  - {name: when, say: "When, for {city}?", expect: {type: text, save: month}}
completed: {say: "{city} in {month}, {code}", again: Done.}
`
	trip2 = `
name: trip
language: en
entry: [{keyword: [TRIP]}, {api: true}]
slots: {code: {type: text, default: none}}
steps:
  - {name: city, say: "Which city, please?", expect: {type: text, save: city}}
  - {name: month, say: "Which month?", expect: {type: text, save: month}}
completed: {say: "{city}, {month}!", again: Done.}
migrate: {when: month}
`
)

// A migration takes its turn like a message: once, for the session it was meant
// for, and what the person answers next is of the new version.
func TestMigration(t *testing.T) {
	d := newDesk(t)
	d.publish(trip1)
	d.say(ada, "wamid.1", "trip")
	d.say(ada, "wamid.2", "Ulm")
	d.say(bob, "wamid.3", "trip")
	d.publish(trip2)
	move := &parleyv1.Input{Body: &parleyv1.Input_Migration{Migration: &parleyv1.Migration{
		Flow: "trip", FromVersion: 1, ToVersion: 2, Steps: map[string]string{"when": "month"},
	}}}
	d.restart()
	d.input(ada, "migrate/1", move)
	d.input(ada, "migrate/1", move)
	d.input(hid, "migrate/2", move) // somebody who is nowhere
	if _, s := d.known(ada); s.State.FlowVersion != 2 || s.State.Step != "month" || s.State.Answers["city"] != "Ulm" {
		t.Fatalf("%+v", s.State)
	}
	d.say(ada, "wamid.4", "May")
	d.say(bob, "wamid.5", "Bonn")
	d.wantReplies(ada, "Which city?", "When, for Ulm?", "Which month?", "Ulm, May!")
	d.wantReplies(bob, "Which city?", "When, for Bonn?")
	if n := len(d.letters("")); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	d.consistent(t)
}

// The API begins a flow with what the business knows already; the same order
// again begins nothing.
func TestStartByTheBusiness(t *testing.T) {
	d := newDesk(t)
	d.publish(trip1)
	begin := &parleyv1.Input{Body: &parleyv1.Input_Start{Start: &parleyv1.StartRequest{Flow: "trip", Slots: []byte(`{"code":"K7"}`)}}}
	d.input(hid, "start/trip/1", begin)
	d.input(hid, "start/trip/1", begin)
	d.say(hid, "wamid.1", "Ulm")
	d.say(hid, "wamid.2", "May")
	d.wantReplies(hid, "Which city?", "When, for Ulm?", "Ulm in May, K7")
	d.consistent(t)
}

// Of new sessions, the canary gets its share; a session stays on what it got.
func TestCanary(t *testing.T) {
	d := newDesk(t)
	d.publish(trip1)
	f, err := flow.Parse([]byte(trip2))
	if err == nil {
		_, err = d.store.Publish(t.Context(), store.Release{Flow: f, Source: []byte(trip2), By: "test", Weight: 30})
	}
	if err != nil {
		t.Fatal(err)
	}
	d.restart()
	const people = 200
	list := make([]fake.Person, people)
	for n := range list {
		list[n] = fake.Person{Phone: "1777000" + string([]rune{rune('0' + n/100), rune('0' + n/10%10), rune('0' + n%10)}), Name: "P"}
		d.post(fake.Text(list[n], "wamid.c"+list[n].Phone, d.time, "trip"))
	}
	d.run(500)
	canary := 0
	for _, p := range list {
		_, s := d.known(p)
		canary += int(s.State.FlowVersion) - 1
	}
	if canary < people*15/100 || canary > people*45/100 {
		t.Errorf("%d of %d are on the canary", canary, people)
	}
	d.consistent(t)
}

// A channel that lists its flows begins no other.
func TestChannelOffersItsFlowsOnly(t *testing.T) {
	d := newDesk(t)
	d.publish(trip1)
	d.Service = New(d.store, d.relay, onlyLead{platform.OneFlow("lead")}, Lanes{In: d, Shards: shards}, func() time.Time { return d.time }, d.Service.log)
	d.retake()
	d.say(ada, "wamid.1", "trip")
	d.wantReplies(ada, askName)
}

type onlyLead struct{ platform.Channels }

func (onlyLead) Offers(_, name string) bool { return name == "lead" }
