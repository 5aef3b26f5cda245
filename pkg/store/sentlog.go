package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// UnknownSend is a send of which nobody knows what became of it.
type UnknownSend struct {
	Key     DeliveryKey
	Channel string
	Content []byte
	// SentAt is when its last attempt was claimed.
	SentAt time.Time
}

// UnknownSends returns up to limit of them on some channels and shards, the newest
// first. The condition is that of the index deliveries_ambiguous.
func (s *Store) UnknownSends(ctx context.Context, channels []string, shards []int, limit int) ([]UnknownSend, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT shard, "offset", channel, content, COALESCE(sending_at, queued_at) FROM deliveries
		 WHERE state = 'ambiguous' AND channel = ANY($1) AND shard = ANY($2) ORDER BY queued_at DESC, shard, "offset" LIMIT $3`,
		channels, shards, limit)
	if err != nil {
		return nil, fmt.Errorf("read unknown sends: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u UnknownSend, err error) {
		var offset int64
		err = row.Scan(&u.Key.Shard, &offset, &u.Channel, &u.Content, &u.SentAt)
		u.Key.Offset = uint64(offset)
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("read unknown sends: %w", err)
	}
	return list, nil
}

// SettleByLog says that the provider's log has a send, under one of some ids; the first
// is kept. It changes nothing, and ok is false, if one of them belongs to another
// delivery, or the send is unknown no more.
func (s *Store) SettleByLog(ctx context.Context, u UnknownSend, ids []string) (ok bool, err error) {
	tag, err := s.pool.Exec(ctx, `
		UPDATE deliveries SET state = 'accepted', wamid = COALESCE(wamid, $3), settled_by = 'log', settled_at = now(), ordered = ''
		 WHERE shard = $1 AND "offset" = $2 AND state = 'ambiguous'
		   AND NOT EXISTS (SELECT FROM deliveries o WHERE o.wamid = ANY($4) AND (o.shard, o."offset") <> ($1, $2))`,
		u.Key.Shard, int64(u.Key.Offset), ids[0], ids)
	if err != nil {
		return false, fmt.Errorf("settle delivery %d/%d by the log: %w", u.Key.Shard, u.Key.Offset, err)
	}
	return tag.RowsAffected() == 1, nil
}
