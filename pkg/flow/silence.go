package flow

import (
	"slices"
	"strings"
)

// passable finds the sub-flows that a session can go through without waiting.
func (c *compiler) passable() {
	c.passes = map[string]bool{}
	for range callsMax + 1 { // from the inside out
		for name, s := range c.subflows {
			c.passes[name] = c.returnsFrom(s.first, map[int]bool{})
		}
	}
}

func (c *compiler) returnsFrom(i int, seen map[int]bool) bool {
	if seen[i] {
		return false
	}
	seen[i] = true
	for _, to := range c.silent(i) {
		if to.kind == toReturn || to.kind == toStep && c.flow.steps[to.step].subflow == c.flow.steps[i].subflow && c.returnsFrom(to.step, seen) {
			return true
		}
	}
	return false
}

// silent are the targets that a session can go on to from a step without waiting
// for the person. A call is no wait: who calls in a circle calls as fast as it is answered.
func (c *compiler) silent(i int) []target {
	s := c.flow.steps[i]
	var all []target
	for _, e := range c.edges[i] {
		if e.silent || s.expect == nil && (!e.back || c.passes[s.run.subflow]) {
			all = append(all, e.to)
		}
	}
	return all
}

// endless finds circles of steps that never wait for a person; ok is true if there
// are none.
func (c *compiler) endless() (ok bool) {
	const open, done = 1, 2
	ok = true
	state := make([]int, len(c.flow.steps))
	var path []string
	var visit func(i int)
	visit = func(i int) {
		s := c.flow.steps[i]
		path = append(path, s.name)
		defer func() { path = path[:len(path)-1] }()
		switch state[i] {
		case done:
			return
		case open:
			round := path[slices.Index(path, s.name):]
			c.report(s.at, ruleEndless, "%s goes round for ever, because no step on the way waits for an answer: add a step with expect", strings.Join(round, " > "))
			ok = false
			return
		}
		state[i] = open
		for _, to := range c.silent(i) {
			if to.kind == toStep {
				visit(to.step)
			}
		}
		state[i] = done
	}
	for i := range c.flow.steps {
		visit(i)
	}
	return ok
}

// chains measures how many steps follow each other without a question.
type chains struct {
	*compiler
	from    []int          // from a step to where its part waits or ends; 0 is unknown
	through map[string]int // through a sub-flow
	behind  map[string]int // behind the end of a part, in those that run it
}

// longChains finds steps after which more follow without a question than a turn
// may go through.
func (c *compiler) longChains() {
	m := chains{compiler: c, through: map[string]int{}, behind: map[string]int{"": 0}}
	for range callsMax + 1 { // from the inside out
		m.from = make([]int, len(c.flow.steps))
		for name, s := range c.subflows {
			m.through[name] = m.length(s.first)
		}
	}
	for range callsMax + 1 { // from the outside in
		for _, s := range c.flow.steps {
			if s.run != nil {
				m.behind[s.run.subflow] = max(m.behind[s.run.subflow], m.lengthOf(s.next)+m.behind[s.subflow])
			}
		}
	}
	for i, s := range c.flow.steps {
		if n := m.length(i) + m.behind[s.subflow]; n > StepsPerTurnMax {
			c.report(s.at, ruleLimit, "%d steps can follow each other from here without a question, the limit is %d: ask something in between", n, StepsPerTurnMax)
			return
		}
	}
}

// length is how many steps a session can go through from one on.
func (m *chains) length(i int) int {
	if m.from[i] > 0 {
		return m.from[i]
	}
	longest := 0
	for _, to := range m.silent(i) {
		longest = max(longest, m.lengthOf(to))
	}
	if run := m.flow.steps[i].run; run != nil {
		longest += m.through[run.subflow]
	}
	m.from[i] = 1 + longest
	return m.from[i]
}

func (m *chains) lengthOf(to target) int {
	if to.kind != toStep {
		return 0
	}
	return m.length(to.step)
}
