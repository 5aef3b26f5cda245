package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// recentMost is how many of a shard's newest deliveries RecentSends looks at.
const recentMost = 2000

// RecentSend is a send of a while ago.
type RecentSend struct {
	Channel string
	Contact uuid.UUID
	Ago     time.Duration
}

// RecentSends returns what was last sent of a shard within a time, the oldest first, of
// its newest deliveries: who takes a shard keeps to the limits that the former owner kept.
func (s *Store) RecentSends(ctx context.Context, shard int, within time.Duration) ([]RecentSend, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT channel, contact_id, GREATEST(now() - sending_at, '0'::interval)
		  FROM (SELECT channel, contact_id, sending_at FROM deliveries WHERE shard = $1 ORDER BY "offset" DESC LIMIT $2) d
		 WHERE sending_at > now() - $3::interval ORDER BY sending_at`, shard, recentMost, within)
	if err != nil {
		return nil, fmt.Errorf("read recent sends of shard %d: %w", shard, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[RecentSend])
	if err != nil {
		return nil, fmt.Errorf("read recent sends of shard %d: %w", shard, err)
	}
	return list, nil
}
