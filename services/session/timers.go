package session

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// timersEvery is how often due timers are looked up: by index, those that are
	// due only.
	timersEvery = 200 * time.Millisecond
	// timersMax bounds what fires in one go.
	timersMax = 1000
	// firedFor is how long a timer that was put into its lane is not put there
	// again. If its input is lost before that, it fires again after it.
	firedFor = 30 * time.Second
)

// TimerStore is what the timers need of PostgreSQL.
type TimerStore interface {
	TimersOf(ctx context.Context, shards []int, until time.Time, limit int) ([]store.Timer, error)
}

// Publisher stores messages in WA_IN; nil means that they are on disk.
type Publisher interface {
	Publish(ctx context.Context, messages ...bus.Message) error
}

// Timers puts what is due into the lanes. A timer is an input like any other:
// it takes its turn, and the session decides whether it still means anything.
// Two owners may fire the same one; the inbox absorbs it.
type Timers struct {
	store  TimerStore
	owned  func() []int
	in     Publisher
	shards int
	now    func() time.Time
	log    zerolog.Logger
	fired  map[timerKey]time.Time // when they were put into their lane
}

// timerKey tells one firing from all others.
type timerKey struct {
	session store.SessionKey
	ref     string
	wakeMs  int64
}

func keyOf(t store.Timer) timerKey { return timerKey{t.Key, t.Ref, t.WakeAt.UnixMilli()} }

// NewTimers makes the timers of a replica; owned says which shards it has now.
func NewTimers(s TimerStore, owned func() []int, in Publisher, shards int, now func() time.Time, log zerolog.Logger) *Timers {
	return &Timers{store: s, owned: owned, in: in, shards: shards, now: now, log: log, fired: map[timerKey]time.Time{}}
}

// Run fires timers until ctx ends.
func (t *Timers) Run(ctx context.Context) error {
	ticker := time.NewTicker(timersEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := t.Fire(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			t.log.Warn().Err(err).Msg("timers wait")
		}
		failing = err != nil
	}
}

// Fire puts every due timer of the owned shards into its lane, once.
func (t *Timers) Fire(ctx context.Context) error {
	shards := t.owned()
	if len(shards) == 0 {
		return nil
	}
	now := t.now()
	maps.DeleteFunc(t.fired, func(_ timerKey, at time.Time) bool { return now.Sub(at) > firedFor })
	due, err := t.store.TimersOf(ctx, shards, now, timersMax)
	if err != nil || len(due) == 0 {
		return err
	}
	due = slices.DeleteFunc(due, func(timer store.Timer) bool { return !t.fired[keyOf(timer)].IsZero() })
	messages := make([]bus.Message, len(due))
	for i, timer := range due {
		if messages[i], err = t.message(timer, now); err != nil {
			return fmt.Errorf("timer: %w", err)
		}
	}
	if err := t.in.Publish(ctx, messages...); err != nil {
		return fmt.Errorf("timers: %w", err) // those that are stored all the same are absorbed when they come again
	}
	for _, timer := range due {
		t.fired[keyOf(timer)] = now
	}
	return nil
}

func (t *Timers) message(timer store.Timer, now time.Time) (m bus.Message, err error) {
	wake := timer.WakeAt.UnixMilli()
	id := fmt.Sprintf("timer/%s/%d", timer.Ref, wake)
	in := flow.TimerInput(id, wake, timer.Ref, wake)
	in.GetTimerDue().PromptAtMs = promptAt(timer.Prompt)
	if timer.Step != "" {
		in.GetTimerDue().Advice = &parleyv1.ReminderAdvice{Step: timer.Step, AfterMs: timer.Advice.After.Milliseconds(), Reason: timer.Advice.Reason}
	}
	raw, err := protojson.Marshal(in)
	if err != nil {
		return m, err
	}
	m.Subject = bus.SubjectIn(bus.ShardOf(timer.Portfolio, timer.LaneKey, t.shards), timer.Key.Channel, timer.LaneKey)
	m.Data, err = proto.Marshal(&parleyv1.Envelope{
		Id: id, Kind: parleyv1.Kind_KIND_TIMER, Provider: "parley", Channel: timer.Key.Channel, Portfolio: timer.Portfolio,
		LaneKey: timer.LaneKey, ContactId: timer.Key.Contact[:], ReceivedAtMs: now.UnixMilli(), Raw: raw,
	})
	return m, err
}

// promptAt is when the provider got the question, as [parleyv1.TimerDue] has it.
func promptAt(p store.Prompt) int64 {
	switch {
	case p.Pending:
		return -1
	case p.At.IsZero():
		return 0
	}
	return p.At.UnixMilli()
}
