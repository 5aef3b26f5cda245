package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// batch decides the updates of one commit. known starts as what the store holds
// and follows every decision, so that a contact's second message in the batch
// meets the state that its first one left.
type batch struct {
	service *Service
	known   store.Known
	nowMs   int64
	flows   map[flowKey]*flow.Flow

	// The part being built.
	turn     store.TurnPart
	contacts []uuid.UUID
	sessions []store.SessionKey
}

// loadFlows finds every flow version that the batch may need. It is the only
// reading between LoadKnown and the commit, and almost always from memory.
func (b *batch) loadFlows(ctx context.Context, list updates) error {
	b.flows = map[flowKey]*flow.Flow{}
	for _, part := range list {
		for _, u := range part {
			for _, each := range append(b.waiting(u), u) {
				if err := b.loadFlowsOf(ctx, each); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *batch) loadFlowsOf(ctx context.Context, u update) error {
	if u.message == nil {
		return nil
	}
	if err := b.loadFlow(ctx, b.liveKey(u)); err != nil {
		return err
	}
	s, ok := b.known.Sessions[u.session()]
	if !ok {
		return nil
	}
	err := b.loadFlow(ctx, flowKey{s.State.Flow, s.State.FlowVersion})
	var broken flow.Problems
	if errors.Is(err, store.ErrNoFlow) || errors.As(err, &broken) {
		return nil // it concerns the people on that version only: decide parks them
	}
	return err
}

func (b *batch) loadFlow(ctx context.Context, key flowKey) error {
	if b.flows[key] != nil {
		return nil
	}
	f, err := b.service.flows.get(ctx, key)
	if err != nil {
		return err
	}
	b.flows[key] = f
	// A session started in this batch is pinned to the live version's number.
	b.flows[flowKey{f.Name(), f.Version()}] = f
	return nil
}

// liveKey names the live version of the flow that serves the update's channel.
func (b *batch) liveKey(u update) flowKey {
	return flowKey{name: b.service.flows.flowOf(u.envelope.Channel)}
}

func (b *batch) begin(fence store.Fence) {
	b.turn = store.TurnPart{Fence: fence, Head: b.service.heads[fence.Shard]}
	b.contacts, b.sessions = nil, nil
}

// end closes the part: every contact and session that changed is written once,
// however many updates changed it.
func (b *batch) end() store.TurnPart {
	for _, id := range b.contacts {
		b.turn.Contacts = append(b.turn.Contacts, b.known.Contacts[id])
	}
	for _, key := range b.sessions {
		b.turn.Sessions = append(b.turn.Sessions, b.known.Sessions[key])
	}
	return b.turn
}

func (b *batch) part(fence store.Fence, list []update) store.TurnPart {
	b.begin(fence)
	for _, u := range list {
		b.update(u)
	}
	return b.end()
}

// update gives one update its effect, unless it had it before.
func (b *batch) update(u update) {
	if b.known.Applied[u.inbox] {
		return
	}
	if u.envelope.Kind == parleyv1.Kind_KIND_MESSAGE {
		b.meet(u)
		if b.known.Contacts[u.contact].Parked {
			b.deadLetter(u, store.DeadParked, "the contact is parked")
			return
		}
	}
	if u.redrive {
		b.redrive(u)
		b.applied(u)
		return
	}
	if err := b.effect(u); err != nil {
		b.park(u, err.Error())
	}
}

// effect decides the update, or keeps it if no flow reacts to it.
func (b *batch) effect(u update) error {
	if u.message == nil {
		b.deadLetter(u, u.dead, u.reason)
	} else if err := b.decide(u); err != nil {
		return err
	}
	b.applied(u)
	return nil
}

// applied remembers the update's id with the commit of its effect.
func (b *batch) applied(u update) {
	b.known.Applied[u.inbox] = true
	b.turn.Inbox = append(b.turn.Inbox, u.inbox)
}

// decide runs the engine. A panic in it concerns this contact alone.
func (b *batch) decide(u update) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the flow engine panicked: %v", p)
		}
	}()
	session := b.known.Sessions[u.session()]
	live := b.flows[b.liveKey(u)]
	pinned := b.flows[flowKey{session.State.Flow, session.State.FlowVersion}]
	if pinned == nil && (session.State.Status == flow.Active || session.State.Status == flow.Completed) {
		return fmt.Errorf("version %d of flow %s cannot be loaded", session.State.FlowVersion, session.State.Flow)
	}
	events, next := flow.Turn(live, pinned, session.State, &parleyv1.Input{
		Id:           u.envelope.Id,
		AtMs:         b.nowMs,
		ProviderAtMs: u.envelope.ProviderAtMs,
		Body:         &parleyv1.Input_Message{Message: u.message},
	})
	session.Key, session.Shard, session.State = u.session(), u.shard, next
	session.ID = b.stamp(u, session.ID, events)
	b.known.Sessions[u.session()] = session
	if !slices.Contains(b.sessions, u.session()) {
		b.sessions = append(b.sessions, u.session())
	}
	return nil
}

// stamp gives the events their positions, their session and their addressee,
// and returns the id of the session after them.
func (b *batch) stamp(u update, session uint64, events []*parleyv1.Event) uint64 {
	identity := b.known.Contacts[u.contact].Identity
	for _, e := range events {
		e.Shard = uint32(u.shard)
		e.Offset = b.turn.Head + uint64(len(b.turn.Events)) + 1
		if e.GetSessionStarted() != nil {
			session = store.SessionID(u.shard, e.Offset)
		}
		e.SessionId = session
		e.Channel = u.envelope.Channel
		e.ContactId = u.contact[:]
		if queued := e.GetMessageQueued(); queued != nil {
			queued.Phone, queued.Bsuid = identity.GetPhone(), identity.GetBsuid()
		}
		b.turn.Events = append(b.turn.Events, e)
	}
	return session
}

// meet makes sure that the contact is known with all that the update says of it.
func (b *batch) meet(u update) {
	c, known := b.known.Contacts[u.contact]
	if !known {
		c = store.Contact{
			ID: u.contact, Portfolio: u.envelope.Portfolio, LaneKey: u.envelope.LaneKey, Shard: u.shard,
			Identity: &parleyv1.Identity{}, CreatedAt: time.UnixMilli(b.nowMs),
		}
	}
	merged := proto.CloneOf(c.Identity)
	proto.Merge(merged, u.envelope.Contact)
	if known && proto.Equal(merged, c.Identity) {
		return
	}
	c.Identity = merged
	b.write(c)
}

// write stores the contact with this part.
func (b *batch) write(c store.Contact) {
	b.known.Contacts[c.ID] = c
	if !slices.Contains(b.contacts, c.ID) {
		b.contacts = append(b.contacts, c.ID)
	}
}

// park sets the contact aside: this update and all its later ones wait, in
// order, for a redrive. Their ids are not remembered: their effect is to come.
func (b *batch) park(u update, reason string) {
	b.service.log.Error().Int("shard", u.shard).Uint64("position", u.position).Str("contact", u.contact.String()).
		Str("reason", reason).Msg("contact parked")
	b.deadLetter(u, store.DeadParked, reason)
	if u.envelope.Kind != parleyv1.Kind_KIND_MESSAGE {
		return
	}
	b.meet(u)
	c := b.known.Contacts[u.contact]
	c.Parked = true
	b.write(c)
}

func (b *batch) deadLetter(u update, kind, reason string) {
	d := store.DeadLetter{
		Kind: kind, Shard: u.shard, Position: u.position, Channel: u.envelope.Channel, Data: u.data, Reason: reason,
	}
	if u.envelope.Kind == parleyv1.Kind_KIND_MESSAGE {
		d.Contact = uuid.NullUUID{UUID: u.contact, Valid: true}
	}
	b.turn.DeadLetters = append(b.turn.DeadLetters, d)
	if kind == store.DeadParked && d.Contact.Valid {
		b.known.Parked[u.contact] = append(b.known.Parked[u.contact], d)
	}
}
