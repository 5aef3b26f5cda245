package projector

import (
	"context"
	"fmt"

	"github.com/parleyhq/parley/pkg/insight"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// RebuildStore is what a rebuild needs of PostgreSQL.
type RebuildStore interface {
	Checkpoint(ctx context.Context, service string, shard int) (uint64, error)
	ReadEvents(ctx context.Context, shard int, after uint64, limit int) ([]*parleyv1.Event, error)
	ReplaceCounts(ctx context.Context, shard int, fold func(upTo uint64) (*insight.Counts, error)) error
	RecountDeliveries(ctx context.Context) error
}

// rebuildPage is how many events are read at a time.
const rebuildPage = 5000

// Rebuild folds all events again and puts the result in the place of the read
// models, shard by shard, while everything runs, and counts all deliveries. s must have
// two connections. progress is told after each
// shard how many events it held.
func Rebuild(ctx context.Context, s RebuildStore, shards int, progress func(shard int, events uint64)) error {
	for shard := range shards {
		events, err := rebuildShard(ctx, s, shard)
		if err != nil {
			return fmt.Errorf("rebuild shard %d: %w", shard, err)
		}
		progress(shard, events)
	}
	return s.RecountDeliveries(ctx)
}

// rebuildShard folds until less than a page is missing, and that with the projector's
// checkpoint held: it waits for no more than a page.
func rebuildShard(ctx context.Context, s RebuildStore, shard int) (at uint64, err error) {
	counts := insight.NewCounts()
	for {
		checkpoint, err := s.Checkpoint(ctx, store.ServiceProjector, shard)
		if err != nil {
			return at, err
		}
		if checkpoint < at+rebuildPage {
			break
		}
		if at, err = fold(ctx, s, shard, at, checkpoint, counts); err != nil {
			return at, err
		}
	}
	err = s.ReplaceCounts(ctx, shard, func(upTo uint64) (*insight.Counts, error) {
		at, err = fold(ctx, s, shard, at, upTo, counts)
		return counts, err
	})
	return at, err
}

// fold adds the events after from, up to and including upTo.
func fold(ctx context.Context, s RebuildStore, shard int, from, upTo uint64, counts *insight.Counts) (uint64, error) {
	for from < upTo {
		events, err := s.ReadEvents(ctx, shard, from, int(min(rebuildPage, upTo-from)))
		if err != nil {
			return from, err
		}
		if len(events) == 0 {
			return from, fmt.Errorf("events end at %d, the projector has counted up to %d", from, upTo)
		}
		for _, e := range events {
			counts.Add(e)
		}
		from = events[len(events)-1].Offset
	}
	return from, nil
}

var _ RebuildStore = (*store.Store)(nil)
