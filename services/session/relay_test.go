package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// relayPatience is how long a test waits for what must happen.
const relayPatience = 20 * time.Second

// ledger is an EventReader over memory: what a database would hold.
type ledger struct {
	mu     sync.Mutex
	events map[int][]*parleyv1.Event
	err    error
}

func newLedger() *ledger { return &ledger{events: map[int][]*parleyv1.Event{}} }

// commit appends n events to a shard and returns them.
func (l *ledger) commit(shard, n int) []*parleyv1.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := len(l.events[shard])
	for range n {
		l.events[shard] = append(l.events[shard], &parleyv1.Event{Shard: uint32(shard), Offset: uint64(len(l.events[shard]) + 1)})
	}
	return l.events[shard][from:]
}

func (l *ledger) ReadEvents(_ context.Context, shard int, after uint64, limit int) ([]*parleyv1.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	all := l.events[shard]
	from := min(int(after), len(all))
	return all[from:min(from+limit, len(all))], nil
}

// startNATS starts a server and connects to it, over TCP if listen is set.
func startNATS(t *testing.T, dir, listen string) *bus.Server {
	t.Helper()
	server, err := bus.StartServer(bus.ServerOptions{Dir: dir, Listen: listen, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	return server
}

func declared(t *testing.T, nc *nats.Conn, err error) jetstream.JetStream {
	t.Helper()
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
	return js
}

func newStreams(t *testing.T) jetstream.JetStream {
	t.Helper()
	nc, err := startNATS(t, t.TempDir(), "").Connect(t.Name())
	return declared(t, nc, err)
}

// relaying runs a relay and returns what stops it.
func relaying(t *testing.T, r *StreamRelay) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// follow reads a shard's events up to an offset, as a follower does: it drops
// what it has seen. It fails at a gap, and returns how many came twice.
func follow(t *testing.T, js jetstream.JetStream, shard int, until uint64) (doubles int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), relayPatience)
	defer cancel()
	enough := errors.New("enough")
	seen := uint64(0)
	err := bus.Read(ctx, js, bus.ReadOptions{Stream: bus.StreamEvents, Filter: bus.SubjectEvents(shard), Name: "test"}, func(d bus.Delivery) error {
		batch := &parleyv1.EventBatch{}
		if err := proto.Unmarshal(d.Data, batch); err != nil {
			return err
		}
		for _, e := range batch.Events {
			switch {
			case int(e.Shard) != shard || e.Offset > seen+1:
				t.Errorf("event %d/%d follows %d/%d", e.Shard, e.Offset, shard, seen)
			case e.Offset <= seen:
				doubles++
			default:
				seen = e.Offset
			}
		}
		if seen >= until {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("shard %d was relayed up to %d, want %d: %v", shard, seen, until, err)
	}
	return doubles
}

func TestRelayInOrder(t *testing.T) {
	js, l := newStreams(t), newLedger()
	r := NewRelay(js, l, zerolog.Nop())
	relaying(t, r)
	for shard := range shards {
		r.Take(shard)
	}
	for n := range 30 {
		for shard := range shards {
			r.Add(l.commit(shard, 1+n%3))
		}
	}
	for shard := range shards {
		follow(t, js, shard, 60)
	}
}

// A new owner goes on where the stream ends, with what its predecessor had
// committed and not relayed.
func TestRelayResumes(t *testing.T) {
	js, l := newStreams(t), newLedger()
	first := NewRelay(js, l, zerolog.Nop())
	stop := relaying(t, first)
	first.Take(1)
	first.Add(l.commit(1, 5))
	follow(t, js, 1, 5)
	stop()
	first.Add(l.commit(1, 2500)) // more than a page; nobody relays it
	second := NewRelay(js, l, zerolog.Nop())
	second.Take(1)
	relaying(t, second)
	second.Add(l.commit(1, 1))
	if doubles := follow(t, js, 1, 2506); doubles > 0 {
		t.Errorf("%d events were relayed twice", doubles)
	}
}

// Events that were added for no relay, as after an overflow, are read from the store.
func TestRelayFillsGaps(t *testing.T) {
	js, l := newStreams(t), newLedger()
	r := NewRelay(js, l, zerolog.Nop())
	r.Take(2)
	relaying(t, r)
	r.Add(l.commit(2, 3))
	follow(t, js, 2, 3)
	l.commit(2, 4) // lost on their way
	r.Add(l.commit(2, 2))
	follow(t, js, 2, 9)
}

func TestRelayOverflows(t *testing.T) {
	js, l := newStreams(t), newLedger()
	r := NewRelay(js, l, zerolog.Nop())
	r.Take(0)
	r.Take(1)
	r.Add(l.commit(0, relayWaitingMax))
	r.Add(l.commit(1, 10))
	r.mu.Lock()
	waiting := len(r.waiting)
	r.mu.Unlock()
	if waiting > relayWaitingMax {
		t.Errorf("%d events wait in memory", waiting)
	}
	relaying(t, r)
	follow(t, js, 1, 10)
	follow(t, js, 0, relayWaitingMax)
}

// What is not this replica's is not relayed.
func TestRelayForeignShard(t *testing.T) {
	js, l := newStreams(t), newLedger()
	r := NewRelay(js, l, zerolog.Nop())
	relaying(t, r)
	r.Take(1)
	r.Take(3)
	r.Drop(3)
	r.Add(l.commit(3, 5))
	r.Add(l.commit(1, 5))
	follow(t, js, 1, 5)
	if d, err := bus.LastMessage(t.Context(), js, bus.StreamEvents, bus.SubjectEvents(3)); err != nil || d != nil {
		t.Errorf("%v, %v", d, err)
	}
}

// The store fails for a while: one line in the log, and nothing is lost.
func TestRelayWithoutStore(t *testing.T) {
	js, l := newStreams(t), newLedger()
	l.err = errors.New("database down")
	var log lines
	log.want("events are not relayed")
	r := NewRelay(js, l, zerolog.New(&log))
	relaying(t, r)
	r.Take(1)
	r.Add(l.commit(1, 5))
	log.wait(t)
	l.mu.Lock()
	l.err = nil
	l.mu.Unlock()
	r.Add(l.commit(1, 1))
	follow(t, js, 1, 6)
}

// NATS goes away and comes back: nothing is lost, and nothing blocks meanwhile.
func TestRelayOutlivesNATS(t *testing.T) {
	dir, l := t.TempDir(), newLedger()
	server := startNATS(t, dir, "127.0.0.1:0")
	address := strings.TrimPrefix(server.URL(), "nats://")
	nc, err := bus.Connect(t.Context(), server.URL(), "test", zerolog.Nop())
	js := declared(t, nc, err)
	var log lines
	log.want("events are not relayed")
	r := NewRelay(js, l, zerolog.New(&log))
	relaying(t, r)
	r.Take(1)
	r.Add(l.commit(1, 5))
	follow(t, js, 1, 5)
	server.Shutdown()
	r.Add(l.commit(1, 5))
	log.wait(t)
	r.Add(l.commit(1, 5))
	startNATS(t, dir, address)
	r.Add(l.commit(1, 5))
	follow(t, js, 1, 20)
}

// lines is a log that says when a line has come.
type lines struct {
	word string
	came chan struct{}
	once sync.Once
}

func (l *lines) want(word string) { l.word, l.came = word, make(chan struct{}) }

func (l *lines) Write(p []byte) (int, error) {
	if strings.Contains(string(p), l.word) {
		l.once.Do(func() { close(l.came) })
	}
	return len(p), nil
}

func (l *lines) wait(t *testing.T) {
	t.Helper()
	select {
	case <-l.came:
	case <-time.After(relayPatience):
		t.Fatalf("%q was not logged", l.word)
	}
}

// Messages stay below a size, unless one event alone is larger, and hold each
// shard's events in order.
func TestPack(t *testing.T) {
	var events []*parleyv1.Event
	for n := range 200 {
		size := 5000
		if n == 77 {
			size = relayBytesMax + 1
		}
		events = append(events, &parleyv1.Event{Shard: uint32(n % 3), Offset: uint64(n/3 + 1), Channel: strings.Repeat("x", size)})
	}
	messages, err := pack(events, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	next := map[uint32]uint64{}
	for _, m := range messages {
		batch := &parleyv1.EventBatch{}
		if err := proto.Unmarshal(m.Data, batch); err != nil {
			t.Fatal(err)
		}
		if len(m.Data) > relayBytesMax+1024 && len(batch.Events) > 1 {
			t.Errorf("%d bytes in %d events", len(m.Data), len(batch.Events))
		}
		for _, e := range batch.Events {
			if next[e.Shard]++; e.Offset != next[e.Shard] || m.Subject != bus.SubjectEvents(int(e.Shard)) {
				t.Errorf("event %d/%d on %s", e.Shard, e.Offset, m.Subject)
			}
		}
	}
	if next[0]+next[1]+next[2] != uint64(len(events)) || len(messages) > 12 {
		t.Errorf("%d messages hold %v events", len(messages), next)
	}
}

// An event that the server would refuse must not hold up those behind it.
func TestPackLeavesOutWhatNoServerTakes(t *testing.T) {
	events := []*parleyv1.Event{
		{Shard: 1, Offset: 1},
		{Shard: 1, Offset: 2, Channel: strings.Repeat("x", 2<<20)},
		{Shard: 1, Offset: 3},
	}
	messages, err := pack(events, 1<<20)
	if err != nil || len(messages) != 2 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	for i, offset := range []uint64{1, 3} {
		batch := &parleyv1.EventBatch{}
		if err := proto.Unmarshal(messages[i].Data, batch); err != nil || len(batch.Events) != 1 || batch.Events[0].Offset != offset {
			t.Errorf("message %d: %v, %v", i, batch, err)
		}
	}
}
