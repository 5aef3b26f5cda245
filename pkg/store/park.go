package store

import (
	"context"
	"fmt"
)

const parkSQL = fenceSQL + `,
dl AS (
	INSERT INTO dead_letters (kind, service, shard, position, channel, contact_id, data, reason)
	SELECT $7, $1, $8, $9, $10, $11, $12, $13 FROM cp
	ON CONFLICT (service, shard, position, kind, sha256(data)) DO NOTHING)
SELECT shard FROM cp`

// ParkMessage keeps one message of a service as a dead letter and moves the
// checkpoint past it. It reports whether the fence held.
func (s *Store) ParkMessage(ctx context.Context, service string, fence Fence, d DeadLetter) (held bool, err error) {
	args := append(fenceArgs(service, []Fence{fence}),
		d.Kind, d.Shard, int64(d.Position), d.Channel, d.Contact, d.Data, d.Reason)
	shards, err := s.heldShards(ctx, parkSQL, args)
	if err != nil {
		return false, fmt.Errorf("park message %d/%d of %s: %w", d.Shard, d.Position, service, err)
	}
	return len(shards) == 1, nil
}
