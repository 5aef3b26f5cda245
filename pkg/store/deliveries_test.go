package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// addDeliveries puts one delivery in each of the states on a shard, at offsets 1, 2, ..., and returns the lease after it.
func addDeliveries(t testing.TB, s *Store, lease Lease, states ...string) Lease {
	t.Helper()
	contacts := people(len(states))
	list := make([]Delivery, len(states))
	for i, state := range states {
		list[i] = Delivery{
			Key: DeliveryKey{lease.Shard, lease.Checkpoint + uint64(i) + 1}, Channel: testChannel, Contact: contacts[i],
			SessionID: SessionID(lease.Shard, 1), Content: []byte{0xff, 0, byte(i)}, State: state, QueuedAt: time.UnixMilli(1_763_800_000_000),
		}
	}
	to := lease.Checkpoint + uint64(len(states))
	held, err := s.AddDeliveries(t.Context(), []Fence{fence(lease, to)}, list)
	if err != nil || !slices.Equal(held, []int{lease.Shard}) {
		t.Fatalf("add deliveries: held %v, %v", held, err)
	}
	lease.Checkpoint = to
	return lease
}

// delivery is what the database holds of one.
type delivery struct {
	State, WAMID, Receipt, SettledBy, Cause string
	Attempts, Rank, ErrorCode, Ambiguous    int
	Settled                                 bool
}

func stored(t testing.TB, s *Store, key DeliveryKey) (d delivery) {
	t.Helper()
	err := s.pool.QueryRow(t.Context(), `SELECT state, COALESCE(wamid, ''), receipt, settled_by, ambiguous_cause, attempts, receipt_rank,
		error_code, ambiguous_count, settled_at IS NOT NULL FROM deliveries WHERE shard = $1 AND "offset" = $2`, key.Shard, int64(key.Offset)).
		Scan(&d.State, &d.WAMID, &d.Receipt, &d.SettledBy, &d.Cause, &d.Attempts, &d.Rank, &d.ErrorCode, &d.Ambiguous, &d.Settled)
	if err != nil {
		t.Fatalf("delivery %v: %v", key, err)
	}
	return d
}

func checkDelivery(t testing.TB, s *Store, key DeliveryKey, want delivery) {
	t.Helper()
	if got := stored(t, s, key); got != want {
		t.Errorf("delivery %v is\n%+v, want\n%+v", key, got, want)
	}
}

func advance(t testing.TB, s *Store, results []SendResult, intents ...Intent) []DeliveryKey {
	t.Helper()
	granted, err := s.AdvanceDeliveries(t.Context(), results, intents)
	if err != nil {
		t.Fatal(err)
	}
	return granted
}

func TestAddDeliveries(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceDispatcher, 2)[1]
	after := addDeliveries(t, s, lease, DeliveryQueued, DeliverySending)
	checkDelivery(t, s, DeliveryKey{1, 1}, delivery{State: DeliveryQueued})
	checkDelivery(t, s, DeliveryKey{1, 2}, delivery{State: DeliverySending, Attempts: 1})

	list := []Delivery{{Key: DeliveryKey{1, 3}, Channel: testChannel, Content: []byte{}, State: DeliveryQueued}}
	stale := fence(after, 3)
	stale.Epoch--
	for name, f := range map[string]Fence{"stale": stale, "repeated": fence(lease, 2)} {
		if held, err := s.AddDeliveries(t.Context(), []Fence{f}, list); err != nil || len(held) != 0 {
			t.Errorf("%s: held %v, %v", name, held, err)
		}
	}
	if n := value[int](t, s, `SELECT count(*) FROM deliveries`); n != 2 {
		t.Errorf("%d deliveries, want 2", n)
	}
	list[0].State = "sent"
	if _, err := s.AddDeliveries(t.Context(), []Fence{fence(after, 3)}, list); !Permanent(err) {
		t.Errorf("a state that is none: %v, want a permanent error", err)
	}
}

func TestOpenDeliveries(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceDispatcher, 2)
	states := []string{DeliveryQueued, DeliverySending, DeliveryAmbiguous, DeliveryAccepted, DeliveryFailed}
	lease := addDeliveries(t, s, leases[0], states...)
	addDeliveries(t, s, leases[1], DeliverySending)
	open := func(epoch int64) []string {
		list, err := s.OpenDeliveries(t.Context(), 0, epoch)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, d := range list {
			if d.Key.Shard != 0 || d.Channel != testChannel || d.Contact != people(3)[d.Key.Offset-1] || d.Content[0] != 0xff || d.SessionID != 1 {
				t.Errorf("opened %+v", d)
			}
			found = append(found, fmt.Sprint(d.Key.Offset, d.State, d.Attempts, d.Interrupted))
		}
		return found
	}
	if got, want := open(lease.Epoch-1), []string{"1queued0 false", "2sending1 false", "3ambiguous0 false"}; !slices.Equal(got, want) {
		t.Errorf("with a stale epoch: %v, want %v", got, want)
	}
	if got, want := open(lease.Epoch), []string{"1queued0 false", "2ambiguous1 true", "3ambiguous0 false"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := open(lease.Epoch), []string{"1queued0 false", "2ambiguous1 false", "3ambiguous0 false"}; !slices.Equal(got, want) {
		t.Errorf("once more: %v, want %v", got, want)
	}
	checkDelivery(t, s, DeliveryKey{0, 2}, delivery{State: DeliveryAmbiguous, Attempts: 1, Ambiguous: 1, Cause: "restart"})
	checkDelivery(t, s, DeliveryKey{0, 3}, delivery{State: DeliveryAmbiguous})
	checkDelivery(t, s, DeliveryKey{1, 1}, delivery{State: DeliverySending, Attempts: 1})
}

// Bulk is opened without what it says, which is there for the asking.
func TestDeliveryContents(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceDispatcher, 1)[0]
	var list []Delivery
	for priority := range 3 {
		key := DeliveryKey{0, uint64(priority + 1)}
		list = append(list, Delivery{
			Key: key, Channel: testChannel, Contact: people(1)[0], Content: []byte{byte(priority)}, State: DeliveryQueued,
			QueuedAt: time.Now(), Priority: priority, Campaign: "spring",
		})
	}
	fence := Fence{Shard: 0, Epoch: lease.Epoch, From: lease.Checkpoint, To: lease.Checkpoint + 3}
	if held, err := s.AddDeliveries(t.Context(), []Fence{fence}, list); err != nil || len(held) != 1 {
		t.Fatal(held, err)
	}
	open, err := s.OpenDeliveries(t.Context(), 0, lease.Epoch)
	if err != nil || len(open) != 3 || open[0].Content == nil || open[1].Content == nil || open[2].Content != nil || open[2].Priority != 2 || open[2].Campaign != "spring" {
		t.Fatalf("%+v, %v", open, err)
	}
	contents, err := s.DeliveryContents(t.Context(), []DeliveryKey{{0, 3}, {0, 1}, {0, 99}})
	if err != nil || len(contents) != 2 || contents[DeliveryKey{0, 3}][0] != 2 || contents[DeliveryKey{0, 1}][0] != 0 {
		t.Errorf("%v, %v", contents, err)
	}
}

func TestAdvanceDeliveriesRecordsResults(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceDispatcher, 1)[0]
	for _, c := range []struct {
		from   string
		result SendResult
		want   delivery
	}{
		{
			DeliverySending,
			SendResult{State: DeliveryAccepted, WAMID: "wamid.1"},
			delivery{State: DeliveryAccepted, WAMID: "wamid.1", Attempts: 1, Settled: true, SettledBy: "response"},
		},
		{
			DeliverySending,
			SendResult{State: DeliveryFailed, ErrorClass: "refused", ErrorCode: 131026},
			delivery{State: DeliveryFailed, Attempts: 1, ErrorCode: 131026, Settled: true, SettledBy: "response"},
		},
		{
			DeliverySending,
			SendResult{State: DeliveryAmbiguous, Cause: "timeout"},
			delivery{State: DeliveryAmbiguous, Attempts: 1, Ambiguous: 1, Cause: "timeout"},
		},
		{DeliverySending, SendResult{State: DeliveryQueued, ErrorClass: "throttled"}, delivery{State: DeliveryQueued, Attempts: 1}},
		{
			DeliveryAmbiguous,
			SendResult{State: DeliveryAccepted, WAMID: "wamid.1"},
			delivery{State: DeliveryAccepted, WAMID: "wamid.1", Settled: true, SettledBy: "response"},
		},
		{DeliveryQueued, SendResult{State: DeliveryFailed}, delivery{State: DeliveryQueued}},
		{DeliveryAccepted, SendResult{State: DeliveryFailed, WAMID: "wamid.2"}, delivery{State: DeliveryAccepted}},
		{DeliveryFailed, SendResult{State: DeliveryQueued}, delivery{State: DeliveryFailed}},
	} {
		t.Run(c.from+" to "+c.result.State, func(t *testing.T) {
			lease = addDeliveries(t, s, lease, c.from)
			c.result.Key = DeliveryKey{0, lease.Checkpoint}
			advance(t, s, []SendResult{c.result})
			checkDelivery(t, s, c.result.Key, c.want)
		})
	}
}

func TestAdvanceDeliveriesClaims(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceDispatcher, 1)[0]
	addDeliveries(t, s, lease, DeliveryQueued, DeliveryAmbiguous, DeliverySending, DeliveryAccepted, DeliveryFailed, DeliveryQueued, DeliveryQueued)
	claim := func(offset uint64, epoch int64, attempts int) bool {
		granted := advance(t, s, nil, Intent{Key: DeliveryKey{0, offset}, Epoch: epoch, Attempts: attempts})
		return slices.Contains(granted, DeliveryKey{0, offset})
	}
	for _, c := range []struct {
		name     string
		offset   uint64
		epoch    int64
		attempts int
		granted  bool
	}{
		{"queued", 1, lease.Epoch, 0, true},
		{"queued, after a commit that went unseen", 1, lease.Epoch, 0, true},
		{"its next attempt, while it is sent", 1, lease.Epoch, 1, false},
		{"ambiguous", 2, lease.Epoch, 0, true},
		{"on its way", 3, lease.Epoch, 1, false},
		{"on its way, by an older count", 3, lease.Epoch, 0, true}, // added in state sending with attempt 1: the same claim
		{"accepted", 4, lease.Epoch, 0, false},
		{"failed", 5, lease.Epoch, 0, false},
		{"with a stale epoch", 6, lease.Epoch - 1, 0, false},
		{"with another count of attempts", 6, lease.Epoch, 1, false},
		{"not there", 99, lease.Epoch, 0, false},
	} {
		if got := claim(c.offset, c.epoch, c.attempts); got != c.granted {
			t.Errorf("%s: granted %v, want %v", c.name, got, c.granted)
		}
	}
	for offset, want := range map[uint64]delivery{
		1: {State: DeliverySending, Attempts: 1}, 2: {State: DeliverySending, Attempts: 1}, 3: {State: DeliverySending, Attempts: 1},
		4: {State: DeliveryAccepted}, 5: {State: DeliveryFailed}, 6: {State: DeliveryQueued}, 7: {State: DeliveryQueued},
	} {
		checkDelivery(t, s, DeliveryKey{0, offset}, want)
	}
	// Results and claims of one commit.
	granted := advance(t, s, []SendResult{{Key: DeliveryKey{0, 1}, State: DeliveryQueued}}, Intent{Key: DeliveryKey{0, 7}, Epoch: lease.Epoch})
	if !slices.Equal(granted, []DeliveryKey{{0, 7}}) || stored(t, s, DeliveryKey{0, 1}).State != DeliveryQueued {
		t.Errorf("granted %v, the first is %+v", granted, stored(t, s, DeliveryKey{0, 1}))
	}
	if !claim(1, lease.Epoch, 1) || stored(t, s, DeliveryKey{0, 1}).Attempts != 2 {
		t.Errorf("the second attempt: %+v", stored(t, s, DeliveryKey{0, 1}))
	}
}

// TestClaimOfZombie lets an old owner's claim wait for a row while the shard is taken over: only one of the two may send.
func TestClaimOfZombie(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := addDeliveries(t, s, take(t, s, ServiceDispatcher, 1)[0], DeliveryQueued)
	receipt, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = receipt.Rollback(context.Background()) }()
	if _, err := receipt.Exec(t.Context(), `SELECT FROM deliveries FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	intent := Intent{Key: DeliveryKey{0, 1}, Epoch: lease.Epoch}
	var zombies []DeliveryKey
	var zombie errgroup.Group
	zombie.Go(func() (err error) {
		zombies, err = s.AdvanceDeliveries(t.Context(), nil, []Intent{intent})
		return err
	})
	awaitBlocked(t, s, 1)
	expire(t, s, "taker")
	heirs := acquireAndClaim(t, s, intent, receipt.Rollback)
	if err := zombie.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(zombies)+len(heirs) != 1 {
		t.Errorf("the claim was granted to the old owner %d times and to the new one %d times, want one of them", len(zombies), len(heirs))
	}
}

// acquireAndClaim takes the shard over, if it can be had while a claim is being decided, and claims after unlock.
func acquireAndClaim(t *testing.T, s *Store, intent Intent, unlock func(context.Context) error) (granted []DeliveryKey) {
	t.Helper()
	leases := acquire(t, s, ServiceDispatcher, "heir", 1)
	if len(leases) == 1 {
		if _, err := s.OpenDeliveries(t.Context(), 0, leases[0].Epoch); err != nil {
			t.Fatal(err)
		}
	}
	if err := unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitBlocked(t, s, 0)
	if len(leases) == 0 {
		return nil
	}
	intent.Epoch = leases[0].Epoch
	return advance(t, s, nil, intent)
}

func TestSettledDeliveries(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addDeliveries(t, s, take(t, s, ServiceDispatcher, 1)[0], DeliveryQueued, DeliverySending, DeliveryAmbiguous, DeliveryAccepted, DeliveryFailed)
	settled, err := s.SettledDeliveries(t.Context(), []DeliveryKey{{0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {0, 6}, {1, 4}})
	slices.SortFunc(settled, DeliveryKey.Compare)
	if err != nil || !slices.Equal(settled, []DeliveryKey{{0, 4}, {0, 5}}) {
		t.Errorf("settled %v, %v", settled, err)
	}
}

// TestLockOrder has the dispatcher record 200 results while the receipts lane settles the same rows, their batches in any order:
// both take the locks in the order of the keys.
func TestLockOrder(t *testing.T) {
	t.Parallel()
	if deadlocks := raceForRows(t, 6, func(int) bool { return false }); deadlocks > 0 {
		t.Errorf("%d deadlocks", deadlocks)
	}
}

// TestLockOrderOfClaims mixes in claims: results and claims of one statement share the order.
func TestLockOrderOfClaims(t *testing.T) {
	t.Parallel()
	if deadlocks := raceForRows(t, 6, func(i int) bool { return i%2 == 0 }); deadlocks > 0 {
		t.Errorf("%d deadlocks", deadlocks)
	}
}

// raceForRows changes 200 deliveries from two sides at a time, and returns how often one of them had to repeat its statement.
func raceForRows(t *testing.T, rounds int, claimed func(i int) bool) (failures int) {
	t.Helper()
	states := slices.Repeat([]string{DeliverySending}, 200)
	s := newStore(t)
	lease := addDeliveries(t, s, take(t, s, ServiceDispatcher, 1)[0], states...)
	lane := take(t, s, ServiceReceipts, 1)[0]
	for round := range rounds {
		exec(t, s, `UPDATE deliveries SET state = 'sending', attempts = 1, receipt_rank = 0`)
		failed := make(chan error, 100)
		var group errgroup.Group
		group.Go(func() error {
			return retried(failed, func() error {
				results, intents := sendsOf(lease, len(states), claimed)
				_, err := s.AdvanceDeliveries(t.Context(), results, intents)
				return err
			})
		})
		group.Go(func() error {
			return retried(failed, func() error {
				_, err := s.ApplyReceipts(t.Context(), []Fence{fence(lane, lane.Checkpoint+1)}, receiptsOf(len(states)))
				return err
			})
		})
		if err := group.Wait(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		lane.Checkpoint++
		failures += len(failed)
		if n := value[int](t, s, `SELECT count(*) FROM deliveries WHERE receipt_rank = 1 AND state = 'accepted'`); n != len(states) {
			t.Fatalf("round %d: %d of %d receipts were applied", round, n, len(states))
		}
	}
	return failures
}

// retried repeats what fails in a way that may go away by itself.
func retried(failed chan<- error, try func() error) error {
	for {
		err := try()
		if err == nil || Permanent(err) || len(failed) == cap(failed) {
			return err
		}
		failed <- err
	}
}

func sendsOf(lease Lease, n int, claimed func(i int) bool) (results []SendResult, intents []Intent) {
	for _, i := range rand.Perm(n) {
		key := DeliveryKey{0, uint64(i) + 1}
		if claimed(i) {
			intents = append(intents, Intent{Key: key, Epoch: lease.Epoch})
		} else {
			results = append(results, SendResult{Key: key, State: DeliveryAmbiguous, Cause: "cut"})
		}
	}
	return results, intents
}

func receiptsOf(n int) []Receipt {
	receipts := make([]Receipt, n)
	for i, j := range rand.Perm(n) {
		receipts[i] = Receipt{Key: DeliveryKey{0, uint64(j) + 1}, WAMID: fmt.Sprint("wamid.", j), Name: "sent", Rank: 1, At: time.UnixMilli(1_763_800_000_000)}
	}
	return receipts
}
