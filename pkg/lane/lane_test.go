package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/pgtest"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// patience is how long a test waits for what must happen before it fails.
const patience = 30 * time.Second

func newStore(t testing.TB) *store.Store {
	t.Helper()
	return openStore(t, pgtest.New(t, store.Migrate))
}

func openStore(t testing.TB, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), dsn, 8, "lane test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func newBus(t testing.TB, shards int) (jetstream.JetStream, *bus.Publisher) {
	t.Helper()
	server, err := bus.StartServer(bus.ServerOptions{Dir: t.TempDir(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	nc, err := server.Connect("lane test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Declare(t.Context(), js, bus.Options{Shards: shards}); err != nil {
		t.Fatal(err)
	}
	publisher := bus.NewPublisher(nc, bus.StreamIn, bus.PublisherOptions{Timeout: patience})
	t.Cleanup(publisher.Close)
	return js, publisher
}

// eventually asks until the answer is yes: what PostgreSQL and NATS do, no channel of this process tells.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(patience); !done(); {
		if now := <-poll.C; now.After(deadline) {
			t.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

// memory is a stream in memory: a Source whose positions are 1, 2, 3 ... per shard.
type memory struct {
	mu      sync.Mutex
	shards  map[int][]Message
	changed chan struct{}
}

func newMemory() *memory { return &memory{shards: map[int][]Message{}, changed: make(chan struct{})} }

func (m *memory) add(shard int, texts ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, text := range texts {
		m.shards[shard] = append(m.shards[shard], Message{
			Shard: shard, Pos: uint64(len(m.shards[shard])) + 1, Data: []byte(text), At: time.UnixMilli(1_763_800_000_000),
		})
	}
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) after(shard int, pos uint64) (messages []Message, changed <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shards[shard][pos:], m.changed
}

func (m *memory) Read(ctx context.Context, lease store.Lease, deliver func(Message) error) error {
	for pos := lease.Checkpoint; ; {
		messages, changed := m.after(lease.Shard, pos)
		for _, message := range messages {
			if err := deliver(message); err != nil {
				return err
			}
			pos = message.Pos
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// poison is the beginning of a message that PostgreSQL refuses, whenever it is tried.
const poison = "poison"

// recorder is a Handler that appends one event for each message, through the real statement with its real fence. So a message that
// is applied twice, or in the wrong order, shows in the events.
type recorder struct {
	store *store.Store
	// absorb makes it look for messages that were applied before, as the session service does.
	absorb bool
	// before runs ahead of a commit, after behind it; their errors are Apply's. parking runs ahead of Park.
	before, after, parking func(parts []Part) error

	heads map[int]uint64

	mu     sync.Mutex
	fenced int
	parked []string
}

func newRecorder(s *store.Store) *recorder {
	nothing := func([]Part) error { return nil }
	return &recorder{store: s, before: nothing, after: nothing, parking: nothing, heads: map[int]uint64{}}
}

func (r *recorder) Take(_ context.Context, l store.Lease) error {
	r.heads[l.Shard] = l.Head
	return nil
}

func (r *recorder) Drop(shard int) { delete(r.heads, shard) }

func (r *recorder) Apply(ctx context.Context, parts []Part) ([]int, error) {
	if err := r.before(parts); err != nil {
		return nil, err
	}
	turns := make([]store.TurnPart, len(parts))
	for i, part := range parts {
		var err error
		if turns[i], err = r.turn(ctx, part); err != nil {
			return nil, err
		}
	}
	held, err := r.commit(ctx, turns)
	if err != nil {
		return nil, err
	}
	return held, r.after(parts)
}

func (r *recorder) turn(ctx context.Context, part Part) (store.TurnPart, error) {
	turn := store.TurnPart{Fence: part.Fence, Head: r.heads[part.Fence.Shard]}
	known := store.Known{}
	if r.absorb {
		for _, m := range part.Messages {
			turn.Inbox = append(turn.Inbox, store.InboxID("lane", string(m.Data)))
		}
		var err error
		if known, err = r.store.LoadKnown(ctx, nil, turn.Inbox); err != nil {
			return turn, err
		}
		turn.Inbox = nil
	}
	for _, m := range part.Messages {
		text := string(m.Data)
		id := store.InboxID("lane", text)
		if known.Applied[id] {
			continue
		}
		turn.Events = append(turn.Events, &parleyv1.Event{Body: &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{
			Input: &parleyv1.Input{Id: text},
		}}})
		if r.absorb {
			turn.Inbox = append(turn.Inbox, id)
		}
		if strings.HasPrefix(text, poison) {
			turn.Contacts = append(turn.Contacts, store.Contact{ID: id, Shard: m.Shard, Identity: &parleyv1.Identity{Name: "\x00"}})
		}
	}
	return turn, nil
}

func (r *recorder) Park(ctx context.Context, part Part, cause error) (bool, error) {
	if err := r.parking([]Part{part}); err != nil {
		return false, err
	}
	m := part.Messages[0]
	held, err := r.commit(ctx, []store.TurnPart{{
		Fence: part.Fence, Head: r.heads[part.Fence.Shard],
		DeadLetters: []store.DeadLetter{{Kind: store.DeadParked, Shard: m.Shard, Position: m.Pos, Data: m.Data, Reason: cause.Error()}},
	}})
	if len(held) == 1 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.parked = append(r.parked, string(m.Data))
	}
	return len(held) == 1, err
}

func (r *recorder) commit(ctx context.Context, turns []store.TurnPart) ([]int, error) {
	held, err := r.store.AppendTurns(ctx, turns)
	if err != nil {
		return nil, err
	}
	for _, turn := range turns {
		if slices.Contains(held, turn.Fence.Shard) {
			r.heads[turn.Fence.Shard] += uint64(len(turn.Events))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fenced += len(turns) - len(held)
	return held, nil
}

// parkedTexts and timesFenced are what other goroutines may ask.
func (r *recorder) parkedTexts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.parked)
}

func (r *recorder) timesFenced() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fenced
}

// applied returns the messages of a shard in the order in which they took effect.
func applied(t testing.TB, s *store.Store, shard int) []string {
	t.Helper()
	events, err := s.ReadEvents(t.Context(), shard, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	texts := make([]string, len(events))
	for i, e := range events {
		if texts[i] = e.GetInputReceived().GetInput().GetId(); e.Offset != uint64(i)+1 {
			t.Fatalf("event %d of shard %d has offset %d", i+1, shard, e.Offset)
		}
	}
	return texts
}

// awaitApplied returns when a shard has as many effects as wanted, and checks that they are the wanted ones in order.
func awaitApplied(t testing.TB, s *store.Store, shard int, want []string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d messages of shard %d applied", len(want), shard), func() bool {
		return checkpointHead(t, s, shard) >= len(want)
	})
	if got := applied(t, s, shard); !slices.Equal(got, want) {
		t.Fatalf("shard %d: applied\n%v\nwant\n%v", shard, got, want)
	}
}

func checkpointHead(t testing.TB, s *store.Store, shard int) int {
	t.Helper()
	rows, err := s.Query(t.Context(), `SELECT head FROM leases WHERE service = $1 AND shard = $2`, store.ServiceSession, shard)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	head := 0
	for rows.Next() {
		if err := rows.Scan(&head); err != nil {
			t.Fatal(err)
		}
	}
	return head
}

// texts are messages that tell their shard and number.
func texts(shard, from, to int) []string {
	var list []string
	for n := from; n <= to; n++ {
		list = append(list, fmt.Sprintf("%d/%d", shard, n))
	}
	return list
}

// replica is a Runner at work.
type replica struct {
	stop  context.CancelFunc
	ended chan struct{}

	mu    sync.Mutex
	owned int
}

// start runs a replica until the test ends, or stop is called.
func start(t testing.TB, config Config, leases Leases, source Source, handler Handler) *replica {
	t.Helper()
	config.Service, config.Log = store.ServiceSession, zerolog.Nop()
	if config.LeaseTime == 0 {
		config.LeaseTime = time.Second
	}
	if config.BatchMax == 0 {
		config.BatchMax = DefaultBatchMax
	}
	config.Gather = DefaultGather
	intake, stop := context.WithCancel(context.Background())
	r := &replica{stop: stop, ended: make(chan struct{})}
	config.OnShare = func(owned int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.owned = owned
	}
	go func() {
		defer close(r.ended)
		if err := New(config, leases, source, handler).Run(intake, context.Background()); err != nil {
			t.Errorf("%s ended: %v", config.Owner, err)
		}
	}()
	t.Cleanup(func() { r.end(t) })
	return r
}

// end stops the replica as SIGTERM does, and returns when it has.
func (r *replica) end(t testing.TB) {
	t.Helper()
	r.stop()
	select {
	case <-r.ended:
	case <-time.After(patience):
		t.Error("the replica does not end")
	}
}

func (r *replica) shards() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owned
}

var errOnce = errors.New("once")

// once fails the first call.
func once() func([]Part) error {
	failed := false
	return func([]Part) error {
		if failed {
			return nil
		}
		failed = true
		return errOnce
	}
}
