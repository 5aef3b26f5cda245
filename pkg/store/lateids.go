package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// LateID is an accepted delivery under an id that no receipt will have: the
// provider's own, until WhatsApp's is known.
type LateID struct {
	Key      DeliveryKey
	Channel  string
	WAMID    string
	QueuedAt time.Time
}

// LateIDs returns up to limit of them that are younger than age, the oldest first,
// behind one that was returned before; the zero LateID is before all.
// The condition is that of the index deliveries_late.
func (s *Store) LateIDs(ctx context.Context, age time.Duration, after LateID, limit int) ([]LateID, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT shard, "offset", channel, wamid, queued_at FROM deliveries
		 WHERE wamid LIKE 'wasender:%' AND queued_at > now() - $1::interval
		   AND queued_at >= $3 AND (queued_at, shard, "offset") > ($3, $4, $5) ORDER BY queued_at, shard, "offset" LIMIT $2`,
		age, limit, after.QueuedAt, after.Key.Shard, int64(after.Key.Offset))
	if err != nil {
		return nil, fmt.Errorf("read late ids: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l LateID, err error) {
		var offset int64
		err = row.Scan(&l.Key.Shard, &offset, &l.Channel, &l.WAMID, &l.QueuedAt)
		l.Key.Offset = uint64(offset)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read late ids: %w", err)
	}
	return list, nil
}

// SetLateID gives a delivery the id that its receipts come under. Those that came
// already are adopted ([Store.AdoptOrphans]).
func (s *Store) SetLateID(ctx context.Context, l LateID, wamid string) error {
	_, err := s.pool.Exec(ctx, `UPDATE deliveries SET wamid = $4 WHERE shard = $1 AND "offset" = $2 AND wamid = $3`,
		l.Key.Shard, int64(l.Key.Offset), l.WAMID, wamid)
	if err != nil {
		return fmt.Errorf("set late id: %w", err)
	}
	return nil
}
