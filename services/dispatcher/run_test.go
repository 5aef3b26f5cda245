package dispatcher

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// memory is a Store that grants everything, so that the clockwork can be tested
// in virtual time.
type memory struct {
	mu      sync.Mutex
	calls   int
	results []store.SendResult
	err     error
}

func (m *memory) OpenDeliveries(context.Context, int, int64) ([]store.Delivery, error) {
	return nil, nil
}

func (m *memory) AddDeliveries(_ context.Context, fences []store.Fence, _ []store.Delivery) (held []int, err error) {
	for _, f := range fences {
		held = append(held, f.Shard)
	}
	return held, nil
}

func (m *memory) AdvanceDeliveries(_ context.Context, results []store.SendResult, intents []store.Intent) (granted []store.DeliveryKey, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.err != nil {
		return nil, m.err
	}
	m.results = append(m.results, results...)
	for _, i := range intents {
		granted = append(granted, i.Key)
	}
	return granted, nil
}

func (m *memory) DeliveryContents(context.Context, []store.DeliveryKey) (map[store.DeliveryKey][]byte, error) {
	return nil, nil
}

func (m *memory) SettledDeliveries(context.Context, []store.DeliveryKey) ([]store.DeliveryKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	return nil, m.err
}

func (m *memory) RecentSends(context.Context, int, time.Duration) ([]store.RecentSend, error) {
	return nil, nil
}

func (m *memory) ReceivedDeliveries(context.Context, []store.DeliveryKey) ([]store.DeliveryKey, error) {
	return nil, nil
}

func (m *memory) ContactsBehind(context.Context, int) ([]uuid.UUID, error) { return nil, nil }

func (m *memory) Formers(context.Context, []uuid.UUID, time.Duration) (map[uuid.UUID]store.Former, error) {
	return nil, nil
}

func (m *memory) ParkMessage(context.Context, string, store.Fence, store.DeadLetter) (bool, error) {
	return true, nil
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// take returns the number of calls and the results since the last look.
func (m *memory) take() (calls int, states string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for _, r := range m.results {
		list = append(list, r.State)
	}
	calls, m.calls, m.results = m.calls, 0, nil
	return calls, strings.Join(list, " ")
}

// running is a Service whose Run runs, in virtual time.
type running struct {
	*Service
	t        *testing.T
	store    *memory
	launched chan Job
	stop     context.CancelFunc // ends intake
	kill     context.CancelFunc // ends work
	ended    chan error
	log      *strings.Builder
	last     uint64
}

func run(t *testing.T) *running {
	r := &running{t: t, store: &memory{}, launched: make(chan Job, 100), ended: make(chan error, 1), log: &strings.Builder{}}
	r.Service = New(r.store, roomy(), func(j Job) { r.launched <- j }, time.Now, zerolog.New(r.log))
	if err := r.Take(t.Context(), store.Lease{Shard: shard, Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	intake, stop := context.WithCancel(t.Context())
	work, kill := context.WithCancel(t.Context())
	r.stop, r.kill = stop, kill
	go func() { r.ended <- r.Run(intake, work) }()
	return r
}

func (r *running) queue(contact string) {
	r.t.Helper()
	r.last++
	part := lane.Part{Fence: store.Fence{Shard: shard, Epoch: 1, From: r.last - 1, To: r.last}, Messages: []lane.Message{queued(contact, r.last)}}
	if _, err := r.Apply(r.t.Context(), []lane.Part{part}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) hasEnded() bool {
	synctest.Wait()
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Error(err)
		}
		return true
	default:
		return false
	}
}

// A stop records every send that was begun, although its shard is given back first.
func TestRunDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t)
		r.queue("a")
		j := <-r.launched
		r.stop()
		r.Drop(shard)
		time.Sleep(10 * second)
		if r.hasEnded() {
			t.Fatal("it ended with a send on its way")
		}
		r.Finish(j, "wamid.1", nil)
		time.Sleep(second)
		if !r.hasEnded() {
			t.Fatal("it does not end")
		}
		if _, states := r.store.take(); states != store.DeliveryAccepted {
			t.Errorf("recorded %q", states)
		}
	})
}

func TestRunEndsWithWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t)
		r.queue("a")
		<-r.launched
		r.stop()
		r.kill()
		if !r.hasEnded() {
			t.Fatal("it does not end with work")
		}
	})
}

// The database is away for a while: sending waits, one line in the log, and
// everything is recorded afterwards.
func TestRunWaitsForTheDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t)
		r.queue("a")
		r.queue("a")
		r.store.fail(errors.New("database down"))
		r.Finish(<-r.launched, "wamid.1", nil)
		time.Sleep(time.Minute)
		calls, _ := r.store.take()
		if most := int(time.Minute / recordRetry); calls < most/4 || calls > most+1 {
			t.Errorf("tried %d times in a minute", calls)
		}
		if n := strings.Count(r.log.String(), "deliveries cannot be recorded"); n != 1 {
			t.Errorf("%d lines in the log:\n%s", n, r.log)
		}
		r.store.fail(nil)
		<-r.launched
		if _, states := r.store.take(); states != store.DeliveryAccepted {
			t.Errorf("recorded %q", states)
		}
		r.kill()
		<-r.ended
	})
}

// Nothing to do costs nothing: idle, with a send on its way, with a paused
// number, and with a held send, which is looked up four times a second.
func TestRunDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t)
		quiet := func(what string, d time.Duration, most int) {
			t.Helper()
			time.Sleep(d)
			if calls, _ := r.store.take(); calls > most {
				t.Errorf("%s: %d calls in %s", what, calls, d)
			}
		}
		quiet("idle", time.Hour, 0)
		r.queue("a")
		j := <-r.launched
		quiet("on its way", 10*second, 0)
		r.Finish(j, "", refused(meta.StopNumber, 131045, 400))
		quiet("paused", pauses[meta.StopNumber].first-second, 1)
		j = <-r.launched
		r.Finish(j, "", errors.New("cut"))
		quiet("held", grace-second, int(grace/heldPoll)+1)
		j = <-r.launched
		r.store.take()
		r.Finish(j, "wamid.1", nil)
		quiet("done", time.Hour, 1)
		r.kill()
		<-r.ended
	})
}
