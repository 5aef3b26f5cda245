package bus

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// PublisherOptions are the limits of a Publisher. Zero values take the defaults.
type PublisherOptions struct {
	// MaxBatch is how many messages share one commit: 256, at most 1000 (the server's limit).
	MaxBatch int
	// MaxBytes is the size at which a batch takes no further call: 4 MiB.
	MaxBytes int
	// Gather is the least time between the starts of two batches: 10 ms, negative for none.
	// A message that finds the publisher idle is sent at once; under load, messages wait up
	// to Gather for company, which spares CPU and the disk. So a caller that waits for each
	// of its messages gets no more than one per Gather; MaxBatch per Gather is the limit of all.
	Gather time.Duration
	// MaxPending is how many messages may wait or be under way: 8192. Publish refuses more.
	MaxPending int
	// Timeout is how long the server may take to acknowledge: 3 s.
	Timeout time.Duration
}

func (o PublisherOptions) withDefaults() PublisherOptions {
	o.MaxBatch = cmp.Or(o.MaxBatch, 256)
	o.MaxBytes = cmp.Or(o.MaxBytes, 4<<20)
	o.Gather = cmp.Or(o.Gather, 10*time.Millisecond)
	o.MaxPending = cmp.Or(o.MaxPending, 8192)
	o.Timeout = cmp.Or(o.Timeout, 3*time.Second)
	o.MaxBatch = min(o.MaxBatch, serverMaxBatch)
	return o
}

// Message is what Publish stores.
type Message struct {
	Subject string
	Header  nats.Header
	Data    []byte
}

// Publisher stores messages in one stream and is the group commit: what concurrent
// callers publish is committed together, with one wait for the disk. One batch is under
// way at a time; a second one only queues behind it in the server.
type Publisher struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	stream  string
	options PublisherOptions

	wake    chan struct{} // capacity 1: somebody waits; closed by Close
	drained chan struct{} // closed when the last call is settled

	mu      sync.Mutex
	waiting []*call
	pending int // messages waiting or under way
	closed  bool
}

// call is one Publish, or one part of a very large one.
type call struct {
	ctx      context.Context
	messages []Message
	bytes    int
	result   chan error // capacity 1: the caller may have left
}

// NewPublisher returns a publisher of one of the streams that this package names. Close ends it.
func NewPublisher(nc *nats.Conn, stream string, o PublisherOptions) *Publisher {
	o = o.withDefaults()
	// New fails only on an option that it cannot take; this one it can.
	js, _ := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(o.Timeout))
	p := &Publisher{
		nc: nc, js: js, stream: stream, options: o,
		wake: make(chan struct{}, 1), drained: make(chan struct{}),
	}
	go p.run()
	return p
}

// Publish returns nil when every message is acknowledged by the stream, which fsyncs
// first. Messages of one call keep their order. Any error means: not known to be durable;
// the caller must not acknowledge, and a retry may store the messages twice, which the
// inbox absorbs. ErrOverloaded, ErrTooLarge and ErrClosed say why nothing was sent. The
// messages must not be changed afterwards, for a batch may outlive the caller's context.
func (p *Publisher) Publish(ctx context.Context, messages ...Message) error {
	for _, m := range messages {
		if err := p.checkSize(m); err != nil {
			return fmt.Errorf("publish to %s: %w", p.stream, err)
		}
	}
	// A part waits for the one before it, so a failure leaves no gap in the middle.
	for part := range slices.Chunk(messages, p.options.MaxBatch) {
		if err := p.publish(ctx, part); err != nil {
			return fmt.Errorf("publish to %s: %w", p.stream, err)
		}
	}
	return nil
}

func (p *Publisher) publish(ctx context.Context, messages []Message) error {
	c := &call{ctx: ctx, messages: messages, result: make(chan error, 1)}
	for _, m := range messages {
		c.bytes += m.size()
	}
	if err := p.enqueue(c); err != nil {
		return err
	}
	select {
	case err := <-c.result:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close refuses new calls, sends those that wait, and returns when all are settled. The
// connection stays open.
func (p *Publisher) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.wake)
	}
	p.mu.Unlock()
	<-p.drained
}

func (p *Publisher) enqueue(c *call) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if p.pending > 0 && p.pending+len(c.messages) > p.options.MaxPending {
		return ErrOverloaded
	}
	p.pending += len(c.messages)
	p.waiting = append(p.waiting, c)
	select {
	case p.wake <- struct{}{}:
	default: // run has a signal that it has not seen yet
	}
	return nil
}

// run sends batch after batch until Close.
func (p *Publisher) run() {
	defer close(p.drained)
	defer p.js.CleanupPublisher()
	gather := p.options.Gather
	if p.stream == StreamEvents {
		gather = 0 // nothing waits for the disk there, so waiting for company saves nothing
	}
	var started time.Time
	for range p.wake {
		for p.anyWaiting() {
			time.Sleep(time.Until(started.Add(gather)))
			started = time.Now()
			p.send(p.take())
		}
	}
}

func (p *Publisher) anyWaiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting) > 0
}

// take removes the calls of the next batch from the queue, oldest first. Whole calls
// only; one that is larger than MaxBytes goes alone.
func (p *Publisher) take() []*call {
	p.mu.Lock()
	defer p.mu.Unlock()
	messages, bytes := 0, 0
	for i, c := range p.waiting {
		messages, bytes = messages+len(c.messages), bytes+c.bytes
		if i > 0 && (messages > p.options.MaxBatch || bytes > p.options.MaxBytes) {
			return p.takeFirst(i)
		}
	}
	return p.takeFirst(len(p.waiting))
}

func (p *Publisher) takeFirst(n int) []*call {
	batch := slices.Clone(p.waiting[:n])
	p.waiting = slices.Delete(p.waiting, 0, n)
	return batch
}

// send stores the calls and settles each of them. A call whose caller has left is
// dropped: it was told that it failed, so storing it would only make a duplicate.
func (p *Publisher) send(calls []*call) {
	alive := make([]*call, 0, len(calls))
	for _, c := range calls {
		if c.ctx.Err() != nil {
			p.settle(c, context.Cause(c.ctx))
			continue
		}
		alive = append(alive, c)
	}
	if p.together(alive) {
		err := p.storeBatch(alive)
		for _, c := range alive {
			p.settle(c, err)
		}
		return
	}
	p.storeEach(alive)
}

func (p *Publisher) settle(c *call, err error) {
	p.mu.Lock()
	p.pending -= len(c.messages)
	p.mu.Unlock()
	if err != nil {
		err = refusal(err)
	}
	c.result <- err
}
