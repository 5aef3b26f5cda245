// Package booking decides who gets which slot. A Desk is plain data: what is known of
// some slots and of the bookings of some people, and what becomes of them. It reads no
// clock and no store, so the services and the dialogue files decide by the same rules.
package booking

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/hours"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Slot is a slot with what is taken of it.
type Slot struct {
	hours.Slot
	// Booked counts the places that are booked or held; it is never more than Capacity.
	Booked int
	// Closed says that its hours no longer have it. Who has booked it keeps it.
	Closed bool
}

// State is what a booking is.
type State string

// A booking is held, then booked; or its places are free again.
const (
	Held      State = "held"
	Booked    State = "booked"
	Cancelled State = "cancelled"
	Released  State = "released"
)

// Active reports whether the booking has places.
func (s State) Active() bool { return s == Held || s == Booked }

// Booking is what a person has of a slot. One person has at most one active booking of
// a slot.
type Booking struct {
	ID      string
	Slot    string
	Contact string
	Places  int
	State   State
	// Until is when a hold runs out.
	Until time.Time
	// Version is how often the store has written it; 0 for a new one.
	Version int64
}

// Desk is where slots are booked.
type Desk struct {
	Slots    map[string]*Slot
	Bookings map[string]*Booking
	// Changed are the ids of bookings that are not what they were; Moved counts, by
	// slot, the places that are taken more, or fewer.
	Changed map[string]bool
	Moved   map[string]int

	undo []func()
}

// NewDesk returns a desk that knows nothing yet.
func NewDesk() *Desk {
	return &Desk{Slots: map[string]*Slot{}, Bookings: map[string]*Booking{}, Changed: map[string]bool{}, Moved: map[string]int{}}
}

// Begin starts what [Desk.Undo] takes back.
func (d *Desk) Begin() { d.undo = nil }

// Undo takes back what was done since Begin: the turn that did it came to nothing.
func (d *Desk) Undo() {
	for _, back := range slices.Backward(d.undo) {
		back()
	}
	d.undo = nil
}

// change notes that a booking is about to change; it may be a new one.
func (d *Desk) change(b *Booking) {
	was, known, changed := *b, d.Bookings[b.ID] != nil, d.Changed[b.ID]
	d.Bookings[b.ID], d.Changed[b.ID] = b, true
	d.undo = append(d.undo, func() {
		*b = was
		if !known {
			delete(d.Bookings, b.ID)
		}
		if !changed {
			delete(d.Changed, b.ID)
		}
	})
}

// Order is what somebody wants done.
type Order struct {
	Verb    string
	Where   map[string]string
	Contact string
	At      time.Time
	// ID is the id of a booking that this makes.
	ID string
}

// Do does what is wanted, or says why not. The slots and the person's bookings that it
// is about must be known; a slot that is not known cannot be had.
func (d *Desk) Do(o Order) flow.Outcome {
	switch o.Verb {
	case flow.VerbBook, flow.VerbHold:
		return d.take(o)
	case flow.VerbReschedule:
		return d.reschedule(o)
	case flow.VerbCancel:
		return d.cancel(o)
	case flow.VerbRelease:
		return d.release(o)
	}
	return flow.Outcome{Result: flow.ResultMissing}
}

// take books or holds places. Who has the slot already keeps the booking: a retry
// books nothing twice.
func (d *Desk) take(o Order) flow.Outcome {
	slot, own := d.Slots[o.Where["slot"]], d.own(o.Contact, o.Where["slot"])
	switch {
	case own != nil && own.State == Booked && o.Verb == flow.VerbBook:
		return d.outcome(own)
	case own != nil && own.State == Booked:
		return taken(o)
	case own == nil && !d.open(slot, o.At):
		return taken(o)
	}
	places, has := Places(o.Where), 0
	if own != nil {
		has = own.Places
	}
	if slot.Booked-has+places > slot.Capacity {
		return taken(o)
	}
	if own == nil {
		own = &Booking{ID: o.ID, Slot: slot.ID, Contact: o.Contact}
	}
	d.change(own)
	d.move(slot.ID, places-has)
	own.Places, own.State, own.Until = places, Booked, time.Time{}
	if o.Verb == flow.VerbHold {
		ms, _ := strconv.ParseInt(o.Where["for"], 10, 64)
		own.State, own.Until = Held, o.At.Add(time.Duration(ms)*time.Millisecond)
	}
	return d.outcome(own)
}

// reschedule moves a booking; it keeps what it has if the other slot cannot be had.
func (d *Desk) reschedule(o Order) flow.Outcome {
	b := d.wanted(o)
	if b == nil {
		return flow.Outcome{Result: flow.ResultMissing}
	}
	from, to := d.Slots[b.Slot], d.Slots[o.Where["slot"]]
	free := from == to || d.own(o.Contact, o.Where["slot"]) == nil && d.open(to, o.At) && to.Booked+b.Places <= to.Capacity
	if !free {
		return taken(o)
	}
	d.move(from.ID, -b.Places)
	d.move(to.ID, b.Places)
	d.change(b)
	b.Slot, b.State, b.Until = to.ID, Booked, time.Time{}
	done := d.outcome(b)
	done.From = bookable(from)
	return done
}

func (d *Desk) cancel(o Order) flow.Outcome {
	b := d.wanted(o)
	if b == nil {
		return flow.Outcome{Result: flow.ResultMissing}
	}
	return d.end(b, Cancelled)
}

// release ends a hold that has run out; one that was booked meanwhile stays.
func (d *Desk) release(o Order) flow.Outcome {
	b := d.Bookings[o.Where["booking"]]
	if b == nil || b.State != Held || b.Until.After(o.At) {
		return flow.Outcome{Result: flow.ResultMissing}
	}
	return d.end(b, Released)
}

// Merge gives a person's bookings to the one that they turned out to be, and says what
// became of those of which both had the slot: what is booked stays rather than what is
// held, else what the other had already.
func (d *Desk) Merge(from, to string) (ended []*parleyv1.Event) {
	for _, id := range slices.Sorted(maps.Keys(d.Bookings)) {
		b := d.Bookings[id]
		if b.Contact != from || !b.State.Active() {
			continue
		}
		twice := d.own(to, b.Slot)
		d.change(b)
		b.Contact = to
		switch {
		case twice == nil:
		case twice.State == Held && b.State == Booked:
			ended = append(ended, d.drop(twice))
		default:
			ended = append(ended, d.drop(b))
		}
	}
	return ended
}

// drop ends a booking that a person has twice.
func (d *Desk) drop(b *Booking) *parleyv1.Event {
	if b.State == Held {
		return d.end(b, Released).Event("", flow.VerbRelease)
	}
	return d.end(b, Cancelled).Event("", flow.VerbCancel)
}

func (d *Desk) end(b *Booking, state State) flow.Outcome {
	d.change(b)
	d.move(b.Slot, -b.Places)
	b.State = state
	return d.outcome(b)
}

// wanted is the booking that an order is about: the one that it names, or the person's
// next, of a service if that is given.
func (d *Desk) wanted(o Order) *Booking {
	if id := o.Where["booking"]; id != "" {
		if b := d.Bookings[id]; b != nil && b.State.Active() && b.Contact == o.Contact {
			return b
		}
		return nil
	}
	var next *Booking
	for _, b := range d.Bookings {
		slot := d.Slots[b.Slot]
		fits := b.Contact == o.Contact && b.State.Active() && slot != nil && slot.StartsAt.After(o.At) &&
			(o.Where["service"] == "" || o.Where["service"] == slot.Service)
		if fits && (next == nil || d.before(b, next)) {
			next = b
		}
	}
	return next
}

func (d *Desk) before(a, b *Booking) bool {
	return cmp.Or(d.Slots[a.Slot].StartsAt.Compare(d.Slots[b.Slot].StartsAt), cmp.Compare(a.ID, b.ID)) < 0
}

// own is what a person has of a slot; nil if nothing.
func (d *Desk) own(contact, slot string) *Booking {
	for _, b := range d.Bookings {
		if b.Contact == contact && b.Slot == slot && b.State.Active() {
			return b
		}
	}
	return nil
}

// open reports whether a slot can be had at all at a time.
func (d *Desk) open(slot *Slot, at time.Time) bool {
	return slot != nil && !slot.Closed && slot.StartsAt.After(at)
}

func (d *Desk) move(slot string, places int) {
	d.Slots[slot].Booked += places
	d.Moved[slot] += places
	d.undo = append(d.undo, func() {
		d.Slots[slot].Booked -= places
		d.Moved[slot] -= places
	})
}

// outcome says what the booking is now.
func (d *Desk) outcome(b *Booking) flow.Outcome {
	o := flow.Outcome{Result: flow.ResultDone, Bookable: *bookable(d.Slots[b.Slot]), Booking: b.ID, Places: uint32(b.Places)}
	if b.State == Held {
		o.UntilMs = b.Until.UnixMilli()
	}
	return o
}

func bookable(s *Slot) *flow.Bookable {
	return &flow.Bookable{
		Slot: s.ID, Service: s.Service, Calendar: s.Calendar, StartsAtMs: s.StartsAt.UnixMilli(), Day: s.Day, Time: s.Time,
	}
}

func taken(o Order) flow.Outcome {
	return flow.Outcome{Result: flow.ResultTaken, Bookable: flow.Bookable{Slot: o.Where["slot"]}}
}

// Places is how many places are wanted: one unless a number says otherwise.
func Places(where map[string]string) int {
	n, err := strconv.ParseFloat(where["places"], 64)
	if err != nil || n < 1 || n > hours.CapacityMax {
		return 1
	}
	return int(n)
}

// Free are the slots that are free at a time, as the particulars of a look-up want
// them, in the order of time: at most limit.
func (d *Desk) Free(where map[string]string, at time.Time, limit int) []*Slot {
	var free []*Slot
	for _, s := range d.Slots {
		if d.open(s, at) && Fits(s, where) {
			free = append(free, s)
		}
	}
	slices.SortFunc(free, func(a, b *Slot) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt), cmp.Compare(a.ID, b.ID))
	})
	return free[:min(len(free), limit)]
}

// Fits reports whether a slot is what a look-up wants, and has the places.
func Fits(s *Slot, where map[string]string) bool {
	wanted := func(name, value string) bool { return where[name] == "" || where[name] == value }
	return wanted("service", s.Service) && wanted("calendar", s.Calendar) && wanted("day", s.Day) && wanted("slot", s.ID) &&
		s.Capacity-s.Booked >= Places(where)
}

// Row is a free slot as the answer to a look-up.
func (s *Slot) Row() []byte { return flow.Outcome{Bookable: *bookable(s)}.Row() }
