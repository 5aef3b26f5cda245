package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/pgtest"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/internal/demoflows"
	"github.com/parleyhq/parley/services/internal/platform"
)

const (
	shards  = 4
	channel = "106540352242922"
)

var (
	ada = fake.Person{Phone: "16505551234", Name: "Ada"}
	bob = fake.Person{Phone: "4915112345678", Name: "Bob"}
	// hid has a username instead of a number.
	hid = fake.Person{BSUID: "US.13491208655302741918", Name: "Hid"}

	start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
)

// recorder is a Relay that keeps what it is given.
type recorder struct {
	events map[int][]*parleyv1.Event
}

func (r *recorder) Take(int) {}
func (r *recorder) Drop(int) {}
func (r *recorder) Add(events []*parleyv1.Event) {
	shard := int(events[0].Shard)
	r.events[shard] = append(r.events[shard], events...)
}

// flaky is a Store whose commits can fail before or after the real work.
type flaky struct {
	*store.Store
	before, after func(parts []store.TurnPart) error
}

func (f *flaky) AppendTurns(ctx context.Context, parts []store.TurnPart) ([]int, error) {
	return f.around(parts, func() ([]int, error) { return f.Store.AppendTurns(ctx, parts) })
}

func (f *flaky) AppendTurnsAnd(ctx context.Context, parts []store.TurnPart, changes store.ResourceChanges) ([]int, error) {
	return f.around(parts, func() ([]int, error) { return f.Store.AppendTurnsAnd(ctx, parts, changes) })
}

func (f *flaky) around(parts []store.TurnPart, commit func() ([]int, error)) ([]int, error) {
	if f.before != nil {
		if err := f.before(parts); err != nil {
			return nil, err
		}
	}
	held, err := commit()
	if err == nil && f.after != nil {
		err = f.after(parts)
	}
	return held, err
}

// desk is a Service that owns every shard of a real database, and the stream
// that it reads. It plays the lane's runner.
type desk struct {
	*Service
	t      *testing.T
	store  *flaky
	conn   *pgx.Conn
	relay  *recorder
	leases map[int]store.Lease
	stream []lane.Message
	passed int // updates that went on to another lane
	// after is the offset of each shard before which events are of no interest.
	after map[int]uint64
	time  time.Time
	log   strings.Builder
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	dsn := pgtest.New(t, store.Migrate)
	s, err := store.Open(t.Context(), dsn, 4, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	if err := errors.Join(s.EnsureLeases(t.Context(), store.ServiceSession, shards), Publish(t.Context(), s, demoflows.Files)); err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, store: &flaky{Store: s}, conn: conn, relay: &recorder{events: map[int][]*parleyv1.Event{}}, time: start}
	d.restart()
	return d
}

// restart is a new process: it knows nothing but what the database holds.
func (d *desk) restart() {
	d.t.Helper()
	d.serve("lead")
}

// serve is a new process whose channel's flow is another one.
func (d *desk) serve(name string) {
	d.t.Helper()
	d.Service = New(d.store, d.relay, platform.OneFlow(name), Lanes{In: d, Shards: shards}, func() time.Time { return d.time }, zerolog.New(&d.log))
	d.leases = nil
	d.retake()
}

// leadSource is the definition of the demo flow.
func leadSource(t *testing.T) string {
	t.Helper()
	source, err := demoflows.Files.ReadFile("lead.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// publish makes a definition the live version of its flow.
func (d *desk) publish(source string) {
	d.t.Helper()
	f, err := flow.Parse([]byte(source))
	if err == nil {
		_, err = d.store.PublishFlow(d.t.Context(), f, []byte(source))
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// retake leases every shard anew and starts from what the database holds.
func (d *desk) retake() {
	d.t.Helper()
	for shard := range d.leases {
		d.Drop(shard)
	}
	leases, err := d.store.Acquire(context.Background(), store.ServiceSession, "me", time.Minute, shards, nil)
	if err != nil || len(leases) != shards {
		d.t.Fatalf("took %d shards: %v", len(leases), err)
	}
	d.leases = map[int]store.Lease{}
	for _, l := range leases {
		d.leases[l.Shard] = l
		if err := d.Take(context.Background(), l); err != nil {
			d.t.Fatal(err)
		}
	}
}

// post puts a webhook's updates at the end of the stream, as ingress does.
func (d *desk) post(items ...fake.Item) { d.postBody(channel, fake.Payload("1", channel, items...)) }

func (d *desk) postBody(portfolio string, body []byte) {
	for _, e := range meta.Split(body, d.time) {
		e.Portfolio = portfolio
		d.put(e)
	}
}

func (d *desk) put(e *parleyv1.Envelope) {
	data, err := proto.Marshal(e)
	if err != nil {
		d.t.Fatal(err)
	}
	shard := bus.ShardOf(e.Portfolio, e.LaneKey, shards)
	d.stream = append(d.stream, lane.Message{Shard: shard, Pos: uint64(len(d.stream) + 1), Data: data, At: d.time})
}

// Publish puts what is passed on to another lane at the end of the stream.
func (d *desk) Publish(_ context.Context, messages ...bus.Message) error {
	for _, m := range messages {
		var shard int
		if _, err := fmt.Sscanf(m.Subject, "wa.in.%d.", &shard); err != nil {
			return err
		}
		d.stream = append(d.stream, lane.Message{Shard: shard, Pos: uint64(len(d.stream) + 1), Data: m.Data, At: d.time})
		d.passed++
	}
	return nil
}

// parts is the next batch: at most so many updates behind the checkpoints.
func (d *desk) parts(most int) []lane.Part {
	byShard := map[int]*lane.Part{}
	for _, m := range d.stream {
		lease, owned := d.leases[m.Shard]
		if !owned || m.Pos <= lease.Checkpoint || most == 0 {
			continue
		}
		most--
		if byShard[m.Shard] == nil {
			byShard[m.Shard] = &lane.Part{Fence: store.Fence{Shard: m.Shard, Epoch: lease.Epoch, From: lease.Checkpoint}}
		}
		part := byShard[m.Shard]
		part.Messages = append(part.Messages, m)
		part.Fence.To, part.Fence.At = m.Pos, m.At
	}
	var parts []lane.Part
	for _, shard := range slices.Sorted(maps.Keys(byShard)) {
		parts = append(parts, *byShard[shard])
	}
	return parts
}

// step applies one batch, and says whether there was one.
func (d *desk) step(most int) (bool, error) {
	parts := d.parts(most)
	if len(parts) == 0 {
		return false, nil
	}
	held, err := lane.Process(context.Background(), d.Service, parts)
	if err != nil {
		return true, err
	}
	for _, part := range parts {
		if !slices.Contains(held, part.Fence.Shard) {
			return true, fmt.Errorf("shard %d is fenced", part.Fence.Shard)
		}
		lease := d.leases[part.Fence.Shard]
		lease.Checkpoint = part.Fence.To
		d.leases[part.Fence.Shard] = lease
	}
	return true, nil
}

// run applies all that waits, in batches of at most so many updates.
func (d *desk) run(most int) {
	d.t.Helper()
	for {
		more, err := d.step(most)
		if err != nil {
			d.t.Fatal(err)
		}
		if !more {
			return
		}
	}
}

// say posts a text and applies it.
func (d *desk) say(p fake.Person, id, text string) {
	d.t.Helper()
	d.post(fake.Text(p, id, d.time, text))
	d.run(100)
}

func laneKey(p fake.Person) string {
	if p.BSUID != "" {
		return p.BSUID
	}
	return p.Phone
}

// events are all events of a person on the channel, in order.
func (d *desk) events(p fake.Person) []*parleyv1.Event {
	d.t.Helper()
	id := store.ContactID(channel, laneKey(p))
	shard := bus.ShardOf(channel, laneKey(p), shards)
	all, err := d.store.ReadEvents(context.Background(), shard, d.after[shard], 100_000)
	if err != nil {
		d.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e *parleyv1.Event) bool { return string(e.ContactId) != string(id[:]) })
}

// replies are the texts that a person was sent.
func (d *desk) replies(p fake.Person) []string {
	d.t.Helper()
	var texts []string
	for _, e := range d.events(p) {
		if queued := e.GetMessageQueued(); queued != nil {
			texts = append(texts, queued.GetText().GetBody())
		}
	}
	return texts
}

func (d *desk) wantReplies(p fake.Person, want ...string) {
	d.t.Helper()
	if got := d.replies(p); !slices.Equal(got, want) {
		d.t.Fatalf("%s was told\n  %s\nwant\n  %s", p.Name, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// known is what the database holds about a person.
func (d *desk) known(p fake.Person) (store.Contact, store.Session) {
	d.t.Helper()
	id := store.ContactID(channel, laneKey(p))
	known, err := d.store.LoadKnown(context.Background(), []uuid.UUID{id}, []uuid.UUID{})
	if err != nil {
		d.t.Fatal(err)
	}
	return known.Contacts[id], known.Sessions[store.SessionKey{Channel: channel, Contact: id}]
}

// letters are the dead letters of a kind, oldest first.
func (d *desk) letters(kind string) []store.DeadLetterView {
	d.t.Helper()
	list, err := d.store.DeadLetters(context.Background(), kind, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

func (d *desk) exec(sql string, args ...any) {
	d.t.Helper()
	if _, err := d.conn.Exec(context.Background(), sql, args...); err != nil {
		d.t.Fatal(err)
	}
}

// fold is the state that a session's events lead to.
func fold(events []*parleyv1.Event) (s flow.State) {
	for _, e := range events {
		s = flow.Evolve(s, e)
	}
	return s
}

// lateCopy is a message of the stream, once more and at another position.
func lateCopy(m lane.Message, position int) lane.Message {
	m.Pos = uint64(position)
	return m
}
