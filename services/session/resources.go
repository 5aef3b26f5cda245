package session

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/booking"
	"github.com/parleyhq/parley/pkg/flow/leads"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Resources is what booking, assigning and campaigns need of PostgreSQL.
type Resources interface {
	LoadBookings(ctx context.Context, contact uuid.UUID, slot string) ([]*booking.Slot, []*booking.Booking, error)
	FreeSlots(ctx context.Context, where map[string]string, after time.Time, places, limit int) ([]*booking.Slot, error)
	PoolOfLead(ctx context.Context, lead string) (pool string, err error)
	LoadPool(ctx context.Context, name string, contact uuid.UUID) (*leads.Pool, error)
	PoolsOfContact(ctx context.Context, contact uuid.UUID) ([]string, error)
	OpenLeads(ctx context.Context, pool string, contact uuid.UUID) ([]*leads.Lead, error)
	StartedMembers(ctx context.Context, campaigns []string, contacts []uuid.UUID) (map[store.CampaignMember]bool, error)
	AppendTurnsAnd(ctx context.Context, parts []store.TurnPart, changes store.ResourceChanges) (held []int, err error)
}

const (
	// conflictsMax is how often a batch is decided again because another replica was
	// first; then its shards are taken again, as after any failure.
	conflictsMax = 20
	// pauseStep is how much longer each wait can be than the one before: some
	// milliseconds, so that two replicas do not meet again and again.
	pauseStep, pauseMax = 5 * time.Millisecond, 100 * time.Millisecond
)

// pause waits a random while, so that replicas that met do not meet again.
func pause(ctx context.Context, try int) error {
	timer := time.NewTimer(rand.N(min(time.Duration(try)*pauseStep, pauseMax)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bookings are the slots and bookings of a batch: as they were read when the first of
// its turns needed them, and as its turns left them. What others commit meanwhile makes
// the commit fail with a conflict.
type bookings struct {
	*booking.Desk
	asked    map[uuid.UUID]bool // contacts whose bookings were read
	channels map[string]string  // of new bookings
}

func newBookings() *bookings {
	return &bookings{Desk: booking.NewDesk(), asked: map[uuid.UUID]bool{}, channels: map[string]string{}}
}

// asked answers the look-ups of an update's turn. If the database does not answer,
// nothing of the batch holds.
func (b *batch) asked(u update) func(flow.Lookup) ([][]byte, error) {
	return func(l flow.Lookup) (rows [][]byte, err error) {
		switch l.Verb {
		case "":
			rows, err = b.rows(l)
		case flow.VerbFree:
			rows, err = b.free(l)
		case flow.VerbAssign, flow.VerbTake, flow.VerbClose:
			rows, err = b.lead(u, l)
		default:
			rows, err = b.book(u, l)
		}
		if err != nil && !errors.Is(err, store.ErrNoTable) { // a table that is not there is a fault of the flow, and parks the contact
			b.failed = err
		}
		return rows, err
	}
}

// free reads free slots. What earlier turns of the batch have taken is not free.
func (b *batch) free(l flow.Lookup) ([][]byte, error) {
	at, limit := time.UnixMilli(b.nowMs), int(l.Limit)
	free, err := b.service.store.FreeSlots(b.ctx, l.Where, at, booking.Places(l.Where), limit+len(b.bookings.Moved))
	if err != nil {
		return nil, err
	}
	var rows [][]byte
	for _, slot := range free {
		if known := b.bookings.Slots[slot.ID]; known != nil {
			slot = known
		}
		if booking.Fits(slot, l.Where) && len(rows) < limit {
			rows = append(rows, slot.Row())
		}
	}
	return rows, nil
}

// book does what a turn wants done with a slot.
func (b *batch) book(u update, l flow.Lookup) ([][]byte, error) {
	slot := l.Where["slot"]
	if err := b.loadBookings(u.contact, slot); err != nil {
		return nil, err
	}
	id := store.BookingID(u.envelope.Channel, u.envelope.Id, slot).String()
	b.bookings.channels[id] = u.envelope.Channel
	return [][]byte{b.bookings.Do(booking.Order{
		Verb: l.Verb, Where: l.Where, Contact: u.contact.String(), At: time.UnixMilli(b.nowMs), ID: id,
	}).Row()}, nil
}

// loadBookings reads what an order can be about, unless it is known.
func (b *batch) loadBookings(contact uuid.UUID, slot string) error {
	if b.bookings.asked[contact] && (slot == "" || b.bookings.Slots[slot] != nil) {
		return nil
	}
	slots, list, err := b.service.store.LoadBookings(b.ctx, contact, slot)
	if err != nil {
		return err
	}
	b.bookings.asked[contact] = true
	for _, s := range slots {
		if b.bookings.Slots[s.ID] == nil {
			b.bookings.Slots[s.ID] = s
		}
	}
	for _, each := range list {
		if b.bookings.Bookings[each.ID] == nil {
			b.bookings.Bookings[each.ID] = each
		}
	}
	return nil
}

// mergeResources gives a contact the bookings and leads of another one that turned out to
// be it, and says what both had and ends.
func (b *batch) mergeResources(from, to uuid.UUID) (ended []*parleyv1.Event, err error) {
	for _, id := range []uuid.UUID{from, to} {
		if err := b.loadBookings(id, ""); err != nil {
			return nil, err
		}
	}
	ended = b.bookings.Merge(from.String(), to.String())
	names, err := b.service.store.PoolsOfContact(b.ctx, from)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		var pool *leads.Pool
		for _, id := range []uuid.UUID{from, to} {
			if pool, err = b.loadPool(name, id); err != nil {
				return nil, err
			}
		}
		if pool != nil {
			ended = append(ended, pool.Merge(from.String(), to.String())...)
		}
	}
	return ended, nil
}

// changes are what the batch did besides its turns.
func (b *batch) changes() (c store.ResourceChanges) {
	c.Calls = b.calls
	c.Identities = b.people.changes()
	c.Bookings.Moved = b.bookings.Moved
	for _, id := range slices.Sorted(maps.Keys(b.bookings.Changed)) {
		c.Bookings.Bookings = append(c.Bookings.Bookings, store.BookingChange{Booking: *b.bookings.Bookings[id], Channel: b.bookings.channels[id]})
	}
	c.Leads = b.pools.changes()
	c.Campaigns = b.campaigns.changes
	return c
}
