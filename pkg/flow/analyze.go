package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// edge is a way from one step to what comes next, with the slots that surely
// have a value when it is taken.
type edge struct {
	to    target
	gains []string
	label string
	// call is set for the way into a sub-flow, back for the one on after it.
	call, back bool
	// silent is set for a way out of a question that is taken before the person can
	// answer: a loop that is used up, and nothing to choose.
	silent bool
}

// edges returns all ways out of a step. What the step sets before it speaks is
// gained on each of them.
func (f *Flow) edges(s *step) []edge {
	var all []edge
	add := func(to target, label string, gains ...string) {
		if to.kind != toNothing {
			all = append(all, edge{to: to, label: label, gains: gains})
		}
	}
	switch {
	case s.expect != nil:
		f.answerEdges(s, add)
	case len(s.branches) > 0:
		for i, b := range s.branches {
			add(b.to, branchLabel(s, i))
		}
	case s.split != nil:
		for _, v := range s.split.variants {
			add(v.to, v.name)
		}
	case s.run != nil:
		all = append(all, edge{to: target{kind: toStep, step: s.run.entry}, label: "run", gains: slotsOf(s.run.with), call: true})
		all = append(all, edge{to: s.next, gains: slotsOf(s.run.save), back: true})
	case s.action != nil:
		add(s.next, "", columnSlots(s.action.keep)...)
		for _, w := range s.action.ways {
			add(w.to, w.result)
		}
	case s.request != nil:
		add(s.next, "", columnSlots(s.request.keep)...)
		add(s.request.failed.to, s.request.failed.result)
	case s.handover:
		add(target{kind: toHandover}, "")
	default:
		add(s.next, "")
	}
	add(s.undelivered, "undelivered")
	if s.loopThen.kind != toNothing {
		all = append(all, edge{to: s.loopThen, label: "loop", silent: true})
	}
	if e := s.expect; e != nil && e.dynamic != nil {
		all = append(all, edge{to: e.dynamic.emptyTo, label: "empty", silent: true})
	}
	return all
}

func branchLabel(s *step, i int) string {
	if s.branches[i].when == nil {
		return "else"
	}
	return s.branches[i].when.Source().String()
}

func (f *Flow) answerEdges(s *step, add func(to target, label string, gains ...string)) {
	e := s.expect
	var gains []string
	if e.slot != "" {
		gains = append(gains, e.slot)
	}
	switch {
	case e.table != nil:
		gains = append(gains, columnSlots(e.table.first)...)
	case e.dynamic != nil:
		gains = append(gains, columnSlots(e.dynamic.keep)...)
	}
	elsewhere := 0
	for _, o := range e.options {
		if o.to.kind != toNothing {
			elsewhere++
			add(o.to, o.value, gains...)
		}
	}
	if elsewhere == 0 || elsewhere < len(e.options) {
		add(s.next, "", gains...)
	}
	add(e.then, fmt.Sprintf("%d failures", e.attempts))
	if s.timeout != nil {
		add(s.timeout.to, "timeout")
	}
}

func columnSlots(list []column) []string {
	slots := make([]string, len(list))
	for i, c := range list {
		slots[i] = c.slot
	}
	return slots
}

func slotsOf(list []assignment) []string {
	slots := make([]string, len(list))
	for i, a := range list {
		slots[i] = a.slot
	}
	return slots
}

// analyze checks the flow as a graph: that every step can be reached and can end,
// that nothing runs in a circle, and that every slot has a value when it is used.
func (c *compiler) analyze() {
	c.splitGoals()
	c.recursion()
	if len(c.problems.Errors()) > 0 {
		return
	}
	c.edges = make([][]edge, len(c.flow.steps))
	for i, s := range c.flow.steps {
		c.edges[i] = c.flow.edges(s)
	}
	c.reachable()
	c.deadEnds()
	c.passable()
	if c.endless() {
		c.longChains()
	}
	a := c.assigned()
	for _, u := range c.uses {
		if missing := a.lacks(u); missing {
			c.unassigned(u, a)
		}
	}
	c.flow.needs = c.liveness(a)
	c.style()
}

// liveness finds, for each step, the slots without a default that are set on every
// way there and may still be used after it.
func (c *compiler) liveness(a *assigned) map[string][]string {
	live := make([]set, len(c.flow.steps))
	for i := range live {
		live[i] = set{}
	}
	c.usedAtEnd = set{}
	for _, u := range c.uses {
		switch {
		case u.step >= 0:
			live[u.step][u.slot] = true
		case u.step == atEnd:
			c.usedAtEnd[u.slot] = true
		}
	}
	for changed := true; changed; {
		changed = false
		for i := range slices.Backward(c.flow.steps) { // what is used is known from the end
			for _, e := range c.edges[i] {
				for slot := range c.liveAt(live, e.to, c.flow.steps[i].subflow) {
					if !live[i][slot] {
						live[i][slot], changed = true, true
					}
				}
			}
		}
	}
	needs := map[string][]string{}
	for i, s := range c.flow.steps {
		for _, slot := range slices.Sorted(maps.Keys(a.at[i])) {
			if live[i][slot] && c.flow.slots[slot].initial == nil {
				needs[s.name] = append(needs[s.name], slot)
			}
		}
	}
	return needs
}

// liveAt are the slots that may be used from a target on; part is where the way to
// it begins.
func (c *compiler) liveAt(live []set, to target, part string) set {
	switch to.kind {
	case toStep:
		return live[to.step]
	case toCompleted:
		return c.usedAtEnd
	case toReturn:
		slots := set{}
		for i, s := range c.flow.steps {
			if s.run != nil && s.run.subflow == part {
				maps.Copy(slots, live[i]) // more than is used behind it, but never less
			}
		}
		return slots
	}
	return nil
}

func (c *compiler) splitGoals() {
	for _, s := range c.flow.tests {
		if s.goal.kind != toStep && s.goal.kind != toCompleted && s.goal.kind != toNothing {
			c.report(s.goal.at, ruleSplit, "the goal of a test is a step or completed: name one")
		}
	}
}

// callsMax is how deep sub-flows can call each other.
const callsMax = 10

// recursion finds sub-flows that call themselves, and those that nobody calls.
func (c *compiler) recursion() {
	callees := map[string][]string{}
	for _, s := range c.flow.steps {
		if s.run != nil && !slices.Contains(callees[s.subflow], s.run.subflow) {
			callees[s.subflow] = append(callees[s.subflow], s.run.subflow)
		}
	}
	depths := map[string]int{} // how deep the calls of a sub-flow go
	var depth func(name string, path []string) int
	depth = func(name string, path []string) int {
		if slices.Contains(path, name) {
			c.report(c.subflows[name].at, ruleSubflow, "sub-flow %s runs itself (%s): use goto and loop", name, strings.Join(append(path[1:], name), " > "))
			return 0
		}
		if known, ok := depths[name]; ok {
			return known
		}
		deepest := 0
		for _, callee := range callees[name] {
			deepest = max(deepest, 1+depth(callee, append(slices.Clip(path), name)))
		}
		depths[name] = deepest
		return deepest
	}
	if n := depth("", nil); n > callsMax {
		c.report(place{1, 1}, ruleSubflow, "sub-flows nest %d deep, the limit is %d: use goto", n, callsMax)
	}
	for _, name := range slices.Sorted(maps.Keys(c.subflows)) { // those that nobody runs
		depth(name, []string{""})
	}
	for name, s := range c.subflows {
		if s.calls == 0 {
			c.warn(s.at, ruleUnused, "nothing runs sub-flow %s: remove it", name)
		}
	}
}

// roots are the steps at which a session can come in from outside.
func (c *compiler) roots() []int {
	roots := []int{0}
	for _, e := range c.flow.entries {
		if e.step.kind == toStep {
			roots = append(roots, e.step.step)
		}
	}
	for _, k := range c.flow.keywords {
		if k.to.kind == toStep {
			roots = append(roots, k.to.step)
		}
	}
	if to := c.flow.undelivered; to.kind == toStep {
		roots = append(roots, to.step)
	}
	if h := c.flow.handBack; h != nil && h.to.kind == toStep {
		roots = append(roots, h.to.step)
	}
	slices.Sort(roots)
	return slices.Compact(roots)
}

func (c *compiler) reachable() {
	seen := make([]bool, len(c.flow.steps))
	queue := c.roots()
	for _, i := range queue {
		seen[i] = true
	}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, e := range c.edges[i] {
			if e.to.kind == toStep && !seen[e.to.step] {
				seen[e.to.step] = true
				queue = append(queue, e.to.step)
			}
		}
	}
	for i, s := range c.flow.steps {
		if !seen[i] && (s.subflow == "" || c.subflows[s.subflow].calls > 0) {
			c.report(s.at, ruleUnreachable, "no way leads to step %q: let a goto, branch or keyword name it, or remove it", s.name)
		}
	}
}

// deadEnds finds steps from which no way leads to an end.
func (c *compiler) deadEnds() {
	ends := make([]bool, len(c.flow.steps))
	for changed := true; changed; {
		changed = false
		for i := range slices.Backward(c.flow.steps) {
			if ends[i] {
				continue
			}
			for _, e := range c.edges[i] {
				if !e.call && (e.to.kind != toStep || ends[e.to.step]) {
					ends[i], changed = true, true
				}
			}
		}
	}
	for i, s := range c.flow.steps {
		if !ends[i] {
			c.report(s.at, ruleDeadEnd, "from step %q no way leads to an end: let a goto lead to completed, or to a step that does", s.name)
		}
	}
}

// idleLoops warns of loops at steps that no later step leads back to.
func (c *compiler) idleLoops() {
	back := make([]bool, len(c.flow.steps))
	for i, edges := range c.edges {
		for _, e := range edges {
			if e.to.kind == toStep && e.to.step <= i && !e.call {
				back[e.to.step] = true
			}
		}
	}
	for i, s := range c.flow.steps {
		if s.loopMax != loopsMax && !back[i] {
			c.warn(s.at, ruleUnused, "no later step leads back to %q: put loop at the step that goto names", s.name)
		}
	}
}

// silentHandovers warns of people who are handed over without a word, to nobody in
// particular.
func (c *compiler) silentHandovers() {
	for _, s := range c.flow.steps {
		ways := []target{s.loopThen}
		if s.expect != nil {
			ways = append(ways, s.expect.then)
		}
		for _, to := range ways {
			if to.kind == toHandover {
				c.warn(to.at, ruleHandover, "this hands over without a word, and to no pool: let it name a step, such as {name: human, say: Somebody will write to you., handover: sales}")
			}
		}
	}
}

// style warns of what works, but is likely not meant.
func (c *compiler) style() {
	for name, s := range c.flow.slots {
		if s.at.line > 0 && !s.read && s.initial != nil {
			c.warn(s.at, ruleUnused, "no text and no expression uses slot %q: remove it", name)
		}
	}
	c.idleLoops()
	c.silentHandovers()
	c.coldStarts()
	for _, s := range c.flow.steps {
		if s.expect == nil {
			continue
		}
		for _, o := range s.expect.options {
			for lang := range c.flow.languages {
				if k := c.flow.keywords[fold(o.title.in(lang).static())]; k != nil {
					c.warn(s.at, ruleShadow, "option %q of step %q is also the keyword %s, which goes first if it is typed: change one of them", o.value, s.name, k.name)
					break
				}
			}
		}
	}
}
