package dispatcher

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// callsEvery is how often calls are looked for: by index, those that are due only.
	callsEvery = 200 * time.Millisecond
	// callsMax bounds the calls of a replica that are under way.
	callsMax = 64
	// tryTime bounds one try. callClaim is how long a call stays with who makes it: a
	// try, its commit, and a margin.
	tryTime, callClaim = 10 * time.Second, 20 * time.Second
	// backoffFirst doubles with each try, up to backoffMax, give or take a quarter.
	backoffFirst, backoffMax = 500 * time.Millisecond, 30 * time.Second
)

// CallStore is what the calls need of PostgreSQL.
type CallStore interface {
	ClaimCalls(ctx context.Context, limit int, claim time.Duration) ([]store.Call, error)
	FinishCall(ctx context.Context, r store.CallResult) error
}

// Calls asks systems of the business what sessions wait for. A call is claimed in the
// database for a while, made, its result put into the contact's lane, and only then
// marked as done: whoever dies in between leaves it to be made again, with the same
// Idempotency-Key, and the second result has the id of the first.
type Calls struct {
	store   CallStore
	in      Publisher
	caller  *caller
	circuit *circuits
	shards  int
	now     func() time.Time
	random  func() float64
	log     zerolog.Logger
	tokens  chan struct{}
	tries   metric.Int64Counter
}

// NewCalls makes the calls of a replica.
func NewCalls(s CallStore, in Publisher, c *caller, shards int, now func() time.Time, random func() float64, log zerolog.Logger) *Calls {
	tries, _ := otel.Meter("parley/dispatcher").Int64Counter("parley.dispatcher.calls", metric.WithDescription("tries to call a system of the business, by what came of them"))
	return &Calls{
		store: s, in: in, caller: c, circuit: newCircuits(), shards: shards, now: now, random: random, log: log,
		tokens: make(chan struct{}, callsMax), tries: tries,
	}
}

// Run makes calls until ctx ends, and ends when those that were begun have ended.
func (c *Calls) Run(ctx context.Context) error {
	ticker := time.NewTicker(callsEvery)
	defer ticker.Stop()
	var under sync.WaitGroup
	defer under.Wait()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := c.begin(ctx, &under)
		if err != nil && !failing && ctx.Err() == nil {
			c.log.Warn().Err(err).Msg("calls wait") // once, however long
		}
		failing = err != nil
	}
}

// begin claims as many calls as there is room for, and makes each beside the others.
func (c *Calls) begin(ctx context.Context, under *sync.WaitGroup) error {
	room := callsMax - len(c.tokens)
	if room == 0 {
		return nil
	}
	list, err := c.store.ClaimCalls(ctx, room, callClaim)
	for _, call := range list {
		c.tokens <- struct{}{}
		under.Go(func() {
			defer func() { <-c.tokens }()
			c.make(context.WithoutCancel(ctx), call)
		})
	}
	return err
}

// make makes one try and records what came of it.
func (c *Calls) make(ctx context.Context, call store.Call) {
	ctx, cancel := context.WithTimeout(ctx, callClaim-5*time.Second)
	defer cancel()
	request := &parleyv1.CallQueued{}
	err := proto.Unmarshal(call.Request, request)
	if err == nil {
		err = c.try(ctx, call, request)
	}
	if err != nil {
		c.log.Warn().Err(err).Int("shard", call.Key.Shard).Uint64("offset", call.Key.Offset).Str("flow", call.Flow).Str("step", call.Step).Msg("a call will be made again")
	}
}

func (c *Calls) try(ctx context.Context, call store.Call, request *parleyv1.CallQueued) error {
	result := store.CallResult{Key: call.Key, Attempts: call.Attempts, State: store.CallFailed}
	host := hostOf(request.GetUrl())
	if wait := c.circuit.closedFor(host, c.now()); wait > 0 {
		return c.later(ctx, call, request, result, answer{reason: "its host fails"}, wait)
	}
	trying, cancel := context.WithTimeout(ctx, tryTime)
	a := c.caller.ask(trying, callID(call.Key), request)
	cancel()
	c.circuit.note(host, a.again, c.now())
	c.tries.Add(ctx, 1, metric.WithAttributes(attribute.String("result", a.result())))
	if a.again {
		return c.later(ctx, call, request, result, a, c.backoff(call.Attempts, a.after))
	}
	if a.ok {
		result.State = store.CallOK
	}
	return c.tell(ctx, call, request, result, a)
}

// later puts a call off, unless the session does not wait for so long: then it has
// failed now.
func (c *Calls) later(ctx context.Context, call store.Call, request *parleyv1.CallQueued, r store.CallResult, a answer, wait time.Duration) error {
	due := c.now().Add(wait)
	if due.UnixMilli() >= request.GetUntilMs() {
		return c.tell(ctx, call, request, r, a)
	}
	r.State, r.Due, r.Status, r.Reason = store.CallQueued, due, a.status, a.reason
	return c.store.FinishCall(ctx, r)
}

// backoff is how long a call rests after so many tries.
func (c *Calls) backoff(tries int, atLeast time.Duration) time.Duration {
	wait := min(backoffFirst<<min(max(tries-1, 0), 10), backoffMax)
	return max(time.Duration(float64(wait)*(0.75+c.random()/2)), atLeast)
}

// tell puts the result into the contact's lane, and then closes the call.
func (c *Calls) tell(ctx context.Context, call store.Call, request *parleyv1.CallQueued, r store.CallResult, a answer) error {
	message, err := c.message(call, &parleyv1.CallResult{
		Ref: request.GetRef(), Ok: a.ok, Status: uint32(a.status), Reason: a.reason, Json: a.json,
	})
	if err == nil {
		err = c.in.Publish(ctx, message)
	}
	if err != nil {
		return fmt.Errorf("tell the result of a call: %w", err)
	}
	r.Status, r.Reason = a.status, a.reason
	return c.store.FinishCall(ctx, r)
}

func (c *Calls) message(call store.Call, result *parleyv1.CallResult) (m bus.Message, err error) {
	id, now := callID(call.Key), c.now().UnixMilli()
	raw, err := protojson.Marshal(flow.CallInput(id, now, result))
	if err != nil {
		return m, err
	}
	m.Subject = bus.SubjectIn(bus.ShardOf(call.Portfolio, call.LaneKey, c.shards), call.Channel, call.LaneKey)
	m.Data, err = proto.Marshal(&parleyv1.Envelope{
		Id: id, Kind: parleyv1.Kind_KIND_CALL, Provider: "parley", Channel: call.Channel, Portfolio: call.Portfolio,
		LaneKey: call.LaneKey, ContactId: call.Contact[:], ReceivedAtMs: now, Raw: raw,
	})
	return m, err
}

// callID names a call for the system that is asked, and its result in the lane.
func callID(key store.DeliveryKey) string { return "call/" + store.DeliveryID(key.Shard, key.Offset) }

// answer is what came of a try.
type answer struct {
	ok     bool
	status int
	reason string // in few words of ours
	json   []byte
	// again says that another try may go better, after is the least it should wait.
	again bool
	after time.Duration
}

func (a answer) result() string {
	switch {
	case a.ok:
		return "ok"
	case a.again:
		return "again"
	}
	return "failed"
}

// failed is an answer that no other try will better.
func failed(status int, reason string) answer { return answer{status: status, reason: reason} }
