package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// StreamRelay publishes committed events to WA_EVENTS. It has no state of its
// own that must survive: for a shard that it does not know, or lost its place
// in, it reads the last offset in the stream and goes on from PostgreSQL.
type StreamRelay struct {
	js     jetstream.JetStream
	events EventReader
	log    zerolog.Logger

	mu      sync.Mutex
	waiting []*parleyv1.Event
	owned   map[int]bool
	// next is the offset expected of a shard; 0 means that the place is unknown.
	next map[int]uint64
	wake chan struct{}
}

// EventReader reads a shard's events from the store.
type EventReader interface {
	ReadEvents(ctx context.Context, shard int, after uint64, limit int) ([]*parleyv1.Event, error)
}

// Limits of the relay.
const (
	// relayWaitingMax bounds what waits in memory while NATS is away; beyond it
	// the relay forgets and later reads from PostgreSQL.
	relayWaitingMax = 50_000
	// relayBytesMax keeps a message below every server's max_payload.
	relayBytesMax = 256 << 10
	relayPage     = 1000
	relayAckWait  = 5 * time.Second
	relayRetry    = time.Second
)

// NewRelay returns a relay that works while Run runs.
func NewRelay(js jetstream.JetStream, events EventReader, log zerolog.Logger) *StreamRelay {
	return &StreamRelay{
		js: js, events: events, log: log,
		owned: map[int]bool{}, next: map[int]uint64{}, wake: make(chan struct{}, 1),
	}
}

// Take continues the shard where the stream ends.
func (r *StreamRelay) Take(shard int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owned[shard] = true
	r.next[shard] = 0
	r.signal()
}

// Drop leaves the shard to its next owner.
func (r *StreamRelay) Drop(shard int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.owned, shard)
}

// Add queues committed events of one shard, if it is ours. It never blocks the turn.
func (r *StreamRelay) Add(events []*parleyv1.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(events) == 0 || !r.owned[int(events[0].Shard)] {
		return
	}
	if len(r.waiting)+len(events) > relayWaitingMax {
		r.waiting = nil
		clear(r.next)
	} else {
		r.waiting = append(r.waiting, events...)
	}
	r.signal()
}

func (r *StreamRelay) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run relays until ctx ends.
func (r *StreamRelay) Run(ctx context.Context) error {
	failing := false
	for {
		var retry <-chan time.Time
		if err := r.relay(ctx); err != nil && ctx.Err() == nil {
			if !failing {
				r.log.Warn().Err(err).Msg("events are not relayed; they are kept and relayed later")
			}
			retry = time.After(relayRetry)
		}
		failing = retry != nil
		select {
		case <-r.wake:
		case <-retry:
		case <-ctx.Done():
			return nil
		}
	}
}

// relay sends what waits, after it has found its place in the shards that it
// is not sure of. On an error every shard's place is in doubt.
func (r *StreamRelay) relay(ctx context.Context) error {
	waiting, unsure := r.take()
	var errs []error
	for _, shard := range unsure {
		if err := r.resume(ctx, shard); err != nil {
			errs = append(errs, err)
		}
	}
	if err := r.publish(ctx, r.expected(waiting)); err != nil {
		errs = append(errs, err)
		r.mu.Lock()
		clear(r.next)
		r.mu.Unlock()
	}
	return errors.Join(errs...)
}

func (r *StreamRelay) take() (waiting []*parleyv1.Event, unsure []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting, r.waiting = r.waiting, nil
	for shard := range r.owned {
		if r.next[shard] == 0 {
			unsure = append(unsure, shard)
		}
	}
	return waiting, unsure
}

// expected leaves out events that were relayed by resume, and notices gaps:
// behind one the shard's place is unknown.
func (r *StreamRelay) expected(waiting []*parleyv1.Event) []*parleyv1.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := waiting[:0]
	for _, e := range waiting {
		shard := int(e.Shard)
		switch next := r.next[shard]; {
		case next == 0 || e.Offset < next:
		case e.Offset > next:
			r.next[shard] = 0
			r.signal()
		default:
			kept = append(kept, e)
			r.next[shard]++
		}
	}
	return kept
}

// resume relays what PostgreSQL holds beyond the stream's last offset.
func (r *StreamRelay) resume(ctx context.Context, shard int) error {
	last, err := r.lastOffset(ctx, shard)
	if err != nil {
		return err
	}
	for {
		events, err := r.events.ReadEvents(ctx, shard, last, relayPage)
		if err != nil {
			return err
		}
		if !r.owns(shard) {
			return nil // given up meanwhile: the rest is its next owner's
		}
		if err := r.publish(ctx, events); err != nil {
			return err
		}
		last += uint64(len(events))
		if len(events) < relayPage {
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next[shard] = last + 1
	return nil
}

func (r *StreamRelay) owns(shard int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owned[shard]
}

func (r *StreamRelay) lastOffset(ctx context.Context, shard int) (uint64, error) {
	d, err := bus.LastMessage(ctx, r.js, bus.StreamEvents, bus.SubjectEvents(shard))
	if err != nil || d == nil {
		return 0, err
	}
	batch := &parleyv1.EventBatch{}
	if err := proto.Unmarshal(d.Data, batch); err != nil {
		return 0, fmt.Errorf("last message of %s at %d: %w", bus.SubjectEvents(shard), d.Seq, err)
	}
	if len(batch.Events) == 0 {
		return 0, fmt.Errorf("last message of %s at %d holds no events", bus.SubjectEvents(shard), d.Seq)
	}
	return batch.Events[len(batch.Events)-1].Offset, nil
}

// publish sends events, one message per shard and run, and waits for all
// acknowledgements.
func (r *StreamRelay) publish(ctx context.Context, events []*parleyv1.Event) error {
	messages, err := pack(events, int(r.js.Conn().MaxPayload()))
	if err != nil {
		return err
	}
	acks := make([]jetstream.PubAckFuture, len(messages))
	for i, m := range messages {
		if acks[i], err = r.js.PublishMsgAsync(m); err != nil {
			return fmt.Errorf("relay events: %w", err)
		}
	}
	deadline := time.NewTimer(relayAckWait)
	defer deadline.Stop()
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return fmt.Errorf("relay events: %w", err)
		case <-deadline.C:
			return errors.New("relay events: no acknowledgement in time")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// pack groups events into messages: one shard each, in order, bounded in size.
// An event that alone is larger than the server takes is left out: followers
// see the gap, and read it from PostgreSQL.
func pack(events []*parleyv1.Event, payloadMax int) ([]*nats.Msg, error) {
	open := map[uint32]*parleyv1.EventBatch{}
	size := map[uint32]int{}
	var batches []*parleyv1.EventBatch
	for _, e := range events {
		n := proto.Size(e)
		if open[e.Shard] == nil || size[e.Shard]+n > relayBytesMax {
			open[e.Shard], size[e.Shard] = &parleyv1.EventBatch{}, 0
			batches = append(batches, open[e.Shard])
		}
		open[e.Shard].Events = append(open[e.Shard].Events, e)
		size[e.Shard] += n
	}
	var messages []*nats.Msg
	for _, b := range batches {
		data, err := proto.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("encode events: %w", err)
		}
		if len(data) <= payloadMax {
			messages = append(messages, &nats.Msg{Subject: bus.SubjectEvents(int(b.Events[0].Shard)), Data: data})
		}
	}
	return messages, nil
}
