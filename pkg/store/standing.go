package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standing is what may have changed since a message to a contact was queued.
type Standing struct {
	// WindowUntil is until when free text may be sent; zero if that is not known.
	WindowUntil time.Time
	// Hushed is when the bot was told to be silent; zero if it was not.
	Hushed time.Time
	// OptedOut says that the person wants to hear nothing.
	OptedOut bool
	// NoMarketing says that the person wants nothing that the business begins.
	NoMarketing bool
	// Blocked says that nothing is to be sent to the person.
	Blocked bool
}

// Standings reads how the given contacts stand, and those of their sessions that run.
func (s *Store) Standings(ctx context.Context, keys []SessionKey) (map[SessionKey]Standing, error) {
	channels, contacts := make([]string, len(keys)), make([][16]byte, len(keys))
	for i, k := range keys {
		channels[i], contacts[i] = k.Channel, k.Contact
	}
	rows, err := s.pool.Query(ctx, `
		SELECT k.channel, k.contact_id, COALESCE((s.progress->>'window_until_ms')::bigint, 0), COALESCE((s.progress->>'hushed_ms')::bigint, 0),
		       c.opted_out_at IS NOT NULL, c.marketing_stopped_at IS NOT NULL, c.blocked_at IS NOT NULL
		  FROM unnest($1::text[], $2::uuid[]) k(channel, contact_id)
		  LEFT JOIN contacts c ON c.id = contact_now(k.contact_id)
		  LEFT JOIN sessions s ON s.contact_id = c.id AND s.channel = k.channel`, channels, contacts)
	if err != nil {
		return nil, fmt.Errorf("read how sessions stand: %w", err)
	}
	standings := make(map[SessionKey]Standing, len(keys))
	var k SessionKey
	var window, hushed int64
	var optedOut, noMarketing, blocked bool
	_, err = pgx.ForEachRow(rows, []any{&k.Channel, &k.Contact, &window, &hushed, &optedOut, &noMarketing, &blocked}, func() error {
		standings[k] = Standing{WindowUntil: fromMs(window), Hushed: fromMs(hushed), OptedOut: optedOut, NoMarketing: noMarketing, Blocked: blocked}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read how sessions stand: %w", err)
	}
	return standings, nil
}

// fromMs is the time of Unix milliseconds; 0 is the zero time.
func fromMs(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
