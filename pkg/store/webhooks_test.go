package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// toldLease begins the lane of webhooks at the events that are to come.
func toldLease(t testing.TB, s *Store, shards int) []Lease {
	t.Helper()
	if err := s.FollowFromNow(t.Context(), ServiceWebhooks); err != nil {
		t.Fatal(err)
	}
	return take(t, s, ServiceWebhooks, shards)
}

func addWebhooks(t testing.TB, s *Store, f Fence, list ...Webhook) bool {
	t.Helper()
	held, err := s.AddWebhooks(t.Context(), []Fence{f}, list)
	if err != nil {
		t.Fatal(err)
	}
	return len(held) == 1
}

func claimWebhooks(t testing.TB, s *Store, limit int) []ClaimedWebhook {
	t.Helper()
	list, err := s.ClaimWebhooks(t.Context(), limit, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func settleWebhooks(t testing.TB, s *Store, results ...WebhookResult) {
	t.Helper()
	if err := s.SettleWebhooks(t.Context(), results); err != nil {
		t.Fatal(err)
	}
}

// pass lets time go by for what waits.
func pass(t testing.TB, s *Store, d time.Duration) {
	t.Helper()
	exec(t, s, `UPDATE webhooks SET next_at = next_at - $1::interval, since = since - $1::interval`, d)
}

// TestWebhookIsQueuedOnce: under the fence of its lane, from the event that comes after who
// is told was named.
func TestWebhookIsQueuedOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	session := take(t, s, ServiceSession, 2)[1]
	part := turnOf(session, "ann")
	appendTurns(t, s, part)
	lease := toldLease(t, s, 2)[1]
	if lease.Checkpoint != 3 {
		t.Fatalf("begins after %d, want 3", lease.Checkpoint)
	}
	contact := ContactID("portfolio", "ann")
	w := Webhook{Key: DeliveryKey{Shard: 1, Offset: 4}, Contact: contact, Type: "session.completed"}
	stale := fence(lease, 4)
	stale.Epoch--
	if addWebhooks(t, s, stale, w) || !addWebhooks(t, s, fence(lease, 4), w) || addWebhooks(t, s, fence(lease, 4), w) {
		t.Error("it is not queued exactly once")
	}
	if err := s.FollowFromNow(t.Context(), ServiceWebhooks); err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, s, `SELECT checkpoint::int FROM leases WHERE service = 'webhooks' AND shard = 1`); n != 4 {
		t.Errorf("a second start begins after %d, want 4", n)
	}
	if err := s.Unfollow(t.Context(), ServiceWebhooks); err != nil {
		t.Fatal(err)
	}
	if addWebhooks(t, s, fence(moved(lease, TurnPart{Fence: fence(lease, 4)}), 5), w) {
		t.Error("who was stopped still queues")
	}
}

// TestWebhookClaim: what is told is read with the claim, also if it cannot be read.
func TestWebhookClaim(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	part := turnOf(take(t, s, ServiceSession, 1)[0], "ann")
	lease := toldLease(t, s, 1)[0]
	appendTurns(t, s, part)
	contact := part.Contacts[0].ID
	addWebhooks(t, s, fence(lease, 9), Webhook{Key: DeliveryKey{Offset: 1}, Contact: contact, Type: "session.started"},
		Webhook{Key: DeliveryKey{Offset: 9}, Contact: people(1)[0], Type: "session.completed"})
	list := claimWebhooks(t, s, 10)
	if len(list) != 2 || list[1].Event != nil || list[1].Phone != "" {
		t.Fatalf("claimed %+v", list)
	}
	w := list[0]
	if w.ID() != "evt_0_1" || w.Attempts != 1 || w.Phone != "49151" || w.Name != "ann" || w.Event.GetSessionStarted().GetFlow() != "lead" ||
		w.Event.GetOffset() != 1 || w.Event.GetSessionId() != part.Events[0].GetSessionId() || w.Event.GetAtMs() != part.Events[0].GetAtMs() ||
		w.Event.GetChannel() != testChannel || w.Event.GetFlow() != "lead" {
		t.Errorf("claimed %+v", w)
	}
	if again := claimWebhooks(t, s, 10); len(again) > 0 {
		t.Errorf("claimed twice: %+v", again)
	}
	pass(t, s, time.Hour) // who claimed it has died
	if again := claimWebhooks(t, s, 1); len(again) != 1 || again[0].Attempts != 2 {
		t.Errorf("after the claim has run out: %+v", again)
	}
}

// receiver is what a history has told, and what may be told of each contact.
type receiver struct {
	t      *rapid.T
	s      *Store
	lease  Lease
	flying []ClaimedWebhook
	added  map[uuid.UUID][]uint64
	heard  map[uuid.UUID][]uint64
	passed map[DeliveryKey]bool // taken, or dead
}

// add queues events of several contacts.
func (r *receiver) add(tb testing.TB) {
	contact := rapid.SampledFrom(people(3)).Draw(r.t, "contact")
	offset := r.lease.Checkpoint + 1
	w := Webhook{Key: DeliveryKey{Offset: offset}, Contact: contact, Type: "session.answered"}
	if !addWebhooks(tb, r.s, fence(r.lease, offset), w) {
		r.t.Fatal("fenced")
	}
	r.lease.Checkpoint = offset
	r.added[contact] = append(r.added[contact], offset)
}

// claim takes what is due: of a contact only the oldest that has not passed.
func (r *receiver) claim(tb testing.TB) {
	for _, w := range claimWebhooks(tb, r.s, rapid.IntRange(1, 3).Draw(r.t, "limit")) {
		for _, before := range r.added[w.Contact] {
			if before < w.Key.Offset && !r.passed[DeliveryKey{Offset: before}] {
				r.t.Fatalf("%s is told before %d of the same contact", w.ID(), before)
			}
		}
		r.flying = append(r.flying, w)
	}
}

// settle records one try, or several: taken, failed or given up.
func (r *receiver) settle(tb testing.TB) {
	var results []WebhookResult
	for range rapid.IntRange(0, len(r.flying)).Draw(r.t, "results") {
		w := r.flying[0]
		r.flying = r.flying[1:]
		if slices.ContainsFunc(results, func(other WebhookResult) bool { return other.Key == w.Key }) {
			continue
		}
		result := WebhookResult{Webhook: w.Webhook}
		switch rapid.IntRange(0, 4).Draw(r.t, "outcome") {
		case 0:
			result.Error, result.Again = "HTTP 500", time.Minute
		case 1:
			result.Error, result.Dead = "HTTP 410", true
		default:
			r.heard[w.Contact] = append(r.heard[w.Contact], w.Key.Offset)
			r.passed[w.Key] = true
		}
		results = append(results, result)
	}
	settleWebhooks(tb, r.s, results...)
	for _, dead := range r.dead(tb) {
		r.passed[dead.Key] = true
	}
}

func (r *receiver) dead(tb testing.TB) []Webhook {
	list, err := r.s.Webhooks(tb.Context(), WebhookDead, nil, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *receiver) redrive(tb testing.TB) {
	for _, w := range r.dead(tb) {
		if ok, err := r.s.RedriveWebhook(tb.Context(), w.Key); err != nil || !ok {
			r.t.Fatal(ok, err)
		}
		delete(r.passed, w.Key)
	}
}

// TestWebhooksProperties: whatever is lost, late, refused, given up and redriven, all is
// told in the end, and of each contact nothing before what came earlier.
func TestWebhooksProperties(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := toldLease(t, s, 1)[0]
	rapid.Check(t, func(rt *rapid.T) {
		exec(t, s, `TRUNCATE webhooks`)
		lease.Checkpoint = uint64(value[int64](t, s, `SELECT checkpoint FROM leases WHERE service = 'webhooks'`))
		r := &receiver{t: rt, s: s, lease: lease, added: map[uuid.UUID][]uint64{}, heard: map[uuid.UUID][]uint64{}, passed: map[DeliveryKey]bool{}}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			switch rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0, 1:
				r.add(t)
			case 2, 3:
				r.claim(t)
			case 4:
				r.settle(t)
			case 5:
				pass(t, s, 2*time.Minute) // what was claimed and not settled counts as lost
			case 6:
				r.redrive(t)
			}
		}
		r.finish(t)
	})
}

// finish tells what is left, and compares.
func (r *receiver) finish(tb testing.TB) {
	for value[int](tb, r.s, `SELECT count(*) FROM webhooks`) > 0 {
		r.redrive(tb)
		pass(tb, r.s, 2*time.Minute)
		for _, w := range claimWebhooks(tb, r.s, 100) {
			r.heard[w.Contact] = append(r.heard[w.Contact], w.Key.Offset)
			settleWebhooks(tb, r.s, WebhookResult{Webhook: w.Webhook})
		}
	}
	for contact, offsets := range r.added {
		for _, offset := range offsets {
			if !slices.Contains(r.heard[contact], offset) {
				r.t.Fatalf("%d was never told: %v", offset, r.heard[contact])
			}
		}
	}
}

// TestWebhooksList pages through them, counts them, and redrives only what was given up.
func TestWebhooksList(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := toldLease(t, s, 1)[0]
	for i, contact := range people(5) {
		addWebhooks(t, s, fence(lease, uint64(i+1)), Webhook{Key: DeliveryKey{Offset: uint64(i + 1)}, Contact: contact, Type: "session.started"})
		lease.Checkpoint++
	}
	for _, w := range claimWebhooks(t, s, 2) {
		gone := WebhookResult{Webhook: w.Webhook, Dead: true}
		gone.Error = "HTTP 410"
		settleWebhooks(t, s, gone)
	}
	counts, err := s.CountWebhooks(t.Context())
	if err != nil || counts.Queued != 3 || counts.Dead != 2 || counts.Oldest == nil {
		t.Errorf("%+v, %v", counts, err)
	}
	var ids []string
	for after := (*Webhook)(nil); ; {
		page, err := s.Webhooks(t.Context(), "", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range page {
			ids = append(ids, fmt.Sprint(w.ID(), " ", w.State, " ", w.Error))
		}
		if len(page) < 2 {
			break
		}
		after = &page[1]
	}
	if want := []string{"evt_0_1 dead HTTP 410", "evt_0_2 dead HTTP 410", "evt_0_3 queued ", "evt_0_4 queued ", "evt_0_5 queued "}; !slices.Equal(ids, want) {
		t.Errorf("listed %q, want %q", ids, want)
	}
	for offset, want := range map[uint64]bool{1: true, 3: false, 9: false} {
		if ok, err := s.RedriveWebhook(t.Context(), DeliveryKey{Offset: offset}); err != nil || ok != want {
			t.Errorf("redrive %d: %t, %v", offset, ok, err)
		}
	}
}

func TestWebhookID(t *testing.T) {
	w := Webhook{Key: DeliveryKey{Shard: 3, Offset: 127}}
	if key, ok := ParseWebhookID(w.ID()); !ok || key != w.Key || w.ID() != "evt_3_127" {
		t.Errorf("%s is %+v, %t", w.ID(), key, ok)
	}
	for _, id := range []string{"", "evt_", "evt_3", "evt_3_", "evt_3_x", "evt_-1_2", "evt_40000_2", "evt_3_18446744073709551615", "evt_03_1", "evt_3_127 ", "3-127"} {
		if key, ok := ParseWebhookID(id); ok {
			t.Errorf("%q is %+v", id, key)
		}
	}
}
