package lane

import (
	"context"
	"fmt"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Message is one item of a shard. Positions of a shard only grow.
type Message struct {
	Shard int
	// Pos is the stream sequence, or the offset of Event.
	Pos uint64
	// Data is the stream's payload; nil for a service that follows events.
	Data []byte
	// Event is set for a service that follows events.
	Event *parleyv1.Event
	// At is when the message was stored.
	At time.Time

	epoch int64
}

// Part is one shard's share of a batch: its messages in order, and the fence
// under which their effect may be written.
type Part struct {
	Fence    store.Fence
	Messages []Message
}

// Handler applies the messages of the shards that its Runner owns. All methods
// are called from one goroutine, never two at a time.
type Handler interface {
	// Take prepares for a shard that was just leased. Everything known of it
	// from an earlier ownership is void.
	Take(ctx context.Context, lease store.Lease) error
	// Apply commits the parts in one transaction, each under its fence, and
	// returns the shards whose part was written. An error that store.Permanent
	// recognises makes the Runner look for the message that causes it; with
	// every other error the shards are taken anew.
	Apply(ctx context.Context, parts []Part) (held []int, err error)
	// Park sets aside the one message of the part, whole, together with its
	// checkpoint, because applying it fails for a reason of its own. It reports
	// whether the fence held.
	Park(ctx context.Context, part Part, cause error) (held bool, err error)
	// Drop forgets a shard: it was released, lost, or its state is in doubt.
	Drop(shard int)
}

// Source reads one shard from the lease's checkpoint on, in order, until ctx
// ends. It returns nil when ctx ended.
type Source interface {
	Read(ctx context.Context, lease store.Lease, deliver func(Message) error) error
}

// Process drives one batch to its end: it applies the parts, and if they fail
// for a reason of their own it goes message by message and parks the culprits.
// It returns the shards of which every message took effect or was parked.
// After an error the state of all shards of the batch is in doubt.
func Process(ctx context.Context, h Handler, parts []Part) (held []int, err error) {
	held, err = h.Apply(ctx, parts)
	if err == nil || !store.Permanent(err) {
		return held, err
	}
	held = nil
	for _, part := range parts {
		ok, err := processSingly(ctx, h, part)
		if err != nil {
			return held, err
		}
		if ok {
			held = append(held, part.Fence.Shard)
		}
	}
	return held, nil
}

// processSingly applies a part's messages one at a time, each with its own
// checkpoint, and parks those that cannot be applied.
func processSingly(ctx context.Context, h Handler, part Part) (held bool, err error) {
	from := part.Fence.From
	for _, m := range part.Messages {
		single := Part{Fence: part.Fence, Messages: []Message{m}}
		single.Fence.From, single.Fence.To, single.Fence.At = from, m.Pos, m.At
		from = m.Pos
		applied, err := h.Apply(ctx, []Part{single})
		held = len(applied) == 1
		if err != nil && store.Permanent(err) {
			held, err = h.Park(ctx, single, err)
		}
		if err != nil {
			return false, fmt.Errorf("shard %d at %d: %w", m.Shard, m.Pos, err)
		}
		if !held {
			return false, nil
		}
	}
	return true, nil
}
