package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// batch decides the updates of one commit. known starts as what the store holds
// and follows every decision, so that a contact's second message in the batch
// meets the state that its first one left.
type batch struct {
	service *Service
	ctx     context.Context // of the one Apply or Park that the batch lives for
	known   store.Known
	nowMs   int64
	routers map[string]*flow.Router // by channel
	// found is what tables had, by what was asked.
	found map[string][][]byte
	// sent are messages of ours that the batch's updates are about.
	sent map[store.SentKey]store.Sent
	// failed is set if a table could not be asked: then nothing of the batch holds.
	failed error

	// people is who is who; forwards are updates for other lanes of the same people.
	people   *people
	forwards []bus.Message

	// bookings and pools are what the batch knows and changes of slots and leads.
	bookings *bookings
	pools    *pools

	// campaigns is what the batch knows and decides about their contacts.
	campaigns campaigns

	// answers are what open forms are told once the batch is committed.
	answers []formAnswer

	// calls are what sessions wait for from now on.
	calls []store.Call

	// The part being built.
	turn     store.TurnPart
	contacts []uuid.UUID
	sessions []store.SessionKey
	timers   []store.SessionKey // sessions whose timer was set or ended
}

// loadFlows finds every flow version that the batch may need: almost always in
// memory.
func (b *batch) loadFlows(list updates) error {
	for _, part := range list {
		for _, u := range part {
			for _, each := range append(b.waiting(u), u) {
				if err := b.loadFlowsOf(each); err != nil {
					return err
				}
			}
		}
	}
	for key, s := range b.known.Sessions {
		if b.routers[key.Channel] == nil && len(b.known.Arrived) == 0 { // who is merged is so on all channels
			continue
		}
		if err := b.loadVersion(flowKey{s.State.Flow, s.State.FlowVersion}); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) loadFlowsOf(u update) error {
	if u.input == nil {
		return nil
	}
	router, err := b.service.flows.router(b.ctx, u.envelope.Channel)
	if err != nil {
		return err
	}
	b.routers[u.envelope.Channel] = router
	if m := u.input.GetMigration(); m != nil {
		if err := b.loadVersion(flowKey{m.GetFlow(), m.GetToVersion()}); err != nil {
			return err
		}
	}
	return nil
}

// loadVersion loads a version. One that is not there, or that cannot be compiled,
// concerns the people on it only: decide parks them.
func (b *batch) loadVersion(key flowKey) error {
	_, err := b.service.flows.get(b.ctx, key)
	var broken flow.Problems
	if errors.Is(err, store.ErrNoFlow) || errors.As(err, &broken) {
		return nil
	}
	return err
}

// live is what an update may begin: a migration goes to its own version.
func (b *batch) live(u update) flow.Live {
	if m := u.input.GetMigration(); m != nil {
		if f := b.service.flows.flows[flowKey{m.GetFlow(), m.GetToVersion()}]; f != nil {
			return f
		}
	}
	return b.routers[u.envelope.Channel]
}

func (b *batch) begin(fence store.Fence) {
	b.turn = store.TurnPart{Fence: fence, Head: b.service.heads[fence.Shard]}
	b.contacts, b.sessions, b.timers = nil, nil, nil
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
	for _, key := range b.timers {
		b.arm(key)
	}
	return b.turn
}

// part decides updates of a shard. If one shows that two contacts are one, it is not
// among those that were done: it waits for the next commit.
func (b *batch) part(fence store.Fence, list []update) (turn store.TurnPart, done int) {
	b.begin(fence)
	for done < len(list) && !b.unite(list[done]) {
		b.update(list[done])
		done++
	}
	return b.end(), done
}

// update gives one update its effect, unless it had it before.
func (b *batch) update(u update) {
	if b.known.Applied[u.inbox] {
		b.answerAgain(u)
		return
	}
	if b.old(u) || u.incidental() && !b.acquainted(u) {
		b.applied(u)
		return
	}
	if u.personal() {
		home := b.whose(u)
		if stop := b.stop(u, home); stop.Shard != u.shard {
			b.forward(u, home, stop)
			return
		}
		u.contact = home.ID
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
	if err := b.effect(u); err != nil && b.failed == nil {
		b.park(u, err.Error())
	}
}

// effect decides the update, or keeps it if no flow reacts to it.
func (b *batch) effect(u update) error {
	if u.personal() {
		if err := b.takeOver(u); err != nil {
			return err
		}
	}
	if u.renamed != nil || u.card {
		b.applied(u)
		return nil
	}
	switch {
	case u.notice != nil:
		b.noted(u)
	case u.input == nil:
		b.deadLetter(u, u.dead, u.reason)
	case u.recorded():
		b.join(u)
		b.prefer(u)
		b.record(u)
	default:
		b.join(u)
		b.prefer(u)
		if err := b.decide(u); err != nil {
			return err
		}
	}
	b.applied(u)
	return nil
}

// record makes an event of what no session decides. It is the person's, and of no
// session.
func (b *batch) record(u update) {
	b.turn.Events = append(b.turn.Events, &parleyv1.Event{
		Shard: uint32(u.shard), Offset: b.turn.Head + uint64(len(b.turn.Events)) + 1, AtMs: b.nowMs, Channel: u.envelope.Channel,
		ContactId: u.contact[:], Body: &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{Input: b.input(u)}},
	})
}

// noted makes an event of a notice. It belongs to no session.
func (b *batch) noted(u update) {
	b.turn.Events = append(b.turn.Events, &parleyv1.Event{
		Shard: uint32(u.shard), Offset: b.turn.Head + uint64(len(b.turn.Events)) + 1, AtMs: b.nowMs, Channel: u.envelope.Channel,
		Body: &parleyv1.Event_AccountNoticed{AccountNoticed: u.notice},
	})
}

// applied remembers the update's id with the commit of its effect.
func (b *batch) applied(u update) {
	b.known.Applied[u.inbox] = true
	b.turn.Inbox = append(b.turn.Inbox, u.inbox)
}

// decide runs the engine. A panic in it concerns this contact alone.
func (b *batch) decide(u update) (err error) {
	b.bookings.Begin()
	b.pools.begin()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the flow engine panicked: %v", p)
		}
		if err != nil {
			b.bookings.Undo()
			b.pools.undo()
		}
	}()
	session := b.known.Sessions[u.session()]
	before := session.State
	pinned := b.service.flows.flows[flowKey{before.Flow, before.FlowVersion}]
	if pinned == nil && before.Status != flow.None && before.Status != flow.Cancelled {
		return fmt.Errorf("version %d of flow %s cannot be loaded", before.FlowVersion, before.Flow)
	}
	if why := b.refusesStart(u); why != "" {
		b.refuseStart(u, why)
		return nil
	}
	events, next, err := flow.Complete(b.live(u), pinned, before, b.input(u), b.asked(u))
	switch {
	case err != nil:
		return err
	case len(events) == 0:
		b.unheard(u)
		return nil
	}
	b.replace(session, events)
	session.Key, session.Shard, session.State = u.session(), u.shard, next
	session.ID = b.append(u, session.ID, events)
	b.keep(session, before)
	b.countStart(u, session.ID, events)
	b.countReply(u, before, events)
	b.learn(u, events)
	b.answerForm(u, events)
	return nil
}

// replace puts a session that has ended into the archive when another one begins.
func (b *batch) replace(old store.Session, events []*parleyv1.Event) {
	begins := slices.IndexFunc(events, func(e *parleyv1.Event) bool { return e.GetSessionStarted() != nil })
	if begins < 0 || old.State.Status == flow.None {
		return
	}
	for _, e := range events[:begins] {
		old.State = flow.Evolve(old.State, e)
	}
	b.turn.Replaced = append(b.turn.Replaced, old)
}

// keep writes the session with this part, and its timer if that changed.
func (b *batch) keep(session store.Session, before flow.State) {
	b.known.Sessions[session.Key] = session
	if !slices.Contains(b.sessions, session.Key) {
		b.sessions = append(b.sessions, session.Key)
	}
	if session.State.StartedAtMs != before.StartedAtMs || session.State.Version < before.Version || session.FromArchive {
		b.rely(session.Key.Contact)
	}
	if session.State.WakeAt() != before.WakeAt() {
		b.wind(session.Key)
	}
}

// rely makes the commit fail if the contact has lost an identity, or got one,
// meanwhile: then it may be another one, or have opted out as another one.
func (b *batch) rely(contact uuid.UUID) {
	b.people.relied[contact] = b.people.counts[contact]
	for _, key := range b.people.of(contact) {
		b.people.hold(key)
	}
}

// wind remembers that the session's timer is not what the store has.
func (b *batch) wind(key store.SessionKey) {
	if !slices.Contains(b.timers, key) {
		b.timers = append(b.timers, key)
	}
}

// arm sets the session's timer, or ends it. Who opted out is not waited for with an
// answer half given: another of their sessions may still want the timer.
func (b *batch) arm(key store.SessionKey) {
	s := b.known.Sessions[key]
	c := b.known.Contacts[key.Contact]
	halfway := s.State.Progress.WakeAtMs > 0 && (c.OptedOut || c.Blocked)
	if at := s.State.WakeAt(); at > 0 && !halfway {
		b.turn.Timers = append(b.turn.Timers, store.Timer{Key: key, Shard: s.Shard, Ref: s.State.Progress.Ref, WakeAt: time.UnixMilli(at)})
		return
	}
	b.turn.TimersOff = append(b.turn.TimersOff, key)
}

// input is the update with what a decision may depend on.
func (b *batch) input(u update) *parleyv1.Input {
	c := b.known.Contacts[u.contact]
	if echo := u.input.GetEcho(); echo != nil {
		echo.TakesOver = echo.GetMessage() != nil && b.service.flows.serving.TakesOver(u.envelope.Channel)
	}
	return &parleyv1.Input{
		Id:           u.envelope.Id,
		AtMs:         b.nowMs,
		ProviderAtMs: u.envelope.ProviderAtMs,
		Channel:      u.envelope.Channel,
		Raw:          u.raw(),
		Contact: &parleyv1.ContactInfo{
			Phone: c.Identity.GetPhone(), Name: c.Identity.GetName(), Language: c.Language, OptedOut: c.OptedOut, Blocked: c.Blocked,
			WindowUntilMs:    b.window(u),
			UtcOffsetMinutes: b.service.zones.offset(c.Identity.GetPhone(), time.UnixMilli(b.nowMs)),
		},
		Body: u.input.Body,
	}
}

// rows asks a table, once for all turns of the batch that want the same rows: they
// commit together.
func (b *batch) rows(l flow.Lookup) ([][]byte, error) {
	key, err := json.Marshal([]any{l.Table, l.Where, l.Limit})
	if err != nil {
		return nil, err
	}
	rows, known := b.found[string(key)]
	if known {
		return rows, nil
	}
	if rows, err = b.service.store.LookupRows(b.ctx, l); err == nil {
		b.found[string(key)] = rows
	}
	return rows, err
}

// unheard keeps a message that began nothing. What Parley itself put into the
// lane has nothing to be kept for: a migration of a session that moved on, a timer
// that came too late, whose like must not fire again.
func (b *batch) unheard(u update) {
	switch u.envelope.Kind {
	case parleyv1.Kind_KIND_MESSAGE:
		if b.known.Contacts[u.contact].Blocked {
			b.record(u)
			return
		}
		b.deadLetter(u, store.DeadUnhandled, "no flow begins with it on this channel, or the contact opted out")
	case parleyv1.Kind_KIND_ECHO:
		b.record(u)
	case parleyv1.Kind_KIND_OPERATOR:
		switch {
		case u.input.GetOperatorAction() != nil: // who merged contacts, of whom none is in a conversation
			b.record(u)
		case u.input.GetStart() != nil:
			b.refuseStart(u, startNotLive)
		}
	case parleyv1.Kind_KIND_TIMER:
		b.wind(u.session())
	case parleyv1.Kind_KIND_FORM:
		b.answerForm(u, nil)
	}
}

// learn keeps with the contact what outlives the session.
func (b *batch) learn(u update, events []*parleyv1.Event) {
	c := b.known.Contacts[u.contact]
	for _, e := range events {
		switch body := e.GetBody().(type) {
		case *parleyv1.Event_OptedOut:
			c.OptedOut = true
		case *parleyv1.Event_OptedIn:
			c.OptedOut = false
		case *parleyv1.Event_ContactBlocked:
			c.Blocked = true
		case *parleyv1.Event_ContactUnblocked:
			c.Blocked = false
		case *parleyv1.Event_LanguageChanged:
			c.Language = body.LanguageChanged.GetLanguage()
		default:
			continue
		}
		b.write(c)
	}
}

// append gives the events their positions, their session and their addressee,
// and returns the id of the session after them.
func (b *batch) append(u update, session uint64, events []*parleyv1.Event) uint64 {
	identity := b.known.Contacts[u.contact].Identity
	priority, campaign := urgency(u.input, events)
	for _, e := range events {
		e.Shard = uint32(u.shard)
		e.Offset = b.turn.Head + uint64(len(b.turn.Events)) + 1
		if e.GetSessionStarted() != nil || e.GetSessionAdopted() != nil {
			session = store.SessionID(u.shard, e.Offset)
		}
		e.SessionId = session
		e.Channel = u.envelope.Channel
		e.ContactId = u.contact[:]
		if queued := e.GetMessageQueued(); queued != nil {
			queued.Phone, queued.Bsuid = identity.GetPhone(), identity.GetBsuid()
			queued.Priority, queued.Campaign, queued.Marketing = priority, campaign, u.input.GetStart() != nil
			for range forms.Opened(queued) {
				queued.LaneKey = b.known.Contacts[u.contact].LaneKey
			}
		}
		b.queueCall(u, e)
		b.turn.Events = append(b.turn.Events, e)
	}
	return session
}

// queueCall lets a call be made once the turn is committed.
func (b *batch) queueCall(u update, e *parleyv1.Event) {
	queued := e.GetCallQueued()
	if queued == nil {
		return
	}
	request, err := proto.Marshal(queued)
	if err != nil {
		panic(err) // never: it is about to be stored as an event
	}
	b.calls = append(b.calls, store.Call{
		Key: store.DeliveryKey{Shard: u.shard, Offset: e.Offset}, Channel: e.Channel, Contact: u.contact, SessionID: e.SessionId,
		Flow: e.Flow, Step: queued.GetStep(), Request: request, QueuedAt: time.UnixMilli(e.AtMs),
	})
}

// write stores the contact with this part.
func (b *batch) write(c store.Contact) {
	b.rely(c.ID)
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
	if !u.personal() {
		return
	}
	c := b.known.Contacts[u.contact]
	c.Parked = true
	b.write(c)
}

// parkHere sets aside the contact of an update whose effect PostgreSQL refused: it
// claims nothing, for that may be what was refused.
func (b *batch) parkHere(u update, reason string) {
	if u.personal() {
		c := b.whose(u)
		u.contact = c.ID
		c.Identity = proto.CloneOf(c.Identity)
		proto.Merge(c.Identity, u.envelope.GetContact())
		b.known.Contacts[c.ID] = c
	}
	b.park(u, reason)
}

func (b *batch) deadLetter(u update, kind, reason string) {
	d := store.DeadLetter{
		Kind: kind, Shard: u.shard, Position: u.position, Channel: u.envelope.Channel, Data: u.data, Reason: reason,
	}
	if u.personal() {
		d.Contact = uuid.NullUUID{UUID: u.contact, Valid: true}
	}
	b.turn.DeadLetters = append(b.turn.DeadLetters, d)
	if kind == store.DeadParked {
		b.startResult(u, store.StartResult{State: store.ContactFailed, Reason: startParked})
	}
	if kind == store.DeadParked && d.Contact.Valid {
		b.known.Parked[u.contact] = append(b.known.Parked[u.contact], d)
	}
}
