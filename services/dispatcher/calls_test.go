package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// phoneLine is a system of the business, the lanes, and replicas that call it. What goes wrong
// next is drawn.
type phoneLine struct {
	db    *database
	calls *Calls

	mu      sync.Mutex
	queued  uint64
	tries   map[string]int // requests, by Idempotency-Key
	results map[string][]*parleyv1.CallResult
	// badly is how many of the next requests fail; publish and commit fail with these.
	url             string
	badly           int
	publish, finish error
}

var errLost = errors.New("lost")

func newPhoneLine(t *testing.T) *phoneLine {
	l := &phoneLine{db: newDatabase(t), tries: map[string]int{}, results: map[string][]*parleyv1.CallResult{}}
	l.db.meet("ann")
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	l.calls = NewCalls(l, l, asks(t, server, nil), 4, time.Now, func() float64 { return 0.5 }, zerolog.Nop())
	server.Config.SetKeepAlivesEnabled(false)
	l.url = server.URL
	return l
}

// ServeHTTP is the system that is asked.
func (l *phoneLine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tries[r.Header.Get("Idempotency-Key")]++
	if l.badly > 0 {
		l.badly--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, `{"path":%q}`, r.URL.Path)
}

// Publish keeps a result in the lane, and may not say so.
func (l *phoneLine) Publish(_ context.Context, messages ...bus.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		e, in := &parleyv1.Envelope{}, &parleyv1.Input{}
		if err := proto.Unmarshal(m.Data, e); err != nil {
			return err
		}
		if err := protojson.Unmarshal(e.Raw, in); err != nil {
			return err
		}
		l.results[e.Id] = append(l.results[e.Id], in.GetCallResult())
	}
	return l.publish
}

func (l *phoneLine) ClaimCalls(ctx context.Context, limit int, claim time.Duration) ([]store.Call, error) {
	return l.db.ClaimCalls(ctx, limit, claim)
}

// FinishCall records a result, or the process is gone before it can.
func (l *phoneLine) FinishCall(ctx context.Context, r store.CallResult) error {
	if l.finish != nil {
		return l.finish
	}
	return l.db.FinishCall(ctx, r)
}

// queue is a turn that asks; the session waits for so long.
func (l *phoneLine) queue(t interface{ Fatal(...any) }, wait time.Duration) string {
	l.queued++
	key := store.DeliveryKey{Shard: shard, Offset: l.queued}
	request, err := proto.Marshal(&parleyv1.CallQueued{
		Ref: fmt.Sprint("r.", l.queued), Method: "GET", Url: fmt.Sprint(l.url, "/", l.queued), UntilMs: time.Now().Add(wait).UnixMilli(),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.db.conn.Exec(context.Background(), `INSERT INTO calls (shard, "offset", channel, contact_id, session_id, flow, step, request, queued_at, due_at)
		VALUES ($1, $2, 'n1', $3, 1, 'lead', 'look', $4, now(), now())`, key.Shard, int64(key.Offset), store.ContactID("p", "ann"), request)
	if err != nil {
		t.Fatal(err)
	}
	return callID(key)
}

// pass lets so much time go by that everything is due: claims of who died, too.
func (l *phoneLine) pass(t interface{ Fatal(...any) }) {
	if _, err := l.db.conn.Exec(context.Background(), `UPDATE calls SET due_at = now() WHERE state = 'queued'`); err != nil {
		t.Fatal(err)
	}
	l.calls.circuit = newCircuits()
}

func (l *phoneLine) work(t interface{ Fatal(...any) }) {
	var under sync.WaitGroup
	if err := l.calls.begin(context.Background(), &under); err != nil {
		t.Fatal(err)
	}
	under.Wait()
}

// state is what the database has of a call.
func (l *phoneLine) state(t interface{ Fatal(...any) }, offset uint64) (state string, attempts int) {
	err := l.db.conn.QueryRow(context.Background(), `SELECT state, attempts FROM calls WHERE "offset" = $1`, int64(offset)).Scan(&state, &attempts)
	if err != nil {
		t.Fatal(err)
	}
	return state, attempts
}

// TestCallsProperties: whatever fails, and whoever dies between two steps, each call is
// told once at least, always under the same id and with the same result once it is done,
// and asked with one key.
func TestCallsProperties(t *testing.T) {
	l := newPhoneLine(t)
	rapid.Check(t, func(r *rapid.T) {
		var ids []string
		r.Repeat(map[string]func(*rapid.T){
			"queue": func(r *rapid.T) { ids = append(ids, l.queue(r, time.Hour)) },
			"work":  func(r *rapid.T) { l.pass(r); l.work(r) },
			"fail":  func(r *rapid.T) { l.badly = rapid.IntRange(1, 3).Draw(r, "times") },
			"lose": func(r *rapid.T) { // the process dies behind the publishing, or behind the call
				l.publish, l.finish = rapid.SampledFrom([]error{nil, errLost}).Draw(r, "publish"), errLost
				l.pass(r)
				l.work(r)
				l.publish, l.finish = nil, nil
			},
		})
		l.badly = 0
		l.pass(r)
		l.work(r)
		for _, id := range ids {
			if len(l.results[id]) == 0 {
				r.Fatalf("%s was never told", id)
			}
			for _, result := range l.results[id] {
				if !result.GetOk() || result.GetRef() == "" || len(result.GetJson()) == 0 {
					r.Fatalf("%s was told %v", id, result)
				}
			}
			if l.tries[id] == 0 {
				r.Fatalf("%s was not asked under its key", id)
			}
		}
		var open int
		if err := l.db.conn.QueryRow(context.Background(), `SELECT count(*) FROM calls WHERE state <> 'ok'`).Scan(&open); err != nil || open > 0 {
			r.Fatalf("%d calls are open (%v)", open, err)
		}
	})
}

// TestCallsAreClaimedOnce: what one replica makes the others leave alone, until the claim
// is over.
func TestCallsAreClaimedOnce(t *testing.T) {
	l := newPhoneLine(t)
	id := l.queue(t, time.Hour)
	first, err := l.db.ClaimCalls(t.Context(), 10, time.Minute)
	if err != nil || len(first) != 1 || first[0].LaneKey != "ann" || first[0].Portfolio != "p" {
		t.Fatalf("claimed %+v, %v", first, err)
	}
	l.work(t)
	if len(l.results) != 0 {
		t.Fatal("it was made twice")
	}
	l.pass(t)
	l.work(t)
	// What the first one says now comes too late.
	if err := l.db.FinishCall(t.Context(), store.CallResult{Key: first[0].Key, Attempts: first[0].Attempts, State: store.CallFailed}); err != nil {
		t.Fatal(err)
	}
	if state, attempts := l.state(t, 1); state != store.CallOK || attempts != 2 || len(l.results[id]) != 1 {
		t.Errorf("%s after %d attempts, told %d times", state, attempts, len(l.results[id]))
	}
}

// TestCallsGiveUp: what cannot be done before the session stops to wait has failed, and
// the session is told at once.
func TestCallsGiveUp(t *testing.T) {
	l := newPhoneLine(t)
	l.badly = 1
	id := l.queue(t, 100*time.Millisecond)
	l.work(t)
	if state, _ := l.state(t, 1); state != store.CallFailed || len(l.results[id]) != 1 || l.results[id][0].GetOk() || l.results[id][0].GetStatus() != 503 {
		t.Errorf("%s, told %v", state, l.results[id])
	}
	l.badly = 1
	l.queue(t, time.Hour)
	l.work(t)
	if state, attempts := l.state(t, 2); state != store.CallQueued || attempts != 1 {
		t.Errorf("%s after %d attempts", state, attempts)
	}
}
