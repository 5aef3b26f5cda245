package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// DeliveryQuery selects deliveries, the newest first.
type DeliveryQuery struct {
	// State is DeliveryAmbiguous, or DeliveryFailed for what was refused or reported as
	// failed. Empty is any, and then Contact is needed.
	State   string
	Channel string
	// Contact is a phone, a BSUID or a contact's id; empty for all.
	Contact  string
	From, To time.Time
	// After is the last delivery of the page before; nil for the first page.
	After *DeliveryRow
	Limit int
}

// DeliveryRow is a delivery as operators see it.
type DeliveryRow struct {
	Key        DeliveryKey `json:"-"`
	ID         string      `json:"delivery_id"`
	QueuedAt   time.Time   `json:"queued_at"`
	Channel    string      `json:"channel"`
	Contact    uuid.UUID   `json:"contact_id"`
	Phone      string      `json:"phone"`
	BSUID      string      `json:"bsuid"`
	State      string      `json:"state"`
	Attempts   int         `json:"attempts"`
	ProviderID string      `json:"provider_id"`
	Receipt    string      `json:"receipt"`
	Class      string      `json:"error_class"`
	Code       int         `json:"error_code"`
	// Times counts how often its outcome was unknown, Cause says why it was last.
	Times     int        `json:"times_ambiguous"`
	Cause     string     `json:"cause"`
	Ordered   string     `json:"ordered"`
	SettledBy string     `json:"settled_by"`
	SettledAt *time.Time `json:"settled_at"`
	// Kind is what the message is; the console sets it from Content.
	Kind    string `json:"kind"`
	Content []byte `json:"-"`
}

const deliveryRowsSQL = `SELECT d.shard, d."offset", d.queued_at, d.channel, d.contact_id, COALESCE(c.phone, ''), COALESCE(c.bsuid, ''), d.state,
	d.attempts, COALESCE(d.wamid, ''), d.receipt, d.error_class, d.error_code, d.ambiguous_count, d.ambiguous_cause, d.ordered,
	d.settled_by, d.settled_at, d.content
	  FROM deliveries d LEFT JOIN contacts c ON c.id = contact_now(d.contact_id)
	 WHERE d.queued_at >= $1 AND d.queued_at < $2 AND ($3 = '' OR d.channel = $3)
	   AND (d.queued_at, d.shard::int, d."offset") < ($4, $5::int, $6::bigint)
	   AND ($8 = '' OR d.contact_id IN (SELECT contacts_of(f.id) FROM (
	       SELECT id FROM contacts WHERE phone = $8 UNION SELECT id FROM contacts WHERE bsuid = $8 UNION SELECT id FROM contacts WHERE id = $9) f))`

const deliveryOrderSQL = ` ORDER BY d.queued_at DESC, d.shard DESC, d."offset" DESC LIMIT $7`

// Each state has an index of its own: the condition must stand there word by word.
const (
	ambiguousRowsSQL = deliveryRowsSQL + ` AND d.state = 'ambiguous'` + deliveryOrderSQL
	failedRowsSQL    = deliveryRowsSQL + ` AND (d.state = 'failed' OR d.receipt = 'failed')` + deliveryOrderSQL
	allRowsSQL       = deliveryRowsSQL + deliveryOrderSQL
)

// Deliveries lists deliveries.
func (s *Store) Deliveries(ctx context.Context, q DeliveryQuery) ([]DeliveryRow, error) {
	after := DeliveryRow{QueuedAt: q.To, Key: DeliveryKey{Shard: -1}}
	if q.After != nil {
		after = *q.After
	}
	id, _ := uuid.Parse(q.Contact)
	args := []any{q.From, q.To, q.Channel, after.QueuedAt, after.Key.Shard, int64(after.Key.Offset), q.Limit, q.Contact, id}
	rows, err := s.deliveryRows(ctx, q.State, args)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanDeliveryRow)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return nonNil(list), nil
}

func (s *Store) deliveryRows(ctx context.Context, state string, args []any) (pgx.Rows, error) {
	switch state {
	case DeliveryAmbiguous:
		return s.pool.Query(ctx, ambiguousRowsSQL, args...)
	case DeliveryFailed:
		return s.pool.Query(ctx, failedRowsSQL, args...)
	}
	return s.pool.Query(ctx, allRowsSQL, args...)
}

func scanDeliveryRow(row pgx.CollectableRow) (r DeliveryRow, err error) {
	var offset int64
	err = row.Scan(&r.Key.Shard, &offset, &r.QueuedAt, &r.Channel, &r.Contact, &r.Phone, &r.BSUID, &r.State, &r.Attempts, &r.ProviderID,
		&r.Receipt, &r.Class, &r.Code, &r.Times, &r.Cause, &r.Ordered, &r.SettledBy, &r.SettledAt, &r.Content)
	r.Key.Offset = uint64(offset)
	r.ID = DeliveryID(r.Key.Shard, r.Key.Offset)
	return r, err
}

// OrderResend asks for one more attempt at a send whose outcome is unknown; ok is false
// if there is none of that key. The owner of its shard makes the attempt.
func (s *Store) OrderResend(ctx context.Context, key DeliveryKey) (ok bool, err error) {
	tag, err := s.pool.Exec(ctx, `UPDATE deliveries SET ordered = 'resend' WHERE shard = $1 AND "offset" = $2 AND state = 'ambiguous'`,
		key.Shard, int64(key.Offset))
	if err != nil {
		return false, fmt.Errorf("order to resend delivery %d/%d: %w", key.Shard, key.Offset, err)
	}
	return tag.RowsAffected() == 1, nil
}

// DropDelivery gives a send up whose outcome is unknown, and has its session told; ok is
// false if there is none of that key. A receipt that comes later settles it all the same.
func (s *Store) DropDelivery(ctx context.Context, key DeliveryKey) (ok bool, err error) {
	tag, err := s.pool.Exec(ctx, `
		UPDATE deliveries SET state = 'failed', error_class = 'dropped', settled_by = 'operator', settled_at = now(), ordered = '', untold = true
		 WHERE shard = $1 AND "offset" = $2 AND state = 'ambiguous'`, key.Shard, int64(key.Offset))
	if err != nil {
		return false, fmt.Errorf("drop delivery %d/%d: %w", key.Shard, key.Offset, err)
	}
	return tag.RowsAffected() == 1, nil
}

// OrderedDeliveries returns, in order, what operators want to be sent again on some
// shards. A claim takes the order away.
func (s *Store) OrderedDeliveries(ctx context.Context, shards []int) ([]Delivery, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT shard, "offset", channel, contact_id, session_id, content, state, attempts, queued_at, priority, campaign, ambiguous_count FROM deliveries
		 WHERE shard = ANY($1) AND ordered <> '' AND state = 'ambiguous' ORDER BY shard, "offset"`, shards)
	if err != nil {
		return nil, fmt.Errorf("read orders to resend: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanDelivery)
	if err != nil {
		return nil, fmt.Errorf("read orders to resend: %w", err)
	}
	return list, nil
}
