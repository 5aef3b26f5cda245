package store

import (
	"context"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// timerStart is a moment for the tests' timers; those before it are due.
var timerStart = time.UnixMilli(1_763_800_000_000).UTC()

func dueTimers(t testing.TB, s *Store, limit int, shards ...int) []Timer {
	t.Helper()
	timers, err := s.TimersOf(t.Context(), shards, timerStart, limit)
	if err != nil {
		t.Fatal(err)
	}
	return timers
}

// armed is the person's turn with a timer that is due after some time.
func armed(lease Lease, person, ref string, after time.Duration) TurnPart {
	part := turnOf(lease, person)
	part.Inbox = nil
	part.Timers = []Timer{{Key: part.Sessions[0].Key, Ref: ref, WakeAt: timerStart.Add(after)}}
	return part
}

func TestTimerIsArmedMovedAndTakenAway(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 4)[3]
	write := func(part TurnPart) {
		t.Helper()
		if held := appendTurns(t, s, part); len(held) != 1 {
			t.Fatal("fenced")
		}
		lease = moved(lease, part)
	}
	check := func(want ...Timer) {
		t.Helper()
		if got := dueTimers(t, s, 10, 0, 3); !slices.EqualFunc(got, want, sameTimer) {
			t.Errorf("due: %+v, want %+v", got, want)
		}
	}
	key := armed(lease, "ann", "", 0).Sessions[0].Key
	due := Timer{Key: key, Shard: 3, Ref: "a1", WakeAt: timerStart, Portfolio: "portfolio", LaneKey: "ann"}
	check()
	write(armed(lease, "ann", "a1", 0))
	check(due)
	write(armed(lease, "ann", "a2", time.Millisecond)) // not yet due
	check()
	write(armed(lease, "ann", "a3", -time.Hour))
	due.Ref, due.WakeAt = "a3", timerStart.Add(-time.Hour)
	check(due)
	plain := turnOf(lease, "ann") // a turn that names no timer leaves it
	write(plain)
	check(due)
	off := TurnPart{Fence: fence(lease, lease.Checkpoint+1), Head: lease.Head, TimersOff: []SessionKey{key, {"no channel", key.Contact}}}
	write(off)
	check()
	if n := value[int](t, s, `SELECT count(*) FROM timers`); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

func sameTimer(a, b Timer) bool {
	sameTime := a.WakeAt.Equal(b.WakeAt)
	a.WakeAt, b.WakeAt = time.Time{}, time.Time{}
	return sameTime && a == b
}

// TestTimersInOrder reads due timers of several shards: the earliest of all come first, and no shard is forgotten.
func TestTimersInOrder(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceSession, 3)
	for i, person := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		lease := leases[i%3]
		part := armed(lease, person, person, -time.Duration(i*3%8)*time.Second)
		appendTurns(t, s, part)
		leases[i%3] = moved(lease, part)
	}
	order := func(limit int, shards ...int) (refs string) {
		for _, timer := range dueTimers(t, s, limit, shards...) {
			refs += timer.Ref
		}
		return refs
	}
	for _, c := range []struct {
		limit  int
		shards []int
		want   string
	}{
		{100, []int{0, 1, 2}, "fchebgda"},
		{2, []int{2, 1, 0}, "fc"},
		{3, []int{0, 1}, "heb"},
		{100, []int{0}, "gda"},
		{100, []int{2, 1}, "fcheb"},
		{100, []int{7}, ""},
		{100, nil, ""},
	} {
		if got := order(c.limit, c.shards...); got != c.want {
			t.Errorf("due of shards %v, at most %d: %q, want %q", c.shards, c.limit, got, c.want)
		}
	}
}

// TestTimersOfZombie lets the timers of an old owner, to be armed and to be taken away, wait for the take-over that fences it.
func TestTimersOfZombie(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceSession, 2)
	first, other := armed(leases[0], "ann", "ann", 0), armed(leases[1], "bob", "bob", 0)
	appendTurns(t, s, first, other)
	leases[0], leases[1] = moved(leases[0], first), moved(leases[1], other)

	takeOver, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = takeOver.Rollback(context.Background()) }()
	if _, err = takeOver.Exec(t.Context(), `UPDATE leases SET epoch = epoch + 1, owner = 'heir' WHERE service = 'session' AND shard = 0`); err != nil {
		t.Fatal(err)
	}
	lost, kept := armed(leases[0], "cleo", "cleo", 0), armed(leases[1], "bob", "bob again", -time.Second)
	lost.TimersOff = []SessionKey{first.Timers[0].Key}
	var held []int
	var zombie errgroup.Group
	zombie.Go(func() (err error) {
		held, err = s.AppendTurns(t.Context(), []TurnPart{lost, kept})
		return err
	})
	awaitBlocked(t, s, 1)
	if err := takeOver.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := zombie.Wait(); err != nil || !slices.Equal(held, []int{1}) {
		t.Fatalf("held %v, %v; want only the shard that was not taken over", held, err)
	}
	var refs []string
	for _, timer := range dueTimers(t, s, 10, 0, 1) {
		refs = append(refs, timer.Ref)
	}
	if !slices.Equal(refs, []string{"bob again", "ann"}) {
		t.Errorf("timers %q: the old owner of ann's shard changed something", refs)
	}
}
