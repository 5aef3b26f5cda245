package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
)

// Trimmer keeps a stream from filling up with messages that were applied long
// ago: a full stream would refuse new ones.
type Trimmer struct {
	JS      jetstream.JetStream
	Stream  string
	Service string
	Shards  int
	// Filter is the subject filter of a shard.
	Filter      func(shard int) string
	Checkpoints interface {
		Checkpoint(ctx context.Context, service string, shard int) (uint64, error)
	}
	Log zerolog.Logger
}

// trimEvery is how often the stream's size is looked at.
const trimEvery = 30 * time.Second

// Run trims until ctx ends.
func (t Trimmer) Run(ctx context.Context) error {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		if err := t.Trim(ctx); err != nil && ctx.Err() == nil {
			t.Log.Warn().Err(err).Str("stream", t.Stream).Msg("stream not trimmed")
		}
	}
}

// Trim removes what every shard has applied, if the stream is nearly full.
func (t Trimmer) Trim(ctx context.Context) error {
	stream, err := t.JS.Stream(ctx, t.Stream)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", t.Stream, err)
	}
	info := stream.CachedInfo()
	if limit := info.Config.MaxBytes; limit <= 0 || info.State.Bytes < uint64(limit)/2 {
		return nil
	}
	applied := info.State.LastSeq
	for shard := range t.Shards {
		upTo, err := t.applied(ctx, stream, shard)
		if err != nil {
			return err
		}
		applied = min(applied, upTo)
	}
	removed, err := bus.Trim(ctx, t.JS, t.Stream, applied)
	if removed {
		t.Log.Info().Str("stream", t.Stream).Uint64("applied", applied).Msg("stream trimmed")
	}
	return err
}

// applied is the last sequence before the shard's first message that is still
// to be applied. A shard without traffic holds nothing back.
func (t Trimmer) applied(ctx context.Context, stream jetstream.Stream, shard int) (uint64, error) {
	checkpoint, err := t.Checkpoints.Checkpoint(ctx, t.Service, shard)
	if err != nil {
		return 0, err
	}
	next, err := stream.GetMsg(ctx, checkpoint+1, jetstream.WithGetMsgSubject(t.Filter(shard)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return stream.CachedInfo().State.LastSeq, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for what shard %d has to apply: %w", shard, err)
	}
	return next.Sequence - 1, nil
}
