package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Store is what the service needs of PostgreSQL.
type Store interface {
	Owners(ctx context.Context, keys []store.IdentityKey, contacts []uuid.UUID) (map[store.IdentityKey]store.Owner, error)
	LoadKnown(ctx context.Context, contacts []uuid.UUID, inbox []uuid.UUID) (store.Known, error)
	AppendTurns(ctx context.Context, parts []store.TurnPart) (held []int, err error)
	SentMessages(ctx context.Context, keys []store.SentKey) (map[store.SentKey]store.Sent, error)
	LoadFlow(ctx context.Context, name string, version uint32) (*flow.Flow, error)
	LiveFlows(ctx context.Context) ([]store.Live, error)
	LookupRows(ctx context.Context, l flow.Lookup) ([][]byte, error)
	Resources
}

// Relay passes committed events on to those who follow them. It may lose or
// repeat them: followers ask the store for what is missing.
type Relay interface {
	// Take says that this replica owns the shard now.
	Take(shard int)
	// Add hands over events of one shard, in order, right after their commit.
	Add(events []*parleyv1.Event)
	// Drop says that the shard is no longer this replica's.
	Drop(shard int)
}

// Service is the session service's handler of its lane.
type Service struct {
	store Store
	flows *library
	relay Relay
	lanes Lanes
	now   func() time.Time
	log   zerolog.Logger
	zones zones
	forms formDesk
	// notices counts what providers tell about accounts, by kind.
	notices metric.Int64Counter
	// heads holds the offset of the last event of each shard that is owned. The
	// runner's goroutine alone writes it; mu lets others see its keys.
	mu    sync.Mutex
	heads map[int]uint64
}

var _ lane.Handler = (*Service)(nil)

// New returns the handler.
func New(s Store, relay Relay, serving Serving, lanes Lanes, now func() time.Time, log zerolog.Logger) *Service {
	notices, _ := otel.Meter("parley/session").Int64Counter("parley.session.notices", metric.WithDescription("what providers told about accounts, by kind"))
	return &Service{
		store: s, flows: newLibrary(s, serving, now), relay: relay, lanes: lanes, now: now, log: log,
		zones: zones{}, heads: map[int]uint64{}, notices: notices,
	}
}

// Owned lists the shards that this replica has now. It may be asked from any
// goroutine.
func (s *Service) Owned() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.heads))
}

// Take starts to number the shard's events where its last owner ended.
func (s *Service) Take(_ context.Context, l store.Lease) error {
	s.mu.Lock()
	s.heads[l.Shard] = l.Head
	s.mu.Unlock()
	s.relay.Take(l.Shard)
	return nil
}

// Drop forgets the shard.
func (s *Service) Drop(shard int) {
	s.mu.Lock()
	delete(s.heads, shard)
	s.mu.Unlock()
	s.relay.Drop(shard)
}

// Apply decides every update of the batch and commits all of it at once, unless it shows
// that two contacts are one: then what comes behind that is decided after its commit. If
// another replica was first at a slot, it is read again and decided again.
func (s *Service) Apply(ctx context.Context, parts []lane.Part) (held []int, err error) {
	for try := 1; len(parts) > 0; {
		some, again, err := s.apply(ctx, parts)
		if errors.Is(err, store.ErrConflict) && try < conflictsMax {
			if err := pause(ctx, try); err != nil {
				return nil, err
			}
			try++
			continue
		}
		if err != nil {
			return nil, err
		}
		parts = again
		for _, shard := range some {
			if !slices.ContainsFunc(again, func(p lane.Part) bool { return p.Fence.Shard == shard }) {
				held = append(held, shard)
			}
		}
	}
	return held, nil
}

// apply decides and commits the parts up to the first update that shows that two contacts
// are one; again are the parts from there on. If a part is fenced and nothing of the others
// was written, they are in again.
func (s *Service) apply(ctx context.Context, parts []lane.Part) (held []int, again []lane.Part, err error) {
	updates := decode(parts)
	s.forms.join(updates)
	b, err := s.load(ctx, updates, updates.inboxIDs())
	if err != nil {
		return nil, nil, err
	}
	if err := b.loadFlows(updates); err != nil {
		return nil, nil, err
	}
	turns, again := b.decideAll(parts, updates)
	if b.failed != nil {
		return nil, nil, b.failed
	}
	if len(b.forwards) > 0 {
		if err := s.lanes.In.Publish(ctx, b.forwards...); err != nil {
			return nil, nil, fmt.Errorf("pass updates on to the home of their contact: %w", err)
		}
	}
	held, err = s.commit(ctx, turns, b.changes())
	if errors.Is(err, store.ErrFenced) {
		return nil, slices.DeleteFunc(slices.Clone(parts), func(p lane.Part) bool { return fenced(p.Fence.Shard, turns, held) }), nil
	}
	if err == nil {
		s.forms.answer(held, b.answers)
	}
	return held, again, err
}

// fenced reports whether a part was tried, and another has its shard.
func fenced(shard int, turns []store.TurnPart, held []int) bool {
	tried := slices.ContainsFunc(turns, func(t store.TurnPart) bool { return t.Fence.Shard == shard })
	return tried && !slices.Contains(held, shard)
}

// decideAll decides the parts up to the first update that shows that two contacts are one;
// again are the parts from there on.
func (b *batch) decideAll(parts []lane.Part, list updates) (turns []store.TurnPart, again []lane.Part) {
	for i, part := range parts {
		turn, done := b.part(part.Fence, list[i])
		if done < len(part.Messages) {
			turn.Fence, again = split(part, done)
			return append(turns, turn), append(again, parts[i+1:]...)
		}
		turns = append(turns, turn)
	}
	return turns, nil
}

// split is the fence of the first n messages of a part, and a part of the others.
func split(part lane.Part, n int) (first store.Fence, rest []lane.Part) {
	first = part.Fence
	first.To = first.From
	if n > 0 {
		first.To, first.At = part.Messages[n-1].Pos, part.Messages[n-1].At
	}
	second := lane.Part{Fence: part.Fence, Messages: part.Messages[n:]}
	second.Fence.From = first.To
	return first, []lane.Part{second}
}

// load reads who the updates are about, and all that is known of them.
func (s *Service) load(ctx context.Context, list updates, inbox []uuid.UUID) (*batch, error) {
	contacts := list.candidates()
	for {
		owners, err := s.store.Owners(ctx, list.keys(), contacts)
		if err != nil {
			return nil, err
		}
		for _, o := range owners {
			contacts = with(contacts, o.Contact)
			if o.Via != uuid.Nil {
				contacts = with(contacts, o.Via)
			}
		}
		known, err := s.store.LoadKnown(ctx, contacts, inbox)
		if err != nil {
			return nil, err
		}
		all := with(contacts, merged(known)...)
		if len(all) > len(contacts) { // seldom: some turned out to be others
			contacts = all
			continue
		}
		b := s.newBatch(ctx, known)
		b.people = newPeople(owners)
		if err := b.findMembers(list); err != nil {
			return nil, err
		}
		return b, b.findSent(list)
	}
}

// merged are contacts that others turned out to be, and that turned out to be others.
func merged(known store.Known) (ids []uuid.UUID) {
	for _, c := range known.Contacts {
		if c.MergedInto != uuid.Nil {
			ids = append(ids, c.MergedInto)
		}
	}
	for _, from := range known.Arrived {
		ids = append(ids, from...)
	}
	return ids
}

// with adds the ids that are not there.
func with(ids []uuid.UUID, more ...uuid.UUID) []uuid.UUID {
	ids = slices.Clone(ids)
	for _, id := range more {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Park keeps the part's update as a dead letter and parks its contact.
func (s *Service) Park(ctx context.Context, part lane.Part, cause error) (bool, error) {
	updates := decode([]lane.Part{part})
	b, err := s.load(ctx, updates, nil)
	if err != nil {
		return false, err
	}
	b.begin(part.Fence)
	b.parkHere(updates[0][0], cause.Error())
	held, err := s.commit(ctx, []store.TurnPart{b.end()}, store.ResourceChanges{Campaigns: b.campaigns.changes})
	return len(held) == 1, err
}

func (s *Service) newBatch(ctx context.Context, known store.Known) *batch {
	if known.Parked == nil {
		known.Parked = map[uuid.UUID][]store.DeadLetter{}
	}
	return &batch{service: s, ctx: ctx, known: known, nowMs: s.now().UnixMilli(), routers: map[string]*flow.Router{}, bookings: newBookings(), found: map[string][][]byte{}, pools: newPools()}
}

// commit appends the turns and, for the shards whose fence held, moves the
// heads on and relays the events.
func (s *Service) commit(ctx context.Context, turns []store.TurnPart, changes store.ResourceChanges) (held []int, err error) {
	if changes.Empty() {
		held, err = s.store.AppendTurns(ctx, turns)
	} else {
		held, err = s.store.AppendTurnsAnd(ctx, turns, changes)
	}
	if err != nil {
		return held, err
	}
	for _, shard := range held {
		for _, turn := range turns {
			if turn.Fence.Shard == shard && len(turn.Events) > 0 {
				s.mu.Lock()
				s.heads[shard] += uint64(len(turn.Events))
				s.mu.Unlock()
				s.relay.Add(turn.Events)
				s.count(ctx, turn.Events)
			}
		}
	}
	return held, nil
}

// count counts the notices that were committed.
func (s *Service) count(ctx context.Context, events []*parleyv1.Event) {
	for _, e := range events {
		for _, f := range e.GetAccountNoticed().GetFacts() {
			s.notices.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", f.GetKind())))
		}
	}
}
