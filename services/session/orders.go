package session

import (
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
	// ordersEvery is how often it is looked up what is due: by index.
	ordersEvery = 500 * time.Millisecond
	// ordersMax bounds what is ordered in one go.
	ordersMax = 500
	// orderedFor is how long what was ordered is not ordered again. If its order is
	// lost before that, it comes again after it.
	orderedFor = 30 * time.Second
)

// OrderStore is what the orders need of PostgreSQL.
type OrderStore interface {
	ExpiredHolds(ctx context.Context, shards []int, at time.Time, limit int) ([]store.Hold, error)
}

// Orders put into the lanes what is due for slots without anybody writing. What is
// ordered takes its turn, and is decided there: two owners may order the same, and the
// second finds nothing to do.
type Orders struct {
	store   OrderStore
	owned   func() []int
	in      Publisher
	shards  int
	now     func() time.Time
	log     zerolog.Logger
	ordered map[string]time.Time // by id
}

// NewOrders makes the orders of a replica; owned says which shards it has now.
func NewOrders(s OrderStore, owned func() []int, in Publisher, shards int, now func() time.Time, log zerolog.Logger) *Orders {
	return &Orders{store: s, owned: owned, in: in, shards: shards, now: now, log: log, ordered: map[string]time.Time{}}
}

// order is what is to be done, in the lane of a contact.
type order struct {
	id                          string
	channel, portfolio, laneKey string
	what                        *parleyv1.ResourceOrder
}

// Run orders what is due until ctx ends.
func (o *Orders) Run(ctx context.Context) error {
	ticker := time.NewTicker(ordersEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := o.Send(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			o.log.Warn().Err(err).Msg("orders for slots wait")
		}
		failing = err != nil
	}
}

// Send orders what is due in the owned shards, each once.
func (o *Orders) Send(ctx context.Context) error {
	shards, now := o.owned(), o.now()
	if len(shards) == 0 {
		return nil
	}
	maps.DeleteFunc(o.ordered, func(_ string, at time.Time) bool { return now.Sub(at) > orderedFor })
	due, err := o.due(ctx, shards, now)
	if err != nil {
		return err
	}
	due = slices.DeleteFunc(due, func(d order) bool { return !o.ordered[d.id].IsZero() })
	messages := make([]bus.Message, len(due))
	for i, d := range due {
		if messages[i], err = d.message(o.shards, now); err != nil {
			return fmt.Errorf("order: %w", err)
		}
	}
	if len(due) == 0 {
		return nil
	}
	if err := o.in.Publish(ctx, messages...); err != nil {
		return fmt.Errorf("orders: %w", err)
	}
	for _, d := range due {
		o.ordered[d.id] = now
	}
	return nil
}

// due are the holds that have run out.
func (o *Orders) due(ctx context.Context, shards []int, now time.Time) (due []order, err error) {
	holds, err := o.store.ExpiredHolds(ctx, shards, now, ordersMax)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		due = append(due, order{
			id: fmt.Sprintf("hold/%s/%d", h.Booking, h.Until.UnixMilli()), channel: h.Channel, portfolio: h.Portfolio, laneKey: h.LaneKey,
			what: &parleyv1.ResourceOrder{Verb: flow.VerbRelease, Booking: h.Booking},
		})
	}
	return due, nil
}

func (d order) message(shards int, now time.Time) (m bus.Message, err error) {
	raw, err := protojson.Marshal(flow.OrderInput(d.id, now.UnixMilli(), d.what))
	if err != nil {
		return m, err
	}
	m.Subject = bus.SubjectIn(bus.ShardOf(d.portfolio, d.laneKey, shards), d.channel, d.laneKey)
	m.Data, err = proto.Marshal(&parleyv1.Envelope{
		Id: d.id, Kind: parleyv1.Kind_KIND_OPERATOR, Provider: "parley", Channel: d.channel, Portfolio: d.portfolio,
		LaneKey: d.laneKey, Field: store.OperatorInput, ReceivedAtMs: now.UnixMilli(), Raw: raw,
	})
	return m, err
}
