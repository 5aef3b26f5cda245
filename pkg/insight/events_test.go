package insight

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/dialogue"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// rich has what the first definition lacks: ways to leave a step without an answer.
const rich = `name: rich
language: en
languages: [en, es]
stale_taps: jump
slots: {t0: {type: text, default: x}}
keywords:
  restart: [RESTART]
  stop: {words: [STOP], say: Bye}
  agent: {words: [AGENT], handover: sales}
  help: {words: [HELP], say: Help}
  top: {words: [TOP], goto: topic}
  done: {words: [DONE], goto: completed}
  spanish: {words: [ESPANOL], language: es}
steps:
  - name: topic
    say: Topic?
    expect:
      type: choice
      options:
        - {value: table, title: Table, goto: slot}
        - {value: person, title: Person, goto: person}
        - {value: part, title: Part, goto: call}
        - {value: bye, title: Bye, goto: cancelled}
        - {value: round, title: Round, goto: topic}
        - {value: hot, title: Hot, goto: handover}
      attempts: 2
      then: email
    loop: {max: 1, then: cancelled}
  - {name: email, say: Email?, expect: {type: email, invalid: No., attempts: 2, then: handover}}
  - {name: note, say: Note?, expect: {type: text, quiet: 3s, attempts: 1, then: cancelled}, goto: completed}
  - {name: slot, say: Slot?, expect: {type: choice, options: {table: slots, value: time, title: time, empty: {say: None, goto: email}}}, goto: email}
  - {name: person, say: Wait., handover: sales}
  - {name: call, run: {subflow: part}, goto: note}
subflows:
  part:
    - {name: age, say: Age?, expect: {type: number}, goto: return}
completed: {say: Thanks, again: Ask HELP}
`

// TestEvents has one conversation for each way in which events come about. A line
// "wait" is a minute of silence; counts are position, entered, answered, failed,
// rejections, departed; totals started, completed, cancelled.
func TestEvents(t *testing.T) {
	f, err := flow.Parse([]byte(rich))
	if err != nil {
		t.Fatal(err)
	}
	full := dialogue.Table{{"time": "10:00"}}
	for name, c := range map[string]struct {
		says  string
		table dialogue.Table
		total TotalCounts
		steps map[string]StepCounts
	}{
		"a choice from a table": {"hi|[Table]", full, TotalCounts{1, 0, 0, 0}, map[string]StepCounts{"topic": {1, 1, 1, 0, 0, 0}, "slot": {4, 1, 0, 0, 0, 0}}},
		"nothing to choose": {"hi|[Table]", nil, TotalCounts{1, 0, 0, 0}, map[string]StepCounts{
			"topic": {1, 1, 1, 0, 0, 0}, "slot": {4, 1, 0, 0, 0, 1}, "email": {2, 1, 0, 0, 0, 0},
		}},
		"a step that hands over":    {"hi|[Person]|hello?", nil, TotalCounts{1, 0, 0, 0}, map[string]StepCounts{"topic": {1, 1, 1, 0, 0, 0}}},
		"an answer that hands over": {"hi|[Hot]", nil, TotalCounts{1, 0, 0, 0}, map[string]StepCounts{"topic": {1, 1, 1, 0, 0, 0}}},
		"a word that hands over":    {"hi|AGENT", nil, TotalCounts{1, 0, 0, 0}, map[string]StepCounts{"topic": {1, 1, 0, 0, 0, 1}}},
		"a restart from a human":    {"hi|AGENT|RESTART", nil, TotalCounts{2, 0, 1, 0}, map[string]StepCounts{"topic": {1, 2, 0, 0, 0, 1}}},
		"a stop with a human":       {"hi|AGENT|STOP", nil, TotalCounts{1, 0, 1, 0}, map[string]StepCounts{"topic": {1, 1, 0, 0, 0, 1}}},
		"a human after the end":     {"hi|DONE|AGENT|RESTART", nil, TotalCounts{2, 1, 0, 0}, map[string]StepCounts{"topic": {1, 2, 0, 0, 0, 1}}},
		"too many failures": {"hi|x|y", nil, TotalCounts{1, 0, 0, 0}, map[string]StepCounts{
			"topic": {1, 1, 0, 1, 2, 1}, "email": {2, 1, 0, 0, 0, 0},
		}},
		"failures that hand over": {"hi|x|y|no|no", nil, TotalCounts{1, 0, 0, 0}, map[string]StepCounts{
			"topic": {1, 1, 0, 1, 2, 1}, "email": {2, 1, 0, 1, 2, 1},
		}},
		"a failure that cancels": {"hi|[Part]|3|(image)", nil, TotalCounts{1, 0, 1, 0}, map[string]StepCounts{
			"topic": {1, 1, 1, 0, 0, 0}, "part.age": {7, 1, 1, 0, 0, 0}, "note": {3, 1, 0, 1, 1, 1},
		}},
		"a sub-flow that is left": {"hi|[Part]|TOP", nil, TotalCounts{1, 0, 0, 0}, map[string]StepCounts{
			"topic": {1, 2, 1, 0, 0, 0}, "part.age": {7, 1, 0, 0, 0, 1},
		}},
		"a quiet period": {"hi|[Part]|3|one|two|wait", nil, TotalCounts{1, 1, 0, 0}, map[string]StepCounts{
			"topic": {1, 1, 1, 0, 0, 0}, "part.age": {7, 1, 1, 0, 0, 0}, "note": {3, 1, 1, 0, 0, 0},
		}},
		"an answer that cancels": {"hi|[Bye]", nil, TotalCounts{1, 0, 1, 0}, map[string]StepCounts{"topic": {1, 1, 1, 0, 0, 0}}},
		"a loop that cancels":    {"hi|[Round]|[Round]", nil, TotalCounts{1, 0, 1, 0}, map[string]StepCounts{"topic": {1, 2, 2, 0, 0, 0}}},
		"a stop":                 {"hi|STOP|hi", nil, TotalCounts{1, 0, 1, 0}, map[string]StepCounts{"topic": {1, 1, 0, 0, 0, 1}}},
		"a stop after the end":   {"hi|DONE|STOP", nil, TotalCounts{1, 1, 0, 0}, map[string]StepCounts{"topic": {1, 1, 0, 0, 0, 1}}},
		"help, twice":            {"hi|HELP|HELP", nil, TotalCounts{1, 0, 0, 0}, map[string]StepCounts{"topic": {1, 1, 0, 0, 0, 0}}},
		"another language": {"hi|ESPANOL|[Part]|3", nil, TotalCounts{1, 0, 0, 0}, map[string]StepCounts{
			"topic": {1, 1, 1, 0, 0, 0}, "part.age": {7, 1, 1, 0, 0, 0}, "note": {3, 1, 0, 0, 0, 0},
		}},
		"an old button": {"hi|[Part]|3|(old) [Table]", full, TotalCounts{1, 0, 0, 0}, map[string]StepCounts{
			"topic": {1, 2, 2, 0, 0, 0}, "part.age": {7, 1, 1, 0, 0, 0}, "note": {3, 1, 0, 0, 0, 1}, "slot": {4, 1, 0, 0, 0, 0},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := dialogue.World{Flows: []*flow.Flow{f}, Serves: "rich", Tables: map[string]dialogue.Table{"slots": c.table}}
			chat, err := w.Open(dialogue.Given{Phone: "447700900123", At: monday, Channel: "c"})
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.SplitSeq(c.says, "|") {
				if line == "wait" {
					_, err = chat.Wait(chat.Now().Add(time.Minute))
				} else {
					_, err = chat.Say(line, chat.Now().Add(time.Second))
				}
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
			}
			check(t, chat.Events(), Cohort{Flow: "rich", Version: 1, Language: "en", Day: 20780}, c.total, c.steps)
		})
	}
}

func check(t *testing.T, events []*parleyv1.Event, cohort Cohort, total TotalCounts, steps map[string]StepCounts) {
	t.Helper()
	counts := NewCounts()
	for _, e := range events {
		counts.Add(e)
	}
	if want := map[Cohort]TotalCounts{cohort: total}; !maps.Equal(counts.totals, want) {
		t.Errorf("totals %v, want %v", counts.totals, want)
	}
	want := map[StepKey]StepCounts{}
	for step, n := range steps {
		want[StepKey{cohort, step}] = n
	}
	if !maps.Equal(counts.steps, want) {
		t.Errorf("steps\n%v, want\n%v", counts.steps, want)
	}
}

// TestMigration moves a session to the version that it goes on in: it started there,
// and what it did before stays where it was done.
func TestMigration(t *testing.T) {
	f, err := flow.Parse([]byte(rich))
	if err != nil {
		t.Fatal(err)
	}
	one, two := f.WithVersion(1), f.WithVersion(2)
	var s flow.State
	counts := NewCounts()
	turn := func(live *flow.Flow, in *parleyv1.Input) {
		t.Helper()
		in.Id, in.AtMs = fmt.Sprint(s.Version), monday.UnixMilli()
		events, next := flow.Turn(live, one, s, in)
		if s = next; len(events) == 0 {
			t.Fatal("nothing came of it")
		}
		for _, e := range events {
			counts.Add(e)
		}
	}
	say := func(text string) *parleyv1.Input {
		return &parleyv1.Input{Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text", Text: text}}}
	}
	turn(one, say("hi"))
	turn(one, say("part"))
	turn(two, &parleyv1.Input{Body: &parleyv1.Input_Migration{Migration: &parleyv1.Migration{
		Flow: "rich", FromVersion: 1, ToVersion: 2, Steps: map[string]string{"part.age": "email"},
	}}})
	one = two
	turn(two, say("a@b.de"))
	before := Cohort{Flow: "rich", Version: 1, Language: "en", Day: 20780}
	after := before
	after.Version = 2
	if want := map[Cohort]TotalCounts{before: {}, after: {Started: 1}}; !maps.Equal(counts.totals, want) {
		t.Errorf("totals %v, want %v", counts.totals, want)
	}
	want := map[StepKey]StepCounts{
		{before, "topic"}: {1, 1, 1, 0, 0, 0}, {before, "part.age"}: {7, 1, 0, 0, 0, 1},
		{after, "email"}: {2, 1, 1, 0, 0, 0}, {after, "note"}: {3, 1, 0, 0, 0, 0},
	}
	if !maps.Equal(counts.steps, want) {
		t.Errorf("steps\n%v, want\n%v", counts.steps, want)
	}
}
