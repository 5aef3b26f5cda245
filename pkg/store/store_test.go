package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store/pgtest"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// patience is how long a test waits for what must happen before it fails, leaseTime a lease that outlives every test.
const (
	patience  = 30 * time.Second
	leaseTime = time.Minute
)

// testChannel is the business number of all tests; the text is what an SQL statement put together by hand would choke on.
const testChannel = `1555'; DROP TABLE events; --`

// newStore opens a store on a migrated database of its own.
func newStore(t testing.TB) *Store {
	t.Helper()
	return openStore(t, pgtest.New(t, Migrate))
}

func openStore(t testing.TB, dsn string) *Store {
	t.Helper()
	s, err := Open(context.Background(), dsn, 16, "store test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func exec(t testing.TB, s *Store, sql string, args ...any) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// value reads one row of one column.
func value[T any](t testing.TB, s *Store, sql string, args ...any) (v T) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// take makes the shards of a service and leases all of them, in order.
func take(t testing.TB, s *Store, service string, shards int) []Lease {
	t.Helper()
	if err := s.EnsureLeases(t.Context(), service, shards); err != nil {
		t.Fatal(err)
	}
	leases := make([]Lease, shards)
	for _, l := range acquire(t, s, service, "taker", shards) {
		leases[l.Shard] = l
	}
	return leases
}

func acquire(t testing.TB, s *Store, service, owner string, most int, except ...int) []Lease {
	t.Helper()
	leases, err := s.Acquire(t.Context(), service, owner, leaseTime, most, except)
	if err != nil {
		t.Fatal(err)
	}
	return leases
}

// written is how many rows there are of each thing that a turn writes.
type written struct{ contacts, sessions, events, inbox, dead int }

func rows(t testing.TB, s *Store) (n written) {
	t.Helper()
	err := s.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM contacts), (SELECT count(*) FROM sessions),
		(SELECT count(*) FROM events), (SELECT count(*) FROM inbox), (SELECT count(*) FROM dead_letters)`).
		Scan(&n.contacts, &n.sessions, &n.events, &n.inbox, &n.dead)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// onePart is what turnOf writes.
var onePart = written{contacts: 1, sessions: 1, events: 3, inbox: 1, dead: 1}

// turnOf is the first turn of a person, with one of everything that a part can hold.
func turnOf(lease Lease, person string) TurnPart {
	contact := ContactID("portfolio", person)
	started := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	position := lease.Checkpoint + 1
	part := TurnPart{
		Fence: fence(lease, position),
		Head:  lease.Head,
		Events: []*parleyv1.Event{
			{Body: &parleyv1.Event_SessionStarted{SessionStarted: &parleyv1.SessionStarted{Flow: "lead", FlowVersion: 1, Language: "en"}}},
			{Body: &parleyv1.Event_StepEntered{StepEntered: &parleyv1.StepEntered{Step: "name", Position: 1}}},
			{Body: &parleyv1.Event_MessageQueued{MessageQueued: &parleyv1.MessageQueued{
				Phone: "49151", Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: "Your name?"}},
			}}},
		},
		Contacts: []Contact{{
			ID: contact, Portfolio: "portfolio", LaneKey: person, Shard: lease.Shard,
			Identity: &parleyv1.Identity{Phone: "49151", Name: person}, CreatedAt: started,
		}},
		Sessions: []Session{{
			Key: SessionKey{testChannel, contact}, ID: SessionID(lease.Shard, lease.Head+1), Shard: lease.Shard,
			State: flow.State{
				Flow: "lead", FlowVersion: 1, Status: flow.Active, Step: "name", Language: "en", Version: 3,
				Answers: map[string]any{}, StartedAtMs: started.UnixMilli(), LastInteractionMs: started.UnixMilli(),
			},
		}},
		Inbox:       []uuid.UUID{InboxID(testChannel, person)},
		DeadLetters: []DeadLetter{{Kind: DeadUnhandled, Shard: lease.Shard, Position: position, Channel: testChannel, Data: []byte("{}"), Reason: "no flow"}},
	}
	stamp(lease, part.Events, contact, started)
	return part
}

// stamp gives the events of one session their headers, as the session service does.
func stamp(lease Lease, events []*parleyv1.Event, contact uuid.UUID, at time.Time) {
	for i, e := range events {
		e.Shard, e.Offset = uint32(lease.Shard), lease.Head+uint64(i)+1
		e.SessionId, e.Version = SessionID(lease.Shard, lease.Head+1), uint32(i)+1
		e.AtMs, e.SessionStartedAtMs = at.UnixMilli(), at.UnixMilli()
		e.Channel, e.ContactId = testChannel, contact[:]
		e.Flow, e.FlowVersion, e.Language = "lead", 1, "en"
	}
}

func appendTurns(t testing.TB, s *Store, parts ...TurnPart) []int {
	t.Helper()
	held, err := s.AppendTurns(t.Context(), parts)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// fence is the right to write a batch that ends at a position.
func fence(lease Lease, to uint64) Fence {
	at := time.UnixMicro(1_763_800_000_000_000 + int64(to))
	return Fence{Shard: lease.Shard, Epoch: lease.Epoch, From: lease.Checkpoint, To: to, At: at}
}

// moved is the lease after a part was written under it.
func moved(lease Lease, part TurnPart) Lease {
	lease.Checkpoint, lease.CheckpointAt = part.Fence.To, part.Fence.At
	lease.Head += uint64(len(part.Events))
	return lease
}

// checkLease compares what the database holds of a lease.
func checkLease(t testing.TB, s *Store, service string, want Lease) {
	t.Helper()
	got, _ := storedLease(t, s, service, want.Shard)
	sameTime := got.CheckpointAt.Equal(want.CheckpointAt)
	got.CheckpointAt, want.CheckpointAt = time.Time{}, time.Time{}
	if got != want || !sameTime {
		t.Errorf("lease %+v, want %+v (same time of the checkpoint: %v)", got, want, sameTime)
	}
}

// storedLease reads what the database holds of a lease.
func storedLease(t testing.TB, s *Store, service string, shard int) (l Lease, owner string) {
	t.Helper()
	var checkpoint, head int64
	err := s.pool.QueryRow(t.Context(), `SELECT shard, epoch, checkpoint, GREATEST(checkpoint_at, '0001-01-01 00:00:00+00'), head, owner
		FROM leases WHERE service = $1 AND shard = $2`, service, shard).Scan(&l.Shard, &l.Epoch, &checkpoint, &l.CheckpointAt, &head, &owner)
	if err != nil {
		t.Fatal(err)
	}
	l.Checkpoint, l.Head = uint64(checkpoint), uint64(head)
	return l, owner
}

// awaitBlocked returns when as many connections to the database wait for another one's lock.
func awaitBlocked(t testing.TB, s *Store, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		var blocked int
		err := s.pool.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0`).Scan(&blocked)
		if err != nil {
			t.Fatalf("wait for %d blocked connections: %v", want, err)
		}
		if blocked == want {
			return
		}
		<-poll.C
	}
}

// people are contacts of their own, so that cases of one test do not meet.
func people(n int) []uuid.UUID {
	list := make([]uuid.UUID, n)
	for i := range list {
		list[i] = ContactID("portfolio", fmt.Sprint("person ", i))
	}
	return list
}
