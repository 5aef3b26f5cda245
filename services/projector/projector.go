package projector

import (
	"context"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/insight"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
)

// Store is what the service needs of PostgreSQL.
type Store interface {
	AddCounts(ctx context.Context, fences []store.Fence, counts map[int]*insight.Counts) (held []int, err error)
	lane.Parker
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
	return lane.Park(ctx, s.store, store.ServiceProjector, part, cause, s.log)
}
