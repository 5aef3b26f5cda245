package flow

import (
	"reflect"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestEvolveKnowsEveryKind gives Evolve an empty event of each kind of the
// contract. Whoever adds a kind must decide in evolve what it changes.
func TestEvolveKnowsEveryKind(t *testing.T) {
	body := new(parleyv1.Event).ProtoReflect().Descriptor().Oneofs().ByName("body")
	if body == nil || body.Fields().Len() < 8 {
		t.Fatal("the oneof of event bodies was not found")
	}
	for i := range body.Fields().Len() {
		field := body.Fields().Get(i)
		for _, s := range []State{{}, active()} {
			next, known := evolve(s, emptyEvent(field))
			if !known {
				t.Errorf("%s: evolve does not know it", field.Name())
			}
			if want := s.Version + 1; field.Name() != "session_started" && next.Version != want {
				t.Errorf("%s: version %d, want %d", field.Name(), next.Version, want)
			}
		}
	}
}

func emptyEvent(body protoreflect.FieldDescriptor) *parleyv1.Event {
	e := new(parleyv1.Event)
	e.ProtoReflect().Set(body, e.ProtoReflect().NewField(body))
	return e
}

// TestEvolveUnknownKind: an event written by a newer program has no body here.
func TestEvolveUnknownKind(t *testing.T) {
	want := active()
	want.Version++
	if got := Evolve(active(), new(parleyv1.Event)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestEvolveSessionStartedCarriesNothingOver(t *testing.T) {
	f := compile(t, small).WithVersion(3)
	e := f.sessionStarted("en", "0123456789", byDefault, 0)
	e.AtMs = 9000
	want := State{
		Flow: "small", FlowVersion: 3, Status: Active, Language: "en", Version: 1,
		Answers: map[string]any{}, StartedAtMs: 9000, LastInteractionMs: 9000,
		Progress: Progress{Ref: "0123456789"},
	}
	if got := Evolve(active(), e); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestEvolveLeavesItsArgument(t *testing.T) {
	before := active()
	next := Evolve(before, answerAccepted("second", "mail", Pending{Text: "a@b.de", Value: "a@b.de"}))
	if !reflect.DeepEqual(before, active()) {
		t.Errorf("the state became %+v", before)
	}
	if want := map[string]any{"who": "Ada", "mail": "a@b.de"}; !reflect.DeepEqual(next.Answers, want) {
		t.Errorf("answers %v, want %v", next.Answers, want)
	}
}

func TestCurrentState(t *testing.T) {
	for want, s := range map[string]State{
		"":          {},
		"second":    active(),
		"completed": Evolve(active(), sessionCompleted()),
		"cancelled": Evolve(active(), sessionCancelled(ReasonRestart, "second", false, false)),
	} {
		if got := s.CurrentState(); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}

// active is a session of the small flow at its second step.
func active() State {
	return State{
		Flow: "small", FlowVersion: 2, Status: Active, Step: "second", Language: "en", Failures: 1, Version: 8,
		Answers: map[string]any{"who": "Ada"}, StartedAtMs: 1000, LastInteractionMs: 2000,
	}
}
