package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func shardsOf(leases []Lease) []int {
	var shards []int
	for _, l := range leases {
		shards = append(shards, l.Shard)
	}
	slices.Sort(shards)
	return shards
}

func checkShards(t *testing.T, leases []Lease, want ...int) {
	t.Helper()
	if got := shardsOf(leases); !slices.Equal(got, want) {
		t.Errorf("took %v, want %v", got, want)
	}
}

func ensureLeases(t *testing.T, s *Store, service string, shards int) {
	t.Helper()
	if err := s.EnsureLeases(t.Context(), service, shards); err != nil {
		t.Fatal(err)
	}
}

// expire lets the leases of an owner run out, as if it had been silent for a lease time.
func expire(t *testing.T, s *Store, owner string) {
	t.Helper()
	exec(t, s, `UPDATE leases SET lease_until = now() - interval '1 second' WHERE owner = $1`, owner)
}

func TestEnsureLeases(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ensureLeases(t, s, "lane", 3)
	checkShards(t, acquire(t, s, "lane", "a", 9), 0, 1, 2)
	ensureLeases(t, s, "lane", 3)
	ensureLeases(t, s, "other", 2)
	checkShards(t, acquire(t, s, "lane", "b", 9))
	checkShards(t, acquire(t, s, "other", "b", 9), 0, 1)
	if n, err := s.CountShards(t.Context(), "lane"); n != 3 || err != nil {
		t.Errorf("counted %d shards, %v", n, err)
	}
}

func TestAcquire(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ensureLeases(t, s, "lane", 6)
	checkShards(t, acquire(t, s, "lane", "a", 0))
	checkShards(t, acquire(t, s, "lane", "a", 2, 0, 3), 1, 2)
	checkShards(t, acquire(t, s, "lane", "b", 9), 0, 3, 4, 5)
	checkShards(t, acquire(t, s, "lane", "c", 9))

	// What is one's own comes first, with a new epoch: a process that restarts need not wait.
	expire(t, s, "b")
	own := acquire(t, s, "lane", "a", 3)
	checkShards(t, own, 0, 1, 2)
	for _, l := range own {
		if l.Epoch != 2 {
			t.Errorf("shard %d has epoch %d, want 2", l.Shard, l.Epoch)
		}
	}
	// What one works on already is left alone.
	checkShards(t, acquire(t, s, "lane", "a", 9, 0, 1, 2), 3, 4, 5)
	for shard, want := range []int64{2, 2, 2, 2, 2, 2} {
		if l, owner := storedLease(t, s, "lane", shard); l.Epoch != want || owner != "a" {
			t.Errorf("shard %d: epoch %d of %q, want %d of a", shard, l.Epoch, owner, want)
		}
	}
}

func TestAcquireReturnsWhereToGoOn(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	if lease.Checkpoint != 0 || !lease.CheckpointAt.IsZero() || lease.Head != 0 || lease.Epoch != 1 {
		t.Fatalf("a new shard's lease is %+v", lease)
	}
	part := turnOf(lease, "ann")
	appendTurns(t, s, part)
	want := moved(lease, part)
	want.Epoch++
	got := acquire(t, s, ServiceSession, "taker", 1)[0]
	if got.Checkpoint != want.Checkpoint || got.Head != want.Head || got.Epoch != want.Epoch || !got.CheckpointAt.Equal(part.Fence.At) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if checkpoint, err := s.Checkpoint(t.Context(), ServiceSession, 0); checkpoint != want.Checkpoint || err != nil {
		t.Errorf("checkpoint %d, %v", checkpoint, err)
	}
}

// TestAcquireTakesNoMoreThanAsked runs the statement under every way of joining that PostgreSQL may choose: LIMIT and
// SKIP LOCKED in a subquery that is run again for each row would take more.
func TestAcquireTakesNoMoreThanAsked(t *testing.T) {
	t.Parallel()
	for _, allowed := range []string{"hashjoin", "mergejoin", "nestloop"} {
		t.Run(allowed, func(t *testing.T) {
			s := newStore(t)
			for service := range 20 {
				ensureLeases(t, s, fmt.Sprint("other ", service), 64)
			}
			ensureLeases(t, s, "lane", 64)
			exec(t, s, `ANALYZE leases`)
			database := value[string](t, s, `SELECT current_database()`)
			for _, join := range []string{"hashjoin", "mergejoin", "nestloop", "material"} {
				exec(t, s, fmt.Sprintf(`ALTER DATABASE %s SET enable_%s = %v`, database, join, join == allowed))
			}
			s.pool.Reset() // so that the settings count
			for round := range 8 {
				if leases := acquire(t, s, "lane", fmt.Sprint("owner ", round), 3); len(leases) != 3 {
					t.Fatalf("round %d took %v, want 3 shards", round, shardsOf(leases))
				}
			}
		})
	}
}

// TestAcquireConcurrently lets eight replicas grab shards at the same time.
func TestAcquireConcurrently(t *testing.T) {
	t.Parallel()
	const replicas, shards, rounds = 8, 32, 5
	s := newStore(t)
	ensureLeases(t, s, "lane", shards)
	for round := range rounds {
		var mu sync.Mutex
		owners := map[int]string{}
		var group errgroup.Group
		for replica := range replicas {
			group.Go(func() error {
				owner := fmt.Sprintf("%d of round %d", replica, round)
				leases, err := s.Acquire(t.Context(), "lane", owner, leaseTime, shards/replicas, nil)
				mu.Lock()
				defer mu.Unlock()
				for _, l := range leases {
					if owners[l.Shard] != "" || l.Epoch != int64(round)+1 {
						t.Errorf("shard %d went to %q and %q with epoch %d", l.Shard, owners[l.Shard], owner, l.Epoch)
					}
					owners[l.Shard] = owner
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		// Those that skipped a locked row have a second chance; nobody waits for anybody.
		for replica := range replicas {
			owner := fmt.Sprintf("late %d of round %d", replica, round)
			for _, l := range acquire(t, s, "lane", owner, shards) {
				if owners[l.Shard] != "" {
					t.Errorf("shard %d was taken twice", l.Shard)
				}
				owners[l.Shard] = owner
			}
		}
		if len(owners) != shards {
			t.Errorf("%d shards have owners, want %d", len(owners), shards)
		}
		for shard, owner := range owners {
			if _, stored := storedLease(t, s, "lane", shard); stored != owner {
				t.Errorf("shard %d belongs to %q, %q thinks", shard, stored, owner)
			}
		}
		exec(t, s, `UPDATE leases SET lease_until = now() - interval '1 second'`)
	}
}

// TestAcquireSkipsLocked takes shards while another transaction holds some of their rows.
func TestAcquireSkipsLocked(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ensureLeases(t, s, "lane", 4)
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `SELECT FROM leases WHERE shard IN (1, 2) FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	checkShards(t, acquire(t, s, "lane", "a", 9), 0, 3)
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ensureLeases(t, s, "lane", 4)
	acquire(t, s, "lane", "a", 2)
	acquire(t, s, "lane", "b", 2)
	beat := func(service, owner string, live int, held map[int]int64) {
		t.Helper()
		gotLive, gotHeld, err := s.Heartbeat(t.Context(), service, owner, leaseTime)
		if err != nil || gotLive != live || !maps.Equal(gotHeld, held) {
			t.Errorf("heartbeat of %s: %d live, holds %v, %v; want %d, %v", owner, gotLive, gotHeld, err, live, held)
		}
	}
	beat("lane", "a", 1, map[int]int64{0: 1, 1: 1})
	beat("lane", "b", 2, map[int]int64{2: 1, 3: 1})
	beat("lane", "c", 3, map[int]int64{})
	beat("other", "a", 1, map[int]int64{})

	// A lease that ran out is still the owner's, as long as nobody has taken it.
	expire(t, s, "a")
	beat("lane", "a", 3, map[int]int64{0: 1, 1: 1})
	checkShards(t, acquire(t, s, "lane", "c", 9))
	expire(t, s, "a")
	checkShards(t, acquire(t, s, "lane", "c", 1), 0)
	beat("lane", "a", 3, map[int]int64{1: 1})

	if err := s.Leave(t.Context(), "lane", "c"); err != nil {
		t.Fatal(err)
	}
	beat("lane", "a", 2, map[int]int64{1: 1})
	exec(t, s, `UPDATE replicas SET seen_at = now() - interval '2 minutes' WHERE owner = 'b'`)
	beat("lane", "a", 1, map[int]int64{1: 1})
	exec(t, s, `UPDATE replicas SET seen_at = now() - interval '11 minutes' WHERE owner = 'b'`)
	beat("lane", "a", 1, map[int]int64{1: 1})
	if value[bool](t, s, `SELECT EXISTS (SELECT FROM replicas WHERE owner = 'b')`) {
		t.Error("a replica that is long gone is still remembered")
	}
}

// TestHeartbeatRenews lets a lease run out by the database's clock.
func TestHeartbeatRenews(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ensureLeases(t, s, "lane", 1)
	if _, err := s.Acquire(t.Context(), "lane", "a", 200*time.Millisecond, 1, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Heartbeat(t.Context(), "lane", "a", 400*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	renewed := value[time.Time](t, s, `SELECT lease_until FROM leases`)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		if leases := acquire(t, s, "lane", "b", 1); len(leases) == 1 {
			if now := value[time.Time](t, s, `SELECT now()`); now.Before(renewed) {
				t.Errorf("taken at %v, before the lease ended at %v", now, renewed)
			}
			return
		}
	}
	t.Fatal("the lease never ran out")
}

func TestRelease(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ensureLeases(t, s, "lane", 2)
	acquire(t, s, "lane", "a", 2)
	for _, epoch := range []int64{0, 2} {
		if err := s.Release(t.Context(), "lane", 0, epoch); err != nil {
			t.Fatal(err)
		}
	}
	checkShards(t, acquire(t, s, "lane", "b", 9)) // both epochs were not a's
	if err := s.Release(t.Context(), "lane", 1, 1); err != nil {
		t.Fatal(err)
	}
	taken := acquire(t, s, "lane", "b", 9)
	checkShards(t, taken, 1)
	if taken[0].Epoch != 2 {
		t.Errorf("epoch %d after a release, want 2", taken[0].Epoch)
	}
	if err := s.Release(t.Context(), "lane", 1, 1); err != nil {
		t.Fatal(err)
	}
	if _, owner := storedLease(t, s, "lane", 1); owner != "b" {
		t.Errorf("a late release took the shard from b: it belongs to %q", owner)
	}
}

func TestRewind(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	part := turnOf(lease, "ann")
	appendTurns(t, s, part)
	if err := s.Rewind(t.Context(), ServiceSession, 0, lease.Epoch+1); !errors.Is(err, ErrFenced) {
		t.Errorf("rewind with another's epoch: %v, want ErrFenced", err)
	}
	checkLease(t, s, ServiceSession, moved(lease, part))
	if err := s.Rewind(t.Context(), ServiceSession, 0, lease.Epoch); err != nil {
		t.Fatal(err)
	}
	// The events stay, and so does their numbering.
	lease.Head = 3
	checkLease(t, s, ServiceSession, lease)
	if held := appendTurns(t, s, turnOf(lease, "bob")); len(held) != 1 {
		t.Error("nothing can be appended after a rewind")
	}
}
