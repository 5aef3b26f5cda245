package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/hours"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/internal/platform"
)

// bookings is a flow that does what it is told: "book", "hold", "move" or "drop", and a
// slot.
const bookingsFlow = `
name: bookings
language: en
entry: [{keyword: [GO]}, {default: true}]
steps:
  - {name: what, say: What?, expect: {type: text, save: what}}
  - {name: which, say: Which?, expect: {type: text, save: slot}}
  - name: route
    branch:
      - {if: what == "book", goto: book}
      - {if: what == "hold", goto: hold}
      - {if: what == "move", goto: move}
      - {if: what == "end", goto: completed}
      - {goto: drop}
  - {name: book, book: {slot: slot, taken: {say: taken, goto: other}}, say: booked, goto: what}
  - {name: hold, hold: {slot: slot, for: 10m, taken: {say: taken, goto: what}}, say: held, goto: what}
  - {name: move, reschedule: {slot: slot, taken: {say: taken, goto: what}, missing: {say: missing, goto: what}}, say: moved, goto: what}
  - {name: drop, cancel: {missing: {say: missing, goto: what}}, say: dropped, goto: what}
  - name: other
    say: Which of these?
    expect: {type: choice, save: slot, options: {free: {service: '"trial"'}, empty: {say: nothing, goto: what}}}
    goto: book
completed: {say: Done., again: Done.}
`

// deskFor makes a desk whose only flow books.
func deskFor(t *testing.T) *desk {
	d := newDesk(t)
	d.publish(bookingsFlow)
	d.Service = New(d.store, d.relay, platform.OneFlow("bookings"), Lanes{In: d, Shards: shards}, func() time.Time { return d.time }, zerolog.New(&d.log))
	d.retake()
	return d
}

// slot makes a slot of a calendar, so many hours from the start, and returns its id.
func (d *desk) slot(calendar string, hour, capacity int) string {
	d.t.Helper()
	s := hours.At("trial", calendar, start.Add(time.Duration(hour)*time.Hour), time.Hour, time.UTC, capacity)
	if _, err := d.store.ImportSlots(context.Background(), []hours.Slot{s}); err != nil {
		d.t.Fatal(err)
	}
	return s.ID
}

// sends posts texts of a person, in order.
func (d *desk) sends(p fake.Person, texts ...string) {
	for _, text := range texts {
		d.post(fake.Text(p, fmt.Sprintf("wamid.%s.%d", p.Name, sent.Add(1)), d.time, text))
	}
}

var sent atomic.Int64

// of are the kinds of the events of a person that are about slots.
func (d *desk) slotEvents(p fake.Person) (kinds []string) {
	for _, e := range d.events(p) {
		if kind := store.EventType(e); strings.HasPrefix(kind, "Slot") || strings.HasPrefix(kind, "Booking") {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func (d *desk) wantSlotEvents(p fake.Person, want ...string) {
	d.t.Helper()
	if got := d.slotEvents(p); !slices.Equal(got, want) {
		d.t.Errorf("%s: %v, want %v", p.Name, got, want)
	}
}

// wantBooked compares the places that are taken of a slot.
func (d *desk) wantBooked(slot string, want int) {
	d.t.Helper()
	var booked int
	if err := d.conn.QueryRow(context.Background(), `SELECT booked FROM slots WHERE id = $1`, slot).Scan(&booked); err != nil || booked != want {
		d.t.Errorf("%s: %d places are taken, want %d (%v)", slot, booked, want, err)
	}
	d.wantBookings(d.t)
}

// wantBookings: the places of every slot are those of its bookings, nobody has one
// twice, and the events tell the same as the tables.
func (d *desk) wantBookings(t judge) {
	t.Helper()
	var wrong string
	err := d.conn.QueryRow(context.Background(), `SELECT COALESCE(string_agg(format('%s: %s of %s, bookings %s', s.id, s.booked, s.capacity, b.n), '; '), '')
		FROM slots s CROSS JOIN LATERAL (SELECT COALESCE(sum(places), 0) n FROM bookings b WHERE b.slot_id = s.id AND b.state IN ('held', 'booked')) b
		WHERE s.booked <> b.n OR s.booked > s.capacity`).Scan(&wrong)
	if err != nil || wrong != "" {
		t.Fatalf("%s %v", wrong, err)
	}
	told := map[string]string{}
	for shard := range shards {
		events, err := d.store.ReadEvents(context.Background(), shard, 0, 1_000_000)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, e := range events {
			tell(told, e)
		}
	}
	rows, err := d.conn.Query(context.Background(), `SELECT id::text, state || ' ' || slot_id FROM bookings`)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var id, is string
		if err := rows.Scan(&id, &is); err != nil {
			t.Fatalf("%v", err)
		}
		if n++; told[id] != is {
			t.Fatalf("booking %s is %q, and its events tell %q", id, is, told[id])
		}
	}
	if n != len(told) {
		t.Fatalf("%d bookings, and events tell of %d", n, len(told))
	}
}

// tell folds what an event says about a booking.
func tell(told map[string]string, e *parleyv1.Event) {
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_SlotBooked:
		told[body.SlotBooked.Booking] = "booked " + body.SlotBooked.Slot.Id
	case *parleyv1.Event_SlotHeld:
		told[body.SlotHeld.Booking] = "held " + body.SlotHeld.Slot.Id
	case *parleyv1.Event_BookingMoved:
		told[body.BookingMoved.Booking] = "booked " + body.BookingMoved.To.Id
	case *parleyv1.Event_BookingCancelled:
		told[body.BookingCancelled.Booking] = "cancelled " + body.BookingCancelled.Slot.Id
	case *parleyv1.Event_SlotReleased:
		told[body.SlotReleased.Booking] = "released " + body.SlotReleased.Slot.Id
	}
}

// TestLastPlaceInABatch: two people want the last place in one batch. The second is
// told so, and is not offered it again.
func TestLastPlaceInABatch(t *testing.T) {
	d := deskFor(t)
	last, other := d.slot("Ana", 1, 1), d.slot("Ana", 2, 1)
	for _, p := range []fake.Person{ada, bob} {
		d.sends(p, "hi", "book", last)
	}
	d.run(100)
	first, second := ada, bob
	if len(d.slotEvents(ada)) > 0 && d.slotEvents(ada)[0] == "SlotTaken" {
		first, second = bob, ada
	}
	d.wantSlotEvents(first, "SlotBooked")
	d.wantSlotEvents(second, "SlotTaken")
	if _, s := d.known(second); s.State.Step != "other" || len(s.State.Progress.Offered) != 1 || s.State.Progress.Offered[0].Value != other {
		t.Errorf("at %s, offered %v", s.State.Step, s.State.Progress.Offered)
	}
	d.sends(second, "1")
	d.run(100)
	d.wantSlotEvents(second, "SlotTaken", "SlotBooked")
	d.wantBooked(last, 1)
	d.wantBooked(other, 1)
	d.consistent(t)
}

// TestBookTwice: a message that comes twice, and a person who books what they have,
// book nothing twice.
func TestBookTwice(t *testing.T) {
	d := deskFor(t)
	slot := d.slot("Ana", 1, 5)
	d.sends(ada, "hi", "book", slot, "book", slot)
	d.stream = append(d.stream, lateCopy(d.stream[2], len(d.stream)+1), lateCopy(d.stream[4], len(d.stream)+2))
	d.run(2)
	d.wantSlotEvents(ada, "SlotBooked", "SlotBooked")
	d.wantBooked(slot, 1)
	d.consistent(t)
}

// conflicting is a Store that another replica is faster than.
type conflicting struct {
	*flaky
	faster func()
	tries  int
}

func (c *conflicting) AppendTurnsAnd(ctx context.Context, parts []store.TurnPart, changes store.ResourceChanges) ([]int, error) {
	if c.tries++; c.faster != nil {
		c.faster()
		c.faster = nil
	}
	return c.flaky.AppendTurnsAnd(ctx, parts, changes)
}

// TestAnotherReplicaIsFirst: the last place goes between the decision and the commit.
// The batch is decided again: who lost is told, and the rest of the batch is as it was.
func TestAnotherReplicaIsFirst(t *testing.T) {
	d := deskFor(t)
	last := d.slot("Ana", 1, 1)
	slow := &conflicting{flaky: d.store}
	slow.faster = func() { d.exec(`UPDATE slots SET booked = 1 WHERE id = $1`, last) }
	d.Service.store = slow
	d.sends(ada, "hi", "book", last)
	d.sends(bob, "hello")
	d.run(100)
	d.wantSlotEvents(ada, "SlotTaken")
	d.wantReplies(bob, "What?")
	if slow.tries != 2 || strings.Contains(d.log.String(), "parked") { // the second time there is nothing to book, but people to be met
		t.Errorf("%d tries: %s", slow.tries, d.log.String())
	}
	d.exec(`UPDATE slots SET booked = 0 WHERE id = $1`, last)
	d.consistent(t)
}

// TestAlwaysAnotherFirst: what never succeeds is given up as a failure of the moment,
// and parks nobody.
func TestAlwaysAnotherFirst(t *testing.T) {
	d := deskFor(t)
	slot := d.slot("Ana", 1, 1)
	d.Service.store = losing{d.store}
	d.sends(ada, "hi", "book", slot)
	if _, err := d.step(100); !errors.Is(err, store.ErrConflict) || store.Permanent(err) {
		t.Errorf("%v", err)
	}
	d.Service.store = d.store
	d.run(100)
	d.wantSlotEvents(ada, "SlotBooked")
}

type losing struct{ *flaky }

func (losing) AppendTurnsAnd(context.Context, []store.TurnPart, store.ResourceChanges) ([]int, error) {
	return nil, fmt.Errorf("append turns: %w", store.ErrConflict)
}

// TestFencedPartBooksNothing: two shards of a batch want the last place, and the one
// that got it is fenced. It writes nothing, and the place goes to the other.
func TestFencedPartBooksNothing(t *testing.T) {
	d := deskFor(t)
	last := d.slot("Ana", 1, 1)
	first, second := ada, bob
	a, b := bus.ShardOf(channel, ada.Phone, shards), bus.ShardOf(channel, bob.Phone, shards)
	if a == b {
		t.Fatal("choose people of two shards")
	}
	if b < a { // parts are decided in the order of their shards
		first, second, a = bob, ada, b
	}
	for _, p := range []fake.Person{first, second} {
		d.sends(p, "hi", "book", last)
	}
	d.exec(`UPDATE leases SET epoch = epoch + 1 WHERE service = 'session' AND shard = $1`, a)
	if _, err := d.step(100); err == nil || !strings.Contains(err.Error(), "fenced") {
		t.Fatalf("%v", err)
	}
	d.wantSlotEvents(first)
	d.wantSlotEvents(second, "SlotBooked")
	d.wantBooked(last, 1)
	d.retake()
	d.run(100)
	d.wantSlotEvents(first, "SlotTaken")
	d.wantBooked(last, 1)
}

// TestPanicUndoesTheBooking: a turn that books and then fails parks its contact, and
// the place is free for the next in the same batch.
func TestPanicUndoesTheBooking(t *testing.T) {
	d := deskFor(t)
	last := d.slot("Ana", 1, 1)
	d.publish(strings.Replace(strings.Replace(bookingsFlow, "say: booked, goto: what", "say: booked, goto: lost", 1), "  - name: other", `  - name: lost
    say: Which?
    expect: {type: choice, options: {table: no_such, value: x, empty: {say: none, goto: what}}}
  - name: other`, 1))
	d.time = d.time.Add(time.Minute) // the new version is known
	first, second := ada, bob
	if bus.ShardOf(channel, bob.Phone, shards) < bus.ShardOf(channel, ada.Phone, shards) {
		first, second = bob, ada
	}
	d.sends(first, "hi", "book", last)
	d.sends(second, "hi", "hold", last)
	d.run(100)
	if c, _ := d.known(first); !c.Parked {
		t.Error("nobody is parked")
	}
	d.wantSlotEvents(first)
	d.wantSlotEvents(second, "SlotHeld")
	d.wantBooked(last, 1)
}

// kept is a Publisher that puts what it is given into the stream of a desk.
type kept struct{ d *desk }

func (k kept) Publish(_ context.Context, messages ...bus.Message) error {
	for _, m := range messages {
		e := &parleyv1.Envelope{}
		if err := proto.Unmarshal(m.Data, e); err != nil {
			return err
		}
		k.d.put(e)
	}
	return nil
}

// TestHoldRunsOut: the order comes once, its turn frees the place and says so, and one
// that comes late changes nothing.
func TestHoldRunsOut(t *testing.T) {
	d := deskFor(t)
	slot := d.slot("Ana", 2, 1)
	orders := NewOrders(d.store, d.Owned, kept{d}, shards, func() time.Time { return d.time }, zerolog.Nop())
	send := func() {
		t.Helper()
		if err := orders.Send(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.run(100)
	}
	d.sends(ada, "hi", "hold", slot)
	d.run(100)
	send()
	d.wantSlotEvents(ada, "SlotHeld")
	d.time = d.time.Add(10 * time.Minute)
	send()
	send()
	d.wantSlotEvents(ada, "SlotHeld", "SlotReleased")
	d.wantBooked(slot, 0)
	if n := len(d.stream); n != 4 {
		t.Errorf("%d messages, want one order", n)
	}
	d.sends(bob, "hi", "hold", slot, "book", slot)
	d.run(100)
	d.time = d.time.Add(time.Hour / 2)
	send()
	d.wantSlotEvents(bob, "SlotHeld", "SlotBooked")
	d.wantBooked(slot, 1)
	d.consistent(t)
}

// TestOperatorCancels: an order from outside changes a booking whatever the session is
// at, and only one of the person in whose lane it is.
func TestOperatorCancels(t *testing.T) {
	d := deskFor(t)
	from, to := d.slot("Ana", 1, 1), d.slot("Ana", 2, 1)
	d.sends(ada, "hi", "book", from)
	d.sends(bob, "hi")
	d.run(100)
	bookings, err := d.store.Bookings(t.Context(), store.SlotFilter{From: start, To: start.Add(time.Hour * 24), Limit: 10})
	if err != nil || len(bookings) != 1 || bookings[0].Phone != ada.Phone {
		t.Fatalf("%+v %v", bookings, err)
	}
	id := bookings[0].ID
	d.input(bob, "order.1", flow.OrderInput("order.1", 0, &parleyv1.ResourceOrder{Verb: flow.VerbCancel, Booking: id}))
	d.wantBooked(from, 1)
	d.input(ada, "order.2", flow.OrderInput("order.2", 0, &parleyv1.ResourceOrder{Verb: flow.VerbReschedule, Booking: id, Slot: to}))
	d.input(ada, "order.3", flow.OrderInput("order.3", 0, &parleyv1.ResourceOrder{Verb: flow.VerbCancel, Booking: id}))
	d.wantSlotEvents(ada, "SlotBooked", "BookingMoved", "BookingCancelled")
	d.wantBooked(from, 0)
	d.wantBooked(to, 0)
	d.consistent(t)
}

// replicas are two services that share the shards of one database.
func replicas(t *testing.T) (one, two *desk) {
	one = deskFor(t)
	two = &desk{t: t, store: one.store, conn: one.conn, relay: one.relay, time: one.time}
	two.relay = &recorder{events: map[int][]*parleyv1.Event{}}
	two.Service = New(two.store, two.relay, platform.OneFlow("bookings"), Lanes{In: two, Shards: shards}, func() time.Time { return two.time }, zerolog.Nop())
	two.leases = map[int]store.Lease{}
	for shard, lease := range one.leases {
		if shard%2 == 0 {
			continue
		}
		delete(one.leases, shard)
		one.Drop(shard)
		two.leases[shard] = lease
		if err := two.Take(t.Context(), lease); err != nil {
			t.Fatal(err)
		}
	}
	return one, two
}

// TestBookingHistories lets random people book, hold, move and cancel in two replicas at
// once. Whatever meets: no slot has more than its places, its places are those of its
// bookings, nobody has one twice, the events tell what the tables hold, and everybody is
// answered.
func TestBookingHistories(t *testing.T) {
	one, two := replicas(t)
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		capacity := rapid.IntRange(1, 3).Draw(t, "capacity")
		slots := make([]string, rapid.IntRange(1, 3).Draw(t, "slots"))
		for i := range slots {
			slots[i] = one.slot(fmt.Sprint("c", round), i+1, capacity)
		}
		people := make([]fake.Person, rapid.IntRange(2, 10).Draw(t, "people"))
		for i := range people {
			people[i] = fake.Person{Phone: fmt.Sprintf("4915%03d%05d", i, round), Name: fmt.Sprintf("p%d.%d", round, i)}
			one.sends(people[i], "go")
		}
		for range rapid.IntRange(1, 25).Draw(t, "orders") {
			p := rapid.SampledFrom(people).Draw(t, "who")
			one.sends(p, rapid.SampledFrom([]string{"book", "book", "hold", "move", "drop"}).Draw(t, "what"), rapid.SampledFrom(slots).Draw(t, "slot"))
		}
		most := rapid.IntRange(1, 40).Draw(t, "batch")
		runBoth(t, one, two, most)
		one.wantBookings(t)
		for _, p := range people {
			if _, s := one.known(p); s.State.Status != flow.Active {
				t.Fatalf("%s is %s", p.Name, s.State.Status)
			}
		}
	})
}

// runBoth applies what waits in both replicas at once.
func runBoth(t judge, one, two *desk, most int) {
	two.stream = one.stream // it is one; each takes its shards
	var group sync.WaitGroup
	errs := make([]error, 2)
	for i, d := range []*desk{one, two} {
		group.Go(func() {
			for more := true; more && errs[i] == nil; {
				more, errs[i] = d.step(most)
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("%v", err)
	}
}
