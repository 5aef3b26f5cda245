package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// StreamSource reads a shard of a stream whose sequence is the checkpoint.
type StreamSource struct {
	JS      jetstream.JetStream
	Stream  string
	Service string
	// Filter is the subject filter of a shard.
	Filter func(shard int) string
	// OnReset is told when a consumer had to be made anew.
	OnReset func(shard int, reason error)
}

// readBuffer bounds the messages that one reader holds in memory.
const readBuffer = 512

// Read delivers the shard's messages after the lease's checkpoint.
func (s StreamSource) Read(ctx context.Context, lease store.Lease, deliver func(Message) error) error {
	return bus.Read(ctx, s.JS, bus.ReadOptions{
		Stream:  s.Stream,
		Filter:  s.Filter(lease.Shard),
		Name:    fmt.Sprintf("%s-%02d", s.Service, lease.Shard),
		After:   lease.Checkpoint,
		AfterAt: lease.CheckpointAt,
		Buffer:  readBuffer,
		OnReset: func(reason error) {
			if s.OnReset != nil {
				s.OnReset(lease.Shard, reason)
			}
		},
	}, func(d bus.Delivery) error {
		return deliver(Message{Shard: lease.Shard, Pos: d.Seq, Data: d.Data, At: d.At})
	})
}

// EventSource follows the events of a shard. PostgreSQL is the truth: it is read
// first, whenever the stream leaves a gap, and whenever the stream has been
// silent for a while. The stream only makes it quick.
type EventSource struct {
	JS      jetstream.JetStream
	Service string
	Events  interface {
		ReadEvents(ctx context.Context, shard int, after uint64, limit int) ([]*parleyv1.Event, error)
	}
	// Idle is how long the stream may be silent before PostgreSQL is asked.
	Idle time.Duration
	// OnReset is told when a consumer had to be made anew.
	OnReset func(shard int, reason error)
}

// eventPage is how many events are read from PostgreSQL at a time.
const eventPage = 1000

// Read delivers the shard's events after the lease's checkpoint, without gaps.
func (s EventSource) Read(ctx context.Context, lease store.Lease, deliver func(Message) error) error {
	f := &follower{source: s, shard: lease.Shard, pos: lease.Checkpoint, deliver: deliver}
	for ctx.Err() == nil {
		err := f.follow(ctx)
		var regressed bus.ErrRegressed
		if err != nil && !errors.As(err, &regressed) {
			return err
		}
		// The stream was wiped: nothing is lost, PostgreSQL has it. Start over.
	}
	return nil
}

// follower is the reading of one shard: pos is the last offset delivered.
type follower struct {
	source  EventSource
	shard   int
	pos     uint64
	deliver func(Message) error
}

// follow opens the tail of the stream first and reads PostgreSQL second, so
// that whatever is committed between the two is seen in one of them.
func (f *follower) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := f.source.JS.Stream(ctx, bus.StreamEvents)
	if err != nil {
		return f.withoutStream(ctx)
	}
	tail := make(chan bus.Delivery, 16)
	ended := make(chan error, 1)
	go func() { ended <- f.readTail(ctx, stream.CachedInfo().State.LastSeq, tail) }()

	if err := f.catchUp(ctx); err != nil {
		return ignoreEnd(ctx, err)
	}
	idle := time.NewTimer(f.source.Idle)
	defer idle.Stop()
	for {
		select {
		case d := <-tail:
			err = f.accept(ctx, d)
		case <-idle.C:
			err = f.catchUp(ctx)
		case err := <-ended:
			return ignoreEnd(ctx, err)
		}
		if err != nil {
			return ignoreEnd(ctx, err)
		}
		idle.Reset(f.source.Idle)
	}
}

// withoutStream reads PostgreSQL alone for a while: NATS is away, and followers
// need it for speed only.
func (f *follower) withoutStream(ctx context.Context) error {
	if err := f.catchUp(ctx); err != nil {
		return ignoreEnd(ctx, err)
	}
	select {
	case <-time.After(f.source.Idle):
	case <-ctx.Done():
	}
	return nil
}

func (f *follower) readTail(ctx context.Context, after uint64, tail chan<- bus.Delivery) error {
	return bus.Read(ctx, f.source.JS, bus.ReadOptions{
		Stream: bus.StreamEvents,
		Filter: bus.SubjectEvents(f.shard),
		Name:   fmt.Sprintf("%s-%02d", f.source.Service, f.shard),
		After:  after,
		Buffer: readBuffer,
		OnReset: func(reason error) {
			if f.source.OnReset != nil {
				f.source.OnReset(f.shard, reason)
			}
		},
	}, func(d bus.Delivery) error {
		select {
		case tail <- d:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// accept delivers a relayed batch; what it leaves out is read from PostgreSQL.
func (f *follower) accept(ctx context.Context, d bus.Delivery) error {
	batch := &parleyv1.EventBatch{}
	if err := proto.Unmarshal(d.Data, batch); err != nil {
		return f.catchUp(ctx)
	}
	for _, e := range batch.Events {
		if e.Offset > f.pos+1 {
			return f.catchUp(ctx)
		}
		if err := f.next(e); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) catchUp(ctx context.Context) error {
	for {
		events, err := f.source.Events.ReadEvents(ctx, f.shard, f.pos, eventPage)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := f.next(e); err != nil {
				return err
			}
		}
		if len(events) < eventPage {
			return nil
		}
	}
}

// next delivers an event unless it was delivered before.
func (f *follower) next(e *parleyv1.Event) error {
	if e.Offset <= f.pos {
		return nil
	}
	f.pos = e.Offset
	return f.deliver(Message{Shard: f.shard, Pos: e.Offset, Event: e, At: time.UnixMilli(e.AtMs)})
}

// ignoreEnd turns the error of a cancelled context into a normal end.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}
