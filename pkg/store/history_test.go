package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// tell appends the turns of sessions that take place at the same time: in each round every session has one event more. The first
// event of a session names its flow; started says at which day it began.
func tell(t *testing.T, s *Store, lease Lease, flows []string, day, rounds int) (ids []uint64, _ Lease) {
	t.Helper()
	at := timerStart.AddDate(0, 0, day)
	for round := range rounds {
		part := TurnPart{Fence: fence(lease, lease.Checkpoint+1), Head: lease.Head}
		for i, name := range flows {
			e := &parleyv1.Event{Version: uint32(round) + 1, AtMs: at.UnixMilli() + int64(round), Flow: name, Channel: testChannel}
			if round == 0 {
				ids = append(ids, SessionID(lease.Shard, lease.Head+uint64(i)+1))
				e.Body = &parleyv1.Event_SessionStarted{SessionStarted: &parleyv1.SessionStarted{Flow: name, FlowVersion: 1}}
			} else {
				e.Body = &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{Input: &parleyv1.Input{Id: fmt.Sprint(round)}}}
			}
			e.Shard, e.Offset, e.SessionId = uint32(lease.Shard), lease.Head+uint64(i)+1, ids[i]
			part.Events = append(part.Events, e)
		}
		appendTurns(t, s, part)
		lease = moved(lease, part)
	}
	return ids, lease
}

// told is what Conversations showed of each session: how many events.
func told(t *testing.T, s *Store, name string, since time.Time, window int) (ids []uint64, events map[uint64][]*parleyv1.Event) {
	t.Helper()
	events = map[uint64][]*parleyv1.Event{}
	err := s.conversations(t.Context(), name, since, window, func(id uint64, list []*parleyv1.Event) error {
		ids, events[id] = append(ids, id), list
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids, events
}

func TestConversations(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var want []uint64
	for _, lease := range take(t, s, ServiceSession, 3) {
		early, lease := tell(t, s, lease, []string{"lead", "other", "lead"}, 0, 4)
		later, _ := tell(t, s, lease, []string{"other", "lead", "lead", "lead", "other"}, 40, 3) // in another month
		if lease.Shard != 1 {                                                                    // a shard without sessions of the flow
			want = append(want, early[0], early[2], later[1], later[2], later[3])
			continue
		}
		exec(t, s, `DELETE FROM events WHERE shard = 1 AND session_id = ANY($1)`, []int64{int64(early[0]), int64(early[2]), int64(later[1]), int64(later[2]), int64(later[3])})
	}
	for _, window := range []int{1, 2, 3, 5, 8, 100} {
		ids, events := told(t, s, "lead", time.Time{}, window)
		if !slices.Equal(ids, want) {
			t.Errorf("windows of %d: sessions %v, want %v", window, ids, want)
		}
		for _, id := range ids {
			stored, err := s.SessionEvents(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if len(stored) < 3 || !slices.EqualFunc(events[id], stored, func(a, b *parleyv1.Event) bool { return proto.Equal(a, b) }) {
				t.Errorf("windows of %d: session %d has\n%v, want\n%v", window, id, events[id], stored)
			}
		}
	}
	since := timerStart.AddDate(0, 0, 40)
	if ids, _ := told(t, s, "lead", since, 2); !slices.Equal(ids, []uint64{want[2], want[3], want[4], want[7], want[8], want[9]}) {
		t.Errorf("since the later ones: %v of %v", ids, want)
	}
	if ids, _ := told(t, s, "lead", since.Add(time.Second), 2); len(ids) != 0 {
		t.Errorf("since a second later: %v", ids)
	}
	if ids, _ := told(t, s, "nobody's", time.Time{}, 2); len(ids) != 0 {
		t.Errorf("of no flow: %v", ids)
	}
}

func TestConversationsEnd(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	calls, enough := 0, errors.New("enough")
	each := func(uint64, []*parleyv1.Event) error {
		if calls++; calls%2 == 0 {
			return enough
		}
		return nil
	}
	if err := s.Conversations(t.Context(), "lead", time.Time{}, each); err != nil || calls > 0 {
		t.Errorf("without any shard: %v after %d calls", err, calls)
	}
	lease := take(t, s, ServiceSession, 1)[0]
	tell(t, s, lease, []string{"lead", "lead", "lead", "lead", "lead"}, 0, 2)
	for _, size := range []int{1, 2, 100} {
		calls = 0
		if err := s.conversations(t.Context(), "lead", time.Time{}, size, each); !errors.Is(err, enough) || calls != 2 {
			t.Errorf("windows of %d: %v after %d calls, want the second one's error", size, err, calls)
		}
	}
	exec(t, s, `UPDATE events SET data = '\xff' WHERE "offset" = 7`)
	calls = 1
	if err := s.Conversations(t.Context(), "lead", time.Time{}, func(uint64, []*parleyv1.Event) error { return nil }); err == nil {
		t.Error("an event that cannot be decoded is no error")
	}
}

// TestConversationsBegunAgain: a session that began in the turn that ended another
// one comes with the input of that turn, however the windows fall.
func TestConversationsBegunAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	input := func(id string) *parleyv1.Event {
		return &parleyv1.Event{Body: &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{Input: &parleyv1.Input{Id: id}}}}
	}
	started := func(name string) *parleyv1.Event {
		return &parleyv1.Event{Body: &parleyv1.Event_SessionStarted{SessionStarted: &parleyv1.SessionStarted{Flow: name, FlowVersion: 1}}}
	}
	cancelled := func() *parleyv1.Event {
		return &parleyv1.Event{Body: &parleyv1.Event_SessionCancelled{SessionCancelled: &parleyv1.SessionCancelled{Reason: "restart"}}}
	}
	entered := func() *parleyv1.Event {
		return &parleyv1.Event{Body: &parleyv1.Event_StepEntered{StepEntered: &parleyv1.StepEntered{Step: "name"}}}
	}
	part := TurnPart{Fence: fence(lease, lease.Checkpoint+1), Head: lease.Head}
	var session uint64
	for _, e := range []*parleyv1.Event{
		started("lead"), input("m1"), entered(), // 1
		input("m2"), cancelled(), started("lead"), entered(), // 6, begins again
		input("m3"), cancelled(), started("other"), entered(), // 10, of another flow
		input("m4"), cancelled(), started("lead"), entered(), // 14, and back
		input("m5"), entered(), cancelled(), // ends
		started("lead"), input("m6"), entered(), // 19, somebody else's, right behind
	} {
		e.Shard, e.Offset = uint32(lease.Shard), lease.Head+uint64(len(part.Events))+1
		if e.GetSessionStarted() != nil {
			session = SessionID(lease.Shard, e.Offset)
		}
		e.SessionId, e.AtMs, e.Channel = session, timerStart.UnixMilli(), testChannel
		part.Events = append(part.Events, e)
	}
	appendTurns(t, s, part)
	for _, window := range []int{1, 2, 3, 4, 100} {
		ids, events := told(t, s, "lead", time.Time{}, window)
		var got []string
		for _, id := range ids {
			_, first := SessionPlace(id)
			got = append(got, fmt.Sprint(first, len(events[id]), events[id][0].GetInputReceived().GetInput().GetId()))
		}
		if want := []string{"1 5", "6 5m2", "14 6m4", "19 3"}; !slices.Equal(got, want) {
			t.Errorf("windows of %d: %q, want %q", window, got, want)
		}
	}
	if heads, err := s.EventHeads(t.Context()); err != nil || !slices.Equal(heads, []uint64{21}) {
		t.Errorf("heads %v (%v)", heads, err)
	}
}
