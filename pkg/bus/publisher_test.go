package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

func TestPublishByManyAtOnce(t *testing.T) {
	nc, js := newBus(t, Options{})
	for _, stream := range []string{StreamIn, StreamEvents} {
		t.Run(stream, func(t *testing.T) {
			const callers, each = 64, 20
			p := newPublisher(t, nc, stream, PublisherOptions{})
			var all sync.WaitGroup
			for caller := range callers {
				all.Go(func() {
					for number := 0; number < each; number += 2 {
						a, b := numbered(0, caller, number), numbered(0, caller, number+1)
						if stream == StreamEvents {
							a.Subject, b.Subject = SubjectEvents(0), SubjectEvents(0)
						}
						mustPublish(t, p, a, b)
					}
				})
			}
			all.Wait()
			next := make(map[int]int)
			for _, text := range texts(t, js, stream, ">", callers*each) {
				var caller, number int
				if _, err := fmt.Sscanf(text, "%d/%d", &caller, &number); err != nil {
					t.Fatal(err)
				}
				if number != next[caller] {
					t.Fatalf("caller %d: got %d, want %d: lost, doubled or out of order", caller, number, next[caller])
				}
				next[caller]++
			}
		})
	}
}

// Every way to store: one message, singles of several callers, one batch, several
// batches of one call. When Publish has returned nil, the stream must hold the messages.
func TestPublishReturnsAfterTheStore(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{MaxBatch: 100})
	want := uint64(0)
	for _, count := range []int{1, 2, 16, 17, 100, 101, 350} {
		var messages []Message
		for number := range count {
			messages = append(messages, numbered(0, count, number))
		}
		mustPublish(t, p, messages...)
		want += uint64(count)
		if got := streamState(t, js, StreamIn).LastSeq; got != want {
			t.Fatalf("after %d messages the last sequence is %d, want %d", count, got, want)
		}
	}
	if err := p.Publish(testContext(t)); err != nil {
		t.Errorf("publishing nothing: %v", err)
	}
}

func TestPublishSharesCommits(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{Gather: 100 * time.Millisecond})
	mustPublish(t, p, numbered(0, 0, 0)) // the others have to wait for Gather now
	const callers = 60
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() { mustPublish(t, p, numbered(0, caller, 0)) })
	}
	all.Wait()
	batches := make(map[string]bool)
	read, stop := context.WithCancel(testContext(t))
	count := 0
	if err := Read(read, js, ReadOptions{Stream: StreamIn, Filter: ">", Name: "test"}, func(d Delivery) error {
		batches[d.Header.Get(headerBatchID)] = true
		if count++; count == callers+1 {
			stop()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(batches) > 4 {
		t.Errorf("%d callers at once needed %d commits", callers, len(batches))
	}
}

func TestPublishToAFullStream(t *testing.T) {
	nc, js := newBus(t, Options{MaxBytes: 64 << 10})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	big := Message{Subject: SubjectIn(0, "1", "2"), Data: make([]byte, 4<<10)}
	for _, call := range [][]Message{{big, big, big}, {big}} {
		stored := streamState(t, js, StreamIn).Msgs
		err := p.Publish(testContext(t), call...)
		for ; err == nil; err = p.Publish(testContext(t), call...) {
			stored += uint64(len(call))
		}
		if !errors.Is(err, ErrFull) {
			t.Fatalf("got %v, want ErrFull", err)
		}
		if got := streamState(t, js, StreamIn).Msgs; got != stored {
			t.Errorf("the stream holds %d messages, want the %d that were acknowledged", got, stored)
		}
	}
}

func TestPublishTooLargeFailsAlone(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{Gather: 50 * time.Millisecond})
	limit := int(nc.MaxPayload())
	mustPublish(t, p, numbered(0, 0, 0))
	var all sync.WaitGroup
	for caller := range 40 {
		all.Go(func() { mustPublish(t, p, numbered(0, caller, 0)) })
	}
	for _, m := range []Message{
		{Subject: SubjectIn(0, "1", "2"), Data: make([]byte, limit+1)},
		{Subject: SubjectIn(0, "1", "2"), Data: make([]byte, limit-10)},
		{Subject: SubjectIn(0, "1", "2"), Header: nats.Header{"X": {strings.Repeat("x", maxHeaderBytes)}}},
	} {
		all.Go(func() {
			if err := p.Publish(testContext(t), numbered(0, 99, 0), m); !errors.Is(err, ErrTooLarge) {
				t.Errorf("got %v, want ErrTooLarge", err)
			}
		})
	}
	all.Wait()
	if got := streamState(t, js, StreamIn).Msgs; got != 41 {
		t.Errorf("the stream holds %d messages, want those of the 41 neighbours", got)
	}
	// The largest message that the check lets through is one that the server takes.
	edge := Message{Subject: SubjectIn(0, "1", "2")}
	edge.Data = make([]byte, limit-edge.headerSize())
	mustPublish(t, p, edge, numbered(0, 1, 1))
}

func TestPublishRefusesWhenTooManyWait(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{MaxPending: 8, Gather: 200 * time.Millisecond})
	mustPublish(t, p, numbered(0, 0, 0))
	results := make(chan error)
	const callers = 20
	for caller := range callers {
		go func() { results <- p.Publish(testContext(t), numbered(0, caller, 1)) }()
	}
	stored := uint64(1)
	for range callers {
		switch err := <-results; {
		case err == nil:
			stored++
		case !errors.Is(err, ErrOverloaded):
			t.Errorf("got %v, want ErrOverloaded", err)
		}
	}
	if stored == callers+1 {
		t.Error("nobody was refused")
	}
	if got := streamState(t, js, StreamIn).Msgs; got != stored {
		t.Errorf("the stream holds %d messages, want %d", got, stored)
	}
	mustPublish(t, p, numbered(0, 0, 2)) // there is room again
}

func TestPublishDropsWhoseCallerHasLeft(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{Gather: 100 * time.Millisecond})
	mustPublish(t, p, numbered(0, 0, 0))
	ctx, leave := context.WithCancel(context.Background())
	leave()
	if err := p.Publish(ctx, numbered(0, 1, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	mustPublish(t, p, numbered(0, 2, 0))
	if got := texts(t, js, StreamIn, ">", 2); got[1] != "2/0" {
		t.Errorf("stored %q although its caller had left", got[1])
	}
}

func TestPublisherClose(t *testing.T) {
	nc, js := newBus(t, Options{})
	p := NewPublisher(nc, StreamIn, PublisherOptions{Gather: 50 * time.Millisecond})
	var all sync.WaitGroup
	accepted := make(chan bool, 32)
	for caller := range cap(accepted) {
		all.Go(func() {
			err := p.Publish(testContext(t), numbered(0, caller, 0))
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
			accepted <- err == nil
		})
	}
	p.Close()
	p.Close()
	all.Wait()
	close(accepted)
	stored := uint64(0)
	for yes := range accepted {
		if yes {
			stored++
		}
	}
	if got := streamState(t, js, StreamIn).Msgs; got != stored {
		t.Errorf("the stream holds %d messages, want the %d that were acknowledged", got, stored)
	}
	if err := p.Publish(testContext(t), numbered(0, 0, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestPublishWithoutAStream(t *testing.T) {
	nc, _ := connect(t, startServer(t, ""))
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	for _, count := range []int{1, 2} {
		err := p.Publish(testContext(t), make([]Message, count)...)
		if err == nil {
			t.Errorf("%d messages without a subject were acknowledged", count)
		}
		messages := []Message{numbered(0, 1, 1), numbered(0, 1, 2)}[:count]
		if err := p.Publish(testContext(t), messages...); !errors.Is(err, jetstream.ErrNoStreamResponse) {
			t.Errorf("got %v, want ErrNoStreamResponse", err)
		}
	}
}

// A server that takes messages and never answers: core NATS with a subscriber.
func TestPublishTimesOut(t *testing.T) {
	nc, _ := connect(t, startServer(t, ""))
	if _, err := nc.SubscribeSync("wa.in.>"); err != nil {
		t.Fatal(err)
	}
	p := newPublisher(t, nc, StreamIn, PublisherOptions{Timeout: 50 * time.Millisecond})
	for _, messages := range [][]Message{{numbered(0, 1, 1)}, {numbered(0, 1, 1), numbered(0, 1, 2)}} {
		if err := p.Publish(testContext(t), messages...); !errors.Is(err, jetstream.ErrAsyncPublishTimeout) {
			t.Errorf("got %v, want ErrAsyncPublishTimeout", err)
		}
	}
}

func TestPublishIntoAnotherStreamIsNotAnAcknowledgement(t *testing.T) {
	nc, _ := newBus(t, Options{})
	p := newPublisher(t, nc, StreamStatus, PublisherOptions{})
	if err := p.Publish(testContext(t), numbered(0, 1, 1)); err == nil {
		t.Error("a publish that ended in another stream was acknowledged")
	}
}

// The proxy cuts the connection inside the batch: nothing of it may be stored, the caller
// hears of it long before the timeout, and the publisher goes on when NATS is back.
func TestPublishOverACutConnection(t *testing.T) {
	s := startServer(t, "127.0.0.1:0")
	_, direct := connect(t, s)
	declare(t, direct, Options{})
	proxy := newProxy(t, strings.TrimPrefix(s.URL(), "nats://"))
	nc, err := Connect(testContext(t), "nats://"+proxy.address(), "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	p := newPublisher(t, nc, StreamIn, PublisherOptions{Timeout: patience})
	mustPublish(t, p, numbered(0, 0, 0))

	reconnected := nc.StatusChanged(nats.CONNECTED)
	proxy.cutRequestsAfter(20_000)
	batch := make([]Message, 40)
	for i := range batch {
		batch[i] = Message{Subject: SubjectIn(0, "1", "2"), Data: make([]byte, 1_000)}
	}
	started := time.Now()
	if err := p.Publish(testContext(t), batch...); err == nil {
		t.Error("a batch that was cut in the middle was acknowledged")
	}
	if took := time.Since(started); took > patience/2 {
		t.Errorf("the caller waited %v", took)
	}
	if got := streamState(t, direct, StreamIn).Msgs; got != 1 {
		t.Errorf("the stream holds %d messages, want 1", got)
	}
	select {
	case <-reconnected:
	case <-time.After(patience):
		t.Fatal("did not reconnect")
	}
	mustPublish(t, p, batch...)
}
