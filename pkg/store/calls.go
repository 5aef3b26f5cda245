package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// States of a call.
const (
	CallQueued = "queued"
	CallOK     = "ok"
	CallFailed = "failed"
)

// Call is one call of a system of the business, for a session that waits for it.
type Call struct {
	// Key is the position of its CallQueued event.
	Key       DeliveryKey
	Channel   string
	Contact   uuid.UUID
	SessionID uint64
	Flow      string
	Step      string
	// Request is the encoded CallQueued event body.
	Request  []byte
	QueuedAt time.Time
	// Attempts counts those that were begun.
	Attempts int
	// Portfolio and LaneKey are those of the contact's lane; set on reading.
	Portfolio, LaneKey string
}

// CallResult is what came of an attempt.
type CallResult struct {
	Key DeliveryKey
	// Attempts is which attempt it was: what an earlier one says comes too late.
	Attempts int
	// State is CallQueued for one that is to be tried again at Due.
	State  string
	Status int
	Reason string
	Due    time.Time
}

// queueCalls adds the calls of a batch of turns.
func queueCalls(b *resourceBatch, list []Call) {
	n := len(list)
	if n == 0 {
		return
	}
	shards, offsets, channels, contacts := make([]int, n), make([]int64, n), make([]string, n), make([]uuid.UUID, n)
	sessions, flows, steps, requests, queued := make([]int64, n), make([]string, n), make([]string, n), make([][]byte, n), make([]time.Time, n)
	for i, c := range list {
		shards[i], offsets[i], channels[i], contacts[i] = c.Key.Shard, int64(c.Key.Offset), c.Channel, c.Contact
		sessions[i], flows[i], steps[i], requests[i], queued[i] = int64(c.SessionID), c.Flow, c.Step, c.Request, c.QueuedAt
	}
	b.mustChange(n, `INSERT INTO calls (shard, "offset", channel, contact_id, session_id, flow, step, request, queued_at, due_at)
		SELECT s, o, ch, co, se, f, st, r, q, q FROM unnest($1::int[], $2::bigint[], $3::text[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::bytea[], $9::timestamptz[])
		       u(s, o, ch, co, se, f, st, r, q)`, shards, offsets, channels, contacts, sessions, flows, steps, requests, queued)
}

// ClaimCalls takes the calls that are due, at most limit, and has them to itself for a
// while: who claims one and dies leaves it to the others after that.
func (s *Store) ClaimCalls(ctx context.Context, limit int, claim time.Duration) ([]Call, error) {
	rows, err := s.pool.Query(ctx, `
		WITH due AS (
			SELECT shard, "offset" FROM calls WHERE state = 'queued' AND due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED),
		claimed AS (
			UPDATE calls c SET attempts = attempts + 1, due_at = now() + $2::interval FROM due d
			 WHERE c.shard = d.shard AND c."offset" = d."offset"
			RETURNING c.shard, c."offset", c.channel, c.contact_id, c.session_id, c.flow, c.step, c.request, c.queued_at, c.attempts)
		SELECT k.*, p.portfolio, p.lane_key FROM claimed k JOIN contacts p ON p.id = k.contact_id`, limit, claim)
	if err != nil {
		return nil, fmt.Errorf("claim calls: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Call, err error) {
		var offset, session int64
		err = row.Scan(&c.Key.Shard, &offset, &c.Channel, &c.Contact, &session, &c.Flow, &c.Step, &c.Request, &c.QueuedAt, &c.Attempts, &c.Portfolio, &c.LaneKey)
		c.Key.Offset, c.SessionID = uint64(offset), uint64(session)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim calls: %w", err)
	}
	return list, nil
}

// FinishCall records what came of an attempt, unless another one was begun since.
func (s *Store) FinishCall(ctx context.Context, r CallResult) error {
	_, err := s.pool.Exec(ctx, `UPDATE calls SET state = $4, status = $5, reason = $6,
		due_at = CASE WHEN $4 = 'queued' THEN $7 ELSE due_at END, finished_at = CASE WHEN $4 = 'queued' THEN NULL ELSE now() END
		 WHERE shard = $1 AND "offset" = $2 AND attempts = $3 AND state = 'queued'`,
		r.Key.Shard, int64(r.Key.Offset), r.Attempts, r.State, r.Status, r.Reason, r.Due)
	if err != nil {
		return fmt.Errorf("record call %d/%d: %w", r.Key.Shard, r.Key.Offset, err)
	}
	return nil
}

// CallView is a call as the console lists it.
type CallView struct {
	ID         string     `json:"call_id"`
	Channel    string     `json:"channel"`
	ContactID  uuid.UUID  `json:"contact_id"`
	Flow       string     `json:"flow"`
	Step       string     `json:"step"`
	State      string     `json:"state"`
	Attempts   int        `json:"attempts"`
	Status     int        `json:"status"`
	Reason     string     `json:"reason"`
	QueuedAt   time.Time  `json:"queued_at"`
	DueAt      time.Time  `json:"due_at"`
	FinishedAt *time.Time `json:"finished_at"`
	// Request is the encoded CallQueued event body.
	Request []byte `json:"-"`
	Method  string `json:"method" db:"-"`
	URL     string `json:"url" db:"-"`
}

// Calls lists calls in a state, CallQueued or CallFailed, newest first.
func (s *Store) Calls(ctx context.Context, state string, limit int) ([]CallView, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT 'p1.' || shard || '.' || "offset" AS id, channel, contact_id, flow, step, state, attempts, status, reason, queued_at, due_at, finished_at, request
		  FROM calls WHERE state = $1 AND state <> 'ok' ORDER BY queued_at DESC LIMIT $2`, state, limit)
	if err != nil {
		return nil, fmt.Errorf("list calls: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[CallView])
	if err != nil {
		return nil, fmt.Errorf("list calls: %w", err)
	}
	return nonNil(list), nil
}
