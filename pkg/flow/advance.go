package flow

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"strconv"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// goTo goes on until a step waits for the person, or the session ends.
func (t *turn) goTo(to target) {
	for {
		switch to.kind {
		case toStep:
			next, goesOn := t.enter(t.flow.steps[to.step])
			if !goesOn {
				return
			}
			to = next
		case toReturn:
			to = t.comeBack()
		case toCompleted, toNothing:
			t.complete()
			return
		case toCancelled:
			t.cancel(ReasonCancelled)
			return
		case toHandover:
			t.emit(handedOver(cmp.Or(t.state.Step, t.last), "", ReasonStep))
			return
		}
	}
}

// enter goes to a step. goesOn is false if the session waits there or has ended.
func (t *turn) enter(s *step) (next target, goesOn bool) {
	if t.passed++; t.passed > StepsPerTurnMax {
		panic(fmt.Sprintf("flow %s/%d went through %d steps in one turn, the last is %q", t.flow.name, t.flow.version, t.passed, s.name))
	}
	loop := t.loops(s)
	t.from, t.last = s.position, s.name
	if loop > s.loopMax {
		if s.loopThen.kind == toNothing {
			t.cancel(ReasonLoop)
			return target{}, false
		}
		return s.loopThen, true
	}
	t.assign(s, s.sets)
	t.speak(s)
	if s.waits() {
		t.emit(stepEntered(s, loop))
		t.reach(s)
		t.ask(s)
		return target{}, false
	}
	return t.pass(s, loop)
}

// loops is how often the session has come back to the step with this time; 0 if
// it comes from an earlier step.
func (t *turn) loops(s *step) uint32 {
	if s.position > t.from {
		return 0
	}
	return t.state.Progress.Loops[s.name] + 1
}

func (t *turn) assign(s *step, list []assignment) {
	for _, a := range list {
		t.emit(valueSet(s.name, a.slot, t.fitted(a.slot, t.run(a.program, nil))))
	}
}

// fitted is a computed value as its slot can hold it: what is no date or time is
// nothing there.
func (t *turn) fitted(slot string, value any) any {
	if s := t.flow.slots[slot]; s != nil && !s.fits(value) {
		return ""
	}
	return value
}

// speak changes the language if the step says so, to one that the flow has.
func (t *turn) speak(s *step) {
	if s.language == nil {
		return
	}
	tag, _ := t.run(s.language, nil).(string)
	if to := t.flow.languages[t.flow.languageOf(tag)]; to != t.state.Language {
		t.emit(languageChanged(to))
	}
}

// ask asks the question of a step. Choices from a table must be looked up before.
func (t *turn) ask(s *step) {
	if s.request != nil {
		t.call(s)
		return
	}
	if d := s.expect.dynamic; d != nil {
		t.emit(lookupAsked(s.name, Lookup{Table: d.table, Verb: d.verb, Where: t.filters(d.where, nil), Limit: d.limit}))
		return
	}
	t.prompt(s)
}

func (t *turn) filters(where []filter, more map[string]any) map[string]string {
	columns := make(map[string]string, len(where))
	for _, f := range where {
		columns[f.column] = plain(t.run(f.program, more))
	}
	return columns
}

// pass goes through a step that waits for nothing.
func (t *turn) pass(s *step, loop uint32) (next target, goesOn bool) {
	next, way := t.way(s)
	t.emit(stepPassed(s, loop, way))
	t.reach(s)
	if s.action != nil {
		t.act(s)
		return target{}, false
	}
	t.say(s.say)
	switch {
	case s.run != nil:
		t.assign(s, s.run.with)
		t.emit(subflowCalled(s.run.subflow, s.name))
		t.from = t.flow.steps[s.run.entry].position - 1 // going in is no loop
		return target{kind: toStep, step: s.run.entry}, true
	case s.handover:
		t.emit(handedOver(s.name, s.pool, ReasonStep))
		return target{}, false
	}
	return next, true
}

// way is where a step leads, and the name of that branch.
func (t *turn) way(s *step) (next target, branch string) {
	for i, b := range s.branches {
		if b.when == nil {
			return b.to, "else"
		}
		if t.holds(b.when, nil) {
			return b.to, strconv.Itoa(i + 1)
		}
	}
	if s.split != nil {
		return t.variant(s.split)
	}
	return s.next, ""
}

// variant is the session's own in a test; it is drawn once.
func (t *turn) variant(s *split) (to target, name string) {
	name, drawn := t.state.Progress.Variants[s.test]
	if !drawn {
		name = s.draw(t.state.Progress.Ref)
		t.emit(variantAssigned(s.test, name))
	}
	for _, v := range s.variants {
		if v.name == name {
			return v.to, name
		}
	}
	return s.variants[0].to, s.variants[0].name // the variant is gone from this version
}

// draw chooses by weight. The reference of a session is as good as random, and
// the same each time that the history is decided again.
func (s *split) draw(ref string) string {
	h := fnv.New64a()
	h.Write([]byte(s.test + "\x00" + ref))
	n := uint32(mix(h.Sum64()) % uint64(s.total))
	for _, v := range s.variants {
		if n < v.weight {
			return v.name
		}
		n -= v.weight
	}
	return s.variants[0].name
}

// mix spreads a hash over all its bits (the finalizer of splitmix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// reach records the tests whose goal is this step; nil is the end of the flow.
func (t *turn) reach(s *step) {
	for _, test := range t.flow.tests {
		name, takesPart := t.state.Progress.Variants[test.test]
		at := s == nil && test.goal.kind == toCompleted || s != nil && test.goal.kind == toStep && t.flow.steps[test.goal.step] == s
		if takesPart && at && !t.state.Progress.Goals[test.test] {
			t.emit(goalReached(test.test, name))
		}
	}
}

// comeBack ends the innermost sub-flow and goes on behind the step that ran it.
func (t *turn) comeBack() target {
	calls := t.state.Progress.Calls
	if len(calls) == 0 {
		return target{kind: toCompleted}
	}
	caller := t.flow.step(calls[len(calls)-1])
	t.emit(t.returned())
	t.assign(caller, caller.run.save)
	t.from = caller.position
	return caller.next
}

// returned is the event that ends the innermost sub-flow.
func (t *turn) returned() *parleyv1.Event {
	calls := t.state.Progress.Calls
	caller := calls[len(calls)-1]
	return subflowReturned(t.flow.step(caller).run.subflow, caller)
}

func (t *turn) complete() {
	t.reach(nil)
	t.emit(sessionCompleted())
	t.say(t.flow.completed.say)
}
