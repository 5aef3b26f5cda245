package dispatcher

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// failuresEvery is how often failures are looked for: by index, those that are
	// untold only.
	failuresEvery = 500 * time.Millisecond
	// failuresMax bounds what is told in one go.
	failuresMax = 500
	// classReceipt is the class of a message that WhatsApp took and could not deliver.
	classReceipt = "receipt"
)

// FailureStore is what the failures need of PostgreSQL.
type FailureStore interface {
	Untold(ctx context.Context, shards []int, limit int) ([]store.Failure, error)
	Told(ctx context.Context, keys []store.DeliveryKey) error
}

// Publisher stores messages in WA_IN; nil means that they are on disk.
type Publisher interface {
	Publish(ctx context.Context, messages ...bus.Message) error
}

// Failures tells sessions which of their messages will not arrive, whatever found it
// out: a refusal, a receipt, an operator. The failure is on record with the commit that
// found it; here it is put into the contact's lane, and then marked as told. In between
// it may be put there again: its id is the delivery's, so the inbox absorbs it.
type Failures struct {
	store  FailureStore
	owned  func() []int
	in     Publisher
	shards int
	now    func() time.Time
	log    zerolog.Logger
}

// NewFailures makes the failures of a replica; owned says which shards it has now.
func NewFailures(s FailureStore, owned func() []int, in Publisher, shards int, now func() time.Time, log zerolog.Logger) *Failures {
	return &Failures{store: s, owned: owned, in: in, shards: shards, now: now, log: log}
}

// Owned lists the shards that this replica has now. It may be asked from any goroutine.
func (s *Service) Owned() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.epochs))
}

// Run tells failures until ctx ends.
func (f *Failures) Run(ctx context.Context) error {
	ticker := time.NewTicker(failuresEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := f.Tell(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			f.log.Warn().Err(err).Msg("sessions wait to be told of failures") // once, however long
		}
		failing = err != nil
	}
}

// Tell puts every untold failure of the owned shards into its contact's lane.
func (f *Failures) Tell(ctx context.Context) error {
	shards := f.owned()
	if len(shards) == 0 {
		return nil
	}
	list, err := f.store.Untold(ctx, shards, failuresMax)
	if err != nil || len(list) == 0 {
		return err
	}
	var messages []bus.Message
	keys := make([]store.DeliveryKey, len(list))
	for i, failure := range list {
		keys[i] = failure.Key
		message, tell, err := f.message(failure)
		if err != nil {
			return fmt.Errorf("failure of delivery %d/%d: %w", failure.Key.Shard, failure.Key.Offset, err)
		}
		if tell {
			messages = append(messages, message)
		}
	}
	if len(messages) > 0 {
		if err := f.in.Publish(ctx, messages...); err != nil {
			return fmt.Errorf("tell failures: %w", err)
		}
	}
	return f.store.Told(ctx, keys)
}

// message is the input for the session; tell is false if there is nothing to react to:
// a typing indicator, and a message that arrived all the same (WIRE.md 1.8: keep both
// and alert).
func (f *Failures) message(failure store.Failure) (m bus.Message, tell bool, err error) {
	delivery := store.DeliveryID(failure.Key.Shard, failure.Key.Offset)
	if failure.Arrived {
		f.log.Error().Str("delivery", delivery).Str("channel", failure.Channel).Int("code", failure.Code).
			Msg("WhatsApp reported this message as failed and as delivered")
		return m, false, nil
	}
	queued := &parleyv1.MessageQueued{}
	if err := proto.Unmarshal(failure.Content, queued); err != nil || queued.GetTyping() != nil {
		return m, false, nil //nolint:nilerr // what cannot be read was never sent, and is reported by who tried
	}
	id, now := "failed/"+delivery, f.now().UnixMilli()
	raw, err := protojson.Marshal(flow.FailureInput(id, now, &parleyv1.DeliveryFailure{
		Delivery: delivery, Step: queued.GetStep(), Class: cmp.Or(failure.Class, classReceipt), Code: uint32(max(0, failure.Code)),
		QueuedAtMs: failure.QueuedAt.UnixMilli(),
	}))
	if err != nil {
		return m, false, err
	}
	m.Subject = bus.SubjectIn(bus.ShardOf(failure.Portfolio, failure.LaneKey, f.shards), failure.Channel, failure.LaneKey)
	m.Data, err = proto.Marshal(&parleyv1.Envelope{
		Id: id, Kind: parleyv1.Kind_KIND_FAILURE, Provider: "parley", Channel: failure.Channel, Portfolio: failure.Portfolio,
		LaneKey: failure.LaneKey, ContactId: failure.Contact[:], ReceivedAtMs: now, Raw: raw,
	})
	return m, true, err
}
