package store

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// allReceipts are those of a message that was delivered although it was reported as failed before, with the dispatcher's ranks.
var allReceipts = []Receipt{
	{Name: "sent", Rank: 1},
	{Name: "failed", Rank: 2, ErrorCode: 131026},
	{Name: "delivered", Rank: 3},
	{Name: "read", Rank: 4},
}

// receiptsAt is when a receipt of rank 0 would have been written; the others are seconds later.
var receiptsAt = time.UnixMilli(1_763_800_000_000)

// receiptsLane applies receipts, each call a batch.
type receiptsLane struct {
	store *Store
	lease Lease
}

func newReceiptsLane(t testing.TB, s *Store) *receiptsLane {
	t.Helper()
	return &receiptsLane{s, take(t, s, ServiceReceipts, 1)[0]}
}

func (l *receiptsLane) apply(t testing.TB, receipts ...Receipt) {
	t.Helper()
	for i := range receipts {
		receipts[i].Channel, receipts[i].At = testChannel, receiptsAt.Add(time.Duration(receipts[i].Rank)*time.Second)
	}
	held, err := l.store.ApplyReceipts(t.Context(), []Fence{fence(l.lease, l.lease.Checkpoint+1)}, receipts)
	if err != nil || len(held) != 1 {
		t.Fatalf("apply receipts: held %v, %v", held, err)
	}
	l.lease.Checkpoint++
}

// TestReceiptsInEveryOrder checks after each receipt that nothing but a higher rank is news.
func TestReceiptsInEveryOrder(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	dispatcher := take(t, s, ServiceDispatcher, 1)[0]
	lane := newReceiptsLane(t, s)
	rapid.Check(t, func(r *rapid.T) {
		dispatcher = addDeliveries(t, s, dispatcher, rapid.SampledFrom([]string{DeliveryQueued, DeliverySending, DeliveryAmbiguous}).Draw(r, "state"))
		key := DeliveryKey{0, dispatcher.Checkpoint}
		wamid := fmt.Sprint("wamid.", key.Offset)
		want := delivery{State: DeliveryAccepted, WAMID: wamid, SettledBy: "receipt", Settled: true, Attempts: stored(t, s, key).Attempts}
		for _, receipt := range rapid.Permutation(slices.Concat(allReceipts, allReceipts)).Draw(r, "order") {
			if receipt.Rank > want.Rank {
				want.Rank, want.Receipt = receipt.Rank, receipt.Name
			}
			want.ErrorCode = max(want.ErrorCode, receipt.ErrorCode) // stays on record, whatever contradicts it
			receipt.Key, receipt.WAMID = key, wamid
			lane.apply(t, receipt)
			if got := stored(t, s, key); got != want {
				r.Fatalf("after %s:\n%+v, want\n%+v", receipt.Name, got, want)
			}
			at := value[time.Time](t, s, `SELECT receipt_at FROM deliveries WHERE "offset" = $1`, int64(key.Offset))
			if !at.Equal(receiptsAt.Add(time.Duration(want.Rank) * time.Second)) {
				r.Fatalf("after %s the time of the receipt is %v, not that of %s", receipt.Name, at, want.Receipt)
			}
		}
	})
}

// TestReceiptAndResponse settles a send by both, in either order: the second changes nothing but adds what is new.
func TestReceiptAndResponse(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceDispatcher, 1)[0]
	lane := newReceiptsLane(t, s)
	receipt := Receipt{WAMID: "wamid.1", Name: "delivered", Rank: 3}
	for _, c := range []struct {
		name   string
		result SendResult
		first  bool
		want   delivery
	}{
		{
			"accepted, then the receipt",
			SendResult{State: DeliveryAccepted, WAMID: "wamid.1"},
			true,
			delivery{State: DeliveryAccepted, WAMID: "wamid.1", SettledBy: "response", Receipt: "delivered", Rank: 3, Attempts: 1, Settled: true},
		},
		{
			"the receipt, then accepted",
			SendResult{State: DeliveryAccepted, WAMID: "wamid.1"},
			false,
			delivery{State: DeliveryAccepted, WAMID: "wamid.1", SettledBy: "receipt", Receipt: "delivered", Rank: 3, Attempts: 1, Settled: true},
		},
		{
			"the receipt, then a timeout",
			SendResult{State: DeliveryAmbiguous, Cause: "timeout"},
			false,
			delivery{State: DeliveryAccepted, WAMID: "wamid.1", SettledBy: "receipt", Receipt: "delivered", Rank: 3, Attempts: 1, Settled: true},
		},
		{
			"the receipt, then a refusal",
			SendResult{State: DeliveryFailed, ErrorCode: 7},
			false,
			delivery{State: DeliveryAccepted, WAMID: "wamid.1", SettledBy: "receipt", Receipt: "delivered", Rank: 3, Attempts: 1, Settled: true},
		},
		{
			"a timeout, then the receipt",
			SendResult{State: DeliveryAmbiguous, Cause: "timeout"},
			true,
			delivery{State: DeliveryAccepted, WAMID: "wamid.1", SettledBy: "receipt", Receipt: "delivered", Rank: 3, Attempts: 1, Settled: true, Ambiguous: 1, Cause: "timeout"},
		},
		{
			"to be sent again, then the receipt",
			SendResult{State: DeliveryQueued},
			true,
			delivery{State: DeliveryAccepted, WAMID: "wamid.1", SettledBy: "receipt", Receipt: "delivered", Rank: 3, Attempts: 1, Settled: true},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			lease = addDeliveries(t, s, lease, DeliverySending)
			key := DeliveryKey{0, lease.Checkpoint}
			c.result.Key, receipt.Key = key, key
			if c.first {
				advance(t, s, []SendResult{c.result})
			}
			lane.apply(t, receipt)
			advance(t, s, []SendResult{c.result})
			checkDelivery(t, s, key, c.want)
			if granted := advance(t, s, nil, Intent{Key: key, Epoch: lease.Epoch, Attempts: 1}); len(granted) != 0 {
				t.Error("a settled message may be sent again")
			}
		})
	}
}

func TestApplyReceiptsFenced(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addDeliveries(t, s, take(t, s, ServiceDispatcher, 1)[0], DeliverySending)
	leases := take(t, s, ServiceReceipts, 2)
	stale := fence(leases[0], 1)
	stale.Epoch--
	held, err := s.ApplyReceipts(t.Context(), []Fence{stale, fence(leases[1], 1)}, []Receipt{
		{Lane: 0, Key: DeliveryKey{0, 1}, WAMID: "a", Name: "sent", Rank: 1, At: receiptsAt},
		{Lane: 0, WAMID: "b", Name: "sent", Rank: 1, At: receiptsAt},
		{Lane: 1, WAMID: "c", Name: "sent", Rank: 1, At: receiptsAt},
	})
	if err != nil || !slices.Equal(held, []int{1}) {
		t.Fatalf("held %v, %v", held, err)
	}
	checkDelivery(t, s, DeliveryKey{0, 1}, delivery{State: DeliverySending, Attempts: 1})
	if orphans := value[string](t, s, `SELECT string_agg(wamid, ' ') FROM orphan_receipts`); orphans != "c" {
		t.Errorf("orphans %q, want those of the lane that held", orphans)
	}
}

// TestOrphanReceipts lets receipts come before the provider's id of their message is known, and before the message itself.
func TestOrphanReceipts(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	dispatcher := take(t, s, ServiceDispatcher, 1)[0]
	lane := newReceiptsLane(t, s)
	dispatcher = addDeliveries(t, s, dispatcher, DeliverySending, DeliverySending)
	lane.apply(t,
		Receipt{WAMID: "early", Name: "sent", Rank: 1},
		Receipt{Key: DeliveryKey{0, 3}, WAMID: "earlier", Name: "read", Rank: 4},
		Receipt{WAMID: "foreign", Name: "read", Rank: 4})
	lane.apply(t, Receipt{WAMID: "early", Name: "delivered", Rank: 3})
	lane.apply(t, Receipt{WAMID: "early", Name: "delivered", Rank: 3})
	adopt := func(age time.Duration, adopted int64, orphans int) {
		t.Helper()
		n, _, err := s.AdoptOrphans(t.Context(), age, "")
		if left := value[int](t, s, `SELECT count(*) FROM orphan_receipts`); err != nil || n != adopted || left != orphans {
			t.Errorf("adopted %d and left %d, %v; want %d and %d", n, left, err, adopted, orphans)
		}
	}
	adopt(time.Hour, 0, 4)
	advance(t, s, []SendResult{{Key: DeliveryKey{0, 1}, State: DeliveryAccepted, WAMID: "early"}})
	adopt(time.Hour, 1, 2)
	checkDelivery(t, s, DeliveryKey{0, 1}, delivery{
		State: DeliveryAccepted, WAMID: "early", SettledBy: "response", Receipt: "delivered", Rank: 3, Attempts: 1, Settled: true,
	})
	addDeliveries(t, s, dispatcher, DeliverySending)
	advance(t, s, []SendResult{{Key: DeliveryKey{0, 3}, State: DeliveryAccepted, WAMID: "earlier"}})
	adopt(time.Hour, 1, 1)
	if got := stored(t, s, DeliveryKey{0, 3}); got.Receipt != "read" || got.Rank != 4 {
		t.Errorf("the message that came after its receipt: %+v", got)
	}
	// An orphan that knows less than the message is forgotten.
	lane.apply(t, Receipt{WAMID: "early", Name: "sent", Rank: 1})
	adopt(time.Hour, 0, 1)
	adopt(0, 0, 0)
	if got := stored(t, s, DeliveryKey{0, 1}); got.Receipt != "delivered" {
		t.Errorf("an older orphan lowered the receipt to %q", got.Receipt)
	}
}

// Of a number that another program sends from, too, there are very many receipts that
// nobody will ever want. A look has an end, and who waits among them is found.
func TestOrphansAmongMany(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addDeliveries(t, s, take(t, s, ServiceDispatcher, 1)[0], DeliverySending, DeliverySending)
	exec(t, s, `INSERT INTO orphan_receipts (channel, wamid, receipt, rank, at, seen_at)
		SELECT 'c', to_char(n, 'FM00000'), r, 3, now(), now() - interval '1 hour' FROM generate_series(1, 5001) n, unnest('{sent,delivered}'::text[]) r`)
	exec(t, s, `INSERT INTO orphan_receipts (channel, wamid, receipt, rank, at) VALUES ('c', 'zzz', 'read', 4, now())`)
	advance(t, s, []SendResult{
		{Key: DeliveryKey{0, 1}, State: DeliveryAccepted, WAMID: "05001"}, {Key: DeliveryKey{0, 2}, State: DeliveryAccepted, WAMID: "zzz"},
	})
	after := ""
	for look, want := range []int64{1, 0, 1, 0} { // the one of now at once, the old one with the last page, and then from the start
		n, next, err := s.AdoptOrphans(t.Context(), 2*time.Hour, after)
		if err != nil || n != want || (next == "") != (look == 2) {
			t.Fatalf("look %d behind %q: adopted %d, next %q, %v", look+1, after, n, next, err)
		}
		after = next
	}
	if got := stored(t, s, DeliveryKey{0, 1}); got.Receipt != "delivered" {
		t.Errorf("the old one: %+v", got)
	}
	if n := value[int](t, s, `SELECT count(*) FROM orphan_receipts`); n != 10_000 {
		t.Errorf("%d are left", n)
	}
}

func TestFindDeliveries(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addDeliveries(t, s, take(t, s, ServiceDispatcher, 2)[1], DeliverySending, DeliverySending, DeliverySending)
	advance(t, s, []SendResult{
		{Key: DeliveryKey{1, 1}, State: DeliveryAccepted, WAMID: "a"}, {Key: DeliveryKey{1, 2}, State: DeliveryAccepted, WAMID: "b"},
	})
	found, err := s.FindDeliveries(t.Context(), []string{"b", "a", "", "c"})
	if want := map[string]DeliveryKey{"a": {1, 1}, "b": {1, 2}}; err != nil || !maps.Equal(found, want) {
		t.Errorf("found %v, %v; want %v", found, err, want)
	}
}

func TestParkMessage(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceReceipts, 1)[0]
	letter := DeadLetter{Kind: DeadParked, Position: 1, Channel: testChannel, Data: []byte{0, 0xff}, Reason: "so \"it\" is"}
	park := func(f Fence) bool {
		held, err := s.ParkMessage(t.Context(), ServiceReceipts, f, letter)
		if err != nil {
			t.Fatal(err)
		}
		return held
	}
	stale := fence(lease, 1)
	stale.Epoch--
	if park(stale) || !park(fence(lease, 1)) || park(fence(lease, 1)) {
		t.Error("want the message parked once, under its fence")
	}
	letters, err := s.DeadLetters(t.Context(), DeadParked, 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("%d dead letters, %v", len(letters), err)
	}
	if l := letters[0]; l.Service != ServiceReceipts || l.Position != 1 || l.Bytes != 2 || l.Reason != letter.Reason || l.ContactID.Valid {
		t.Errorf("dead letter %+v", l)
	}
	if checkpoint, err := s.Checkpoint(t.Context(), ServiceReceipts, 0); checkpoint != 1 || err != nil {
		t.Errorf("checkpoint %d, %v", checkpoint, err)
	}
}
