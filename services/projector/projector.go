package projector

import (
	"context"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/insight"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Store is what the service needs of PostgreSQL.
type Store interface {
	AddCounts(ctx context.Context, fences []store.Fence, counts map[int]*insight.Counts) (held []int, err error)
	ParkMessage(ctx context.Context, service string, fence store.Fence, d store.DeadLetter) (held bool, err error)
}

// Service is the handler of the projector's lane. It keeps nothing in memory.
type Service struct {
	store Store
	log   zerolog.Logger
}

var _ lane.Handler = (*Service)(nil)

// New returns the handler.
func New(s Store, log zerolog.Logger) *Service { return &Service{store: s, log: log} }

// Take has nothing to prepare.
func (s *Service) Take(context.Context, store.Lease) error { return nil }

// Drop has nothing to forget.
func (s *Service) Drop(int) {}

// Apply adds what the batch's events count, under the fences of their shards.
func (s *Service) Apply(ctx context.Context, parts []lane.Part) ([]int, error) {
	fences := make([]store.Fence, len(parts))
	counts := map[int]*insight.Counts{}
	for i, part := range parts {
		fences[i] = part.Fence
		folded := insight.NewCounts()
		for _, m := range part.Messages {
			folded.Add(m.Event)
		}
		counts[part.Fence.Shard] = folded
	}
	return s.store.AddCounts(ctx, fences, counts)
}

// Park keeps an event that cannot be counted.
func (s *Service) Park(ctx context.Context, part lane.Part, cause error) (bool, error) {
	m := part.Messages[0]
	s.log.Error().Err(cause).Int("shard", m.Shard).Uint64("position", m.Pos).Msg("event parked")
	data, err := proto.Marshal(&parleyv1.EventBatch{Events: []*parleyv1.Event{m.Event}})
	if err != nil {
		return false, err
	}
	return s.store.ParkMessage(ctx, store.ServiceProjector, part.Fence, store.DeadLetter{
		Kind: store.DeadParked, Shard: m.Shard, Position: m.Pos, Channel: m.Event.Channel, Data: data, Reason: cause.Error(),
	})
}
