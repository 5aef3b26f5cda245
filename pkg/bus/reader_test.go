package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

func publishNumbers(t *testing.T, p *Publisher, shard, from, to int) {
	t.Helper()
	var messages []Message
	for number := from; number < to; number++ {
		messages = append(messages, numbered(shard, shard, number))
	}
	mustPublish(t, p, messages...)
}

// following is a Read in the background that checks the order of one shard's numbers.
type following struct {
	t       *testing.T
	stop    context.CancelFunc
	result  chan error
	resets  chan error
	numbers chan int // what was delivered, checked to be 0, 1, 2, …
	last    Delivery
}

func follow(t *testing.T, js jetstream.JetStream, o ReadOptions) *following {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	f := &following{t: t, stop: stop, result: make(chan error, 1), resets: make(chan error, 1000), numbers: make(chan int, 100_000)}
	o.OnReset = func(reason error) { f.resets <- reason }
	next := 0
	go func() {
		f.result <- Read(ctx, js, o, func(d Delivery) error {
			var shard, number int
			if _, err := fmt.Sscanf(string(d.Data), "%d/%d", &shard, &number); err != nil || number != next {
				return fmt.Errorf("got %q, want number %d", d.Data, next)
			}
			next++
			f.last = d
			f.numbers <- number
			return nil
		})
	}()
	return f
}

// until waits until the number was delivered.
func (f *following) until(number int) {
	f.t.Helper()
	late := time.After(patience)
	for {
		select {
		case got := <-f.numbers:
			if got == number {
				return
			}
		case err := <-f.result:
			f.t.Fatalf("Read ended before number %d: %v", number, err)
		case <-late:
			f.t.Fatalf("number %d did not come", number)
		}
	}
}

// wantReset waits for a reset with the reason, or with any if want is nil.
func (f *following) wantReset(want error) {
	f.t.Helper()
	late := time.After(patience)
	for {
		select {
		case got := <-f.resets:
			if want == nil || errors.Is(got, want) {
				return
			}
		case <-late:
			f.t.Fatalf("no reset because of: %v", want)
		}
	}
}

// end stops the reader and returns the last delivery.
func (f *following) end() Delivery {
	f.t.Helper()
	f.stop()
	select {
	case err := <-f.result:
		if err != nil {
			f.t.Fatal(err)
		}
	case <-time.After(patience):
		f.t.Fatal("Read did not end with its context")
	}
	return f.last
}

func consumers(t *testing.T, js jetstream.JetStream) []string {
	t.Helper()
	stream, err := js.Stream(testContext(t), StreamIn)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range stream.ConsumerNames(testContext(t)).Name() {
		names = append(names, name)
	}
	return names
}

func TestReadInOrderOverShards(t *testing.T) {
	const shards, each = 4, 5_000
	nc, js := newBus(t, Options{Shards: shards})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{MaxBatch: serverMaxBatch})
	var all sync.WaitGroup
	readers := make([]*following, shards)
	for shard := range shards {
		readers[shard] = follow(t, js, ReadOptions{Stream: StreamIn, Filter: FilterIn(shard), Name: fmt.Sprintf("session-%02d", shard)})
		all.Go(func() { publishNumbers(t, p, shard, 0, each) })
	}
	for shard, f := range readers {
		f.until(each - 1)
		last := f.end()
		if !strings.HasPrefix(last.Subject, strings.TrimSuffix(FilterIn(shard), ">")) || last.Seq == 0 || last.At.IsZero() {
			t.Errorf("shard %d: the last delivery is %+v", shard, last)
		}
	}
	all.Wait()
	if left := consumers(t, js); len(left) > 0 {
		t.Errorf("consumers are left behind: %v", left)
	}
}

func TestReadStartsBehindAfter(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	mustPublish(t, p, numbered(0, 0, 77), numbered(0, 0, 78), numbered(1, 1, 99))
	publishNumbers(t, p, 0, 0, 3)
	f := follow(t, js, ReadOptions{Stream: StreamIn, Filter: FilterIn(0), Name: "session-00", After: 2})
	f.until(2)
	if last := f.end(); last.Seq != 6 {
		t.Errorf("the last sequence is %d, want 6", last.Seq)
	}
}

func TestReadReturnsWhatDeliverReturns(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	publishNumbers(t, p, 0, 0, 10)
	fenced := errors.New("fenced")
	count := 0
	err := Read(testContext(t), js, ReadOptions{Stream: StreamIn, Filter: FilterIn(0), Name: "session-00"}, func(Delivery) error {
		if count++; count == 5 {
			return fenced
		}
		return nil
	})
	if !errors.Is(err, fenced) || count != 5 {
		t.Errorf("got %v after %d deliveries", err, count)
	}
}

func TestReadWaitsForASlowDeliver(t *testing.T) {
	const buffer = 4
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	publishNumbers(t, p, 0, 0, 100)
	ctx, stop := context.WithCancel(testContext(t))
	defer stop()
	started, release, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	count := 0
	go func() {
		options := ReadOptions{Stream: StreamIn, Filter: FilterIn(0), Name: "session-00", Buffer: buffer, OnReset: func(err error) { t.Errorf("reset: %v", err) }}
		result <- Read(ctx, js, options, func(Delivery) error {
			if count++; count == 1 {
				close(started)
				<-release
			}
			if count == 100 {
				stop()
			}
			return nil
		})
	}()
	<-started
	for _, name := range consumers(t, js) {
		consumer, err := js.Consumer(testContext(t), StreamIn, name)
		if err != nil {
			t.Fatal(err)
		}
		if sent := consumer.CachedInfo().Delivered.Consumer; sent > 2*buffer {
			t.Errorf("the server has sent %d messages to a reader that asked for %d", sent, buffer)
		}
	}
	close(release)
	if err := <-result; err != nil || count != 100 {
		t.Errorf("%d deliveries, %v", count, err)
	}
}

// waitingConsumer is a consumer for which messages wait, for ever.
type waitingConsumer struct {
	jetstream.Consumer
	asked int
}

func (c *waitingConsumer) Info(context.Context) (*jetstream.ConsumerInfo, error) {
	c.asked++
	return &jetstream.ConsumerInfo{NumPending: 5}, nil
}

func TestWatchTellsASlowDeliverFromAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancelCause(t.Context())
		r := &reader{options: ReadOptions{StallAfter: 10 * time.Second}}
		consumer := &waitingConsumer{}
		r.busy.Store(true)
		go r.watch(ctx, end, consumer, nil)
		time.Sleep(time.Hour) // of the bubble's clock
		if ctx.Err() != nil || consumer.asked > 0 {
			t.Fatalf("a deliver at work was taken for a stall: %v", context.Cause(ctx))
		}
		r.busy.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !errors.Is(context.Cause(ctx), ErrStalled) {
			t.Errorf("got %v, want ErrStalled", context.Cause(ctx))
		}
	})
}

func TestReadSurvivesTheLossOfItsConsumer(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	publishNumbers(t, p, 0, 0, 1_000)
	f := follow(t, js, ReadOptions{Stream: StreamIn, Filter: FilterIn(0), Name: "session-00", Buffer: 16, StallAfter: 100 * time.Millisecond})
	for round := range 3 {
		f.until(1_000*(round+1) - 1)
		for _, name := range consumers(t, js) {
			if err := js.DeleteConsumer(testContext(t), StreamIn, name); err != nil {
				t.Fatal(err)
			}
		}
		f.wantReset(nil)
		publishNumbers(t, p, 0, 1_000*(round+1), 1_000*(round+2))
	}
	f.until(3_999)
	f.end()
}

func TestReadReplacesAStalledConsumer(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	publishNumbers(t, p, 0, 0, 1)
	f := follow(t, js, ReadOptions{Stream: StreamIn, Filter: FilterIn(0), Name: "session-00", StallAfter: 20 * time.Millisecond})
	f.until(0)
	for _, name := range consumers(t, js) {
		if _, err := js.PauseConsumer(testContext(t), StreamIn, name, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	publishNumbers(t, p, 0, 1, 100)
	f.wantReset(ErrStalled)
	f.until(99)
	f.end()
}

func TestReadSurvivesARestartOfTheServer(t *testing.T) {
	dir := t.TempDir()
	s, err := StartServer(ServerOptions{Dir: dir, Listen: "127.0.0.1:0", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	listen := strings.TrimPrefix(s.URL(), "nats://")
	nc, err := Connect(testContext(t), s.URL(), "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js := newJetStream(t, nc)
	declare(t, js, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	f := follow(t, js, ReadOptions{Stream: StreamIn, Filter: FilterIn(0), Name: "session-00"})
	publishNumbers(t, p, 0, 0, 500)
	f.until(499)
	for round := 1; round <= 2; round++ {
		s.Shutdown()
		if err := p.Publish(testContext(t), numbered(0, 0, 1)); err == nil {
			t.Error("a publish was acknowledged by a server that is down")
		}
		connected := nc.StatusChanged(nats.CONNECTED)
		if s, err = StartServer(ServerOptions{Dir: dir, Listen: listen, Log: zerolog.Nop()}); err != nil {
			t.Fatal(err)
		}
		<-connected
		publishNumbers(t, p, 0, 500*round, 500*(round+1))
		f.until(500*(round+1) - 1)
	}
	f.end()
	nc.Close()
	s.Shutdown()
}

// The proxy cuts connections while messages are on their way: they are lost for a
// consumer without acknowledgements, and the reader must get them again.
func TestReadOverACutConnection(t *testing.T) {
	s := startServer(t, "127.0.0.1:0")
	direct, js := connect(t, s)
	declare(t, js, Options{})
	p := newPublisher(t, direct, StreamIn, PublisherOptions{})
	publishNumbers(t, p, 0, 0, 3_000)
	proxy := newProxy(t, strings.TrimPrefix(s.URL(), "nats://"))
	nc, err := Connect(testContext(t), "nats://"+proxy.address(), "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	proxy.cutAnswersAfter(100_000)
	f := follow(t, newJetStream(t, nc), ReadOptions{Stream: StreamIn, Filter: FilterIn(0), Name: "session-00"})
	f.wantReset(nil) // a new connection or, if that message came first, a gap
	f.until(2_999)
	f.end()
}

func TestReadNoticesAStreamThatWentBack(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	publishNumbers(t, p, 0, 0, 10)
	f := follow(t, js, ReadOptions{Stream: StreamIn, Filter: FilterIn(0), Name: "session-00"})
	f.until(9)
	applied := f.end()
	read := func(o ReadOptions) error {
		o.Stream, o.Filter, o.Name = StreamIn, FilterIn(0), "session-00"
		ctx, stop := context.WithCancel(testContext(t))
		defer stop()
		return Read(ctx, js, o, func(Delivery) error { stop(); return nil })
	}
	var regressed ErrRegressed
	if err := read(ReadOptions{After: 11}); !errors.As(err, &regressed) || regressed != (ErrRegressed{StreamIn, 11, 10}) {
		t.Errorf("got %v", err)
	}
	publishNumbers(t, p, 0, 10, 20)
	// PostgreSQL gives back microseconds.
	if err := read(ReadOptions{After: applied.Seq, AfterAt: applied.At.Truncate(time.Microsecond)}); err != nil {
		t.Errorf("the stream has only grown: %v", err)
	}
	wipe(t, js)
	publishNumbers(t, p, 0, 0, 20)
	if err := read(ReadOptions{After: applied.Seq}); err != nil {
		t.Errorf("got %v where nothing can be noticed", err)
	}
	if err := read(ReadOptions{After: applied.Seq, AfterAt: applied.At}); !errors.As(err, &regressed) {
		t.Errorf("got %v where another message has the sequence that was applied", err)
	}
}

func TestReadNoticesAStreamThatIsWipedUnderIt(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	publishNumbers(t, p, 0, 0, 10)
	f := follow(t, js, ReadOptions{Stream: StreamIn, Filter: FilterIn(0), Name: "session-00", StallAfter: 100 * time.Millisecond})
	f.until(9)
	wipe(t, js)
	var regressed ErrRegressed
	select {
	case err := <-f.result:
		if !errors.As(err, &regressed) {
			t.Errorf("got %v, want ErrRegressed", err)
		}
	case <-time.After(patience):
		t.Fatal("the reader did not notice")
	}
}

// A stream that is wiped and has grown past the reader's place before the reader looks
// again holds other messages under the sequences that were delivered.
func TestReadNoticesAStreamThatIsReplacedUnderIt(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	publishNumbers(t, p, 0, 0, 10)
	f := follow(t, js, ReadOptions{Stream: StreamIn, Filter: FilterIn(0), Name: "session-00", StallAfter: time.Second})
	f.until(9)
	wipe(t, js)
	publishNumbers(t, p, 0, 10, 30)
	var regressed ErrRegressed
	select {
	case err := <-f.result:
		if !errors.As(err, &regressed) {
			t.Errorf("got %v, want ErrRegressed", err)
		}
	case <-time.After(patience):
		t.Fatal("the reader did not notice")
	}
}

func wipe(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	if err := js.DeleteStream(testContext(t), StreamIn); err != nil {
		t.Fatal(err)
	}
	declare(t, js, Options{})
}

func TestLastMessage(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamEvents, PublisherOptions{})
	if got, err := LastMessage(testContext(t), js, StreamEvents, SubjectEvents(0)); got != nil || err != nil {
		t.Errorf("an empty subject: got %v, %v", got, err)
	}
	mustPublish(t, p,
		Message{Subject: SubjectEvents(0), Data: []byte("a")},
		Message{Subject: SubjectEvents(0), Data: []byte("b"), Header: nats.Header{"traceparent": {"x"}}},
		Message{Subject: SubjectEvents(1), Data: []byte("c")})
	got, err := LastMessage(testContext(t), js, StreamEvents, SubjectEvents(0))
	if err != nil || got == nil {
		t.Fatal(got, err)
	}
	if got.Seq != 2 || string(got.Data) != "b" || got.Subject != SubjectEvents(0) || got.Header.Get("traceparent") != "x" || got.At.IsZero() {
		t.Errorf("got %+v", got)
	}
	if _, err := LastMessage(testContext(t), js, "NONE", SubjectEvents(0)); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("got %v, want ErrStreamNotFound", err)
	}
}
