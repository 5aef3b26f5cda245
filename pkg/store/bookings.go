package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/flow/booking"
)

// BookingID names the booking that an input makes of a slot: made again, it is the
// same one.
func BookingID(channel, inputID, slot string) uuid.UUID {
	return digest("booking", channel, inputID, slot)
}

const slotColumns = `s.id, s.service, s.calendar, s.starts_at, s.ends_at, s.day, s."time", s.capacity, s.booked, s.closed`

func scanSlot(row pgx.CollectableRow) (*booking.Slot, error) {
	var s booking.Slot
	err := row.Scan(&s.ID, &s.Service, &s.Calendar, &s.StartsAt, &s.EndsAt, &s.Day, &s.Time, &s.Capacity, &s.Booked, &s.Closed)
	return &s, err
}

const bookingColumns = `b.id::text, b.slot_id, b.contact_id::text, b.places, b.state, b.hold_until, b.version`

func scanBooking(row pgx.CollectableRow) (*booking.Booking, error) {
	var b booking.Booking
	var until *time.Time
	err := row.Scan(&b.ID, &b.Slot, &b.Contact, &b.Places, &b.State, &until, &b.Version)
	if until != nil {
		b.Until = *until
	}
	return &b, err
}

// LoadBookings reads what an order of a person can be about: their active bookings
// with the slots of these, and one slot more, if it is there.
func (s *Store) LoadBookings(ctx context.Context, contact uuid.UUID, slot string) (slots []*booking.Slot, bookings []*booking.Booking, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`SELECT `+bookingColumns+` FROM bookings b WHERE b.contact_id = $1 AND b.state IN ('held', 'booked')`, contact).
		Query(func(rows pgx.Rows) (err error) { bookings, err = pgx.CollectRows(rows, scanBooking); return err })
	batch.Queue(`SELECT `+slotColumns+` FROM slots s WHERE s.id = ANY (ARRAY (
		SELECT b.slot_id FROM bookings b WHERE b.contact_id = $1 AND b.state IN ('held', 'booked')) || $2::text)`, contact, slot).
		Query(func(rows pgx.Rows) (err error) { slots, err = pgx.CollectRows(rows, scanSlot); return err })
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, nil, fmt.Errorf("load bookings: %w", err)
	}
	return slots, bookings, nil
}

// FreeSlots reads slots of a service that begin after a moment and have the places, in
// the order of time; where is what a look-up of free slots wants.
func (s *Store) FreeSlots(ctx context.Context, where map[string]string, after time.Time, places, limit int) ([]*booking.Slot, error) {
	if holdsNUL(where) {
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, `SELECT `+slotColumns+` FROM slots s
		WHERE s.service = $1 AND s.starts_at > $2 AND s.booked + $3 <= s.capacity AND NOT s.closed
		  AND ($4 = '' OR s.calendar = $4) AND ($5 = '' OR s.day = $5)
		ORDER BY s.starts_at, s.id LIMIT $6`, where["service"], after, places, where["calendar"], where["day"], limit)
	if err != nil {
		return nil, fmt.Errorf("read free slots: %w", err)
	}
	free, err := pgx.CollectRows(rows, scanSlot)
	if err != nil {
		return nil, fmt.Errorf("read free slots: %w", err)
	}
	return free, nil
}

// BookingChanges are what a batch of turns does to slots and bookings.
type BookingChanges struct {
	// Moved counts, by slot, the places that are taken more, or fewer.
	Moved map[string]int
	// Bookings are new (Version 0), or changed since they were read.
	Bookings []BookingChange
}

// BookingChange is a booking as it is to be.
type BookingChange struct {
	booking.Booking
	Channel string
}

// queue adds the statements: the counts first, with the rows locked in the order of
// their ids. Who finds that another was first gets ErrConflict.
func (c BookingChanges) queue(tx *resourceBatch) {
	ids, more := []string{}, []int{}
	for id, n := range c.Moved {
		if n != 0 {
			ids, more = append(ids, id), append(more, n)
		}
	}
	tx.mustChange(len(ids), `
		WITH locked AS (
			SELECT s.id, u.more FROM unnest($1::text[], $2::int[]) u(id, more) JOIN slots s USING (id) ORDER BY s.id FOR NO KEY UPDATE OF s)
		UPDATE slots s SET booked = s.booked + l.more FROM locked l WHERE s.id = l.id AND (l.more < 0 OR NOT s.closed)`, ids, more)
	var changed, made []bookingRow
	for _, b := range c.Bookings {
		row := rowOfBooking(b)
		if b.Version == 0 {
			made = append(made, row)
		} else {
			changed = append(changed, row)
		}
	}
	if len(changed) > 1 { // of two of one person, one may go where the other was: first none has its slot
		tx.mustChange(len(changed), `
		UPDATE bookings b SET state = 'released', hold_until = NULL
		  FROM jsonb_to_recordset($1::jsonb) u(id uuid, version bigint) WHERE b.id = u.id AND b.version = u.version`, jsonRows(changed))
	}
	tx.mustChange(len(changed), `
		UPDATE bookings b SET slot_id = u.slot_id, contact_id = u.contact_id, places = u.places, state = u.state, hold_until = u.hold_until, version = b.version + 1, updated_at = now()
		  FROM jsonb_to_recordset($1::jsonb) u(id uuid, slot_id text, contact_id uuid, places int, state text, hold_until timestamptz, version bigint)
		 WHERE b.id = u.id AND b.version = u.version`, jsonRows(changed))
	tx.mustChange(len(made), `
		INSERT INTO bookings (id, slot_id, contact_id, channel, places, state, hold_until)
		SELECT u.* FROM jsonb_to_recordset($1::jsonb)
		       u(id uuid, slot_id text, contact_id uuid, channel text, places int, state text, hold_until timestamptz)`, jsonRows(made))
}

// bookingRow is a row of bookings as its statement reads it. Those of a batch are few:
// they travel as JSON.
type bookingRow struct {
	ID        string     `json:"id"`
	Slot      string     `json:"slot_id"`
	Contact   string     `json:"contact_id"`
	Channel   string     `json:"channel"`
	Places    int        `json:"places"`
	State     string     `json:"state"`
	HoldUntil *time.Time `json:"hold_until"`
	Version   int64      `json:"version"`
}

func rowOfBooking(b BookingChange) bookingRow {
	row := bookingRow{ID: b.ID, Slot: b.Slot, Contact: b.Contact, Channel: b.Channel, Places: b.Places, State: string(b.State), Version: b.Version}
	if b.State == booking.Held {
		row.HoldUntil = &b.Until
	}
	return row
}

// jsonRows writes rows as one parameter: texts, numbers and times, which never fail.
func jsonRows[T any](rows []T) string {
	data, _ := json.Marshal(nonNil(rows))
	return string(data)
}

// Hold is a held booking that has run out.
type Hold struct {
	Booking            string
	Until              time.Time
	Channel            string
	Contact            uuid.UUID
	Portfolio, LaneKey string
}

// ExpiredHolds are the held bookings of some shards' contacts that have run out by a
// time, the oldest first.
func (s *Store) ExpiredHolds(ctx context.Context, shards []int, at time.Time, limit int) ([]Hold, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT b.id::text, b.hold_until, b.channel, c.id, c.portfolio, c.lane_key FROM bookings b JOIN contacts c ON c.id = b.contact_id
		 WHERE b.state = 'held' AND b.hold_until <= $2 AND c.shard = ANY($1) AND c.parked_at IS NULL
		 ORDER BY b.hold_until, b.id LIMIT $3`, shards, at, limit)
	if err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	holds, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Hold])
	if err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	return holds, nil
}
