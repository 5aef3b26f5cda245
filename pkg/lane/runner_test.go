package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/devpg"
)

// TestRunnerOverStream reads four shards of a real stream, in batches of every size, and leaves nothing behind when it ends.
func TestRunnerOverStream(t *testing.T) {
	t.Parallel()
	const shards, contacts, each = 4, 10, 30
	s := newStore(t)
	js, publisher := newBus(t, shards)
	want := make([][]string, shards)
	publish := func(from, to int) {
		for n := from; n <= to; n++ {
			for c := range contacts {
				shard, text := c%shards, fmt.Sprintf("%d of %d", n, c)
				want[shard] = append(want[shard], text)
				if err := publisher.Publish(t.Context(), bus.Message{Subject: bus.SubjectIn(shard, "channel", fmt.Sprint(c)), Data: []byte(text)}); err != nil {
					t.Error(err)
				}
			}
		}
	}
	source := StreamSource{JS: js, Stream: bus.StreamIn, Service: store.ServiceSession, Filter: bus.FilterIn}
	publish(1, each/2)
	r := start(t, Config{Owner: "a", Shards: shards, BatchMax: 7}, s, source, newRecorder(s))
	publish(each/2+1, each)
	for shard := range shards {
		awaitApplied(t, s, shard, want[shard])
	}
	r.end(t)
	if left := ownedInDatabase(t, s); left != 0 {
		t.Errorf("%d shards were not released", left)
	}
	// Another one goes on where the first ended, with nothing applied again.
	start(t, Config{Owner: "b", Shards: shards}, s, source, newRecorder(s))
	publish(each+1, each+2)
	for shard := range shards {
		awaitApplied(t, s, shard, want[shard])
	}
}

func ownedInDatabase(t testing.TB, s *store.Store) (owned int) {
	t.Helper()
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range status.Leases {
		if l.Owner != "" || l.Held {
			owned++
		}
	}
	return owned
}

func TestRunnersShareShards(t *testing.T) {
	t.Parallel()
	const shards, leaseTime = 16, 5 * time.Second
	s := newStore(t)
	stream := newMemory()
	feed := func(from, to int) {
		for shard := range shards {
			stream.add(shard, texts(shard, from, to)...)
		}
	}
	config := func(owner string) Config { return Config{Owner: owner, Shards: shards, LeaseTime: leaseTime} }
	a := start(t, config("a"), s, stream, newRecorder(s))
	feed(1, 20)
	eventually(t, "a owns all shards", func() bool { return a.shards() == shards })
	b := start(t, config("b"), s, stream, newRecorder(s))
	feed(21, 40)
	eventually(t, "both own half", func() bool { return a.shards() == shards/2 && b.shards() == shards/2 })
	feed(41, 60)
	stopped := time.Now()
	a.end(t)
	eventually(t, "b owns all shards", func() bool { return b.shards() == shards })
	if took := time.Since(stopped); took > leaseTime-leaseTime/5 {
		t.Errorf("the take-over took %v: b waited for the leases to run out", took)
	}
	feed(61, 80)
	for shard := range shards {
		awaitApplied(t, s, shard, texts(shard, 1, 80))
	}
}

// mortal is a replica's way to the leases until it dies: it neither renews nor gives back any more.
type mortal struct {
	*store.Store
	dead atomic.Bool
}

var errDead = errors.New("dead")

func (m *mortal) Heartbeat(ctx context.Context, service, owner string, ttl time.Duration) (int, map[int]int64, error) {
	if m.dead.Load() {
		return 0, nil, errDead
	}
	return m.Store.Heartbeat(ctx, service, owner, ttl)
}

func (m *mortal) Acquire(ctx context.Context, service, owner string, ttl time.Duration, most int, except []int) ([]store.Lease, error) {
	if m.dead.Load() {
		return nil, errDead
	}
	return m.Store.Acquire(ctx, service, owner, ttl, most, except)
}

func (m *mortal) Release(ctx context.Context, service string, shard int, epoch int64) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Store.Release(ctx, service, shard, epoch)
}

func (m *mortal) Leave(ctx context.Context, service, owner string) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Store.Leave(ctx, service, owner)
}

func TestCrashedRunner(t *testing.T) {
	t.Parallel()
	const shards = 4
	s := newStore(t)
	stream := newMemory()
	leases := &mortal{Store: s}
	a := start(t, Config{Owner: "a", Shards: shards}, leases, stream, newRecorder(s))
	stream.add(2, texts(2, 1, 10)...)
	awaitApplied(t, s, 2, texts(2, 1, 10))
	leases.dead.Store(true)
	a.end(t)
	if left := ownedInDatabase(t, s); left != shards {
		t.Fatalf("%d shards are leased after a crash, want %d", left, shards)
	}
	b := start(t, Config{Owner: "b", Shards: shards}, s, stream, newRecorder(s))
	stream.add(2, texts(2, 11, 20)...)
	// Until the dead replica is forgotten, half is b's fair share; in the end all is.
	eventually(t, "b owns all shards", func() bool { return b.shards() == shards })
	awaitApplied(t, s, 2, texts(2, 1, 20))
}

// TestZombie holds a replica still, as SIGSTOP does, just ahead of a commit: it wakes up when others have its shards.
func TestZombie(t *testing.T) {
	t.Parallel()
	const shards = 2
	s := newStore(t)
	stream := newMemory()
	stopped, wake := make(chan struct{}), make(chan struct{})
	first := true
	sleeper := newRecorder(s)
	sleeper.before = func([]Part) error {
		if first {
			first = false
			close(stopped)
			<-wake
		}
		return nil
	}
	stream.add(0, texts(0, 1, 5)...)
	stream.add(1, texts(1, 1, 5)...)
	start(t, Config{Owner: "a", Shards: shards}, s, stream, sleeper)
	<-stopped
	b := start(t, Config{Owner: "b", Shards: shards}, s, stream, newRecorder(s))
	eventually(t, "b owns all shards", func() bool { return b.shards() == shards })
	stream.add(0, texts(0, 6, 9)...)
	awaitApplied(t, s, 0, texts(0, 1, 9))
	awaitApplied(t, s, 1, texts(1, 1, 5))
	close(wake)
	eventually(t, "the late commit was fenced", func() bool { return sleeper.timesFenced() > 0 })
	eventually(t, "both share again", func() bool { return b.shards() == shards/2 })
	stream.add(0, texts(0, 10, 15)...)
	stream.add(1, texts(1, 6, 15)...)
	awaitApplied(t, s, 0, texts(0, 1, 15))
	awaitApplied(t, s, 1, texts(1, 1, 15))
}

// TestApplyFails repeats a batch whose outcome is not known to be good: whether it was committed, only the database can say.
func TestApplyFails(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*recorder){
		"ahead of the commit": func(r *recorder) { r.before = once() },
		"behind the commit":   func(r *recorder) { r.after = once() },
		"ahead and behind":    func(r *recorder) { r.before, r.after = once(), once() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			stream := newMemory()
			for shard := range 2 {
				stream.add(shard, texts(shard, 1, 30)...)
			}
			handler := newRecorder(s)
			spoil(handler)
			start(t, Config{Owner: "a", Shards: 2, BatchMax: 10}, s, stream, handler)
			for shard := range 2 {
				awaitApplied(t, s, shard, texts(shard, 1, 30))
			}
			if epochs := epochs(t, s); epochs[0]+epochs[1] < 3 {
				t.Errorf("epochs %v: the shards of the failed batch were not taken anew", epochs)
			}
			if handler.timesFenced() > 0 {
				t.Error("the owner itself was fenced")
			}
		})
	}
}

func epochs(t testing.TB, s *store.Store) map[int]int64 {
	t.Helper()
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	epochs := map[int]int64{}
	for _, l := range status.Leases {
		epochs[l.Shard] = l.Epoch
	}
	return epochs
}

// TestPoison parks what PostgreSQL refuses, and nothing else. Setting it aside fails at first.
func TestPoison(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	stream := newMemory()
	handler := newRecorder(s)
	failures := 0
	handler.parking = func([]Part) error {
		if failures++; failures <= 2 {
			return errOnce
		}
		return nil
	}
	stream.add(0, append(append(texts(0, 1, 5), poison+" a", poison+" b"), texts(0, 6, 9)...)...)
	stream.add(1, texts(1, 1, 9)...)
	start(t, Config{Owner: "a", Shards: 2}, s, stream, handler)
	awaitApplied(t, s, 0, texts(0, 1, 9))
	awaitApplied(t, s, 1, texts(1, 1, 9))
	if got := handler.parkedTexts(); !slices.Equal(got, []string{poison + " a", poison + " b"}) {
		t.Errorf("parked %q", got)
	}
	letters, err := s.DeadLetters(t.Context(), store.DeadParked, 10)
	if err != nil || len(letters) != 2 || letters[1].Position != 6 || letters[0].Position != 7 || !strings.Contains(letters[0].Reason, "append turns") {
		t.Errorf("dead letters %+v, %v", letters, err)
	}
}

// TestFencedPart takes one of two shards away in the middle of a batch of both.
func TestFencedPart(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	stream := newMemory()
	handler := newRecorder(s)
	thief := make(chan store.Lease, 1)
	handler.before = func(parts []Part) error {
		for _, part := range parts {
			if part.Fence.Shard == 0 && len(thief) == 0 && len(parts) == 2 {
				thief <- steal(t, s, 0)
			}
		}
		return nil
	}
	r := start(t, Config{Owner: "a", Shards: 2, LeaseTime: time.Minute}, s, stream, handler)
	eventually(t, "both shards are owned", func() bool { return r.shards() == 2 })
	next := 1
	eventually(t, "a batch of both shards was fenced", func() bool {
		stream.add(0, texts(0, next, next)...)
		stream.add(1, texts(1, next, next)...)
		next++
		return handler.timesFenced() > 0
	})
	awaitApplied(t, s, 1, texts(1, 1, next-1))
	eventually(t, "the lost shard was dropped", func() bool { return r.shards() == 1 })
	if got := applied(t, s, 0); len(got) >= next-1 {
		t.Fatalf("all messages of the stolen shard were applied: %v", got)
	}
	lease := <-thief
	if err := s.Release(t.Context(), store.ServiceSession, 0, lease.Epoch); err != nil {
		t.Fatal(err)
	}
	r.end(t)
	start(t, Config{Owner: "b", Shards: 2}, s, stream, newRecorder(s))
	awaitApplied(t, s, 0, texts(0, 1, next-1))
}

// steal makes somebody else the owner of a shard that is leased.
func steal(t testing.TB, s *store.Store, shard int) (lease store.Lease) {
	rows, err := s.Query(context.Background(), `UPDATE leases SET epoch = epoch + 1, owner = 'thief', lease_until = now() + interval '1 minute'
		WHERE service = $1 AND shard = $2 RETURNING shard, epoch`, store.ServiceSession, shard)
	if err != nil {
		t.Errorf("steal: %v", err)
		return lease
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&lease.Shard, &lease.Epoch); err != nil {
			t.Errorf("steal: %v", err)
		}
	}
	return lease
}

// TestDatabaseStops stops PostgreSQL under a running lane, and starts it again.
func TestDatabaseStops(t *testing.T) {
	t.Parallel()
	options := devpg.Options{Dir: t.TempDir()}
	server, err := devpg.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if err := store.Migrate(t.Context(), server.DSN()); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, server.DSN())
	stream := newMemory()
	handler := newRecorder(s)
	failed := make(chan struct{})
	down := false
	handler.before = func([]Part) error {
		if err := s.Ping(context.Background()); err != nil && !down {
			down = true
			close(failed)
		}
		return nil
	}
	start(t, Config{Owner: "a", Shards: 2}, s, stream, handler)
	stream.add(0, texts(0, 1, 10)...)
	awaitApplied(t, s, 0, texts(0, 1, 10))
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	stream.add(0, texts(0, 11, 20)...)
	stream.add(1, texts(1, 1, 20)...)
	<-failed
	if server, err = devpg.Start(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	for shard := range 2 {
		awaitApplied(t, s, shard, texts(shard, 1, 20))
	}
}

// TestStreamWentBack wipes the stream under a lane that has a checkpoint in it. What the providers deliver again is absorbed.
func TestStreamWentBack(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]int{"shorter than before": 4, "longer than before": 30} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			js, publisher := newBus(t, 1)
			publish := func(list ...string) {
				for _, text := range list {
					if err := publisher.Publish(t.Context(), bus.Message{Subject: bus.SubjectIn(0, "channel", "ann"), Data: []byte(text)}); err != nil {
						t.Fatal(err)
					}
				}
			}
			source := StreamSource{JS: js, Stream: bus.StreamIn, Service: store.ServiceSession, Filter: bus.FilterIn}
			absorbing := func() *recorder {
				r := newRecorder(s)
				r.absorb = true
				return r
			}
			r := start(t, Config{Owner: "a", Shards: 1}, s, source, absorbing())
			publish(texts(0, 1, 10)...)
			awaitApplied(t, s, 0, texts(0, 1, 10))
			r.end(t)
			if err := js.DeleteStream(t.Context(), bus.StreamIn); err != nil {
				t.Fatal(err)
			}
			if _, err := bus.Declare(t.Context(), js, bus.Options{Shards: 1}); err != nil {
				t.Fatal(err)
			}
			publish(texts(0, 8, 10+again)...)
			start(t, Config{Owner: "b", Shards: 1}, s, source, absorbing())
			awaitApplied(t, s, 0, texts(0, 1, 10+again))
		})
	}
}

// still are leases that are always there.
type still struct{ shards int }

func (s still) EnsureLeases(context.Context, string, int) error { return nil }
func (s still) Heartbeat(context.Context, string, string, time.Duration) (int, map[int]int64, error) {
	held := map[int]int64{}
	for shard := range s.shards {
		held[shard] = 1
	}
	return 1, held, nil
}

func (s still) Acquire(_ context.Context, _, _ string, _ time.Duration, most int, except []int) (leases []store.Lease, _ error) {
	for shard := range s.shards {
		if !slices.Contains(except, shard) && len(leases) < most {
			leases = append(leases, store.Lease{Shard: shard, Epoch: 1})
		}
	}
	return leases, nil
}
func (s still) Release(context.Context, string, int, int64) error { return nil }
func (s still) Leave(context.Context, string, string) error       { return nil }
func (s still) Rewind(context.Context, string, int, int64) error  { return nil }

// gated is a handler that lets one batch through for each token.
type gated struct {
	tokens  chan struct{}
	largest int
	applied int
	// awaited is how many messages all are; done is closed when they are applied.
	awaited int
	done    chan struct{}
}

func (g *gated) Take(context.Context, store.Lease) error { return nil }
func (g *gated) Drop(int)                                {}
func (g *gated) Park(context.Context, Part, error) (bool, error) {
	return false, errors.New("nothing is to be parked")
}

func (g *gated) Apply(_ context.Context, parts []Part) (held []int, err error) {
	<-g.tokens
	n := 0
	for _, part := range parts {
		held = append(held, part.Fence.Shard)
		n += len(part.Messages)
	}
	g.largest = max(g.largest, n)
	if g.applied += n; g.applied == g.awaited {
		close(g.done)
	}
	return held, nil
}

// counted counts what a source could deliver.
type counted struct {
	*memory
	delivered atomic.Int64
}

func (c *counted) Read(ctx context.Context, lease store.Lease, deliver func(Message) error) error {
	return c.memory.Read(ctx, lease, func(m Message) error {
		err := deliver(m)
		c.delivered.Add(1)
		return err
	})
}

// TestBackPressure blocks the handler: what the lane takes from its source is bounded, and goes on when the handler does.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const shards, batch, each = 3, 10, 1000
		source := &counted{memory: newMemory()}
		for shard := range shards {
			source.add(shard, texts(shard, 1, each)...)
		}
		handler := &gated{tokens: make(chan struct{}), awaited: shards * each, done: make(chan struct{})}
		intake, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		config := Config{Service: "test", Owner: "a", Shards: shards, LeaseTime: time.Hour, BatchMax: batch, Gather: DefaultGather, Log: zerolog.Nop()}
		go func() { ended <- New(config, still{shards}, source, handler).Run(intake, context.Background()) }()
		for round := range 5 {
			synctest.Wait()
			// The batch in hand, and the channel's buffer of two more.
			if got, want := source.delivered.Load(), int64((3+round)*batch); got != want {
				t.Errorf("round %d: the source delivered %d messages, want %d", round, got, want)
			}
			handler.tokens <- struct{}{}
		}
		close(handler.tokens)
		<-handler.done
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if handler.largest != batch {
			t.Errorf("batches of up to %d, want %d", handler.largest, batch)
		}
	})
}
