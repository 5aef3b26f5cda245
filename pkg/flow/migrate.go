package flow

import (
	"maps"
	"slices"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// migrate moves the session to another version of its flow, which must be live
// here. A session that has moved on, or that lacks a value which the new version
// relies on, stays where it is.
func (t *turn) migrate(m *parleyv1.Migration) {
	to, s := t.live.numbered(m.GetFlow(), m.GetToVersion()), t.state
	if to == nil || s.Status != Active || s.Flow != m.GetFlow() || s.FlowVersion != m.GetFromVersion() {
		return
	}
	step := s.Step
	if mapped := m.GetSteps()[step]; mapped != "" {
		step = mapped
	}
	if len(to.Lacks(s, step)) > 0 {
		return
	}
	from, next := t.step(), to.step(step)
	t.emit(inputReceived(t.in))
	t.emit(stepLeft(s.Step, ReasonMigrated))
	if next.subflow == "" {
		t.leaveSubflows()
	}
	t.emit(sessionMigrated(s.FlowVersion, to.version, s.Step, step))
	t.flow = to
	if step != s.Step || s.Progress.halfway() || !next.asksLike(from) || next.computesAnew(s) {
		t.from = 0
		t.goTo(target{kind: toStep, step: to.index[step]})
		return
	}
	t.emit(stepEntered(next, 0)) // the question stands as it was asked
}

// halfway reports whether a part of an answer, or what was offered, is kept: it
// may mean something else to another version.
func (p Progress) halfway() bool {
	return p.Pending != nil || len(p.Fragments) > 0 || p.Offered != nil || p.Form != nil
}

// asksLike reports whether the question of one step stands for that of the other.
// If not, it has to be asked anew.
func (s *step) asksLike(o *step) bool {
	a, b := s.expect, o.expect
	return a != nil && b != nil && a.kind == b.kind && (a.dynamic == nil) == (b.dynamic == nil) && (a.form == nil || a.form.id == b.form.id)
}

// computesAnew reports whether the step sets a value that the session does not
// have: it was asked before the step did.
func (s *step) computesAnew(of State) bool {
	return slices.ContainsFunc(s.sets, func(a assignment) bool {
		_, known := of.Answers[a.slot]
		return !known
	})
}

// Lacks says why a session could not go on at a step of the flow: the slots that
// it has no value of the right type for, the step itself if the flow has no such
// step, or those that run the sub-flows which the session is in. It is empty if
// the session could.
func (f *Flow) Lacks(s State, step string) []string {
	i, ok := f.index[step]
	if !ok {
		return []string{"step " + step}
	}
	missing := f.unfit(s)
	add := func(slots []string) {
		for _, slot := range slots {
			if _, ok := s.Answers[slot]; !ok && !slices.Contains(missing, slot) {
				missing = append(missing, slot)
			}
		}
	}
	add(f.needs[step])
	if part := f.steps[i].subflow; part != "" {
		for _, caller := range s.Progress.Calls {
			add(f.needs[caller])
		}
		missing = append(missing, f.brokenCalls(s.Progress.Calls, part)...)
	}
	return missing
}

// unfit are the slots whose value has another type here.
func (f *Flow) unfit(s State) []string {
	var slots []string
	for _, name := range slices.Sorted(maps.Keys(s.Answers)) {
		if known := f.slots[name]; known != nil && !known.fits(s.Answers[name]) {
			slots = append(slots, name)
		}
	}
	return slots
}

// brokenCalls are the steps that should have run the sub-flows down to part, and
// do not here.
func (f *Flow) brokenCalls(calls []string, part string) []string {
	if len(calls) == 0 {
		return []string{"a step that runs sub-flow " + part}
	}
	running := ""
	for i, name := range calls {
		at, ok := f.index[name]
		if !ok || f.steps[at].run == nil || f.steps[at].subflow != running {
			return []string{"step " + name}
		}
		running = f.steps[at].run.subflow
		if last := i == len(calls)-1; last && running != part {
			return []string{"step " + name}
		}
	}
	return nil
}
