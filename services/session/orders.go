package session

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/leads"
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
	// queuedFor is the same for leads that wait: their order may find the room gone.
	queuedFor = 5 * time.Second
)

// OrderStore is what the orders need of PostgreSQL.
type OrderStore interface {
	ExpiredHolds(ctx context.Context, shards []int, at time.Time, limit int) ([]store.Hold, error)
	LostLeads(ctx context.Context, shards []int, at time.Time, limit int) ([]store.DueLead, error)
	QueuedPools(ctx context.Context) ([]string, error)
	LoadPool(ctx context.Context, name string, contact uuid.UUID) (*leads.Pool, error)
	LanesOfLeads(ctx context.Context, ids []string, shards []int) ([]store.DueLead, error)
}

// Orders put into the lanes what is due for slots and leads without anybody writing.
// What is
// ordered takes its turn, and is decided there: two owners may order the same, and the
// second finds nothing to do.
type Orders struct {
	store   OrderStore
	owned   func() []int
	in      Publisher
	shards  int
	now     func() time.Time
	log     zerolog.Logger
	ordered map[string]time.Time // by key, until when it is not ordered again
}

// NewOrders makes the orders of a replica; owned says which shards it has now.
func NewOrders(s OrderStore, owned func() []int, in Publisher, shards int, now func() time.Time, log zerolog.Logger) *Orders {
	return &Orders{store: s, owned: owned, in: in, shards: shards, now: now, log: log, ordered: map[string]time.Time{}}
}

// order is what is to be done, in the lane of a contact. What has one key is ordered
// once, until it can have been lost; what has one id takes effect once.
type order struct {
	key, id                     string
	again                       time.Duration
	channel, portfolio, laneKey string
	contact                     uuid.UUID
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
			o.log.Warn().Err(err).Msg("orders for slots and leads wait")
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
	maps.DeleteFunc(o.ordered, func(_ string, until time.Time) bool { return now.After(until) })
	due, err := o.due(ctx, shards, now)
	if err != nil {
		return err
	}
	due = slices.DeleteFunc(due, func(d order) bool { return !o.ordered[d.key].IsZero() })
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
		o.ordered[d.key] = now.Add(d.again)
	}
	return nil
}

// due is all that is to be done now.
func (o *Orders) due(ctx context.Context, shards []int, now time.Time) (due []order, err error) {
	for _, part := range []func(context.Context, []int, time.Time) ([]order, error){o.holds, o.lost, o.queued} {
		more, err := part(ctx, shards, now)
		if err != nil {
			return nil, err
		}
		due = append(due, more...)
	}
	return due, nil
}

// lost are the leads that go to another agent.
func (o *Orders) lost(ctx context.Context, shards []int, now time.Time) (due []order, err error) {
	list, err := o.store.LostLeads(ctx, shards, now, ordersMax)
	if err != nil {
		return nil, err
	}
	for _, l := range list {
		id := fmt.Sprintf("lead/%s/%s/%s/%d", l.Lead, l.Reason, l.Agent, l.Since.UnixMilli())
		due = append(due, orderOf(l, id, id, orderedFor))
	}
	return due, nil
}

// queued are the leads that have waited for longest, as many as the agents have room
// for. A lead for which the room is gone when its turn comes waits on; the version of the
// pool tells the next order from this one.
func (o *Orders) queued(ctx context.Context, shards []int, now time.Time) (due []order, err error) {
	names, err := o.store.QueuedPools(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		pool, err := o.store.LoadPool(ctx, name, uuid.Nil)
		if err != nil {
			return nil, err
		}
		if pool == nil {
			continue
		}
		ids := []string{}
		for _, l := range pool.Due(now) {
			ids = append(ids, l.ID)
		}
		list, err := o.store.LanesOfLeads(ctx, ids[:min(len(ids), ordersMax)], shards)
		if err != nil {
			return nil, err
		}
		for _, l := range list {
			key := "lead/" + l.Lead + "/queue"
			due = append(due, orderOf(l, key, fmt.Sprintf("%s/%d", key, pool.Version), queuedFor))
		}
	}
	return due, nil
}

func orderOf(l store.DueLead, key, id string, again time.Duration) order {
	return order{
		key: key, id: id, again: again, channel: l.Channel, portfolio: l.Portfolio, laneKey: l.LaneKey,
		what: &parleyv1.ResourceOrder{Verb: flow.VerbAssign, Lead: l.Lead, Reason: l.Reason},
	}
}

// holds are those that have run out.
func (o *Orders) holds(ctx context.Context, shards []int, now time.Time) (due []order, err error) {
	holds, err := o.store.ExpiredHolds(ctx, shards, now, ordersMax)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		id := fmt.Sprintf("hold/%s/%d", h.Booking, h.Until.UnixMilli())
		due = append(due, order{
			key: id, id: id, again: orderedFor, channel: h.Channel, portfolio: h.Portfolio, laneKey: h.LaneKey, contact: h.Contact,
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
		LaneKey: d.laneKey, ContactId: d.contact[:], Field: store.OperatorInput, ReceivedAtMs: now.UnixMilli(), Raw: raw,
	})
	return m, err
}
