package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Limits of a reader.
const (
	// inactiveAfter is when the server removes the consumer of a reader that vanished.
	inactiveAfter = time.Minute
	// askAgainAfter is how long one Next waits. Only its start asks the server for more, and
	// it does not while the request before is still being written (nats.go v1.55.0,
	// checkPending): if the answers overtake that, nothing was asked for and nothing comes.
	askAgainAfter = 100 * time.Millisecond
	// requestTimeout bounds one request to the JetStream API.
	requestTimeout = 5 * time.Second
	// farewellTimeout bounds the removal of a consumer that is no longer needed.
	farewellTimeout = time.Second
)

// Why a reader replaced its consumer, beside what NATS itself reports. OnReset gets them.
var (
	// ErrGap says that a message was lost between the server and the reader.
	ErrGap = errors.New("gap in the consumer's sequence")
	// ErrStalled says that messages wait in the stream but none comes.
	ErrStalled = errors.New("consumer has stalled")
	// ErrReconnected says that the connection was lost, and messages under way with it.
	ErrReconnected = errors.New("connection was replaced")
)

// ReadOptions says what Read reads. Stream, Filter and Name are required.
type ReadOptions struct {
	Stream string
	// Filter is one shard's: FilterIn, FilterStatus or SubjectEvents.
	Filter string
	// Name is "<service>-<shard>"; the consumer's name adds a unique id.
	Name string
	// After is the last sequence that was applied; 0 reads from the first message.
	After uint64
	// AfterAt is the Delivery.At of the message After, if the caller keeps it. Read then
	// also notices a stream that went back and has since grown past After again.
	AfterAt time.Time
	// Buffer is how many messages may be on their way to deliver: 512.
	Buffer int
	// StallAfter is how long nothing may come while messages wait: 10 s.
	StallAfter time.Duration
	// OnReset is told why the consumer is about to be replaced. Optional. It is called
	// from the goroutine that calls deliver.
	OnReset func(reason error)
}

// Delivery is one message of a stream.
type Delivery struct {
	// Seq is the sequence in the stream. Within a filter sequences grow, with holes.
	Seq     uint64
	Subject string
	Header  nats.Header
	Data    []byte
	// At is when the stream took the message.
	At time.Time
}

// Read calls deliver for each message that matches o.Filter, in the order of the stream,
// starting behind o.After, from one goroutine; deliver slows it down by blocking. It
// returns nil when ctx ends, the error of deliver, or ErrRegressed. Everything else it
// survives (a gap, a lost consumer, a new connection, a restart of NATS, a stall): it
// replaces its consumer behind the last message delivered, for as long as it takes.
//
// The consumer is its own (in memory, without acknowledgements), never a shared one: a
// zombie could swallow the messages of a consumer that it shares. Who may apply what is
// read is decided by the fence in PostgreSQL.
func Read(ctx context.Context, js jetstream.JetStream, o ReadOptions, deliver func(Delivery) error) error {
	o.Buffer = cmp.Or(o.Buffer, 512)
	o.StallAfter = cmp.Or(o.StallAfter, 10*time.Second)
	r := &reader{js: js, options: o, deliver: deliver, last: o.After, lastAt: o.AfterAt}
	attempt := 0
	for {
		before := r.last
		err := r.follow(ctx)
		var regressed ErrRegressed
		switch {
		case ctx.Err() != nil:
			return nil
		case r.refused != nil:
			return r.refused
		case errors.As(err, &regressed):
			return regressed
		}
		if o.OnReset != nil {
			o.OnReset(err)
		}
		if attempt++; r.last > before {
			attempt = 1
		}
		if !pause(ctx, backoff(attempt)) {
			return nil
		}
	}
}

type reader struct {
	js      jetstream.JetStream
	options ReadOptions
	deliver func(Delivery) error

	last    uint64    // the sequence that was delivered last
	lastAt  time.Time // when the stream took that message; zero if nobody knows
	refused error     // what deliver returned

	received atomic.Uint64 // messages from the present consumer
	busy     atomic.Bool   // deliver is at work, so nothing can come
}

// follow reads from one consumer until something is wrong with it.
func (r *reader) follow(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// Registered before the consumer exists, so that no lost connection is missed.
	connected := r.js.Conn().StatusChanged(nats.CONNECTED)
	defer r.js.Conn().RemoveStatusListener(connected)

	consumer, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer r.remove(ctx, consumer)
	r.received.Store(0)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		r.watch(ctx, stop, consumer, connected)
	}()
	defer func() {
		stop(nil)
		<-watched
	}()
	return r.consume(ctx, consumer)
}

// open creates a consumer behind the last message delivered.
func (r *reader) open(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := r.js.Stream(ctx, r.options.Stream)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", r.options.Stream, err)
	}
	if err := r.checkRegress(ctx, stream); err != nil {
		return nil, err
	}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Name:              r.options.Name + "-" + nuid.Next(),
		FilterSubject:     r.options.Filter,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.last + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: inactiveAfter,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		return nil, fmt.Errorf("create a consumer on %s behind %d: %w", r.options.Stream, r.last, err)
	}
	return consumer, nil
}

// checkRegress fails if the stream is not the one that was read up to r.last.
func (r *reader) checkRegress(ctx context.Context, stream jetstream.Stream) error {
	regressed := ErrRegressed{Stream: r.options.Stream, After: r.last, Last: stream.CachedInfo().State.LastSeq}
	if regressed.Last < r.last {
		return regressed
	}
	if r.lastAt.IsZero() || r.last == 0 {
		return nil
	}
	message, err := stream.GetMsg(ctx, r.last)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil // it has expired, so there is nothing to compare
	}
	if err != nil {
		return fmt.Errorf("get message %d of %s: %w", r.last, r.options.Stream, err)
	}
	// PostgreSQL keeps microseconds.
	if !message.Time.Truncate(time.Microsecond).Equal(r.lastAt.Truncate(time.Microsecond)) {
		return regressed
	}
	return nil
}

func (r *reader) consume(ctx context.Context, consumer jetstream.Consumer) error {
	messages, err := consumer.Messages(jetstream.PullMaxMessages(r.options.Buffer))
	if err != nil {
		return fmt.Errorf("read from %s: %w", r.options.Stream, err)
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		message, err := messages.Next(jetstream.NextMaxWait(askAgainAfter))
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, nats.ErrTimeout):
			continue
		case err != nil:
			return fmt.Errorf("read from %s: %w", r.options.Stream, err)
		}
		if err := r.hand(message); err != nil {
			return err
		}
	}
}

// hand passes one message to deliver if it is the next one of the consumer.
func (r *reader) hand(message jetstream.Msg) error {
	meta, err := message.Metadata()
	if err != nil {
		return fmt.Errorf("metadata of a message of %s: %w", r.options.Stream, err)
	}
	if want := r.received.Load() + 1; meta.Sequence.Consumer != want {
		return fmt.Errorf("%w: got %d, want %d", ErrGap, meta.Sequence.Consumer, want)
	}
	r.busy.Store(true)
	defer r.busy.Store(false)
	r.received.Add(1)
	r.refused = r.deliver(Delivery{
		Seq:     meta.Sequence.Stream,
		Subject: message.Subject(),
		Header:  message.Headers(),
		Data:    message.Data(),
		At:      meta.Timestamp,
	})
	if r.refused != nil {
		return r.refused
	}
	r.last, r.lastAt = meta.Sequence.Stream, meta.Timestamp
	return nil
}

// watch ends the present consumer when the connection was replaced, and when nothing
// comes although the server has something or says that it has sent something.
func (r *reader) watch(ctx context.Context, end context.CancelCauseFunc, consumer jetstream.Consumer, connected <-chan nats.Status) {
	ticker := time.NewTicker(r.options.StallAfter)
	defer ticker.Stop()
	seen := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-connected:
			end(ErrReconnected)
		case <-ticker.C:
			received := r.received.Load()
			if received == seen && !r.busy.Load() {
				if err := r.checkStalled(ctx, consumer, received); err != nil {
					end(err)
				}
			}
			seen = received
		}
	}
}

func (r *reader) checkStalled(ctx context.Context, consumer jetstream.Consumer, received uint64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStalled, err)
	}
	if info.NumPending > 0 || info.Delivered.Consumer > received {
		return fmt.Errorf("%w: %d wait, %d sent, %d received", ErrStalled, info.NumPending, info.Delivered.Consumer, received)
	}
	return nil
}

// remove deletes the consumer, so that resets leave none behind. If it cannot, the
// server does so after inactiveAfter.
func (r *reader) remove(ctx context.Context, consumer jetstream.Consumer) {
	if !r.js.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellTimeout)
	defer cancel()
	_ = r.js.DeleteConsumer(ctx, r.options.Stream, consumer.CachedInfo().Name)
}

// LastMessage returns the newest message on a subject of a stream, or nil if there is none.
func LastMessage(ctx context.Context, js jetstream.JetStream, stream, subject string) (*Delivery, error) {
	handle, err := js.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	message, err := handle.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get the last message of %s: %w", stream, err)
	}
	return &Delivery{
		Seq: message.Sequence, Subject: message.Subject, Header: message.Header,
		Data: message.Data, At: message.Time,
	}, nil
}
