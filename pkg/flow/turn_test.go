package flow

import (
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
		header(old, 5), header(old, 6),
		header(begun, 1), header(begun, 2), header(begun, 3),
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
	cancelled := Evolve(active(), sessionCancelled("expired", "second"))
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
	load(t, "lead").WithVersion(9).Decide(active(), at(1, "hi"))
}

func at(ms int64, text string) *parleyv1.Input {
	in := message("m1", "text", text)
	in.AtMs = ms
	return in
}

func header(of *parleyv1.Event, version uint32) *parleyv1.Event {
	e := proto.CloneOf(of)
	e.Version = version
	return e
}
