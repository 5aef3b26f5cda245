package flow

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestNoHoles is about slots without a default: in a flow that Lint accepts no text
// and no expression ever lacks a value, whichever way a person came: by answers,
// loops, sub-flows, keywords, old buttons, entries, or from another version.
//
// Texts show slots in angle brackets and lengths of slots computed by expressions;
// every value has at least one character, so "<>" and "<0>" are holes.
func TestNoHoles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{flows: map[string]*Flow{}, now: 1_796_119_200_000, contact: &parleyv1.ContactInfo{}, versions: 2}
		for v := range w.versions {
			w.add(bareFlow(t).WithVersion(uint32(v + 1)))
		}
		w.live = w.flows["bare/2"]
		w.words = append(w.words, "a", "bc", "yes", "1", "2", "restart")
		for i := range rapid.IntRange(1, 25).Draw(t, "turns") {
			if i == 0 {
				w.live = w.flows["bare/1"]
			} else if i == 3 {
				w.live = w.flows["bare/2"]
			}
			w.playBare(t)
		}
	})
}

func (w *world) playBare(t *rapid.T) {
	in := w.apt(t)
	switch rapid.IntRange(0, 8).Draw(t, "bare input") {
	case 3:
		if in = w.operator(t); in.GetOperatorAction().GetVerb() == ActSet {
			in.GetOperatorAction().Json = []byte(`"x"`)
		}
	case 0:
		in = w.tapped(t)
	case 1:
		in = w.migration(t)
	case 2:
		in = message("", "text", rapid.SampledFrom(w.words).Draw(t, "word"))
	}
	if in == nil {
		in = message("", "text", "a")
	}
	in.Id, in.AtMs, in.Contact = rapid.StringMatching("[a-z]{1,3}").Draw(t, "id"), w.now, w.contact
	pinned := w.flows[label(w.state.Flow, w.state.FlowVersion)]
	var events []*parleyv1.Event
	rows := [][]byte{[]byte(`{"v":"a"}`), []byte(`{"v":"bc"}`)}[:rapid.IntRange(0, 2).Draw(t, "rows")]
	w.state, events = checkTurn(t, w.live, pinned, w.state, in, rows)
	w.check(t, events)
	for _, e := range events {
		if line := lineOf(e); e.GetMessageQueued() != nil && (strings.Contains(line, "<>") || strings.Contains(line, "<0>")) {
			t.Fatalf("a text has a hole: %s", line)
		}
	}
}

// bareFlow writes a flow whose texts show any slot anywhere, and takes out the uses
// that Lint objects to, until it accepts the rest.
func bareFlow(t *rapid.T) *Flow {
	source := rapid.Custom(func(t *rapid.T) string { return (&author{T: t}).bare() }).Draw(t, "bare")
	for range 50 {
		f, problems := Lint([]byte(source))
		if f != nil {
			return f
		}
		mended := withoutHoles(source, problems.Errors())
		if mended == source {
			t.Skip(problems.Errors().Error())
		}
		source = mended
	}
	t.Fatalf("never accepted:\n%s", source)
	return nil
}

var slotOf = regexp.MustCompile(`"(q\d|n\d)" may have no value|no step saves {(q\d|n\d)}|nothing is called "(q\d|n\d)"`)

func withoutHoles(source string, problems Problems) string {
	lines := strings.Split(source, "\n")
	for _, p := range problems {
		if p.Rule == ruleUnreachable && strings.HasPrefix(lines[p.Line-1], "  - name:") {
			dropStep(lines, p.Line-1)
			continue
		}
		m := slotOf.FindStringSubmatch(p.Message)
		if m == nil {
			continue
		}
		slot := m[1] + m[2] + m[3]
		lines[p.Line-1] = strings.NewReplacer("<{"+slot+"}>", "-", "len("+slot+")", `len("x")`).Replace(lines[p.Line-1])
	}
	return strings.Join(lines, "\n")
}

// dropStep takes out a step that no way leads to.
func dropStep(lines []string, at int) {
	for i := at; i < len(lines); i++ {
		if i > at && !strings.HasPrefix(lines[i], "    ") {
			return
		}
		lines[i] = "    # dropped"
	}
}

func (a *author) bare() string {
	a.line("name: bare\nlanguage: en\nstale_taps: jump\nkeywords:\n  restart: [RESTART]")
	a.subs, a.steps = rapid.IntRange(0, 2).Draw(a.T, "sub-flows"), rapid.IntRange(2, 7).Draw(a.T, "steps")
	a.line("  done: {words: [done], goto: completed}")
	for range rapid.IntRange(0, 2).Draw(a.T, "jumps") {
		i := rapid.IntRange(0, a.steps-1).Draw(a.T, "jump")
		a.line("  key%d_%d: {words: [key%d x%d], goto: s%d}", i, a.b.Len(), i, a.b.Len(), i)
	}
	a.part = "s"
	a.line("steps:")
	for i := range a.steps {
		a.bareStep(i)
	}
	if a.subs > 0 {
		a.line("subflows:")
	}
	for i := range a.subs {
		a.part, a.steps = fmt.Sprintf("sub%d", i), rapid.IntRange(1, 4).Draw(a.T, "sub steps")
		a.line("  %s:", a.part)
		for j := range a.steps {
			a.bareStep(j)
		}
	}
	a.line("completed:\n  say: %s\n  again: %s", a.holes(), a.holes())
	return a.b.String()
}

// holes is a text that shows many slots.
func (a *author) holes() string {
	text := "Say"
	for i := range 6 {
		if rapid.Bool().Draw(a.T, "shows") {
			text += fmt.Sprintf(" <{q%d}>", i)
		}
	}
	return fmt.Sprintf("%q", text+a.pick("number", "", " <{n0}>", " <{n1}>"))
}

func (a *author) slot() string { return a.pick("slot", "q0", "q1", "q2", "q3", "q4", "q5") }

func (a *author) bareStep(i int) {
	a.at = i
	a.line("  - name: %s", a.name(i))
	if a.one(4, "sets") {
		a.line("    set:\n      %s: '\"s\"'\n      n%d: len(%s)", a.slot(), rapid.IntRange(0, 1).Draw(a.T, "n"), a.slot())
	}
	a.line("    say: %s", a.holes())
	switch kind := rapid.IntRange(0, 9).Draw(a.T, "kind"); {
	case kind == 0:
		a.line("    branch:\n      - {if: len(%s) > 1, goto: %s}\n      - {goto: %s}", a.slot(), a.target(), a.target())
	case kind <= 2 && a.part == "s" && a.subs > 0:
		a.line("    run:\n      subflow: sub%d\n      with:\n        %s: '\"w\"'\n      save:\n        n%d: len(%s)\n    goto: %s",
			rapid.IntRange(0, a.subs-1).Draw(a.T, "sub-flow"), a.slot(), rapid.IntRange(0, 1).Draw(a.T, "n"), a.slot(), a.target())
	case kind == 3:
		a.line("    goto: %s", a.target())
	case kind == 4:
		a.line("    split: {test: t%d, goal: completed, variants: [{name: a, weight: 1, goto: %s}, {name: b, weight: 1, goto: %s}]}", a.b.Len(), a.target(), a.target())
	default:
		a.bareQuestion()
	}
}

func (a *author) bareQuestion() {
	a.line("    expect:\n      type: choice")
	if a.one(4, "from a table") {
		a.line("      options:\n        table: r\n        value: v\n        empty:\n          say: %s\n          goto: %s", a.holes(), a.target())
	} else {
		a.line("      options: [{value: a, title: a, goto: %s}, {value: bc, title: bc}]", a.anywhere())
		if a.one(4, "table") {
			a.line("      table:\n        name: r\n        where: {k: len(%s)}\n        first: {%s: v}", a.slot(), a.slot())
		}
	}
	if a.one(3, "keeps") {
		a.line("      save: %s", a.slot())
	}
	if a.one(3, "attempts") {
		a.line("      attempts: %d\n      then: %s\n      invalid: %s", rapid.IntRange(1, 2).Draw(a.T, "failures"), a.anywhere(), a.holes())
	}
	a.follow()
}
