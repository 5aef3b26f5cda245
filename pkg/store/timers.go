package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Timer is the moment at which a session wants to be woken.
type Timer struct {
	Key   SessionKey
	Shard int
	// Ref is the session's own name, as its state has it: it tells this session from
	// a later one of the same contact.
	Ref    string
	WakeAt time.Time
	// Portfolio and LaneKey are where the contact's updates go; set if the timer was
	// read from the store.
	Portfolio, LaneKey string
}

// TimersOf returns up to limit timers of some shards that are due by a time, the
// earliest first. A timer stays until its session's next turn takes it away; that
// of a parked contact waits with its updates.
//
// Each shard is a look-up of its own: only within a shard has the index the order
// of time, so what is overdue after an outage is not sorted as a whole.
func (s *Store) TimersOf(ctx context.Context, shards []int, until time.Time, limit int) ([]Timer, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT d.* FROM unnest($1::int[]) s(shard) CROSS JOIN LATERAL (
			SELECT t.channel, t.contact_id, t.shard, t.session_ref, t.wake_at, c.portfolio, c.lane_key
			  FROM timers t JOIN contacts c ON c.id = t.contact_id
			 WHERE t.shard = s.shard AND t.wake_at <= $2 AND c.parked_at IS NULL ORDER BY t.wake_at LIMIT $3) d
		 ORDER BY d.wake_at, d.channel, d.contact_id LIMIT $3`, shards, until, limit)
	if err != nil {
		return nil, fmt.Errorf("read due timers: %w", err)
	}
	timers, err := pgx.CollectRows(rows, scanTimer)
	if err != nil {
		return nil, fmt.Errorf("read due timers: %w", err)
	}
	return timers, nil
}

func scanTimer(row pgx.CollectableRow) (t Timer, err error) {
	err = row.Scan(&t.Key.Channel, &t.Key.Contact, &t.Shard, &t.Ref, &t.WakeAt, &t.Portfolio, &t.LaneKey)
	return t, err
}
