package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Failure is a message that will not arrive.
type Failure struct {
	Key     DeliveryKey
	Channel string
	// Content is the encoded MessageQueued event body.
	Content  []byte
	QueuedAt time.Time
	// Class is that of the refusal; empty if WhatsApp took the message and reported later
	// that it failed. Code is the provider's.
	Class string
	Code  int
	// Arrived says that a receipt contradicts the failure: the message is there.
	Arrived bool
	// Contact is whom the message was for; Portfolio and LaneKey are where the contact's updates go.
	Contact            uuid.UUID
	Portfolio, LaneKey string
}

// Untold returns, in order, up to limit failures of some shards whose sessions have not
// been told. Each shard is a look-up of its own, so that few rows are read.
func (s *Store) Untold(ctx context.Context, shards []int, limit int) ([]Failure, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT f.* FROM unnest($1::int[]) s(shard) CROSS JOIN LATERAL (
			SELECT d.shard, d."offset", d.channel, d.content, d.queued_at, CASE WHEN d.state = 'failed' THEN d.error_class ELSE '' END,
			       d.error_code, d.receipt_rank > $3, c.id, c.portfolio, c.lane_key
			  FROM deliveries d JOIN contacts c ON c.id = d.contact_id
			 WHERE d.shard = s.shard AND d.untold ORDER BY d."offset" LIMIT $2) f
		 ORDER BY f.shard, f."offset" LIMIT $2`, shards, limit, RankFailed)
	if err != nil {
		return nil, fmt.Errorf("read failed deliveries: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Failure, err error) {
		var offset int64
		err = row.Scan(&f.Key.Shard, &offset, &f.Channel, &f.Content, &f.QueuedAt, &f.Class, &f.Code, &f.Arrived, &f.Contact, &f.Portfolio, &f.LaneKey)
		f.Key.Offset = uint64(offset)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("read failed deliveries: %w", err)
	}
	return list, nil
}

// Told remembers that sessions know of these failures.
func (s *Store) Told(ctx context.Context, keys []DeliveryKey) error {
	shards, offsets := make([]int, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		shards[i], offsets[i] = k.Shard, int64(k.Offset)
	}
	_, err := s.pool.Exec(ctx, `
		WITH locked AS (
			SELECT d.shard, d."offset" FROM deliveries d
			  JOIN unnest($1::int[], $2::bigint[]) k(shard, "offset") ON d.shard = k.shard AND d."offset" = k."offset"
			 ORDER BY d.shard, d."offset" FOR NO KEY UPDATE OF d)
		UPDATE deliveries d SET untold = false FROM locked l WHERE d.shard = l.shard AND d."offset" = l."offset"`, shards, offsets)
	if err != nil {
		return fmt.Errorf("record what sessions were told: %w", err)
	}
	return nil
}
