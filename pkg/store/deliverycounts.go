package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// A trigger appends to insight.delivery_changes what each statement has changed of
// deliveries: sent, delivered, read, failed. Whatever changes a delivery is counted in
// its own commit, and so once.

const mergeDeliveryChanges = `
	INSERT INTO insight.delivery_counts AS t (flow, flow_version, channel, language, day, step, sent, delivered, read, failed)
	SELECT flow, flow_version, channel, language, day, step, sum(sent), sum(delivered), sum(read), sum(failed)
	  FROM changes GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
	ON CONFLICT (flow, flow_version, channel, language, day, step) DO UPDATE SET
	       sent = t.sent + excluded.sent, delivered = t.delivered + excluded.delivered,
	       read = t.read + excluded.read, failed = t.failed + excluded.failed`

const foldDeliveryCountsSQL = `
WITH changes AS (
	DELETE FROM insight.delivery_changes WHERE ctid = ANY(ARRAY(SELECT ctid FROM insight.delivery_changes LIMIT $1 FOR UPDATE SKIP LOCKED))
	RETURNING *),
merged AS (` + mergeDeliveryChanges + `)
SELECT count(*) FROM changes`

// FoldDeliveryCounts moves what has been appended into the counters, and says how many
// lines that were, at most limit. Several may call it at once.
func (s *Store) FoldDeliveryCounts(ctx context.Context, limit int) (folded int, err error) {
	if err := s.pool.QueryRow(ctx, foldDeliveryCountsSQL, limit).Scan(&folded); err != nil {
		return 0, fmt.Errorf("fold delivery counts: %w", err)
	}
	return folded, nil
}

const recountDeliveriesSQL = `
WITH changes AS (
	SELECT flow, flow_version, channel, language, day, step, count(*) FILTER (WHERE state = 'accepted') AS sent,
	       count(*) FILTER (WHERE receipt_rank >= 3) AS delivered, count(*) FILTER (WHERE receipt_rank >= 4) AS read,
	       count(*) FILTER (WHERE state = 'failed' OR receipt_rank = 2) AS failed
	  FROM deliveries WHERE step <> '' GROUP BY 1, 2, 3, 4, 5, 6)` + mergeDeliveryChanges

// recountTries is how often a recount is tried that meets a fold.
const recountTries = 20

// RecountDeliveries counts all deliveries again, and puts the result in the place of
// the counters, while everything runs. It takes away exactly the changes of the
// commits that it sees: those that come later are added to what it has counted.
func (s *Store) RecountDeliveries(ctx context.Context) error {
	var err error
	for range recountTries {
		if err = s.recount(ctx); !othersWereFirst(err) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("count deliveries again: %w", err)
	}
	return nil
}

func (s *Store) recount(ctx context.Context) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`DELETE FROM insight.delivery_changes`)
		batch.Queue(`DELETE FROM insight.delivery_counts`)
		batch.Queue(recountDeliveriesSQL)
		return tx.SendBatch(ctx, batch).Close()
	})
}
