package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/internal/demoflows"
	"github.com/parleyhq/parley/services/internal/platform"
	"github.com/parleyhq/parley/services/session"
)

const (
	// batchSize is as many updates as a session commits together at most.
	batchSize = lane.DefaultBatchMax
	flowName  = "lead"
	// leaseTime outlasts every measurement.
	leaseTime = time.Hour
)

// words are what each of the people says, again and again, after a first greeting:
// every kind of turn that the flow knows.
var words = []string{"Ada Lovelace", "ada at example", "ada@example.com", "thank you", "RESTART"}

// said is what somebody says in their n-th turn.
func said(n int) string {
	if n == 0 {
		return "hi"
	}
	return words[(n-1)%len(words)]
}

// says is a text as the engine hears it.
func says(text string) *parleyv1.Input {
	return &parleyv1.Input{Id: "wamid", AtMs: 1, Body: &parleyv1.Input_Message{
		Message: &parleyv1.IncomingMessage{Type: "text", Text: text},
	}}
}

// sessions is a session replica that owns every shard, without NATS before and
// behind it.
type sessions struct {
	service  *session.Service
	appended *recorder
	leases   map[int]store.Lease
	crowd    int // people who write
	messages int // made up so far
}

// newSessions publishes the flow and takes all shards of an empty database. crowd is
// how many people will write.
func newSessions(ctx context.Context, db *store.Store, crowd int) (*sessions, error) {
	if err := session.Publish(ctx, db, demoflows.Files); err != nil {
		return nil, err
	}
	leases, err := lease(ctx, db)
	if err != nil {
		return nil, err
	}
	r := &recorder{Store: db}
	s := &sessions{appended: r, leases: leases, crowd: crowd}
	// What came in a minute ago takes nothing off the rate of a number any more.
	minuteAgo := func() time.Time { return time.Now().Add(-time.Minute) }
	s.service = session.New(r, noRelay{}, platform.OneFlow(flowName), session.Lanes{Shards: shards}, minuteAgo, zerolog.Nop())
	for _, l := range leases {
		if err := s.service.Take(ctx, l); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// lease takes all shards.
func lease(ctx context.Context, db *store.Store) (map[int]store.Lease, error) {
	if err := db.EnsureLeases(ctx, store.ServiceSession, shards); err != nil {
		return nil, err
	}
	list, err := db.Acquire(ctx, store.ServiceSession, "bench", leaseTime, shards, nil)
	if err == nil && len(list) != shards {
		err = fmt.Errorf("%d of %d shards leased", len(list), shards)
	}
	leases := map[int]store.Lease{}
	for _, l := range list {
		leases[l.Shard] = l
	}
	return leases, err
}

// batch makes up what the next people say, as the lane would hand it on.
func (s *sessions) batch() ([]lane.Part, error) {
	var parts []lane.Part
	index := map[int]int{}
	for range batchSize {
		e, err := s.next()
		if err != nil {
			return nil, err
		}
		data, err := proto.Marshal(e)
		if err != nil {
			return nil, err
		}
		shard := bus.ShardOf(e.Portfolio, e.LaneKey, shards)
		l := s.leases[shard]
		i, known := index[shard]
		if !known {
			i = len(parts)
			index[shard] = i
			parts = append(parts, lane.Part{Fence: store.Fence{Shard: shard, Epoch: l.Epoch, From: l.Checkpoint}})
		}
		l.Checkpoint++
		s.leases[shard] = l
		m := lane.Message{Shard: shard, Pos: l.Checkpoint, Data: data, At: time.UnixMilli(e.ReceivedAtMs)}
		parts[i].Messages = append(parts[i].Messages, m)
		parts[i].Fence.To, parts[i].Fence.At = m.Pos, m.At
	}
	return parts, nil
}

// next is the next message: of each of the people in turn.
func (s *sessions) next() (*parleyv1.Envelope, error) {
	n := s.messages
	s.messages++
	person := fake.Person{Phone: fmt.Sprintf(phoneFormat, n%s.crowd), Name: "Ada Lovelace"}
	body := fake.Payload(waba, channel, fake.Text(person, fmt.Sprintf(idFormat, n), time.Now(), said(n/s.crowd)))
	envelopes := meta.Split(body, time.Now())
	if len(envelopes) != 1 {
		return nil, fmt.Errorf("a webhook has %d updates, want 1", len(envelopes))
	}
	envelopes[0].Portfolio = channel
	return envelopes[0], nil
}

// apply decides a batch. Every shard must have been written.
func (s *sessions) apply(ctx context.Context, parts []lane.Part) error {
	held, err := lane.Process(ctx, s.service, parts)
	if err == nil && len(held) != len(parts) {
		err = fmt.Errorf("%d of %d shards written", len(held), len(parts))
	}
	return err
}

// takeAppended returns what was appended since the last time.
func (s *sessions) takeAppended() [][]store.TurnPart {
	batches := s.appended.batches
	s.appended.batches = nil
	return batches
}

// recorder is a store that remembers what was appended to it.
type recorder struct {
	*store.Store
	batches [][]store.TurnPart
}

// AppendTurns appends and remembers.
func (r *recorder) AppendTurns(ctx context.Context, parts []store.TurnPart) ([]int, error) {
	held, err := r.Store.AppendTurns(ctx, parts)
	r.remember(parts, err)
	return held, err
}

// AppendTurnsAnd appends and remembers: so does a batch in which somebody is new.
func (r *recorder) AppendTurnsAnd(ctx context.Context, parts []store.TurnPart, changes store.ResourceChanges) ([]int, error) {
	held, err := r.Store.AppendTurnsAnd(ctx, parts, changes)
	r.remember(parts, err)
	return held, err
}

func (r *recorder) remember(parts []store.TurnPart, err error) {
	if err == nil {
		r.batches = append(r.batches, parts)
	}
}

// noRelay leaves the events in the database.
type noRelay struct{}

func (noRelay) Take(int)              {}
func (noRelay) Add([]*parleyv1.Event) {}
func (noRelay) Drop(int)              {}
