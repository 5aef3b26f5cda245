package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// SentKey names a message of ours by what the provider calls it.
type SentKey struct{ Channel, WAMID string }

// Sent is a message of ours that somebody answers or reacts to.
type Sent struct {
	Key DeliveryKey
	// Step is the one that said it; empty if none did.
	Step     string
	QueuedAt time.Time
}

// SentMessages finds messages of ours by the ids that the provider gave them. Those of
// nobody, or of another channel, are left out.
func (s *Store) SentMessages(ctx context.Context, keys []SentKey) (map[SentKey]Sent, error) {
	channels, wamids := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		channels[i], wamids[i] = k.Channel, k.WAMID
	}
	rows, err := s.pool.Query(ctx, `
		SELECT d.channel, d.wamid, d.shard, d."offset", d.queued_at, d.content
		  FROM unnest($1::text[], $2::text[]) k(channel, wamid)
		  JOIN deliveries d ON d.wamid = k.wamid AND d.channel = k.channel`, channels, wamids)
	if err != nil {
		return nil, fmt.Errorf("find the messages that are answered: %w", err)
	}
	found := make(map[SentKey]Sent, len(keys))
	var key SentKey
	var sent Sent
	var offset int64
	var content []byte
	_, err = pgx.ForEachRow(rows, []any{&key.Channel, &key.WAMID, &sent.Key.Shard, &offset, &sent.QueuedAt, &content}, func() error {
		queued := &parleyv1.MessageQueued{}
		if err := proto.Unmarshal(content, queued); err != nil {
			return fmt.Errorf("decode message %d/%d: %w", sent.Key.Shard, offset, err)
		}
		sent.Key.Offset, sent.Step = uint64(offset), queued.GetStep()
		found[key] = sent
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find the messages that are answered: %w", err)
	}
	return found, nil
}
