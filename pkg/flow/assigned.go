package flow

import (
	"fmt"
	"slices"
	"strings"
)

// set is a set of slots by name; nil is "everything", for what was not reached.
type set map[string]bool

// assigned holds, for each step, the slots that have a value when it begins.
type assigned struct {
	flow  *Flow
	edges [][]edge
	at    []set          // by step
	end   set            // on completion; nil if no way leads there
	outs  map[string]set // what a sub-flow surely sets, by name
}

// assigned computes the greatest solution: a slot has a value at a step if it has
// one on every way there.
func (c *compiler) assigned() *assigned {
	a := &assigned{flow: c.flow, edges: c.edges, at: make([]set, len(c.flow.steps)), outs: map[string]set{}}
	for range callsMax + 1 { // sub-flows from the inside out
		for name, s := range c.subflows {
			a.outs[name] = a.solve([]int{s.first}, name)
		}
	}
	a.end = a.solve(c.roots(), "")
	for _, k := range c.flow.keywords {
		if k.to.kind == toCompleted { // said at any step
			a.end = set{}
		}
	}
	if h := c.flow.handBack; c.flow.undelivered.kind == toCompleted || h != nil && h.to.kind == toCompleted {
		a.end = set{}
	}
	return a
}

// solve runs from the roots to a fixed point and returns what is set at the end of
// the part: completion, or the return of the sub-flow.
func (a *assigned) solve(roots []int, part string) (out set) {
	clear(a.at)
	queue := slices.Clone(roots)
	for _, i := range roots {
		a.at[i] = set{}
	}
	reachedEnd := false
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, e := range a.edges[i] {
			have := a.after(i, e)
			switch {
			case e.to.kind == toStep && a.narrow(e.to.step, have):
				queue = append(queue, e.to.step)
			case e.to.kind == toCompleted && part == "", e.to.kind == toReturn && part != "" && a.flow.steps[i].subflow == part:
				out, reachedEnd = meet(out, have, reachedEnd), true
			}
		}
	}
	return out
}

// after is what has a value when an edge out of a step is taken.
func (a *assigned) after(i int, e edge) set {
	s := a.flow.steps[i]
	have := set{}
	for slot := range a.at[i] {
		have[slot] = true
	}
	for _, slot := range slotsOf(s.sets) {
		have[slot] = true
	}
	if e.back {
		for _, slot := range slotsOf(s.run.with) {
			have[slot] = true
		}
		for slot := range a.outs[s.run.subflow] {
			have[slot] = true
		}
	}
	for _, slot := range e.gains {
		have[slot] = true
	}
	return have
}

// narrow meets what a way brings with what is known; it reports a change.
func (a *assigned) narrow(i int, have set) bool {
	if a.at[i] == nil {
		a.at[i] = have
		return true
	}
	changed := false
	for slot := range a.at[i] {
		if !have[slot] {
			delete(a.at[i], slot)
			changed = true
		}
	}
	return changed
}

func meet(out, have set, known bool) set {
	if !known {
		return have
	}
	for slot := range out {
		if !have[slot] {
			delete(out, slot)
		}
	}
	return out
}

// lacks reports whether a slot may have no value where it is used.
func (a *assigned) lacks(u use) bool {
	s := a.flow.slots[u.slot]
	if s == nil || s.initial != nil || slices.Contains(u.have, u.slot) {
		return false
	}
	switch u.step {
	case outside:
		return true
	case atEnd:
		return a.end != nil && !a.end[u.slot]
	}
	at := a.flow.steps[u.step]
	have := a.at[u.step]
	switch {
	case have == nil, have[u.slot]:
		return false
	case u.phase == setting:
		return true
	case slices.Contains(slotsOf(at.sets), u.slot):
		return false
	case u.phase == returned:
		return !a.outs[at.run.subflow][u.slot] && !slices.Contains(slotsOf(at.run.with), u.slot)
	case u.phase == done:
		return !slices.Contains(columnSlots(at.action.keep), u.slot)
	}
	return true
}

// unassigned reports a slot that may have no value, with a way on which it has none.
func (c *compiler) unassigned(u use, a *assigned) {
	hint := fmt.Sprintf("save it in a step before, or give it a default under slots: {%s: {type: %s, default: …}}", u.slot, c.flow.slots[u.slot].kind)
	if u.step == outside {
		c.report(u.at, ruleSlot, "%q may have no value here, because this is said at any step: %s", u.slot, hint)
		return
	}
	way := ""
	if path := c.wayWithout(u, a); path != nil {
		way = fmt.Sprintf(" (on the way %s)", strings.Join(path, " > "))
	}
	c.report(u.at, ruleSlot, "%q may have no value here%s: %s", u.slot, way, hint)
}

// wayWithout is a shortest way to where a slot is used on which nothing sets it;
// nil if none was found.
func (c *compiler) wayWithout(u use, a *assigned) []string {
	before := map[int]int{} // the step before each that was reached
	queue := c.roots()
	for _, i := range queue {
		before[i] = outside
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if at == u.step {
			return c.wayTo(at, before)
		}
		for _, e := range c.edges[at] {
			if a.sets(at, e, u.slot) {
				continue
			}
			if e.to.kind == toCompleted && u.step == atEnd {
				return append(c.wayTo(at, before), stateCompleted)
			}
			if _, seen := before[e.to.step]; e.to.kind == toStep && !seen {
				before[e.to.step] = at
				queue = append(queue, e.to.step)
			}
		}
	}
	return nil
}

// wayTo walks back from a step to where the session came in.
func (c *compiler) wayTo(step int, before map[int]int) []string {
	var way []string
	for ; step != outside; step = before[step] {
		way = append(way, c.flow.steps[step].name)
	}
	slices.Reverse(way)
	return way
}

// sets reports whether a slot surely gets a value on the way out of a step.
func (a *assigned) sets(i int, e edge, slot string) bool {
	s := a.flow.steps[i]
	return slices.Contains(e.gains, slot) || slices.Contains(slotsOf(s.sets), slot) || e.back && a.outs[s.run.subflow][slot]
}
