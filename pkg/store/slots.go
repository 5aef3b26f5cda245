package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/flow/booking"
	"github.com/parleyhq/parley/pkg/flow/hours"
)

// SaveRules keeps the opening hours of a service, and makes its slots. The same rules
// again do nothing but that.
func (s *Store) SaveRules(ctx context.Context, definition []byte, now time.Time) (made int, err error) {
	rules, err := hours.Parse(definition, time.LoadLocation)
	if err != nil {
		return 0, fmt.Errorf("opening hours: %w", err)
	}
	_, err = s.pool.Exec(ctx, `INSERT INTO slot_rules AS r (service, definition) VALUES ($1, $2)
		ON CONFLICT (service) DO UPDATE SET definition = excluded.definition, updated_at = now(), made_at = '-infinity'
		 WHERE r.definition <> excluded.definition`, rules.Service, string(definition))
	if err != nil {
		return 0, fmt.Errorf("save opening hours of %s: %w", rules.Service, err)
	}
	return s.makeSlots(ctx, rules, now)
}

// MakeSlots makes the slots that came into the horizon of their services, of those for
// which that was not done since a moment.
func (s *Store) MakeSlots(ctx context.Context, since, now time.Time) error {
	rows, err := s.pool.Query(ctx, `SELECT definition FROM slot_rules WHERE made_at < $1 ORDER BY service`, since)
	if err != nil {
		return fmt.Errorf("read opening hours: %w", err)
	}
	definitions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("read opening hours: %w", err)
	}
	for _, definition := range definitions {
		rules, err := hours.Parse([]byte(definition), time.LoadLocation)
		if err != nil {
			return fmt.Errorf("opening hours: %w", err)
		}
		if _, err := s.makeSlots(ctx, rules, now); err != nil {
			return err
		}
	}
	return nil
}

// makeSlots writes what is new or other, and closes what the hours no longer have.
// Bookings stay as they are: a slot keeps the places that are taken.
func (s *Store) makeSlots(ctx context.Context, rules *hours.Rules, now time.Time) (made int, err error) {
	slots := rules.Slots(now)
	ids := make([]string, len(slots))
	for i, slot := range slots {
		ids[i] = slot.ID
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if made, err = putSlots(ctx, tx, "hours", slots); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE slots SET closed = true
			WHERE service = $1 AND starts_at > $2 AND origin = 'hours' AND NOT closed AND id <> ALL ($3)`, rules.Service, now, ids)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE slot_rules SET made_at = $2 WHERE service = $1`, rules.Service, now)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("make slots of %s: %w", rules.Service, err)
	}
	return made, nil
}

// ImportSlots writes slots that come from elsewhere. Those that are there already get
// the new capacity, but no less than is booked.
func (s *Store) ImportSlots(ctx context.Context, slots []hours.Slot) (changed int, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		changed, err = putSlots(ctx, tx, "import", slots)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("import slots: %w", err)
	}
	return changed, nil
}

// putSlots writes slots in the order of their ids, as turns lock them, and returns how
// many are new or other than they were.
func putSlots(ctx context.Context, tx pgx.Tx, origin string, slots []hours.Slot) (changed int, err error) {
	slots = slices.SortedFunc(slices.Values(slots), func(a, b hours.Slot) int { return cmp.Compare(a.ID, b.ID) })
	var ids, services, calendars, days, times []string
	var starts, ends []time.Time
	var capacities []int
	for _, s := range slots {
		ids, services, calendars = append(ids, s.ID), append(services, s.Service), append(calendars, s.Calendar)
		days, times = append(days, s.Day), append(times, s.Time)
		starts, ends, capacities = append(starts, s.StartsAt), append(ends, s.EndsAt), append(capacities, s.Capacity)
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO slots AS s (id, service, calendar, starts_at, ends_at, day, "time", capacity, origin)
		SELECT u.*, $9 FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $8::int[]) u
		ON CONFLICT (id) DO UPDATE SET capacity = GREATEST(excluded.capacity, s.booked), ends_at = excluded.ends_at, closed = false,
		       day = excluded.day, "time" = excluded."time", origin = excluded.origin
		 WHERE s.closed OR (s.capacity, s.ends_at, s.day, s."time", s.origin)
		       IS DISTINCT FROM (GREATEST(excluded.capacity, s.booked), excluded.ends_at, excluded.day, excluded."time", excluded.origin)`,
		nonNil(ids), nonNil(services), nonNil(calendars), nonNil(starts), nonNil(ends), nonNil(days), nonNil(times), nonNil(capacities), origin)
	return int(tag.RowsAffected()), err
}

// SlotFilter says which slots and bookings a list has; what is empty is any.
type SlotFilter struct {
	Service, Calendar string
	From, To          time.Time
	Limit             int
}

// SlotInfo is a slot as lists show it.
type SlotInfo struct {
	ID       string    `json:"id"`
	Service  string    `json:"service"`
	Calendar string    `json:"calendar"`
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`
	Day      string    `json:"day"`
	Time     string    `json:"time"`
	Capacity int       `json:"capacity"`
	Booked   int       `json:"booked"`
	Closed   bool      `json:"closed"`
}

// Slots lists slots in the order of time.
func (s *Store) Slots(ctx context.Context, f SlotFilter) ([]SlotInfo, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+slotColumns+` FROM slots s
		WHERE ($1 = '' OR s.service = $1) AND ($2 = '' OR s.calendar = $2) AND s.starts_at >= $3 AND s.starts_at < $4
		ORDER BY s.starts_at, s.id LIMIT $5`, f.Service, f.Calendar, f.From, f.To, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list slots: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[SlotInfo])
	if err != nil {
		return nil, fmt.Errorf("list slots: %w", err)
	}
	return nonNil(list), nil
}

// BookingInfo is a booking as lists show it.
type BookingInfo struct {
	ID        string        `json:"id"`
	State     booking.State `json:"state"`
	Places    int           `json:"places"`
	Contact   string        `json:"contact"`
	Phone     string        `json:"phone,omitempty"`
	Name      string        `json:"name,omitempty"`
	Channel   string        `json:"channel"`
	Slot      string        `json:"slot"`
	Service   string        `json:"service"`
	Calendar  string        `json:"calendar"`
	StartsAt  time.Time     `json:"starts_at"`
	Day       string        `json:"day"`
	Time      string        `json:"time"`
	HoldUntil *time.Time    `json:"hold_until,omitempty"`
	CreatedAt time.Time     `json:"created_at"`
	// Portfolio and LaneKey are where orders about it go.
	Portfolio string `json:"-"`
	LaneKey   string `json:"-"`
}

const bookingInfoSQL = `SELECT b.id::text, b.state, b.places, b.contact_id::text, COALESCE(c.phone, ''), COALESCE(c.name, ''), b.channel,
       s.id, s.service, s.calendar, s.starts_at, s.day, s."time", b.hold_until, b.created_at, COALESCE(c.portfolio, ''), COALESCE(c.lane_key, '')
  FROM bookings b JOIN slots s ON s.id = b.slot_id LEFT JOIN contacts c ON c.id = b.contact_id `

// Bookings lists bookings, cancelled ones included, in the order of time.
func (s *Store) Bookings(ctx context.Context, f SlotFilter) ([]BookingInfo, error) {
	rows, err := s.pool.Query(ctx, bookingInfoSQL+`
		WHERE ($1 = '' OR s.service = $1) AND ($2 = '' OR s.calendar = $2) AND s.starts_at >= $3 AND s.starts_at < $4
		ORDER BY s.starts_at, b.created_at, b.id LIMIT $5`, f.Service, f.Calendar, f.From, f.To, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list bookings: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[BookingInfo])
	if err != nil {
		return nil, fmt.Errorf("list bookings: %w", err)
	}
	return nonNil(list), nil
}

// Booking reads one booking; ok is false if there is none.
func (s *Store) Booking(ctx context.Context, id uuid.UUID) (b BookingInfo, ok bool, err error) {
	rows, err := s.pool.Query(ctx, bookingInfoSQL+`WHERE b.id = $1`, id)
	if err != nil {
		return b, false, fmt.Errorf("read booking: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[BookingInfo])
	if err != nil {
		return b, false, fmt.Errorf("read booking: %w", err)
	}
	if len(list) == 0 {
		return b, false, nil
	}
	return list[0], true, nil
}
