package lane

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// history is a shard's events as PostgreSQL holds them.
type history struct {
	store *store.Store
	lease store.Lease
}

func newHistories(t testing.TB, s *store.Store, shards int) []*history {
	t.Helper()
	if err := s.EnsureLeases(t.Context(), store.ServiceSession, shards); err != nil {
		t.Fatal(err)
	}
	leases, err := s.Acquire(t.Context(), store.ServiceSession, "writer", time.Hour, shards, nil)
	if err != nil {
		t.Fatal(err)
	}
	histories := make([]*history, shards)
	for _, l := range leases {
		histories[l.Shard] = &history{s, l}
	}
	return histories
}

// add commits n events and returns them.
func (h *history) add(t testing.TB, n int) []*parleyv1.Event {
	t.Helper()
	part := store.TurnPart{
		Fence: store.Fence{Shard: h.lease.Shard, Epoch: h.lease.Epoch, From: h.lease.Checkpoint, To: h.lease.Checkpoint + 1}, Head: h.lease.Head,
	}
	for i := range n {
		part.Events = append(part.Events, &parleyv1.Event{
			Shard: uint32(h.lease.Shard), Offset: h.lease.Head + uint64(i) + 1, AtMs: 1_763_800_000_000,
			Body: &parleyv1.Event_StepEntered{StepEntered: &parleyv1.StepEntered{Step: "name"}},
		})
	}
	if held, err := h.store.AppendTurns(t.Context(), []store.TurnPart{part}); err != nil || len(held) != 1 {
		t.Fatalf("append: held %v, %v", held, err)
	}
	h.lease.Checkpoint++
	h.lease.Head += uint64(n)
	return part.Events
}

// relay publishes events as one message.
func relay(t testing.TB, js jetstream.JetStream, shard int, events []*parleyv1.Event) {
	t.Helper()
	data, err := proto.Marshal(&parleyv1.EventBatch{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	publishRaw(t, js, shard, data)
}

func publishRaw(t testing.TB, js jetstream.JetStream, shard int, data []byte) {
	t.Helper()
	if _, err := js.Publish(t.Context(), bus.SubjectEvents(shard), data); err != nil {
		t.Fatal(err)
	}
}

// reading reads a shard in the background and keeps what was delivered.
type reading struct {
	stop  context.CancelFunc
	ended chan error
	mu    sync.Mutex
	got   []Message
}

func read(t testing.TB, source Source, lease store.Lease) *reading {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &reading{stop: stop, ended: make(chan error, 1)}
	go func() {
		r.ended <- source.Read(ctx, lease, func(m Message) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.got = append(r.got, m)
			return nil
		})
	}()
	t.Cleanup(stop)
	return r
}

func (r *reading) messages() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// awaitUpTo returns when the shard was read up to an offset, from one on, without gaps and repeats.
func (r *reading) awaitUpTo(t testing.TB, after, last uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("read up to %d", last), func() bool {
		got := r.messages()
		return len(got) > 0 && got[len(got)-1].Pos >= last
	})
	for i, m := range r.messages() {
		if want := after + uint64(i) + 1; m.Pos != want || m.Event.GetOffset() != want || m.Event.GetStepEntered() == nil {
			t.Fatalf("message %d is %d (event %v), want offset %d", i, m.Pos, m.Event, want)
		}
	}
}

func (r *reading) end(t testing.TB) {
	t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("the reading ended with %v", err)
	}
}

// TestEventSourceUnderChaos loses, repeats, delays and garbles what is relayed, while events are committed and read.
func TestEventSourceUnderChaos(t *testing.T) {
	t.Parallel()
	const rounds = 12
	s := newStore(t)
	js, _ := newBus(t, rounds)
	histories := newHistories(t, s, rounds)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	source := EventSource{JS: js, Service: "test", Events: s, Idle: 50 * time.Millisecond}
	for shard, h := range histories {
		var late [][]*parleyv1.Event
		commit := func() {
			events := h.add(t, 1+random.IntN(5))
			switch random.IntN(6) {
			case 0: // lost
			case 1:
				late = append(late, events)
			case 2:
				relay(t, js, shard, events)
				relay(t, js, shard, events)
			case 3:
				relay(t, js, shard, events)
				publishRaw(t, js, shard, []byte("\xff\xff no batch"))
			case 4:
				relay(t, js, shard, events[:random.IntN(len(events)+1)])
			default:
				relay(t, js, shard, events)
			}
			if len(late) > 0 && random.IntN(2) == 0 {
				relay(t, js, shard, late[0])
				late = late[1:]
			}
		}
		for range random.IntN(6) {
			commit()
		}
		after := uint64(random.Int64N(int64(h.lease.Head) + 1))
		r := read(t, source, store.Lease{Shard: shard, Epoch: 1, Checkpoint: after})
		for range 1 + random.IntN(12) {
			commit()
		}
		r.awaitUpTo(t, after, h.lease.Head)
		r.end(t)
	}
}

// TestEventSourceWithoutRelay follows commits that the stream never hears of.
func TestEventSourceWithoutRelay(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	js, _ := newBus(t, 1)
	h := newHistories(t, s, 1)[0]
	h.add(t, 2500) // more than two pages
	r := read(t, EventSource{JS: js, Service: "test", Events: s, Idle: 20 * time.Millisecond}, store.Lease{Epoch: 1})
	r.awaitUpTo(t, 0, 2500)
	h.add(t, 3)
	r.awaitUpTo(t, 0, 2503)
}

// TestEventSourceIsQuick hears of a commit through the stream, long before it would ask PostgreSQL.
func TestEventSourceIsQuick(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	js, _ := newBus(t, 1)
	h := newHistories(t, s, 1)[0]
	events := h.add(t, 2)
	r := read(t, EventSource{JS: js, Service: "test", Events: s, Idle: time.Hour}, store.Lease{Epoch: 1})
	r.awaitUpTo(t, 0, 2)
	relay(t, js, 0, events) // repeated: nothing new
	relay(t, js, 0, h.add(t, 2))
	r.awaitUpTo(t, 0, 4)
	h.add(t, 2) // lost: its successor tells
	relay(t, js, 0, h.add(t, 1))
	r.awaitUpTo(t, 0, 7)
}

// TestEventSourceSurvivesWipe deletes the stream that it follows.
func TestEventSourceSurvivesWipe(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	js, _ := newBus(t, 1)
	h := newHistories(t, s, 1)[0]
	for range 5 {
		relay(t, js, 0, h.add(t, 1))
	}
	resets := make(chan error, 100)
	source := EventSource{JS: js, Service: "test", Events: s, Idle: time.Hour, OnReset: func(_ int, reason error) { resets <- reason }}
	r := read(t, source, store.Lease{Epoch: 1})
	r.awaitUpTo(t, 0, 5)
	relay(t, js, 0, h.add(t, 1))
	r.awaitUpTo(t, 0, 6) // so the tail is open
	if err := js.DeleteStream(t.Context(), bus.StreamEvents); err != nil {
		t.Fatal(err)
	}
	<-resets
	h.add(t, 1)
	if _, err := bus.Declare(t.Context(), js, bus.Options{Shards: 1}); err != nil {
		t.Fatal(err)
	}
	r.awaitUpTo(t, 0, 7) // found in PostgreSQL, because the stream has lost what was read
	relay(t, js, 0, h.add(t, 1))
	r.awaitUpTo(t, 0, 8)
}

func TestEventSourceFails(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	js, _ := newBus(t, 1)
	newHistories(t, s, 1)[0].add(t, 1)
	source := EventSource{JS: js, Service: "test", Events: s, Idle: time.Hour}
	refused := fmt.Errorf("refused")
	if err := source.Read(t.Context(), store.Lease{Epoch: 1}, func(Message) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("a refused message: %v", err)
	}
	s.Close()
	if err := source.Read(t.Context(), store.Lease{Epoch: 1}, func(Message) error { return nil }); err == nil {
		t.Error("no database: no error")
	}
}

// TestRunLeavesNothing looks for goroutines of a replica that has ended, and whose shards were dropped and retaken before.
func TestRunLeavesNothing(t *testing.T) {
	s := newStore(t)
	js, publisher := newBus(t, 2)
	if err := publisher.Publish(t.Context(), bus.Message{Subject: bus.SubjectIn(0, "channel", "ann"), Data: []byte("0/1")}); err != nil {
		t.Fatal(err)
	}
	handler := newRecorder(s)
	handler.before = once()
	source := StreamSource{JS: js, Stream: bus.StreamIn, Service: store.ServiceSession, Filter: bus.FilterIn}
	r := start(t, Config{Owner: "a", Shards: 2}, s, source, handler)
	awaitApplied(t, s, 0, texts(0, 1, 1))
	eventually(t, "both shards are owned", func() bool { return r.shards() == 2 })
	if len(workers()) < 3 {
		t.Fatal("the goroutines of a replica at work are not recognised")
	}
	r.end(t)
	if left := workers(); len(left) > 0 {
		t.Errorf("%d goroutines are left of a replica:\n%s", len(left), strings.Join(left, "\n\n"))
	}

	events := read(t, EventSource{JS: js, Service: "test", Events: s, Idle: time.Hour}, store.Lease{Epoch: 1})
	eventually(t, "the event was read", func() bool { return len(events.messages()) == 1 })
	events.end(t)
	if left := workers(); len(left) > 0 {
		t.Errorf("%d goroutines are left of a reading:\n%s", len(left), strings.Join(left, "\n\n"))
	}
}

// workers returns the stacks of the goroutines that run a lane or read for one.
func workers() (found []string) {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		for _, name := range []string{"lane.(*Runner).", "lane.StreamSource.", "lane.EventSource.", "lane.(*follower).", "bus.(*reader)."} {
			if strings.Contains(stack, name) {
				found = append(found, stack)
				break
			}
		}
	}
	return found
}
