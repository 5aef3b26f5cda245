package flow

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestTurnProperties plays random inputs on random flows that change versions
// under the session.
func TestTurnProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := map[uint32]*Flow{}
		for v := range rapid.Uint32Range(1, 3).Draw(t, "versions") {
			versions[v] = randomFlow(t).WithVersion(v)
		}
		var s State
		for range rapid.IntRange(1, 12).Draw(t, "turns") {
			live := versions[rapid.Uint32Range(0, uint32(len(versions)-1)).Draw(t, "live")]
			var pinned *Flow
			if s.Status != None {
				pinned = versions[s.FlowVersion]
			}
			s = checkTurn(t, live, pinned, s, randomInput(t))
		}
	})
}

// tester is what rapid, fuzzing and plain tests have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkTurn runs a turn and checks everything that holds for all turns.
func checkTurn(t tester, live, pinned *Flow, s State, in *parleyv1.Input) State {
	t.Helper()
	before, argument := s, proto.CloneOf(in)
	before.Answers = maps.Clone(s.Answers)

	events, next := Turn(live, pinned, s, in)
	again, nextAgain := Turn(live, pinned, s, in)
	if !reflect.DeepEqual(next, nextAgain) || !equal(events, again) {
		t.Fatalf("the same turn twice gave\n%v\n%v", events, again)
	}
	if !reflect.DeepEqual(s, before) || !proto.Equal(in, argument) {
		t.Fatalf("the arguments were changed to\n%+v\n%v", s, in)
	}
	if folded := checkEvents(t, s, events); !reflect.DeepEqual(folded, next) {
		t.Fatalf("the events fold to\n%+v\nbut Turn returned\n%+v", folded, next)
	}
	if next.Status != Active && next.Status != Completed {
		t.Fatalf("a turn ended with status %d", next.Status)
	}
	return next
}

// checkEvents folds a turn's events after a journey through their stored form,
// and checks each on the way.
func checkEvents(t tester, s State, events []*parleyv1.Event) State {
	t.Helper()
	said := 0
	for _, e := range events {
		version := s.Version + 1
		if e.GetSessionStarted() != nil {
			version = 1
		}
		s = Evolve(s, stored(t, e))
		if e.Version != version || s.Version != version {
			t.Fatalf("event %v has version %d, state %d, want %d", e, e.Version, s.Version, version)
		}
		if message := e.GetMessageQueued(); message != nil {
			said++
			checkBody(t, message.GetText().GetBody())
		}
	}
	if said == 0 {
		t.Fatalf("nothing was said: %v", events)
	}
	return s
}

func checkBody(t tester, body string) {
	t.Helper()
	if n := utf8.RuneCountInString(body); n == 0 || n > TextCharactersMax || !utf8.ValidString(body) || strings.Contains(body, "\x00") {
		t.Fatalf("a message of %d characters: %q", n, body)
	}
}

func stored(t tester, e *parleyv1.Event) *parleyv1.Event {
	t.Helper()
	data, err := proto.Marshal(e)
	if err != nil {
		t.Fatalf("marshal %v: %v", e, err)
	}
	read := new(parleyv1.Event)
	if err := proto.Unmarshal(data, read); err != nil {
		t.Fatalf("unmarshal %v: %v", e, err)
	}
	return read
}

func equal(a, b []*parleyv1.Event) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !proto.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// randomFlow writes a valid definition: it must parse.
func randomFlow(t *rapid.T) *Flow {
	var b strings.Builder
	b.WriteString("name: random\nlanguage: en\nkeywords: {restart: [RESTART, Начать]}\nsteps:\n")
	var slots []string
	for i := range rapid.IntRange(1, 5).Draw(t, "steps") {
		fmt.Fprintf(&b, "  - name: s%d\n    say: %q\n", i, randomText(t, slots))
		kind := rapid.SampledFrom([]string{"text", "email"}).Draw(t, "type")
		fmt.Fprintf(&b, "    expect:\n      type: %s\n", kind)
		if kind == "email" || rapid.Bool().Draw(t, "has invalid") {
			fmt.Fprintf(&b, "      invalid: %q\n", randomText(t, slots))
		}
		if rapid.Bool().Draw(t, "saves") {
			slots = append(slots, fmt.Sprintf("slot_%d", i))
			fmt.Fprintf(&b, "      save: %s\n", slots[len(slots)-1])
		}
	}
	fmt.Fprintf(&b, "completed:\n  say: %q\n  again: %q\n", randomText(t, slots), randomText(t, slots))
	f, err := Parse([]byte(b.String()))
	if err != nil {
		t.Fatalf("%s\n%v", b.String(), err)
	}
	return f
}

// randomText is a text that shows up to three of the slots.
func randomText(t *rapid.T, slots []string) string {
	text := rapid.SampledFrom([]string{"Question?", "{{ braces }", "¿Qué?", "%s"}).Draw(t, "text")
	for range min(len(slots), rapid.IntRange(0, 3).Draw(t, "placeholders")) {
		text += " {" + rapid.SampledFrom(slots).Draw(t, "slot") + "}"
	}
	return text
}

func randomInput(t *rapid.T) *parleyv1.Input {
	text := rapid.OneOf(
		rapid.SampledFrom([]string{"RESTART", " restart\n", "НАЧАТЬ", "a@b.de", "", "{slot_0}", "\x00", strings.Repeat("x", 1000), strings.Repeat("x", 1001)}),
		rapid.String(),
	).Draw(t, "answer")
	kind := rapid.SampledFrom([]string{"text", "text", "text", "button", "interactive", "image", ""}).Draw(t, "kind")
	in := message(rapid.StringN(1, 8, -1).Draw(t, "id"), kind, text)
	in.AtMs = rapid.Int64().Draw(t, "at")
	return in
}
