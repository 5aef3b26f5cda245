package store

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

func TestFindSessions(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceSession, 2)
	ann, bob := turnOf(leases[0], "ann"), turnOf(leases[1], "bob")
	bob.Contacts[0].Identity = &parleyv1.Identity{Bsuid: "US.7"}
	bob.Contacts[0].Parked = true
	bob.Sessions[0].State.Answers = map[string]any{"name": `"Bob"`}
	appendTurns(t, s, ann, bob)
	for contact, want := range map[string]uuid.UUID{
		"49151": ann.Contacts[0].ID, "US.7": bob.Contacts[0].ID, bob.Contacts[0].ID.String(): bob.Contacts[0].ID,
		"": {}, "ann": {}, "' OR true --": {}, uuid.Nil.String(): {},
	} {
		found, err := s.FindSessions(t.Context(), contact)
		if err != nil {
			t.Fatal(err)
		}
		if want == (uuid.UUID{}) != (len(found) == 0) || len(found) == 1 && found[0].ContactID != want || len(found) > 1 {
			t.Errorf("%q: found %+v, want that of %v", contact, found, want)
		}
	}
	found, err := s.FindSessions(t.Context(), "US.7")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if v := found[0]; !v.Parked || string(v.FlowData) != `{"name": "\"Bob\""}` || v.CurrentState != "name" || v.Status != "active" || v.Version != 3 ||
		uint64(v.SessionID) != bob.Sessions[0].ID || v.StartedAt.UnixMilli() != bob.Sessions[0].State.StartedAtMs {
		t.Errorf("session %+v", v)
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	contact := uuid.NullUUID{UUID: ContactID("p", "ann"), Valid: true}
	part := TurnPart{Fence: fence(lease, 3)}
	for i, kind := range []string{DeadUnreadable, DeadUnhandled, DeadUnhandled} {
		part.DeadLetters = append(part.DeadLetters, DeadLetter{Kind: kind, Position: uint64(i) + 1, Channel: testChannel, Contact: contact, Data: make([]byte, i), Reason: kind})
	}
	appendTurns(t, s, part)
	for _, c := range []struct {
		kind  string
		limit int
		want  []int64
	}{{"", 10, []int64{3, 2, 1}}, {"", 2, []int64{3, 2}}, {DeadUnhandled, 10, []int64{3, 2}}, {DeadParked, 10, nil}} {
		letters, err := s.DeadLetters(t.Context(), c.kind, c.limit)
		if err != nil || letters == nil {
			t.Fatal(letters, err)
		}
		var positions []int64
		for _, l := range letters {
			positions = append(positions, l.Position)
			if l.Bytes != int(l.Position)-1 || l.ContactID != contact || l.Service != ServiceSession {
				t.Errorf("letter %+v", l)
			}
		}
		if !slices.Equal(positions, c.want) {
			t.Errorf("%q, at most %d: %v, want %v", c.kind, c.limit, positions, c.want)
		}
	}
}

func TestAmbiguousDeliveries(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addDeliveries(t, s, take(t, s, ServiceDispatcher, 3)[2], DeliverySending, DeliverySending, DeliveryQueued)
	advance(t, s, []SendResult{
		{Key: DeliveryKey{2, 1}, State: DeliveryAmbiguous, Cause: "cut"}, {Key: DeliveryKey{2, 2}, State: DeliveryAccepted, WAMID: "a"},
	})
	newReceiptsLane(t, s).apply(t, Receipt{Key: DeliveryKey{2, 1}, WAMID: "w", Name: "sent", Rank: 1})
	list, err := s.AmbiguousDeliveries(t.Context(), 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	v := list[0]
	if v.DeliveryID != DeliveryID(2, 1) || v.State != DeliveryAccepted || v.Times != 1 || v.Cause != "cut" || v.SettledBy != "receipt" || v.SettledAt == nil || v.Attempts != 1 {
		t.Errorf("ambiguous: %+v", v)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	empty, err := s.Status(t.Context())
	if err != nil || len(empty.Leases)+len(empty.Deliveries)+len(empty.DeadLetters)+empty.Orphans != 0 {
		t.Fatalf("of an empty database: %+v, %v", empty, err)
	}
	leases := take(t, s, ServiceSession, 1)
	ensureLeases(t, s, ServiceProjector, 1)
	lease := addDeliveries(t, s, take(t, s, ServiceDispatcher, 1)[0], DeliveryQueued, DeliveryQueued)
	appendTurns(t, s, turnOf(leases[0], "ann"))
	newReceiptsLane(t, s).apply(t, Receipt{WAMID: "w", Name: "sent", Rank: 1})
	exec(t, s, `UPDATE deliveries SET queued_at = CASE "offset" WHEN 1 THEN now() ELSE now() - interval '2 days' END`)
	expire(t, s, "nobody")

	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status.Orphans != 1 || len(status.Deliveries) != 1 || status.Deliveries[DeliveryQueued] != 1 || status.DeadLetters[DeadUnhandled] != 1 {
		t.Errorf("status %+v", status)
	}
	behind := map[string]int64{ServiceSession: 0, ServiceReceipts: 0, ServiceProjector: 3, ServiceDispatcher: 3 - int64(lease.Checkpoint)}
	if len(status.Leases) != len(behind) {
		t.Fatalf("leases %+v", status.Leases)
	}
	for _, l := range status.Leases {
		if held := l.Service != ServiceProjector; l.Behind != behind[l.Service] || l.Held != held || (l.Owner == "taker") != held {
			t.Errorf("lease %+v, want it %d behind and held %v", l, behind[l.Service], held)
		}
	}
}
