package flow

import (
	"errors"
	"reflect"
	"strconv"
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
		headerOf(old, 6), headerOf(old, 7),
		headerOf(begun, 1), headerOf(begun, 2), headerOf(begun, 3), headerOf(begun, 4),
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
	cancelled := Evolve(active(), sessionCancelled("expired", "second", false, false))
	events, next := Turn(live, nil, cancelled, at(3000, "hello"))
	if len(events) != 5 || events[0].GetSessionStarted().GetFlowVersion() != 5 || next.Version != 5 {
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

// TestRestartOfAFlowThatIsGone: whoever writes to a channel that serves nothing any
// more is not answered, and breaks nothing, in whatever state their session is.
func TestRestartOfAFlowThatIsGone(t *testing.T) {
	f := load(t, "words").WithVersion(1)
	nothing := NewRouter("ch1", "words")
	restart := message("r", "text", "RESTART")
	optedOut := proto.CloneOf(restart)
	optedOut.Contact = &parleyv1.ContactInfo{OptedOut: true}
	_, active := Turn(f, nil, State{}, message("a", "text", "hi"))
	cancelled := Evolve(active, sessionCancelled(ReasonAttempts, "hello", false, false))
	for _, in := range []*parleyv1.Input{restart, optedOut} {
		if events, _ := Turn(nothing, nil, State{}, in); len(events) != 0 {
			t.Errorf("without a session: %v", events)
		}
		for _, pinned := range []*Flow{nil, f} {
			if events, next := Turn(nothing, pinned, cancelled, in); len(events) != 1 || next.Status != Cancelled {
				t.Errorf("after a session that was cancelled: %v", events)
			}
		}
	}
	for name, s := range map[string]State{"active": active, "completed": Evolve(active, sessionCompleted())} {
		if _, next := Turn(nothing, f, s, restart); next.Flow != "words" || next.Step != "hello" || next.StartedAtMs == 0 {
			t.Errorf("%s: begins %+v, want the flow that the session has", name, next)
		}
	}
}

// TestTapOfAnotherSession: no button, row or form of one session answers anything in
// another one, though the contact, the flow, its version and the step are the same.
func TestTapOfAnotherSession(t *testing.T) {
	for _, c := range []struct {
		flow string
		says []string
	}{
		{"choices", []string{"hi", "red", "more", "n2", "more"}},
		{"stale", []string{"hi", "small", "yes", "4 december"}},
		{"visit", []string{"hi", "4 december"}},
		{"triage", []string{"hi", "Ann"}},
	} {
		f := load(t, c.flow).WithVersion(1)
		_, taps := talk(f, State{}, c.says)
		if len(taps) == 0 {
			t.Fatalf("%s shows nothing to tap", c.flow)
		}
		for n := range c.says {
			second, _ := talk(f, State{}, append([]string{"begin"}, c.says[1:n+1]...))
			for _, in := range taps {
				events, next := Turn(f, f, second, in)
				if !reflect.DeepEqual(next.Answers, second.Answers) || next.Step != second.Step || !reflect.DeepEqual(next.Progress, second.Progress) {
					t.Errorf("%s: at %s a tap of another session did %v", c.flow, second.Step, events)
				}
			}
		}
	}
}

// talk has a conversation, in which what is said first names the session. It returns
// the taps on everything that was shown.
func talk(f *Flow, s State, says []string) (State, []*parleyv1.Input) {
	var taps []*parleyv1.Input
	for i, said := range says {
		var events []*parleyv1.Event
		events, s = Turn(f, f, s, message(says[0]+strconv.Itoa(i), "text", said))
		for _, id := range tappables(events) {
			in := message("tap", "interactive", "x")
			in.GetMessage().Tap = id
			taps = append(taps, in)
			form := message("form", "interactive", "x")
			form.GetMessage().Content = &parleyv1.IncomingMessage_Form{Form: &parleyv1.FormResult{Token: id, Json: []byte(`{"pain":1,"since":"2026-12-01","note":"x"}`)}}
			taps = append(taps, form)
			taps = append(taps, &parleyv1.Input{Id: "x", Body: &parleyv1.Input_FormExchange{FormExchange: &parleyv1.FormExchange{Token: id, Json: []byte(`{"pain":1}`)}}})
		}
	}
	return s, taps
}

// tappables are the ids of what the events show.
func tappables(events []*parleyv1.Event) []string {
	var ids []string
	for _, e := range events {
		m := e.GetMessageQueued()
		for _, b := range m.GetButtons().GetButtons() {
			ids = append(ids, b.GetId())
		}
		for _, section := range m.GetList().GetSections() {
			for _, r := range section.GetRows() {
				ids = append(ids, r.GetId())
			}
		}
		if token := m.GetForm().GetToken(); token != "" {
			ids = append(ids, token)
		}
	}
	return ids
}

// TestHandoverAfterTheEnd: a session that was completed keeps counting as completed,
// whatever becomes of it with a human.
func TestHandoverAfterTheEnd(t *testing.T) {
	f := load(t, "words").WithVersion(1)
	for name, c := range map[string]struct {
		says []string
		want bool
	}{
		"midway":               {[]string{"hi", "agent"}, false},
		"after the end":        {[]string{"hi", "Ada", "yes", "x", "agent"}, true},
		"after the end, twice": {[]string{"hi", "Ada", "yes", "x", "agent", "restart", "agent"}, false},
	} {
		for _, last := range []string{"stop", "restart"} {
			s, _ := talk(f, State{}, c.says)
			if s.Status != Human || (s.CurrentState() == "completed") != c.want {
				t.Fatalf("%s: %+v", name, s)
			}
			events, _ := Turn(f, f, s, message("last", "text", last))
			for _, e := range events {
				if cancelled := e.GetSessionCancelled(); cancelled != nil && cancelled.GetCompleted() != c.want {
					t.Errorf("%s, %s: %v, want completed=%t", name, last, cancelled, c.want)
				}
			}
		}
	}
}
