package simulation

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/booking"
	"github.com/parleyhq/parley/pkg/insight"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/session"
)

// database is PostgreSQL as pkg/store uses it: each method is one statement,
// whole or not at all. It knows nothing of failures; clients have those.
type database struct {
	w         *world
	flows     map[published]*flow.Flow
	live      uint32 // the version of the demo that new sessions get
	downUntil time.Time
	// repaired says that poison of a turn is refused no longer.
	repaired bool

	leases     map[string][]lease
	replicas   map[string]map[string]time.Time
	contacts   map[uuid.UUID]store.Contact
	owners     map[store.IdentityKey]store.Owner
	takenOver  map[uuid.UUID]bool   // contacts that turned out to be others, which have all that they had
	lastEvent  map[uuid.UUID]uint64 // the head of a contact's shard when it turned out to be another
	sentOut    map[uuid.UUID]bool   // contacts of whom it was found that nothing waits to be sent
	sessions   map[store.SessionKey]store.Session
	timers     map[store.SessionKey]store.Timer
	events     [][][]byte // by shard; the event at offset n has index n-1
	inbox      map[uuid.UUID]bool
	dead       []deadLetter
	deadKeys   map[deadKey]bool
	deliveries map[store.DeliveryKey]*delivery
	lines      map[store.SessionKey][]*delivery
	orphans    map[orphanKey]orphan
	shares     []store.SendShare
	steps      map[shardStep]insight.StepCounts
	totals     map[shardCohort]insight.TotalCounts
}

type lease struct {
	epoch            int64
	owner            string
	until            time.Time
	checkpoint, head uint64
}

type deadLetter struct {
	store.DeadLetter
	service  string
	redriven bool
}

type deadKey struct {
	service, kind string
	shard         int
	position      uint64
}

func newDatabase(w *world) *database {
	d := &database{
		w: w, live: 1, flows: publishedFlows,
		leases: map[string][]lease{}, replicas: map[string]map[string]time.Time{},
		contacts: map[uuid.UUID]store.Contact{}, owners: map[store.IdentityKey]store.Owner{}, takenOver: map[uuid.UUID]bool{},
		lastEvent: map[uuid.UUID]uint64{}, sentOut: map[uuid.UUID]bool{}, sessions: map[store.SessionKey]store.Session{},
		timers: map[store.SessionKey]store.Timer{},
		events: make([][][]byte, w.options.Shards), inbox: map[uuid.UUID]bool{}, deadKeys: map[deadKey]bool{},
		deliveries: map[store.DeliveryKey]*delivery{}, lines: map[store.SessionKey][]*delivery{}, orphans: map[orphanKey]orphan{},
		steps: map[shardStep]insight.StepCounts{}, totals: map[shardCohort]insight.TotalCounts{},
	}
	for _, service := range []string{store.ServiceSession, store.ServiceDispatcher, store.ServiceReceipts, store.ServiceProjector} {
		d.leases[service] = make([]lease, w.options.Shards)
		d.replicas[service] = map[string]time.Time{}
	}
	return d
}

// What a statement fails with by itself.
var (
	errDuplicate = &pgconn.PgError{Code: "23505", Message: "duplicate key value violates unique constraint"}
	errRefused   = &pgconn.PgError{Code: "22P05", Message: "untranslatable character"}
	errTwice     = &pgconn.PgError{Code: "21000", Message: "ON CONFLICT DO UPDATE command cannot affect row a second time"}
)

// Heartbeat, Acquire, Release, Leave: pkg/store/leases.go.

func (d *database) heartbeat(service, owner string, ttl time.Duration) (live int, held map[int]int64) {
	d.replicas[service][owner] = d.w.now
	maps.DeleteFunc(d.replicas[service], func(_ string, seen time.Time) bool { return seen.Before(d.w.now.Add(-10 * ttl)) })
	for _, seen := range d.replicas[service] {
		if seen.After(d.w.now.Add(-ttl)) {
			live++
		}
	}
	held = map[int]int64{}
	for shard := range d.leases[service] {
		if l := &d.leases[service][shard]; l.owner == owner {
			l.until = d.w.now.Add(ttl)
			held[shard] = l.epoch
		}
	}
	return live, held
}

func (d *database) acquire(service, owner string, ttl time.Duration, most int, except []int) []store.Lease {
	var own, free []int
	for shard, l := range d.leases[service] {
		switch {
		case slices.Contains(except, shard):
		case l.owner == owner:
			own = append(own, shard)
		case l.until.Before(d.w.now):
			free = append(free, shard)
		}
	}
	var taken []store.Lease
	for _, shard := range append(own, free...)[:min(max(most, 0), len(own)+len(free))] {
		l := &d.leases[service][shard]
		if l.owner != owner && l.owner != "" {
			d.w.counts["take-over"]++
		}
		l.epoch++
		l.owner, l.until = owner, d.w.now.Add(ttl)
		taken = append(taken, store.Lease{Shard: shard, Epoch: l.epoch, Checkpoint: l.checkpoint, Head: l.head})
		d.w.note("%s shard %d is %s's in epoch %d from %d", service, shard, owner, l.epoch, l.checkpoint)
	}
	return taken
}

func (d *database) release(service string, shard int, epoch int64) {
	if l := &d.leases[service][shard]; l.epoch == epoch {
		l.owner, l.until = "", time.Time{}
	}
}

// holds reports whether the fence lets its part be written.
func (d *database) holds(service string, f store.Fence) bool {
	l := d.leases[service][f.Shard]
	epoch := l.epoch == f.Epoch || d.w.options.Bug == noEpoch
	checkpoint := l.checkpoint == f.From || d.w.options.Bug == blindRetry
	return epoch && checkpoint
}

// held splits fences into those that hold, and counts the others.
func (d *database) held(service string, fences []store.Fence) []int {
	var held []int
	for _, f := range fences {
		if d.holds(service, f) {
			held = append(held, f.Shard)
		} else {
			d.w.counts["fenced commit"]++
			d.w.note("fenced: %s shard %d epoch %d from %d", service, f.Shard, f.Epoch, f.From)
		}
	}
	return held
}

func (d *database) move(service string, fences []store.Fence, held []int) {
	for _, f := range fences {
		if slices.Contains(held, f.Shard) {
			d.leases[service][f.Shard].checkpoint = f.To
		}
	}
}

// LoadKnown and AppendTurns: pkg/store/turns.go.

func (d *database) loadKnown(contacts, inbox []uuid.UUID) store.Known {
	known := store.Known{
		Contacts: map[uuid.UUID]store.Contact{}, Sessions: map[store.SessionKey]store.Session{}, Applied: map[uuid.UUID]bool{},
		Parked: map[uuid.UUID][]store.DeadLetter{}, Arrived: map[uuid.UUID][]uuid.UUID{},
	}
	for id, c := range d.contacts {
		if d.w.options.Bug != leftBehind && c.MergedInto != uuid.Nil && !d.takenOver[id] && slices.Contains(contacts, c.MergedInto) {
			known.Arrived[c.MergedInto] = append(known.Arrived[c.MergedInto], id)
		}
	}
	for _, arrived := range known.Arrived {
		slices.SortFunc(arrived, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	}
	for _, id := range contacts {
		if c, ok := d.contacts[id]; ok {
			c.Identity = proto.CloneOf(c.Identity)
			known.Contacts[id] = c
		}
	}
	for key, s := range d.sessions {
		if slices.Contains(contacts, key.Contact) {
			known.Sessions[key] = cloneSession(s)
		}
	}
	for _, id := range inbox {
		if d.inbox[id] && d.w.options.Bug != noInbox {
			known.Applied[id] = true
			d.w.counts["duplicate dropped"]++
		}
		if d.w.options.Bug == seenBeforeCommit {
			d.inbox[id] = true
		}
	}
	for _, dl := range d.waiting() {
		if slices.Contains(contacts, dl.Contact.UUID) {
			known.Parked[dl.Contact.UUID] = append(known.Parked[dl.Contact.UUID], dl.DeadLetter)
		}
	}
	return known
}

// Owners and AppendTurnsAnd: pkg/store/identities.go, pkg/store/resources.go.

func (d *database) ownersOf(keys []store.IdentityKey, contacts []uuid.UUID) map[store.IdentityKey]store.Owner {
	wanted := map[uuid.UUID]bool{}
	for _, id := range contacts {
		wanted[id] = true
	}
	for _, key := range keys {
		if o, owned := d.owners[key]; owned {
			wanted[o.Contact] = true
		}
	}
	owners := maps.Clone(d.owners)
	maps.DeleteFunc(owners, func(_ store.IdentityKey, o store.Owner) bool { return !wanted[o.Contact] })
	return owners
}

func (d *database) appendTurnsAnd(parts []store.TurnPart, changes store.ResourceChanges) ([]int, error) {
	var fences []store.Fence
	for _, part := range parts {
		fences = append(fences, part.Fence)
	}
	if held := d.held(store.ServiceSession, fences); len(held) < len(parts) {
		return held, store.ErrFenced
	}
	for _, claim := range changes.Identities.Claims {
		if d.owners[claim.Key].Contact != claim.From {
			return nil, store.ErrConflict
		}
	}
	for id, n := range changes.Identities.Counts {
		for _, owner := range d.owners {
			if owner.Contact == id {
				n--
			}
		}
		if n != 0 {
			return nil, store.ErrConflict
		}
	}
	if !d.canLeave(changes.Identities.Left) || slices.ContainsFunc(changes.Identities.TakenOver, func(id uuid.UUID) bool { return d.takenOver[id] }) {
		return nil, store.ErrConflict
	}
	held, err := d.appendTurns(parts)
	if err == nil {
		d.leave(changes.Identities.Left)
		d.writeClaims(changes.Identities.Claims)
		for _, id := range changes.Identities.TakenOver {
			d.takenOver[id] = true
		}
	}
	return held, err
}

// canLeave reports whether a contact can turn out to be another one.
func (d *database) canLeave(left *store.Leaving) bool {
	if left == nil {
		return true
	}
	for key, s := range d.sessions {
		if left.Idle && key.Contact == left.From && (s.State.Status == flow.Active || s.State.Status == flow.Human) {
			return false
		}
	}
	from := d.contacts[left.From]
	return from.MergedInto == uuid.Nil && d.contacts[left.Into].MergedInto == uuid.Nil && !(left.Idle && from.Parked)
}

func (d *database) leave(left *store.Leaving) {
	if left == nil {
		return
	}
	from, into := d.contacts[left.From], d.contacts[left.Into]
	all := proto.CloneOf(from.Identity)
	proto.Merge(all, into.Identity)
	into.Identity, from.MergedInto = all, into.ID
	if d.w.options.Bug == mergedUnseen {
		from.MergedInto = uuid.Nil
	}
	d.contacts[from.ID], d.contacts[into.ID] = from, into
	d.lastEvent[from.ID] = d.leases[store.ServiceSession][from.Shard].head
	d.w.counts["contact merged"]++
	d.w.note("contact %s is %s", from.ID, into.ID)
}

func (d *database) writeClaims(claims []store.IdentityClaim) {
	for _, claim := range claims {
		switch claim.To {
		case claim.From:
			continue
		case uuid.Nil:
			delete(d.owners, claim.Key)
		default:
			d.owners[claim.Key] = store.Owner{Contact: claim.To, Via: claim.Via}
		}
		c, known := d.contacts[claim.From]
		if !known || claim.To == uuid.Nil {
			continue
		}
		c.Identity = proto.CloneOf(c.Identity)
		for _, field := range []*string{&c.Identity.Phone, &c.Identity.Bsuid} {
			if *field == claim.Key.Value {
				*field = ""
			}
		}
		d.contacts[claim.From] = c
	}
}

// waiting are the letters of contacts that are parked, in order.
func (d *database) waiting() []deadLetter {
	list := slices.DeleteFunc(slices.Clone(d.dead), func(dl deadLetter) bool {
		return dl.Kind != store.DeadParked || dl.service != store.ServiceSession || !dl.Contact.Valid || dl.redriven
	})
	slices.SortFunc(list, func(a, b deadLetter) int {
		return cmp.Or(cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Position, b.Position))
	})
	return list
}

func cloneSession(s store.Session) store.Session {
	s.State.Answers = maps.Clone(s.State.Answers)
	return s
}

func (d *database) appendTurns(parts []store.TurnPart) ([]int, error) {
	var fences []store.Fence
	for _, part := range parts {
		fences = append(fences, part.Fence)
		for _, e := range part.Events {
			if !d.repaired && strings.Contains(e.GetInputReceived().GetInput().GetMessage().GetText(), poisonTurn) {
				return nil, fmt.Errorf("append turns: %w", errRefused)
			}
		}
	}
	held := slices.DeleteFunc(d.held(store.ServiceSession, fences), func(shard int) bool {
		i := slices.IndexFunc(parts, func(p store.TurnPart) bool { return p.Fence.Shard == shard })
		return d.leases[store.ServiceSession][shard].head != parts[i].Head && d.w.options.Bug != blindRetry
	})
	written := slices.DeleteFunc(slices.Clone(parts), func(p store.TurnPart) bool { return !slices.Contains(held, p.Fence.Shard) })
	if err := d.checkTurns(written); err != nil {
		return nil, fmt.Errorf("append turns: %w", err)
	}
	d.move(store.ServiceSession, fences, held)
	for _, part := range written {
		d.writeTurns(part)
	}
	return held, nil
}

// checkTurns finds what makes the whole statement fail.
func (d *database) checkTurns(parts []store.TurnPart) error {
	inbox, contacts, sessions := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}, map[store.SessionKey]bool{}
	lax := d.w.options.Bug == noInbox || d.w.options.Bug == seenBeforeCommit
	for _, part := range parts {
		for _, id := range part.Inbox {
			if !lax && (d.inbox[id] || inbox[id]) {
				return errDuplicate
			}
			inbox[id] = true
		}
		for _, c := range part.Contacts {
			if contacts[c.ID] {
				return errTwice
			}
			contacts[c.ID] = true
		}
		for _, s := range part.Sessions {
			if sessions[s.Key] {
				return errTwice
			}
			sessions[s.Key] = true
		}
	}
	return nil
}

func (d *database) writeTurns(part store.TurnPart) {
	shard := part.Fence.Shard
	d.leases[store.ServiceSession][shard].head += uint64(len(part.Events))
	for _, c := range part.Contacts {
		c.Identity = proto.CloneOf(c.Identity)
		d.contacts[c.ID] = c
	}
	for _, id := range part.Inbox {
		d.inbox[id] = true
	}
	for i, e := range part.Events {
		stored := proto.CloneOf(e)
		stored.Offset = part.Head + uint64(i) + 1
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(stored)
		if err != nil {
			panic(err)
		}
		d.events[shard] = append(d.events[shard], data)
		d.w.note("event %d/%d %s", shard, stored.Offset, store.EventType(stored))
	}
	for _, s := range part.Adopted {
		delete(d.sessions, s.Key)
		delete(d.timers, s.Key)
	}
	for _, s := range part.Sessions {
		d.sessions[s.Key] = cloneSession(s)
	}
	d.setTimers(part)
	for _, dl := range part.DeadLetters {
		d.bury(store.ServiceSession, dl)
	}
	for _, id := range part.Redriven {
		d.dead[id-1].redriven = true
		d.w.counts["redriven"]++
	}
}

func (d *database) setTimers(part store.TurnPart) {
	for _, key := range part.TimersOff {
		delete(d.timers, key)
	}
	for _, t := range part.Timers {
		if d.w.options.Bug != timersApart {
			d.timers[t.Key] = t
		}
	}
}

// timersOf: pkg/store/timers.go, but for what became of the question: no flow of the
// simulation waits so long.
func (d *database) timersOf(shards []int, until time.Time, limit int) (due []store.Timer) {
	if d.w.options.Bug == timersEarly {
		until = until.Add(skewMost + noteQuiet)
	}
	for key, t := range d.timers {
		if c := d.contacts[key.Contact]; slices.Contains(shards, c.Shard) && !t.WakeAt.After(until) && !c.Parked {
			t.Shard, t.Portfolio, t.LaneKey = c.Shard, c.Portfolio, c.LaneKey
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b store.Timer) int {
		return cmp.Or(a.WakeAt.Compare(b.WakeAt), cmp.Compare(a.Key.Channel, b.Key.Channel), bytes.Compare(a.Key.Contact[:], b.Key.Contact[:]))
	})
	due = due[:min(len(due), limit)]
	for _, t := range due {
		if d.w.options.Bug == timersTaken {
			delete(d.timers, t.Key)
		}
	}
	return due
}

// timersSoon counts those that go off within an hour; the others are for silences
// that are longer than a run.
func (d *database) timersSoon() (n int) {
	for _, t := range d.timers {
		if t.WakeAt.Before(d.w.now.Add(time.Hour)) {
			n++
		}
	}
	return n
}

func (d *database) bury(service string, dl store.DeadLetter) {
	key := deadKey{service, dl.Kind, dl.Shard, dl.Position}
	if !d.deadKeys[key] {
		d.deadKeys[key] = true
		dl.ID = int64(len(d.dead)) + 1
		d.dead = append(d.dead, deadLetter{DeadLetter: dl, service: service})
		d.w.counts["dead letter "+dl.Kind]++
		d.w.note("dead letter %s %d/%d %s", service, dl.Shard, dl.Position, dl.Kind)
	}
}

func (d *database) parkMessage(service string, fence store.Fence, dl store.DeadLetter) bool {
	held := d.held(service, []store.Fence{fence})
	d.move(service, []store.Fence{fence}, held)
	if len(held) == 1 {
		d.bury(service, dl)
	}
	return len(held) == 1
}

func (d *database) readEvents(shard int, after uint64, limit int) []*parleyv1.Event {
	var list []*parleyv1.Event
	for offset := after; offset < uint64(len(d.events[shard])) && len(list) < limit; offset++ {
		e := &parleyv1.Event{}
		if err := proto.Unmarshal(d.events[shard][offset], e); err != nil {
			panic(err)
		}
		list = append(list, e)
	}
	return list
}

// AddCounts: pkg/store/insight.go.

type shardStep struct {
	shard int
	insight.StepKey
}

type shardCohort struct {
	shard int
	insight.Cohort
}

func (d *database) addCounts(fences []store.Fence, counts map[int]*insight.Counts) []int {
	held := d.held(store.ServiceProjector, fences)
	d.move(store.ServiceProjector, fences, held)
	for _, f := range fences {
		if slices.Contains(held, f.Shard) || d.w.options.Bug == countsUnfenced {
			d.addShard(f.Shard, counts[f.Shard])
		}
	}
	return held
}

func (d *database) addShard(shard int, counts *insight.Counts) {
	for _, row := range counts.SortedSteps() {
		n := d.steps[shardStep{shard, row.Key}]
		n.Position = max(n.Position, row.Counts.Position)
		n.Entered += row.Counts.Entered
		n.Answered += row.Counts.Answered
		n.Failed += row.Counts.Failed
		n.Rejections += row.Counts.Rejections
		n.Departed += row.Counts.Departed
		d.steps[shardStep{shard, row.Key}] = n
	}
	for _, row := range counts.SortedTotals() {
		n := d.totals[shardCohort{shard, row.Key}]
		n.Started += row.Counts.Started
		n.Completed += row.Counts.Completed
		n.Cancelled += row.Counts.Cancelled
		d.totals[shardCohort{shard, row.Key}] = n
	}
}

var (
	errCut  = errors.New("connection reset by peer")
	errDown = errors.New("connection refused")
)

// client is one process's connection to the database, and everything that can
// go wrong with it.
type client struct {
	p                 *process
	session.Resources // but for AppendTurnsAnd: nobody books here
}

// statement runs one statement as a client sees it: it may fail before, or be
// done while the answer is lost, or be done only after the client gave up, or
// take long, or be the last thing that the process does.
func statement[T any](c client, name string, do func() (T, error)) (T, error) {
	w, r := c.p.w, c.p.w.options.Rates
	var none T
	w.sleep(w.between(100*time.Microsecond, 2*time.Millisecond))
	switch {
	case w.database.downUntil.After(w.now):
		w.counts["store refused"]++
		return none, errDown
	case w.fault("store fails before", r.StoreFails):
		return none, errCut
	case w.fault("store does it after the client gave up", r.StoreLate):
		w.after(w.between(0, 2*time.Second), func() {
			w.note("late: %s", name)
			_, _ = do()
		})
		w.sleep(w.between(0, time.Second))
		return none, errCut
	case w.fault("crash before the statement", r.StoreCrash):
		c.p.crash()
	case w.fault("store slow", r.StoreSlow):
		w.sleep(w.between(50*time.Millisecond, 8*time.Second))
	}
	result, err := do()
	switch {
	case w.fault("crash after the statement", r.StoreCrash):
		c.p.crash()
	case w.fault("store answer lost", r.StoreLost):
		return none, errCut
	}
	w.sleep(w.between(50*time.Microsecond, time.Millisecond))
	return result, err
}

func (c client) Heartbeat(_ context.Context, service, owner string, ttl time.Duration) (int, map[int]int64, error) {
	type answer struct {
		live int
		held map[int]int64
	}
	a, err := statement(c, "heartbeat", func() (answer, error) {
		live, held := c.p.w.database.heartbeat(service, owner, ttl)
		return answer{live, held}, nil
	})
	return a.live, a.held, err
}

func (c client) Acquire(_ context.Context, service, owner string, ttl time.Duration, most int, except []int) ([]store.Lease, error) {
	return statement(c, "acquire", func() ([]store.Lease, error) {
		return c.p.w.database.acquire(service, owner, ttl, most, except), nil
	})
}

func (c client) Release(_ context.Context, service string, shard int, epoch int64) error {
	_, err := statement(c, "release", func() (bool, error) {
		c.p.w.database.release(service, shard, epoch)
		return true, nil
	})
	return err
}

func (c client) Leave(_ context.Context, service, owner string) error {
	_, err := statement(c, "leave", func() (bool, error) {
		delete(c.p.w.database.replicas[service], owner)
		return true, nil
	})
	return err
}

func (c client) LoadKnown(_ context.Context, contacts, inbox []uuid.UUID) (store.Known, error) {
	return statement(c, "load known", func() (store.Known, error) { return c.p.w.database.loadKnown(contacts, inbox), nil })
}

func (c client) Owners(_ context.Context, keys []store.IdentityKey, contacts []uuid.UUID) (map[store.IdentityKey]store.Owner, error) {
	return statement(c, "Owners", func() (map[store.IdentityKey]store.Owner, error) { return c.p.w.database.ownersOf(keys, contacts), nil })
}

func (c client) LoadBookings(context.Context, uuid.UUID, string) ([]*booking.Slot, []*booking.Booking, error) {
	return nil, nil, nil
}

func (c client) PoolsOfContact(context.Context, uuid.UUID) ([]string, error) { return nil, nil }

func (c client) AppendTurnsAnd(_ context.Context, parts []store.TurnPart, changes store.ResourceChanges) ([]int, error) {
	return statement(c, "AppendTurnsAnd", func() ([]int, error) { return c.p.w.database.appendTurnsAnd(parts, changes) })
}

func (c client) AppendTurns(_ context.Context, parts []store.TurnPart) ([]int, error) {
	return statement(c, "append turns", func() ([]int, error) { return c.p.w.database.appendTurns(parts) })
}

func (c client) LoadFlow(_ context.Context, name string, version uint32) (*flow.Flow, error) {
	return statement(c, "load flow", func() (*flow.Flow, error) { return c.p.w.database.flows[published{name, version}], nil })
}

func (c client) LiveFlows(context.Context) ([]store.Live, error) {
	return statement(c, "live flows", func() ([]store.Live, error) {
		return []store.Live{{Name: flowName, Version: c.p.w.database.live}, {Name: "notes", Version: 1}}, nil
	})
}

func (c client) TimersOf(_ context.Context, shards []int, until time.Time, limit int) ([]store.Timer, error) {
	return statement(c, "timers of", func() ([]store.Timer, error) { return c.p.w.database.timersOf(shards, until, limit), nil })
}

func (c client) LookupRows(context.Context, flow.Lookup) ([][]byte, error) {
	return nil, store.ErrNoTable
}

func (c client) SentMessages(context.Context, []store.SentKey) (map[store.SentKey]store.Sent, error) {
	return nil, nil
}

func (c client) ReadEvents(_ context.Context, shard int, after uint64, limit int) ([]*parleyv1.Event, error) {
	return statement(c, "read events", func() ([]*parleyv1.Event, error) {
		return c.p.w.database.readEvents(shard, after, limit), nil
	})
}

func (c client) AddCounts(_ context.Context, fences []store.Fence, counts map[int]*insight.Counts) ([]int, error) {
	return statement(c, "add counts", func() ([]int, error) { return c.p.w.database.addCounts(fences, counts), nil })
}

func (c client) ParkMessage(_ context.Context, service string, fence store.Fence, dl store.DeadLetter) (bool, error) {
	return statement(c, "park message", func() (bool, error) { return c.p.w.database.parkMessage(service, fence, dl), nil })
}
