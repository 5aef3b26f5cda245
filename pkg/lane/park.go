package lane

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Parker keeps a message that cannot be applied, and moves the checkpoint past it.
type Parker interface {
	ParkMessage(ctx context.Context, service string, fence store.Fence, d store.DeadLetter) (held bool, err error)
}

// Park keeps the part's one message whole as a dead letter of the service. It is
// the Park of a Handler whose messages do not wait for each other.
func Park(ctx context.Context, p Parker, service string, part Part, cause error, log zerolog.Logger) (held bool, err error) {
	m := part.Messages[0]
	log.Error().Err(cause).Str("service", service).Int("shard", m.Shard).Uint64("position", m.Pos).Msg("message parked")
	data := m.Data
	if m.Event != nil {
		if data, err = proto.Marshal(&parleyv1.EventBatch{Events: []*parleyv1.Event{m.Event}}); err != nil {
			return false, fmt.Errorf("encode event %d/%d: %w", m.Shard, m.Pos, err)
		}
	}
	return p.ParkMessage(ctx, service, part.Fence, store.DeadLetter{
		Kind: store.DeadParked, Shard: m.Shard, Position: m.Pos, Channel: m.Event.GetChannel(), Data: data, Reason: cause.Error(),
	})
}
