package simulation

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/pgtest"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// twins are the real store and the fake one, given the same statements.
type twins struct {
	t    *testing.T
	rng  *rand.Rand
	real *store.Store
	fake *database
	// leases are all that were ever given, old ones too: stale fences are the point.
	leases map[string][]store.Lease
	offset uint64
	inbox  []uuid.UUID
	wamids int
}

const (
	twinShards  = 2
	twinSteps   = 400
	twinChannel = "100001"
)

// TestFakeIsThePostgres plays the same random statements on both and compares
// every answer. A simulation over a fake that forgives more than PostgreSQL
// would prove the fake only.
func TestFakeIsThePostgres(t *testing.T) {
	if *seedFlag != 0 || *seedsFlag != 0 {
		return
	}
	s, err := store.Open(t.Context(), pgtest.New(t, store.Migrate), 4, "simulation test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := &world{
		options: options{Shards: twinShards}, rng: rand.New(rand.NewPCG(1, 1)), now: begin, calm: true, trace: newTrace(nil), counts: map[string]int{},
	}
	tw := &twins{t: t, rng: rand.New(rand.NewPCG(2, 2)), real: s, fake: newDatabase(w), leases: map[string][]store.Lease{}}
	for _, service := range services {
		if err := s.EnsureLeases(t.Context(), service, twinShards); err != nil {
			t.Fatal(err)
		}
		tw.acquire(service)
	}
	steps := []func(){tw.turns, tw.turns, tw.add, tw.add, tw.advance, tw.advance, tw.advance, tw.receipts, tw.receipts, tw.settle, tw.open, tw.change}
	for n := 0; n < twinSteps && !t.Failed(); n++ {
		steps[tw.rng.IntN(len(steps))]()
	}
	if w.counts["fenced commit"] == 0 || w.counts["orphan receipt"] == 0 || len(tw.fake.deliveries) < 20 {
		t.Errorf("the statements were too tame: %v, %d deliveries", w.counts, len(tw.fake.deliveries))
	}
}

var services = []string{store.ServiceSession, store.ServiceDispatcher, store.ServiceReceipts}

func (tw *twins) same(statement string, real, fake any, realErr, fakeErr error) {
	tw.t.Helper()
	if (realErr == nil) != (fakeErr == nil) || store.Permanent(realErr) != store.Permanent(fakeErr) {
		tw.t.Fatalf("%s: PostgreSQL says %v, the fake %v", statement, realErr, fakeErr)
	}
	if realErr == nil && !reflect.DeepEqual(real, fake) {
		tw.t.Fatalf("%s: PostgreSQL says\n%+v, the fake\n%+v", statement, real, fake)
	}
}

func sortedKeys(keys []store.DeliveryKey) []store.DeliveryKey {
	keys = append([]store.DeliveryKey{}, keys...)
	slices.SortFunc(keys, store.DeliveryKey.Compare)
	return keys
}

func sortedInts(list []int) []int {
	list = append([]int{}, list...)
	slices.Sort(list)
	return list
}

func (tw *twins) acquire(service string) {
	owner := []string{"a", "b"}[tw.rng.IntN(2)]
	most, ttl := 1+tw.rng.IntN(twinShards), time.Hour
	real, err := tw.real.Acquire(tw.t.Context(), service, owner, ttl, most, nil)
	fake := tw.fake.acquire(service, owner, ttl, most, nil)
	byShard := func(a, b store.Lease) int { return a.Shard - b.Shard }
	slices.SortFunc(real, byShard)
	slices.SortFunc(fake, byShard)
	for i := range real {
		real[i].CheckpointAt = time.Time{} // the fake streams never go back
	}
	tw.same("acquire", fmt.Sprint(real), fmt.Sprint(fake), err, nil)
	tw.leases[service] = append(tw.leases[service], real...)
}

// change moves ownership about: a release, an acquisition.
func (tw *twins) change() {
	service := services[tw.rng.IntN(len(services))]
	l := tw.lease(service)
	err := tw.real.Release(tw.t.Context(), service, l.Shard, l.Epoch)
	tw.fake.release(service, l.Shard, l.Epoch)
	tw.same("release", nil, nil, err, nil)
	tw.acquire(service)
}

func (tw *twins) lease(service string) store.Lease {
	list := tw.leases[service]
	return list[len(list)-1-tw.rng.IntN(min(len(list), 3))]
}

// fence is mostly one that holds.
func (tw *twins) fence(service string) store.Fence {
	l := tw.lease(service)
	current := tw.fake.leases[service][l.Shard]
	f := store.Fence{Shard: l.Shard, Epoch: current.epoch, From: current.checkpoint, To: current.checkpoint + 1 + tw.rng.Uint64N(3)}
	switch tw.rng.IntN(8) {
	case 0:
		f.Epoch = l.Epoch
	case 1:
		f.From = l.Checkpoint
	}
	return f
}

func (tw *twins) turns() {
	f := tw.fence(store.ServiceSession)
	contact := store.ContactID("p", fmt.Sprint(f.Shard, tw.rng.IntN(3)))
	part := store.TurnPart{Fence: f, Head: tw.fake.leases[store.ServiceSession][f.Shard].head}
	tw.offset++
	for range 1 + tw.rng.IntN(3) {
		part.Events = append(part.Events, &parleyv1.Event{
			Shard: uint32(f.Shard), Offset: part.Head + uint64(len(part.Events)) + 1, SessionId: 7, Version: 1, AtMs: begin.UnixMilli(),
			Channel: twinChannel, ContactId: contact[:],
			Body: &parleyv1.Event_MessageQueued{MessageQueued: &parleyv1.MessageQueued{Phone: "1"}},
		})
	}
	id := store.InboxID(twinChannel, fmt.Sprint(tw.offset))
	if len(tw.inbox) > 0 && tw.rng.IntN(4) == 0 {
		id = tw.inbox[tw.rng.IntN(len(tw.inbox))]
	}
	tw.inbox, part.Inbox = append(tw.inbox, id), []uuid.UUID{id}
	part.Contacts = []store.Contact{{
		ID: contact, Portfolio: "p", LaneKey: "k", Shard: f.Shard, Identity: &parleyv1.Identity{Phone: fmt.Sprint(tw.offset)},
		Parked: tw.rng.IntN(4) == 0, CreatedAt: begin,
	}}
	part.Sessions = []store.Session{{
		Key: store.SessionKey{Channel: twinChannel, Contact: contact}, ID: 7, Shard: f.Shard,
		State: flow.State{
			Flow: "lead", FlowVersion: 1, Status: flow.Active, Step: "name", Version: uint32(tw.offset), Language: "en",
			Answers: map[string]any{}, StartedAtMs: begin.UnixMilli(), LastInteractionMs: begin.UnixMilli(),
		},
	}}
	if tw.rng.IntN(3) == 0 {
		part.DeadLetters = []store.DeadLetter{{
			Kind: store.DeadParked, Shard: f.Shard, Position: f.To, Channel: twinChannel, Data: []byte("x"), Reason: "because",
			Contact: uuid.NullUUID{UUID: contact, Valid: true},
		}}
	}
	switch key := part.Sessions[0].Key; tw.rng.IntN(4) {
	case 0:
		part.TimersOff = []store.SessionKey{key}
	case 1, 2:
		part.Timers = []store.Timer{{Key: key, Shard: f.Shard, Ref: fmt.Sprint(tw.offset), WakeAt: begin.Add(time.Duration(tw.rng.IntN(9)) * time.Second)}}
	}
	real, err := tw.real.AppendTurns(tw.t.Context(), []store.TurnPart{part})
	fake, fakeErr := tw.fake.appendTurns([]store.TurnPart{part})
	tw.same("append turns", sortedInts(real), sortedInts(fake), err, fakeErr)
	tw.known(contact)
	tw.timers()
}

func (tw *twins) timers() {
	until, limit := begin.Add(time.Duration(tw.rng.IntN(9))*time.Second), 1+tw.rng.IntN(4)
	shards := []int{0, 1}[:1+tw.rng.IntN(2)]
	real, err := tw.real.TimersOf(tw.t.Context(), shards, until, limit)
	for i := range real {
		real[i].WakeAt = real[i].WakeAt.UTC()
	}
	for i := range real {
		real[i].Prompt = store.Prompt{}
	}
	tw.same("timers of", real, append([]store.Timer{}, tw.fake.timersOf(shards, until, limit)...), err, nil)
}

func (tw *twins) known(contact uuid.UUID) {
	real, err := tw.real.LoadKnown(tw.t.Context(), []uuid.UUID{contact}, tw.inbox)
	fake := tw.fake.loadKnown([]uuid.UUID{contact}, tw.inbox)
	tw.same("load known: sessions", real.Sessions, fake.Sessions, err, nil)
	tw.same("load known: applied", real.Applied, fake.Applied, err, nil)
	tw.same("load known: letters", len(real.Parked[contact]), len(fake.Parked[contact]), err, nil)
	a, b := real.Contacts[contact], fake.Contacts[contact]
	if a.Parked != b.Parked || !proto.Equal(a.Identity, b.Identity) {
		tw.t.Fatalf("load known: PostgreSQL says %+v, the fake %+v", a, b)
	}
}

func (tw *twins) add() {
	f := tw.fence(store.ServiceDispatcher)
	head := uint64(len(tw.fake.events[f.Shard]))
	if head == 0 {
		return
	}
	key := store.DeliveryKey{Shard: f.Shard, Offset: 1 + tw.rng.Uint64N(head)}
	d := store.Delivery{
		Key: key, Channel: twinChannel, Contact: tw.fake.lineOf(key).Contact, SessionID: 7, Content: []byte("m"),
		State: []string{store.DeliveryQueued, store.DeliverySending}[tw.rng.IntN(2)], QueuedAt: begin,
	}
	real, err := tw.real.AddDeliveries(tw.t.Context(), []store.Fence{f}, []store.Delivery{d})
	fake, fakeErr := tw.fake.addDeliveries([]store.Fence{f}, []store.Delivery{d})
	tw.same("add deliveries", sortedInts(real), sortedInts(fake), err, fakeErr)
}

// some are different deliveries, or none if there are too few.
func (tw *twins) some(n int) []*delivery {
	rows := tw.fake.sorted()
	tw.rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows[:min(n, len(rows))]
}

func (tw *twins) advance() {
	var results []store.SendResult
	var intents []store.Intent
	states := []string{store.DeliveryAccepted, store.DeliveryAmbiguous, store.DeliveryQueued, store.DeliveryFailed}
	for _, row := range tw.some(4) {
		attempts := max(row.Attempts-tw.rng.IntN(2), 0)
		if tw.rng.IntN(2) == 0 {
			tw.wamids++
			r := store.SendResult{Key: row.Key, Attempts: attempts, State: states[tw.rng.IntN(len(states))]}
			if r.State == store.DeliveryAccepted {
				r.WAMID = fmt.Sprint("wamid.", tw.wamids)
			}
			results = append(results, r)
			continue
		}
		epoch := tw.fake.leases[store.ServiceDispatcher][row.Key.Shard].epoch - int64(tw.rng.IntN(5)/4)
		intents = append(intents, store.Intent{Key: row.Key, Epoch: epoch, Attempts: attempts})
	}
	real, err := tw.real.AdvanceDeliveries(tw.t.Context(), results, intents)
	fake := tw.fake.advance(results, intents)
	tw.same("advance deliveries", sortedKeys(real), sortedKeys(fake), err, nil)
}

func (tw *twins) receipts() {
	f := tw.fence(store.ServiceReceipts)
	names := []string{"", "sent", "failed", "delivered", "read"}
	var list []store.Receipt
	for _, row := range tw.some(2) {
		rank := 1 + tw.rng.IntN(4)
		r := store.Receipt{Lane: f.Shard, Key: row.Key, Channel: twinChannel, WAMID: row.wamid, Name: names[rank], Rank: rank, At: begin}
		if r.WAMID == "" {
			tw.wamids++
			r.WAMID = fmt.Sprint("wamid.", tw.wamids)
		}
		if tw.rng.IntN(3) == 0 {
			r.Key = store.DeliveryKey{}
		}
		list = append(list, r)
	}
	real, err := tw.real.ApplyReceipts(tw.t.Context(), []store.Fence{f}, list)
	fake := tw.fake.applyReceipts([]store.Fence{f}, list)
	tw.same("apply receipts", sortedInts(real), sortedInts(fake), err, nil)
	if tw.rng.IntN(3) == 0 {
		_, _, err := tw.real.AdoptOrphans(tw.t.Context(), time.Hour, "")
		tw.fake.adopt()
		tw.fake.forgetOrphans()
		tw.same("adopt orphans", nil, nil, err, nil)
	}
	tw.rows()
}

// rows compares what deliveries hold.
func (tw *twins) rows() {
	rows, err := tw.real.Query(tw.t.Context(), `SELECT shard, "offset", state, attempts, COALESCE(wamid, ''), receipt, receipt_rank FROM deliveries ORDER BY shard, "offset"`)
	if err != nil {
		tw.t.Fatal(err)
	}
	defer rows.Close()
	var real, fake []string
	for rows.Next() {
		var shard, offset, attempts, rank int
		var state, wamid, receipt string
		if err := rows.Scan(&shard, &offset, &state, &attempts, &wamid, &receipt, &rank); err != nil {
			tw.t.Fatal(err)
		}
		real = append(real, fmt.Sprint(shard, offset, state, attempts, wamid, receipt, rank))
	}
	for _, row := range tw.fake.sorted() {
		fake = append(fake, fmt.Sprint(row.Key.Shard, int(row.Key.Offset), row.State, row.Attempts, row.wamid, row.receipt, row.rank))
	}
	tw.same("deliveries", real, fake, rows.Err(), nil)
}

func (tw *twins) settle() {
	var keys []store.DeliveryKey
	for _, row := range tw.some(5) {
		keys = append(keys, row.Key)
	}
	real, err := tw.real.SettledDeliveries(tw.t.Context(), keys)
	tw.same("settled deliveries", sortedKeys(real), sortedKeys(tw.fake.settled(keys)), err, nil)
	got, err := tw.real.ReceivedDeliveries(tw.t.Context(), keys)
	tw.same("received deliveries", sortedKeys(got), sortedKeys(tw.fake.received(keys)), err, nil)
	wamids := []string{fmt.Sprint("wamid.", tw.rng.IntN(tw.wamids+1)), fmt.Sprint("wamid.", tw.wamids)}
	found, err := tw.real.FindDeliveries(tw.t.Context(), wamids)
	tw.same("find deliveries", found, tw.fake.find(wamids), err, nil)
}

func (tw *twins) open() {
	l := tw.lease(store.ServiceDispatcher)
	if tw.rng.IntN(3) > 0 {
		return // not too often, or nothing stays on its way
	}
	real, err := tw.real.OpenDeliveries(tw.t.Context(), l.Shard, l.Epoch)
	short := func(list []store.Delivery) (all []string) {
		for _, d := range list {
			all = append(all, fmt.Sprint(d.Key, d.State, d.Attempts, d.Channel, d.Contact, d.SessionID, d.Interrupted))
		}
		return all
	}
	tw.same("open deliveries", short(real), short(tw.fake.openDeliveries(l.Shard, l.Epoch)), err, nil)
}
