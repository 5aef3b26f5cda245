package backtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/dialogue"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const order = `name: order
language: en
slots: {size: {type: text, default: ""}}
keywords: {restart: [RESTART], stop: {words: [STOP], say: Bye}, agent: {words: [AGENT], handover: sales}, top: {words: [TOP], goto: name}}
steps:
  - {name: name, say: Name?, expect: {type: text, save: name}}
  - {name: email, say: Email?, expect: {type: email, save: email, invalid: No., attempts: 3, then: handover}}
  - {name: size, say: Size?, expect: {type: choice, options: [{value: small, title: Small}, {value: large, title: Large}], save: size}}
  - {name: choose, branch: [{if: size == "small", goto: sticker}, {goto: day}]}
  - {name: sticker, say: You get a sticker., goto: note}
  - {name: day, say: Day?, expect: {type: date, save: day}}
  - {name: note, say: A note?, expect: {type: text, save: note}}
completed: {say: Thanks, again: Bye}
`

// people are conversations with it, line by line; a line "pass" lets a minute go by.
var people = []string{
	"hi|Ann|ann@example.org|[Small]|none|thanks",
	"hi|Bob|bob@example.org|[Large]|tomorrow|[Yes]|none",
	"hi|Cleo|no|cleo@example.org|[Small]|STOP",
	"hi|Dan|no|no|no|are you there?|hello?",
	"hi|Eve|RESTART|Eve again",
	"hi|Flo|AGENT|I want a refund",
	"hi|Gus|gus@mail.example.org",
}

// record plays the people's conversations with a flow.
func recorded(t *testing.T, source string) [][]*parleyv1.Event {
	t.Helper()
	w := dialogue.World{Flows: []*flow.Flow{compile(t, source)}, Serves: "order", Tables: map[string]dialogue.Table{}}
	var all [][]*parleyv1.Event
	for i, lines := range people {
		chat, err := w.Open(dialogue.Given{Phone: fmt.Sprint("3460011122", i)})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(lines, "|") {
			if _, err := chat.Say(line, chat.Now().Add(time.Minute)); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		all = append(all, split(chat.Events())...)
	}
	return all
}

// told is a report in short.
func told(r *Report) []string {
	lines := []string{fmt.Sprintf("same %d changed %d unknown %d failed %d", r.Same, r.Changed, r.Unknown, r.Failed)}
	for _, c := range r.Causes {
		lines = append(lines, fmt.Sprintf("%d× %s → %s", c.People, c.Was, c.Now))
	}
	for _, s := range r.Steps {
		if s.Recorded != s.Replayed {
			lines = append(lines, fmt.Sprintf("%s %v → %v", s.Step, s.Recorded, s.Replayed))
		}
	}
	for _, w := range r.Waiting {
		lines = append(lines, fmt.Sprintf("%d wait at %s", w.People, w.Step))
	}
	if r.Recorded != r.Replayed {
		lines = append(lines, fmt.Sprintf("%v → %v", r.Recorded, r.Replayed))
	}
	return lines
}

// TestChangedFlows tries versions on conversations with another one. The counts of a
// step are entered, answered, rejected, left; those of the ends are completed,
// cancelled, with a human, active, not begun, unknown.
func TestChangedFlows(t *testing.T) {
	const same = "same 8 changed 0 unknown 0 failed 0"
	all := recorded(t, order)
	for name, c := range map[string]struct {
		changes []string
		want    []string
	}{
		"nothing":                     {nil, []string{same}},
		"texts":                       {[]string{"Name?", "What is your name?", "Size?", "Which size?", "title: Small", "title: Tiny", "A note?", "More?"}, []string{same}},
		"a step that says something":  {[]string{"- {name: email", "- {name: aside, say: Nearly there.}\n  - {name: email"}, []string{same}},
		"a quiet period":              {[]string{"expect: {type: text, save: name}", "expect: {type: text, save: name, quiet: 5s}"}, []string{same}},
		"branches in another order":   {[]string{`{if: size == "small", goto: sticker}`, `{if: size == "huge", goto: note}, {if: size == "small", goto: sticker}`}, []string{same}},
		"a step renamed, with a map":  {[]string{"name: email,", "name: mail,", "completed:", "migrate: {email: mail}\ncompleted:"}, []string{same}},
		"a value renamed":             {[]string{"value: small", "value: s", `size == "small"`, `size == "s"`}, []string{same}},
		"a keyword more":              {[]string{"keywords: {", "keywords: {help: {words: [HELP], say: Help}, "}, []string{same}},
		"an entry that nobody fitted": {[]string{"keywords: {", "entry: [{keyword: [go], step: email}]\nkeywords: {"}, []string{same}},
	} {
		t.Run(name, func(t *testing.T) { checkTold(t, all, c.changes, c.want) })
	}
}

func checkTold(t *testing.T, all [][]*parleyv1.Event, changes, want []string) {
	t.Helper()
	var before [][]*parleyv1.Event
	for _, events := range all {
		before = append(before, nil)
		for _, e := range events {
			before[len(before)-1] = append(before[len(before)-1], proto.CloneOf(e))
		}
	}
	r := tried(compile(t, strings.NewReplacer(changes...).Replace(order)), all...)
	if got := told(r); !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	for i := range all {
		if !slices.EqualFunc(all[i], before[i], func(a, b *parleyv1.Event) bool { return proto.Equal(a, b) }) {
			t.Fatalf("session %d was changed by the replay", i+1)
		}
	}
	total := r.Replayed
	if r.Same+r.Changed+r.Unknown+r.Failed != r.Conversations || r.Conversations != len(all) ||
		total.Completed+total.Cancelled+total.Human+total.Active+total.Unbegun+total.Unknown != r.Conversations {
		t.Errorf("the counts do not add up: %+v", r)
	}
}

// TestOtherWays is about changes that people notice.
func TestOtherWays(t *testing.T) {
	all := recorded(t, order)
	for name, c := range map[string]struct {
		changes []string
		want    []string
	}{
		"a step added": {[]string{"  - {name: size", "  - {name: age, say: Age?, expect: {type: number, save: age}}\n  - {name: size"}, []string{
			"same 4 changed 4 unknown 0 failed 0",
			"4× email accepted, asks size → email accepted, asks age",
			"age {0 0 0 0} → {4 0 0 1}",
			"size {4 3 0 0} → {0 0 0 0}",
			"day {1 1 0 0} → {0 0 0 0}",
			"note {3 2 0 1} → {0 0 0 0}",
			"3 wait at age",
			"{2 2 2 2 0 0} → {0 2 2 4 0 0}",
		}},
		"a step removed": {[]string{"  - {name: email, say: Email?, expect: {type: email, save: email, invalid: No., attempts: 3, then: handover}}\n", ""}, []string{
			"same 0 changed 8 unknown 0 failed 0",
			"8× name accepted, asks email → name accepted, asks size",
			"size {4 3 0 0} → {8 3 0 2}",
			"email {8 4 4 3} → {0 0 0 0}",
			"2 wait at size",
			"{2 2 2 2 0 0} → {2 2 1 3 0 0}",
		}},
		"a stricter validation": {[]string{"invalid: No.,", "invalid: No., check: [{if: 'len(email) < 16', say: Too long}],"}, []string{
			"same 6 changed 2 unknown 0 failed 0",
			"2× email accepted, asks size → email rejected (check)",
			"email {8 4 4 3} → {8 2 6 4}",
			"size {4 3 0 0} → {2 2 0 0}",
			"note {3 2 0 1} → {2 2 0 0}",
			"1 wait at email",
		}},
		"a branch reversed": {[]string{`size == "small"`, `size == "large"`}, []string{
			"same 5 changed 3 unknown 0 failed 0",
			"2× size accepted, choose goes to sticker, asks note → size accepted, asks day",
			"1× size accepted, asks day → size accepted, choose goes to sticker, asks note",
			"day {1 1 0 0} → {2 0 0 1}",
			"note {3 2 0 1} → {1 1 0 0}",
			"1 wait at day",
			"{2 2 2 2 0 0} → {1 2 2 3 0 0}",
		}},
		"fewer attempts": {[]string{"attempts: 3", "attempts: 1"}, []string{
			"same 6 changed 2 unknown 0 failed 0",
			"2× email rejected (email) → email rejected (email), handed over",
			"email {8 4 4 3} → {8 3 2 4}",
			"size {4 3 0 0} → {3 2 0 0}",
			"note {3 2 0 1} → {2 2 0 0}",
		}},
		"no word for a human": {[]string{", agent: {words: [AGENT], handover: sales}", ""}, []string{
			"same 7 changed 1 unknown 0 failed 0",
			"1× handed over sales → email rejected (email)",
			"email {8 4 4 3} → {8 4 5 2}",
			"1 wait at email",
			"{2 2 2 2 0 0} → {2 2 1 3 0 0}",
		}},
		"no word to begin again": {[]string{"restart: [RESTART], ", ""}, []string{
			"same 7 changed 1 unknown 0 failed 0",
			"1× cancelled (restart) → email rejected (email)",
			"email {8 4 4 3} → {8 4 5 2}",
			"1 wait at email",
			"{2 2 2 2 0 0} → {2 1 2 3 0 0}",
		}},
		"rows of a table": {[]string{"{type: text, save: note}", "{type: text, save: note, table: {name: notes, where: {v: value}}}"}, []string{
			"same 6 changed 0 unknown 2 failed 0",
			"2× note accepted, completed → looks up notes, and what it held then was not recorded",
			"note {3 2 0 1} → {3 0 0 1}",
			"{2 2 2 2 0 0} → {0 2 2 2 0 2}",
		}},
		"a step renamed, no map": {[]string{"name: email,", "name: mail,"}, []string{
			"same 0 changed 8 unknown 0 failed 0",
			"8× name accepted, asks email → name accepted, asks mail",
			"mail {0 0 0 0} → {8 0 0 3}",
			"size {4 3 0 0} → {0 0 0 0}",
			"day {1 1 0 0} → {0 0 0 0}",
			"note {3 2 0 1} → {0 0 0 0}",
			"email {8 4 4 3} → {0 0 0 0}",
			"5 wait at mail",
			"{2 2 2 2 0 0} → {0 2 1 5 0 0}",
		}},
		"begins again after the end": {[]string{"again: Bye", "restart: message"}, []string{
			"same 7 changed 1 unknown 0 failed 0",
			"1× (nothing) → begins again",
		}},
		"a quiet period to the end": {[]string{"expect: {type: text, save: note}", "expect: {type: text, save: note, quiet: 5s}"}, []string{
			"same 8 changed 0 unknown 0 failed 0",
		}},
	} {
		t.Run(name, func(t *testing.T) { checkTold(t, all, c.changes, c.want) })
	}
}
