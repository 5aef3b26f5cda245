package dialogue

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Result is what came of a dialogue.
type Result struct {
	// Failures are the lines that do not hold, in order.
	Failures []Failure
	// Transcript is the conversation as it went, as a file could tell it.
	Transcript string
	// Events are everything that happened.
	Events []*parleyv1.Event
	// Visits is where the conversation came by; [Measure] counts them.
	Visits Visits

	edits []edit
	// lost says that the rest of the dialogue could not be played.
	lost bool
}

// Failure is a line of the file that does not hold.
type Failure struct {
	Line    int    `json:"line"`
	Message string `json:"message"`
	// Diff are the lines concerned: behind "- " what the file expects, behind "+ "
	// what is so, behind two blanks what both have.
	Diff []string `json:"diff,omitempty"`
}

// String gives "12: message" and the lines below it.
func (f Failure) String() string {
	lines := []string{fmt.Sprintf("%d: %s", f.Line, f.Message)}
	for _, line := range f.Diff {
		lines = append(lines, strings.TrimRight("    "+line, " "))
	}
	return strings.Join(lines, "\n")
}

// drawsMax is how many sessions are tried until one draws the wanted variants.
const drawsMax = 2000

// Run plays a dialogue.
func (w World) Run(d Dialogue) Result {
	if err := w.draws(d.Given.Variants); err != nil {
		return lost(d.Line, err.Error())
	}
	for seed := range drawsMax {
		chat, err := w.open(d.Given, seed)
		if err != nil {
			return lost(d.Line, err.Error())
		}
		result := play(chat, d)
		if drew(result.Events, d.Given.Variants) {
			result.Visits = w.visits(result.Events)
			return result
		}
	}
	return lost(d.Line, fmt.Sprintf("of %d sessions none drew the variants that are given", drawsMax))
}

// draws fails if no session can draw a variant.
func (w World) draws(variants map[string]string) error {
	tests := map[string][]string{}
	for _, f := range w.Flows {
		for _, test := range f.Describe().Tests {
			tests[test.Name] = append(tests[test.Name], test.Variants...)
		}
	}
	for _, test := range slices.Sorted(maps.Keys(variants)) {
		if !slices.Contains(tests[test], variants[test]) {
			return fmt.Errorf("test %s has no variant %q: it has %s", test, variants[test], cmp.Or(strings.Join(tests[test], ", "), "none"))
		}
	}
	return nil
}

// drew reports whether all variants that were drawn are the wanted ones.
func drew(events []*parleyv1.Event, wanted map[string]string) bool {
	for _, e := range events {
		if v := e.GetVariantAssigned(); v != nil && wanted[v.GetTest()] != "" && wanted[v.GetTest()] != v.GetVariant() {
			return false
		}
	}
	return true
}

// betweenMessages is how long a person takes for a message.
const betweenMessages = time.Second

func play(chat *Chat, d Dialogue) Result {
	var r Result
	var told []string
	for _, a := range d.acts {
		said, err := chat.do(a)
		told = append(append(told, a.text()...), Lines(said)...)
		if err != nil {
			r.Failures = append(r.Failures, Failure{Line: a.line, Message: err.Error()})
			r.lost = true
			break
		}
		r.compare(a, said)
		for _, k := range a.checks {
			r.check(k, chat)
		}
	}
	r.Transcript = strings.Join(told, "\n") + "\n"
	r.Events = chat.Events()
	return r
}

func (c *Chat) do(a act) (said [][]string, err error) {
	switch a.kind {
	case passing:
		return c.wait(c.now.Add(a.pass))
	case starting:
		return c.start(a.with, c.now.Add(betweenMessages))
	case othersBooking:
		return nil, c.othersBook(a.with)
	case operating:
		return c.operate(a.with, c.now.Add(betweenMessages))
	case showing:
		return c.another(c.now.Add(betweenMessages))
	case merging:
		return c.merge(c.now.Add(betweenMessages))
	}
	return c.say(a.says, c.now.Add(betweenMessages))
}

// text is the act as a file has it.
func (a act) text() []string {
	switch a.kind {
	case passing:
		return []string{"pass " + a.pass.String()}
	case starting:
		return []string{strings.TrimRight("start "+a.with.String(), " ")}
	case othersBooking:
		return []string{"others " + a.with.String()}
	case operating:
		return []string{"operator " + a.with.String()}
	case showing:
		return []string{"another"}
	case merging:
		return []string{"merge"}
	}
	lines := strings.Split(a.says.String(), "\n")
	for i, line := range lines {
		prefix := "  "
		if i == 0 {
			prefix = "> "
		}
		lines[i] = strings.TrimRight(prefix+line, " ")
	}
	return lines
}

// String is what stands behind ">".
func (s says) String() string {
	switch s.kind {
	case sayText:
		return escaped(s.text)
	case sayTap:
		return "[" + s.text + "]"
	case sayOld:
		return "(old) [" + s.text + "]"
	}
	return strings.TrimRight("("+strings.Join(append([]string{string(s.kind)}, s.args...), " ")+") "+s.text, " ")
}

// lost is the result of a dialogue that cannot be played.
func lost(line int, message string) Result {
	return Result{Failures: []Failure{{Line: line, Message: message}}, lost: true}
}

// compare looks at what the flow said.
func (r *Result) compare(a act, said [][]string) {
	if fits(a.expects, said) {
		return
	}
	now := Lines(said)
	r.Failures = append(r.Failures, Failure{a.line, "what the flow says here differs (- expected, + said)", diff(shown(a.expects), now)})
	r.edits = append(r.edits, edit{from: a.from, to: a.to, lines: now})
}

func (r *Result) check(k check, chat *Chat) {
	want, now := k.text(k.args), k.text(k.now(chat))
	if want == now {
		return
	}
	r.Failures = append(r.Failures, Failure{k.line, "this does not hold (- expected, + is so)", []string{"- " + want, "+ " + now}})
	r.edits = append(r.edits, edit{from: k.line, to: k.line + 1, lines: []string{now}})
}
