package flow

import (
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestTurnStamps looks at the headers of a restart, where two sessions and two
// versions meet in one turn.
func TestTurnStamps(t *testing.T) {
	pinned, live := load(t, "lead").WithVersion(4), load(t, "survey").WithVersion(5)
	_, s := Turn(pinned, nil, State{}, at(1000, "hi"))
	events, next := Turn(live, pinned, s, at(2000, "restart"))

	old := &parleyv1.Event{AtMs: 2000, Flow: "lead", FlowVersion: 4, Language: "en", SessionStartedAtMs: 1000}
	begun := &parleyv1.Event{AtMs: 2000, Flow: "survey", FlowVersion: 5, Language: "pt-BR", SessionStartedAtMs: 2000}
	want := []*parleyv1.Event{
		headerOf(old, 5), headerOf(old, 6),
		headerOf(begun, 1), headerOf(begun, 2), headerOf(begun, 3),
	}
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d: %v", len(events), len(want), events)
	}
	for i, e := range events {
		got := proto.CloneOf(e)
		got.Body = nil
		if !proto.Equal(got, want[i]) {
			t.Errorf("event %d: header %v, want %v", i, got, want[i])
		}
	}
	if next.StartedAtMs != 2000 || next.LastInteractionMs != 2000 || next.FlowVersion != 5 {
		t.Errorf("state %+v", next)
	}
}

// TestTurnInteractionTime: every input of a session counts, a rejected one too.
func TestTurnInteractionTime(t *testing.T) {
	f := load(t, "lead").WithVersion(1)
	_, s := Turn(f, nil, State{}, at(1000, "hi"))
	_, s = Turn(f, f, s, at(5000, " "))
	if s.StartedAtMs != 1000 || s.LastInteractionMs != 5000 {
		t.Errorf("started %d, last interaction %d", s.StartedAtMs, s.LastInteractionMs)
	}
}

// TestTurnAfterCancellation: a cancelled session is over, whatever its version was.
func TestTurnAfterCancellation(t *testing.T) {
	live := load(t, "survey").WithVersion(5)
	cancelled := Evolve(active(), sessionCancelled("expired", "second", false))
	events, next := Turn(live, nil, cancelled, at(3000, "hello"))
	if len(events) != 4 || events[0].GetSessionStarted().GetFlowVersion() != 5 || next.Version != 4 {
		t.Errorf("events %v, state %+v", events, next)
	}
}

// TestDecideRefusesAnotherVersion: deciding with the wrong definition would write
// nonsense into the history, so it panics, and the caller parks the contact.
func TestDecideRefusesAnotherVersion(t *testing.T) {
	defer func() {
		if got := recover(); got != `flow lead/9 has no step "second"` {
			t.Errorf("recovered %v", got)
		}
	}()
	f := load(t, "lead").WithVersion(9)
	Turn(f, f, active(), at(1, "hi"))
}

func at(ms int64, text string) *parleyv1.Input {
	in := message("m1", "text", text)
	in.AtMs = ms
	return in
}

func headerOf(of *parleyv1.Event, version uint32) *parleyv1.Event {
	e := proto.CloneOf(of)
	e.Version = version
	return e
}

// TestTurnByTurn answers lookups by hand, as Complete does: the events are the same.
func TestTurnByTurn(t *testing.T) {
	f := load(t, "slots").WithVersion(1)
	rows := [][]byte{[]byte(`{"name":"Ada","time":"10:00","label":"10 h"}`)}
	var s State
	for _, said := range []string{"hi", "7", "tuesday", "10 h"} {
		in := message("m", "text", said)
		want, whole, err := Complete(f, f, s, in, func(Lookup) ([][]byte, error) { return rows, nil })
		if err != nil {
			t.Fatal(err)
		}
		events, next := Turn(f, f, s, in)
		for next.Awaits() != nil {
			var more []*parleyv1.Event
			more, next = Turn(f, f, next, LookupInput(in, rows))
			events = append(events, more...)
		}
		if !equal(events, want) || !reflect.DeepEqual(next, whole) {
			t.Fatalf("%s: got\n%v\nwant\n%v", said, events, want)
		}
		s = next
	}
	if s.Status != Completed {
		t.Errorf("the session is %+v", s)
	}
}

// TestCompleteFails: a table that cannot be read leaves the session as it was.
func TestCompleteFails(t *testing.T) {
	f := load(t, "slots").WithVersion(1)
	_, s := Turn(f, nil, State{}, message("a", "text", "hi"))
	broken := errors.New("no table")
	events, next, err := Complete(f, f, s, message("b", "text", "7"), func(Lookup) ([][]byte, error) { return nil, broken })
	if !errors.Is(err, broken) || events != nil || !reflect.DeepEqual(next, s) {
		t.Errorf("events %v, error %v, state %+v", events, err, next)
	}
}
