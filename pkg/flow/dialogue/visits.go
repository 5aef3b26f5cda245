package dialogue

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Place is somewhere in a flow, visited in a language: a step, one of the ways
// out of it (counted from 1, in the order of the description), or a keyword.
type Place struct {
	Flow, Language string
	Step           string
	Way            int
	Keyword        string
}

// Visits counts how often conversations came by.
type Visits map[Place]int

// visits finds the places that a history came by.
func (w World) visits(events []*parleyv1.Event) Visits {
	t := &tracer{visits: Visits{}, flows: map[string]map[string]flow.StepInfo{}, keywords: map[string][]flow.KeywordInfo{}}
	for _, f := range w.Flows {
		d := f.Describe()
		t.keywords[d.Name] = d.Keywords
		t.flows[d.Name] = map[string]flow.StepInfo{}
		for _, s := range d.Steps {
			t.flows[d.Name][s.Name] = s
		}
	}
	for i, e := range events {
		t.present = e
		t.event(e, events[i+1:])
	}
	return t.visits
}

// tracer follows a history through a flow.
type tracer struct {
	visits   Visits
	flows    map[string]map[string]flow.StepInfo
	keywords map[string][]flow.KeywordInfo
	present  *parleyv1.Event
	// to is where the way leads that was taken last; empty if that is not known.
	to string
	// calls counts the sub-flows that run, left those that a jump leaves.
	calls, left int
}

func (t *tracer) event(e *parleyv1.Event, later []*parleyv1.Event) {
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_SessionStarted:
		t.to, t.calls, t.left = "", 0, 0
	case *parleyv1.Event_StepEntered:
		t.arrive(body.StepEntered.GetStep())
	case *parleyv1.Event_StepPassed:
		t.arrive(body.StepPassed.GetStep())
		t.pass(body.StepPassed.GetStep(), body.StepPassed.GetBranch())
	case *parleyv1.Event_AnswerAccepted:
		t.accept(body.AnswerAccepted)
	case *parleyv1.Event_AnswerRejected:
		t.goBy(body.AnswerRejected.GetStep(), fmt.Sprintf("%d failures", body.AnswerRejected.GetFailures()))
	case *parleyv1.Event_LookupAnswered:
		if t.acted(body.LookupAnswered) {
			return
		}
		if nothingOffered(later) {
			t.goBy(body.LookupAnswered.GetStep(), "empty")
		}
	case *parleyv1.Event_CallAnswered:
		if body.CallAnswered.GetResult() != "ok" {
			t.goBy(body.CallAnswered.GetStep(), "failed")
		}
	case *parleyv1.Event_SubflowCalled:
		t.calls++
	case *parleyv1.Event_SubflowReturned:
		t.comeBack(body.SubflowReturned.GetStep())
	case *parleyv1.Event_SessionCompleted:
		t.arrive("completed")
	case *parleyv1.Event_SessionCancelled:
		t.cancel(body.SessionCancelled.GetReason())
	case *parleyv1.Event_HandedOver:
		t.arrive("handover")
	case *parleyv1.Event_OptedOut:
		t.keyword("stop")
	case *parleyv1.Event_KeywordUsed:
		t.keyword(body.KeywordUsed.GetKeyword())
		t.jump(body.KeywordUsed.GetKeyword())
	}
}

func (t *tracer) visit(p Place) {
	p.Flow, p.Language = t.present.GetFlow(), t.present.GetLanguage()
	t.visits[p]++
}

func (t *tracer) step(name string) flow.StepInfo { return t.flows[t.present.GetFlow()][name] }

// arrive is at a step, or at an end. If the way led elsewhere, the step there had
// been gone through too often.
func (t *tracer) arrive(at string) {
	for range len(t.flows[t.present.GetFlow()]) {
		if t.to == "" || t.to == at || t.step(t.to).Name == "" || !t.goBy(t.to, "loop") {
			break
		}
	}
	t.to = ""
	if t.step(at).Name != "" {
		t.visit(Place{Step: at})
	}
}

// goBy takes the way with a label, if the step has it.
func (t *tracer) goBy(step, label string) bool {
	ways := t.step(step).Ways
	i := slices.IndexFunc(ways, func(w flow.Way) bool { return w.Label == label })
	if i >= 0 {
		t.take(step, i)
	}
	return i >= 0
}

func (t *tracer) take(step string, i int) {
	t.visit(Place{Step: step, Way: i + 1})
	t.to = t.step(step).Ways[i].To
}

// pass goes through a step that waits for nothing.
func (t *tracer) pass(step, branch string) {
	s := t.step(step)
	switch n, err := strconv.Atoi(branch); {
	case s.Kind == "branch" && err == nil && n >= 1 && n <= len(s.Ways):
		t.take(step, n-1)
	case s.Kind == "run":
		t.goBy(step, "run")
	case flow.IsAction(s.Kind): // its outcome says where
	default:
		t.goBy(step, branch)
	}
}

// accept goes where the answer leads: an option has a way of its own, or the one
// of all others.
func (t *tracer) accept(a *parleyv1.AnswerAccepted) {
	if t.step(a.GetStep()).Answer == "choice" && t.goBy(a.GetStep(), a.GetValue()) {
		return
	}
	t.goBy(a.GetStep(), "")
}

// acted goes where the outcome of an action leads.
func (t *tracer) acted(e *parleyv1.LookupAnswered) bool {
	if !flow.IsAction(t.step(e.GetStep()).Kind) {
		return false
	}
	if !t.goBy(e.GetStep(), flow.ResultOf(e.GetRows())) {
		t.goBy(e.GetStep(), "")
	}
	return true
}

// nothingOffered reports whether a lookup for choices found none. Choices that
// are offered, and an answer that is taken, say so at once.
func nothingOffered(later []*parleyv1.Event) bool {
	return len(later) > 0 && later[0].GetChoicesOffered() == nil && later[0].GetAnswerAccepted() == nil && later[0].GetAnswerRejected() == nil
}

// comeBack goes on behind the step that ran a sub-flow, unless a jump left it.
func (t *tracer) comeBack(step string) {
	t.calls--
	if t.left > 0 {
		t.left--
		return
	}
	t.goBy(step, "")
}

func (t *tracer) cancel(reason string) {
	if reason == flow.ReasonRestart {
		t.keyword("restart")
	}
	t.arrive("cancelled")
}

// keyword visits one, if the flow has it.
func (t *tracer) keyword(name string) {
	if t.find(name) != nil {
		t.visit(Place{Keyword: name})
	}
}

func (t *tracer) find(name string) *flow.KeywordInfo {
	for _, k := range t.keywords[t.present.GetFlow()] {
		if k.Name == name {
			return &k
		}
	}
	return nil
}

// jump leaves every sub-flow if the keyword leads to a step.
func (t *tracer) jump(name string) {
	if k := t.find(name); k != nil && t.step(k.To).Name != "" {
		t.to, t.left = "", t.calls
	}
}
