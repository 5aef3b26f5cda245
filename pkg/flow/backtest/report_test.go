package backtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestUnknownBeginnings: the input that began a session may be gone, because the
// session before is older than what is kept, or of another flow.
func TestUnknownBeginnings(t *testing.T) {
	w := demoWorld(t)
	for name, all := range sessions(t, w) {
		headless := 0
		for i, events := range all {
			if events[0].GetInputReceived() != nil {
				headless, all[i] = headless+1, events[1:]
			}
		}
		if headless == 0 && name != "triage_form" {
			t.Errorf("%s: no session begins in the turn that ends another", name)
		}
		for _, f := range w.Flows {
			if f.Name() == name {
				checkSame(t, tried(f, all...))
			}
		}
	}
}

// TestForeignBeginning: what stands before a session did not begin it.
func TestForeignBeginning(t *testing.T) {
	f := compile(t, order)
	for _, events := range recorded(t, order) {
		foreign := &parleyv1.Event{Body: &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{Input: said("text", "STOP")}}}
		if events[0].GetInputReceived() != nil {
			events = events[1:]
		}
		checkSame(t, tried(f, append([]*parleyv1.Event{foreign}, events...)))
	}
}

func TestWithoutBeginning(t *testing.T) {
	f := compile(t, order)
	events := recorded(t, order)[0]
	for _, part := range [][]*parleyv1.Event{nil, events[1:], events[2:]} {
		if r := tried(f, part); r.Conversations != 0 || r.Recorded != (Totals{}) {
			t.Errorf("%d events without the first: %+v", len(part), r)
		}
	}
	for n := 1; n <= len(events); n++ { // written to the middle of a turn: no turn is, but nothing may break
		if r := tried(f, events[:n]); r.Conversations != 1 || r.Failed > 0 {
			t.Errorf("the first %d events: %+v", n, r)
		}
	}
}

// TestOldSessions have no reference, and no entry.
func TestOldSessions(t *testing.T) {
	f := compile(t, order)
	for _, events := range recorded(t, order) {
		if started := events[0].GetSessionStarted(); started != nil {
			started.Ref, started.Entry = "", ""
			if r := tried(f, events); r.Same != 1 {
				t.Errorf("%+v", r.Divergences)
			}
		}
	}
}

// TestQuestionsInAnotherOrder: each answer goes to its question.
func TestQuestionsInAnotherOrder(t *testing.T) {
	turned := strings.Replace(order, "  - {name: name, say: Name?, expect: {type: text, save: name}}\n", "", 1)
	turned = strings.Replace(turned, "  - {name: size", "  - {name: name, say: Name?, expect: {type: text, save: name}}\n  - {name: size", 1)
	r := tried(compile(t, turned), recorded(t, order)...)
	if r.Changed != r.Conversations || r.Replayed.Completed != r.Recorded.Completed || r.Replayed.Human != r.Recorded.Human {
		t.Errorf("%v", told(r))
	}
	for _, s := range r.Steps {
		if s.Replayed.Answered != s.Recorded.Answered && s.Step != "name" { // who was rejected at the e-mail is not asked for the name now
			t.Errorf("%+v", s)
		}
	}
}

// TestFaults: a version that cannot play a conversation fails it, and no other.
func TestFaults(t *testing.T) {
	f := compile(t, order)
	all := recorded(t, order)
	broken := []*parleyv1.Event{proto.CloneOf(all[0][0]), proto.CloneOf(all[0][1])}
	broken = append(broken, &parleyv1.Event{Body: &parleyv1.Event_StepEntered{StepEntered: &parleyv1.StepEntered{Step: "name"}}},
		&parleyv1.Event{Body: &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{}}})
	r := tried(f, append(all, broken)...)
	if r.Failed != 0 || r.Conversations != len(all)+1 {
		t.Errorf("an input of no kind: %+v", r)
	}
	r.version.flow = nil // what no version does: it panics
	r.Add(99, all[0])
	if r.Failed != 1 || r.Conversations != len(all)+2 || !strings.Contains(r.Divergences[len(r.Divergences)-1].Now, "the engine gave up") {
		t.Errorf("a panic: %+v", r)
	}
}

func TestReportNamesSomeAndCountsAll(t *testing.T) {
	all := recorded(t, order)
	r := New(compile(t, strings.Replace(order, "name: email,", "name: mail,", 1)))
	for i := range 10 * DivergencesMax {
		r.Add(uint64(i), all[0])
	}
	r.Finish()
	if len(r.Divergences) != DivergencesMax || len(r.Causes) != 1 || r.Causes[0].People != 10*DivergencesMax || r.Divergences[3].Session != 3 {
		t.Errorf("%d divergences, causes %+v", len(r.Divergences), r.Causes)
	}
	if d := r.Divergences[0]; d.Turn != 2 || d.Said != "text" || d.Was != "name accepted, asks email" || d.Now != "name accepted, asks mail" {
		t.Errorf("%+v", d)
	}
}

// TestEmptyReport is JSON without null: programs need not mind.
func TestEmptyReport(t *testing.T) {
	data, err := json.Marshal(tried(compile(t, order)))
	if err != nil || strings.Contains(string(data), "null") {
		t.Errorf("%s (%v)", data, err)
	}
}

// BenchmarkAdd plays conversations of the demo flows through themselves.
func BenchmarkAdd(b *testing.B) {
	w := demoWorld(b)
	all := sessions(b, w)
	for _, f := range w.Flows {
		b.Run(f.Name(), func(b *testing.B) {
			r := New(f)
			events, i := 0, 0
			for b.Loop() {
				s := all[f.Name()][i%len(all[f.Name()])]
				r.Add(uint64(i), s)
				events += len(s)
				i++
			}
			b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "conversations/s")
			b.ReportMetric(float64(events)/float64(i), "events/conversation")
			if r.Same != r.Conversations {
				b.Error(fmt.Sprint(r.Divergences))
			}
		})
	}
}
