package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// ServiceWebhooks is the name of the leases of who queues what another system is told.
const ServiceWebhooks = "webhooks"

// States of a webhook. One that was taken has no row any more.
const (
	WebhookQueued = "queued"
	// WebhookDead was not taken for a day, or is not wanted: somebody must look at it.
	WebhookDead = "dead"
)

// Webhook is one event that another system is to be told of.
type Webhook struct {
	Key      DeliveryKey
	Contact  uuid.UUID
	Type     string
	State    string
	Since    time.Time
	Attempts int
	NextAt   time.Time
	Error    string
}

// ID names it to the outside, the same however often it is told. It has no full stop,
// which parts what is signed.
func (w Webhook) ID() string { return fmt.Sprintf("evt_%d_%d", w.Key.Shard, w.Key.Offset) }

// ParseWebhookID reads what ID wrote. ok is false for anything else.
func ParseWebhookID(id string) (key DeliveryKey, ok bool) {
	_, err := fmt.Sscanf(id, "evt_%d_%d", &key.Shard, &key.Offset)
	return key, err == nil && Webhook{Key: key}.ID() == id && key.Shard >= 0 && key.Shard < 1<<15 && key.Offset < 1<<63
}

// ClaimedWebhook is one that may be told now, with all that is said.
type ClaimedWebhook struct {
	Webhook
	// Event is nil if it is not there any more, or cannot be read.
	Event                        *parleyv1.Event
	Phone, BSUID, Username, Name string
}

const addWebhooksSQL = fenceSQL + `, wh AS (
	INSERT INTO webhooks (shard, "offset", contact_id, type)
	SELECT u.shard, u.o, u.contact, u.type
	  FROM cp JOIN unnest($7::int[], $8::bigint[], $9::uuid[], $10::text[]) u(shard, o, contact, type) USING (shard))
	SELECT shard FROM cp`

// AddWebhooks queues each shard's webhooks under the fences of their lane.
func (s *Store) AddWebhooks(ctx context.Context, fences []Fence, list []Webhook) (held []int, err error) {
	n := len(list)
	shards, offsets, contacts, types := make([]int, n), make([]int64, n), make([]uuid.UUID, n), make([]string, n)
	for i, w := range list {
		shards[i], offsets[i], contacts[i], types[i] = w.Key.Shard, int64(w.Key.Offset), w.Contact, w.Type
	}
	held, err = s.heldShards(ctx, addWebhooksSQL, append(fenceArgs(ServiceWebhooks, fences), shards, offsets, contacts, types))
	if err != nil {
		return nil, fmt.Errorf("add webhooks: %w", err)
	}
	return held, nil
}

// A contact's oldest comes first, and the others wait for it. Who claims has it for a
// while; one that is not settled by then is claimed again, so a crash loses nothing.
const claimWebhooksSQL = `
WITH due AS (
	SELECT w.shard, w."offset" FROM webhooks w
	 WHERE w.state = 'queued' AND w.next_at <= now()
	   AND NOT EXISTS (SELECT 1 FROM webhooks p WHERE p.state = 'queued' AND p.contact_id = w.contact_id AND p.shard = w.shard AND p."offset" < w."offset")
	 ORDER BY w.next_at, w.shard, w."offset" LIMIT $1 FOR UPDATE OF w SKIP LOCKED),
claimed AS (
	UPDATE webhooks w SET attempts = w.attempts + 1, next_at = now() + $2::interval
	  FROM due WHERE w.shard = due.shard AND w."offset" = due."offset"
	RETURNING w.*)
SELECT c.shard, c."offset", c.contact_id, c.type, c.since, c.attempts, c.next_at,
       COALESCE(e.session_id, 0), COALESCE(e.at, now()), e.data,
       COALESCE(p.phone, ''), COALESCE(p.bsuid, ''), COALESCE(p.username, ''), COALESCE(p.name, '')
  FROM claimed c LEFT JOIN events e ON e.shard = c.shard AND e."offset" = c."offset"
  LEFT JOIN contacts p ON p.id = c.contact_id
 ORDER BY c.shard, c."offset"`

// ClaimWebhooks takes up to limit webhooks that are due, one a contact at most, for a
// time.
func (s *Store) ClaimWebhooks(ctx context.Context, limit int, lease time.Duration) ([]ClaimedWebhook, error) {
	rows, err := s.pool.Query(ctx, claimWebhooksSQL, limit, lease)
	if err != nil {
		return nil, fmt.Errorf("claim webhooks: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanClaimed)
	if err != nil {
		return nil, fmt.Errorf("claim webhooks: %w", err)
	}
	return list, nil
}

func scanClaimed(row pgx.CollectableRow) (w ClaimedWebhook, err error) {
	var offset, session int64
	var at time.Time
	var data []byte
	err = row.Scan(&w.Key.Shard, &offset, &w.Contact, &w.Type, &w.Since, &w.Attempts, &w.NextAt, &session, &at, &data,
		&w.Phone, &w.BSUID, &w.Username, &w.Name)
	w.Key.Offset, w.State = uint64(offset), WebhookQueued
	if err != nil || data == nil {
		return w, err
	}
	w.Event = &parleyv1.Event{}
	if proto.Unmarshal(data, w.Event) != nil {
		w.Event = nil // one that cannot be read must not stop the others
		return w, nil
	}
	w.Event.Shard, w.Event.Offset, w.Event.SessionId, w.Event.AtMs = uint32(w.Key.Shard), w.Key.Offset, uint64(session), at.UnixMilli()
	return w, nil
}

// WebhookResult is what came of one try. Error is empty if it was taken.
type WebhookResult struct {
	Webhook
	// Again is how long to wait before the next try; Dead says that there is none.
	Again time.Duration
	Dead  bool
}

// What comes after a failed one of the same contact waits with it, so that whoever
// claims does not look at it before its time. A dead one holds up nothing.
const settleWebhooksSQL = `
WITH r AS (
	SELECT * FROM unnest($1::int[], $2::bigint[], $3::uuid[], $4::int[], $5::text[], $6::interval[], $7::bool[])
	         r(shard, o, contact, attempts, error, again, dead)),
taken AS (
	DELETE FROM webhooks w USING r WHERE w.shard = r.shard AND w."offset" = r.o AND r.error = '')
UPDATE webhooks w SET next_at = now() + r.again,
       error = CASE WHEN w."offset" = r.o THEN r.error ELSE w.error END,
       state = CASE WHEN w."offset" = r.o AND r.dead THEN 'dead' ELSE w.state END
  FROM r
 WHERE r.error <> '' AND w.state = 'queued' AND w.shard = r.shard AND w.contact_id = r.contact
   AND (w."offset" = r.o AND w.attempts = r.attempts OR w."offset" > r.o)`

// SettleWebhooks records what came of tries. One that was taken is done, whoever else
// has claimed it meanwhile; a failure counts for the claim that it is of.
func (s *Store) SettleWebhooks(ctx context.Context, list []WebhookResult) error {
	n := len(list)
	shards, offsets, contacts, attempts := make([]int, n), make([]int64, n), make([]uuid.UUID, n), make([]int, n)
	causes, again, dead := make([]string, n), make([]time.Duration, n), make([]bool, n)
	for i, r := range list {
		shards[i], offsets[i], contacts[i], attempts[i] = r.Key.Shard, int64(r.Key.Offset), r.Contact, r.Attempts
		causes[i], again[i], dead[i] = r.Error, r.Again, r.Dead
	}
	if _, err := s.pool.Exec(ctx, settleWebhooksSQL, shards, offsets, contacts, attempts, causes, again, dead); err != nil {
		return fmt.Errorf("settle webhooks: %w", err)
	}
	return nil
}

// WebhookCounts is how many there are of each state, and since when the oldest waits.
type WebhookCounts struct {
	Queued int        `json:"queued"`
	Dead   int        `json:"dead"`
	Oldest *time.Time `json:"oldest"` // nil if none is queued
}

// CountWebhooks counts them.
func (s *Store) CountWebhooks(ctx context.Context) (c WebhookCounts, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'dead'),
		min(since) FILTER (WHERE state = 'queued') FROM webhooks`).Scan(&c.Queued, &c.Dead, &c.Oldest)
	if err != nil {
		return c, fmt.Errorf("count webhooks: %w", err)
	}
	return c, nil
}

// Webhooks lists those of a state, or all if it is empty, the oldest first, after one.
func (s *Store) Webhooks(ctx context.Context, state string, after *Webhook, limit int) ([]Webhook, error) {
	if after == nil {
		after = &Webhook{Key: DeliveryKey{Shard: -1}}
	}
	rows, err := s.pool.Query(ctx, `SELECT shard, "offset", contact_id, type, state, since, attempts, next_at, error FROM webhooks
		WHERE ($1 = '' OR state = $1) AND (since, shard, "offset") > ($2, $3, $4) ORDER BY since, shard, "offset" LIMIT $5`,
		state, after.Since, after.Key.Shard, int64(after.Key.Offset), limit)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w Webhook, err error) {
		var offset int64
		err = row.Scan(&w.Key.Shard, &offset, &w.Contact, &w.Type, &w.State, &w.Since, &w.Attempts, &w.NextAt, &w.Error)
		w.Key.Offset = uint64(offset)
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return list, nil
}

// RedriveWebhook has a dead one tried again from the beginning. ok is false if no dead
// one has the key.
func (s *Store) RedriveWebhook(ctx context.Context, key DeliveryKey) (ok bool, err error) {
	tag, err := s.pool.Exec(ctx, `UPDATE webhooks SET state = 'queued', since = now(), next_at = now(), attempts = 0, error = ''
		WHERE shard = $1 AND "offset" = $2 AND state = 'dead'`, key.Shard, int64(key.Offset))
	if err != nil {
		return false, fmt.Errorf("redrive a webhook: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}
