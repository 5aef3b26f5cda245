package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Status is how the services are doing, as far as the database knows.
type Status struct {
	Leases      []LeaseStatus
	Deliveries  map[string]int
	Orphans     int
	DeadLetters map[string]int
	// Stops are what the dispatchers do not send to now.
	Stops []SendStop
}

// LeaseStatus is one shard of one service. Behind is how many events a service
// that follows events has still to apply.
type LeaseStatus struct {
	Service    string    `json:"service"`
	Shard      int       `json:"shard"`
	Owner      string    `json:"owner"`
	Epoch      int64     `json:"epoch"`
	LeaseUntil time.Time `json:"lease_until"`
	Held       bool      `json:"held"`
	Checkpoint int64     `json:"checkpoint"`
	Behind     int64     `json:"behind"`
}

// Status reads it. Deliveries counts those of the last 24 hours, by state.
func (s *Store) Status(ctx context.Context) (Status, error) {
	status := Status{Deliveries: map[string]int{}, DeadLetters: map[string]int{}}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT l.service, l.shard, l.owner, l.epoch,
		GREATEST(l.lease_until, 'epoch'), l.lease_until > now(), l.checkpoint,
		CASE WHEN l.service IN ('dispatcher', 'projector') THEN COALESCE(h.head, 0) - l.checkpoint ELSE 0 END
		FROM leases l LEFT JOIN leases h ON h.service = 'session' AND h.shard = l.shard ORDER BY 1, 2`).Query(func(rows pgx.Rows) error {
		var err error
		status.Leases, err = pgx.CollectRows(rows, pgx.RowToStructByPos[LeaseStatus])
		return err
	})
	counts := func(into map[string]int) func(pgx.Rows) error {
		return func(rows pgx.Rows) error {
			var name string
			var n int
			_, err := pgx.ForEachRow(rows, []any{&name, &n}, func() error { into[name] = n; return nil })
			return err
		}
	}
	batch.Queue(`SELECT state, count(*)::int FROM deliveries WHERE queued_at > now() - interval '24 hours' GROUP BY 1`).Query(counts(status.Deliveries))
	batch.Queue(`SELECT kind, count(*)::int FROM dead_letters WHERE redriven_at IS NULL GROUP BY 1`).Query(counts(status.DeadLetters))
	batch.Queue(`SELECT count(*)::int FROM orphan_receipts`).QueryRow(func(row pgx.Row) error { return row.Scan(&status.Orphans) })
	batch.Queue(sendStopsSQL, "").Query(func(rows pgx.Rows) error {
		var err error
		status.Stops, err = pgx.CollectRows(rows, pgx.RowToStructByPos[SendStop])
		return err
	})
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return Status{}, fmt.Errorf("read status: %w", err)
	}
	return status, nil
}
