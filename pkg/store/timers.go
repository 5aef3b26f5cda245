package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/insight"
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
	// Prompt is what became of the question that the session asked last.
	Prompt Prompt
	// Step and Advice are what is known of silences where the session stands; zero if
	// nothing is.
	Step   string
	Advice insight.Advice
}

// Prompt is what became of a question, read together with a timer.
type Prompt struct {
	// Pending says that the provider does not have it yet.
	Pending bool
	// At is when it was handed over; zero if that is not known.
	At time.Time
}

const timersSQL = `
WITH due AS (
	SELECT d.* FROM unnest($1::int[]) s(shard) CROSS JOIN LATERAL (
		SELECT t.channel, t.contact_id, t.shard, t.session_ref, t.wake_at, c.portfolio, c.lane_key
		  FROM timers t JOIN contacts c ON c.id = t.contact_id
		 WHERE t.shard = s.shard AND t.wake_at <= $2 AND c.parked_at IS NULL ORDER BY t.wake_at LIMIT $3) d
	 ORDER BY d.wake_at, d.channel, d.contact_id LIMIT $3)
SELECT due.channel, due.contact_id, due.shard, due.session_ref, due.wake_at, due.portfolio, due.lane_key,
       COALESCE(p.state IN ('queued', 'sending', 'ambiguous'), b.behind, false), p.settled_at,
       COALESCE(a.step, ''), COALESCE(a.after_ms, 0), COALESCE(a.reason, '')
  FROM due
  LEFT JOIN sessions s ON s.contact_id = due.contact_id AND s.channel = due.channel
  LEFT JOIN insight.reminder_advice a ON a.flow = s.flow AND a.step = s.current_state
  CROSS JOIN LATERAL (SELECT 'epoch'::timestamptz + COALESCE((s.progress->>'asked_ms')::bigint, 0) * interval '1 millisecond' AS at) asked
  LEFT JOIN LATERAL (
	SELECT d.state, d.settled_at FROM deliveries d
	 WHERE d.contact_id = due.contact_id AND d.queued_at = asked.at AND d.channel = due.channel ORDER BY d.shard, d."offset" DESC LIMIT 1) p ON true
  LEFT JOIN LATERAL (
	SELECT f.checkpoint < h.head AND f.checkpoint_at < asked.at AS behind FROM leases h JOIN leases f USING (shard)
	 WHERE h.shard = due.shard AND h.service = $4 AND f.service = $5) b ON true
 ORDER BY due.wake_at, due.channel, due.contact_id`

// TimersOf returns up to limit timers of some shards that are due by a time, the
// earliest first. A timer stays until its session's next turn takes it away; that
// of a parked contact waits with its updates.
//
// A question is known by the time of its turn. One that has no delivery is pending if
// the dispatcher has not come so far.
//
// Each shard is a look-up of its own: only within a shard has the index the order
// of time, so what is overdue after an outage is not sorted as a whole.
func (s *Store) TimersOf(ctx context.Context, shards []int, until time.Time, limit int) ([]Timer, error) {
	rows, err := s.pool.Query(ctx, timersSQL, shards, until, limit, ServiceSession, ServiceDispatcher)
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
	var at *time.Time
	var afterMs int64
	err = row.Scan(&t.Key.Channel, &t.Key.Contact, &t.Shard, &t.Ref, &t.WakeAt, &t.Portfolio, &t.LaneKey, &t.Prompt.Pending, &at,
		&t.Step, &afterMs, &t.Advice.Reason)
	t.Advice.After = time.Duration(afterMs) * time.Millisecond
	if at != nil {
		t.Prompt.At = *at
	}
	return t, err
}
