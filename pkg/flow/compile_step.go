package flow

import (
	"fmt"
	"slices"
	"strings"
)

// loopsMax is how often a session may come back to a step unless the step says.
const loopsMax = 100

func (c *compiler) subflow(p pair) {
	if c.nameOf(p.key).value == "" {
		return
	}
	c.part = p.key.value
	s := &subflow{at: p.key.at, first: len(c.flow.steps)}
	c.subflows[c.part] = s
	for _, in := range c.list(p.value) {
		c.step(in)
	}
	s.last = len(c.flow.steps) - 1
}

// step reads one step. It is in its place before its parts are read, so that
// they know where they are.
func (c *compiler) step(in item) {
	all := c.fields(in, stepFields...)
	name := c.name(c.required(all, "name", "the name of the step"))
	s := &step{name: c.scoped(name.value), subflow: c.part, position: len(c.flow.steps) + 1, at: in.at, loopMax: loopsMax}
	c.present, c.path = len(c.flow.steps), in.path()
	if len(c.flow.steps) == StepsMax {
		c.report(in.at, ruleLimit, "a flow can have %d steps: split it", StepsMax)
	}
	if c.claim(name) {
		c.flow.index[s.name] = c.present
	}
	c.flow.steps = append(c.flow.steps, s)
	c.sets(all.of["set"], setting, &s.sets)
	if in, ok := all.of["language"]; ok {
		c.expression(c.scalar(in), wantText, &s.language)
	}
	c.control(s, all)
	if s.action != nil {
		c.phase = done
	}
	s.say = c.bubbles(all.of["say"], s.expect)
	c.phase = saying
	c.follow(s, all)
	c.loop(s, all.of["loop"])
	c.undelivered(s, all.of["undelivered"])
	c.waiting(s, all)
}

// scoped is the full name of a step of the part that is being read.
func (c *compiler) scoped(name string) string {
	if c.part == "" || name == "" {
		return name
	}
	return c.part + "." + name
}

// claim reports whether a step may have this name.
func (c *compiler) claim(name written) bool {
	_, twice := c.flow.index[c.scoped(name.value)]
	switch {
	case name.value == "":
		return false
	case name.value == stateCompleted, name.value == stateCancelled, name.value == "handover", name.value == "return":
		// State.CurrentState shows a step and the end of a session in one column.
		c.report(name.at, ruleName, "%q says that a session has ended: give the step another name", name.value)
	case twice:
		c.report(name.at, ruleName, "step %q is here twice: give each step its own name", name.value)
	default:
		return true
	}
	return false
}

// control reads what a step does besides saying something: one thing.
func (c *compiler) control(s *step, all fields) {
	var found []string
	for _, key := range controlFields {
		in, ok := all.of[key]
		if !ok {
			continue
		}
		if found = append(found, key); len(found) == 2 {
			c.report(in.at, ruleField, "a step can have %s or %s: make two steps", found[0], key)
			return
		}
		c.controlOf(s, key, in)
	}
	if _, says := all.of["say"]; all.of != nil && len(found) == 0 && !says && len(s.sets) == 0 && all.of["set"].absent() && all.of["language"].absent() && all.of["goto"].absent() {
		c.report(all.at, ruleMissing, "the step does nothing: add say, expect, branch or another field")
	}
	if s.expect != nil {
		c.required(all, "say", "the text that the step sends")
	}
}

// controlFields are the things of which a step does one.
var controlFields = slices.Concat([]string{"expect", "form", "branch", "split", "run"}, actionVerbs, []string{"call", "handover", "end"})

func (c *compiler) controlOf(s *step, key string, in item) {
	if slices.Contains(actionVerbs, key) {
		s.action = c.action(key, in)
		return
	}
	switch key {
	case "expect":
		s.expect = c.expectation(in)
	case "form":
		s.expect = c.formExpectation(in)
	case "branch":
		s.branches = c.branchList(in)
	case "split":
		s.split = c.split(in)
	case "run":
		s.run = c.run(in)
	case "call":
		s.request = c.request(in)
	case "handover":
		s.handover = true
		if !c.isWord(in, "true") {
			s.pool = c.name(in).value
		}
	case "end":
		s.next = c.ends(in)
	}
}

func (c *compiler) ends(in item) target {
	switch c.word(in, stateCompleted, stateCancelled) {
	case stateCompleted:
		return target{kind: toCompleted, at: in.at}
	case stateCancelled:
		return target{kind: toCancelled, at: in.at}
	}
	return target{}
}

// follow decides where the session goes after the step.
func (c *compiler) follow(s *step, all fields) {
	in, given := all.of["goto"]
	switch {
	case given && (s.next.kind != toNothing || len(s.branches) > 0 || s.split != nil || s.handover):
		c.report(in.at, ruleField, "the step already says where to go: remove goto")
	case given:
		c.target(in, &s.next)
	case s.next.kind == toNothing && len(s.branches) == 0 && s.split == nil && !s.handover:
		next := len(c.flow.steps) // the one below, if there is one in the same part
		c.later(func() {
			if next < len(c.flow.steps) && c.flow.steps[next].subflow == s.subflow {
				s.next = target{kind: toStep, step: next, at: s.at}
			} else if s.subflow != "" {
				s.next = target{kind: toReturn, at: s.at}
			} else {
				s.next = target{kind: toCompleted, at: s.at}
			}
		})
	}
}

func (c *compiler) loop(s *step, in item) {
	if in.absent() {
		return
	}
	all := c.fields(in, loopFields...)
	if n := c.count(c.required(all, "max", "how often the session may come back"), 1, 1000); n > 0 {
		s.loopMax = uint32(n)
	}
	c.target(all.of["then"], &s.loopThen)
}

// undelivered reads where the session goes if the question does not arrive.
func (c *compiler) undelivered(s *step, in item) {
	switch {
	case in.absent():
	case s.expect == nil:
		c.report(in.at, ruleField, "only a step that waits for an answer can have undelivered: put it at the question, or at the top of the file for all of them")
	default:
		c.target(in, &s.undelivered)
	}
}

// target reads the name of a step, or of an end, into to.
func (c *compiler) target(in item, to *target) {
	t := c.text(in)
	if t.value == "" {
		return
	}
	c.later(func() { *to = c.targetOf(t) })
}

func (c *compiler) targetOf(t written) target {
	switch t.value {
	case stateCompleted:
		return target{kind: toCompleted, at: t.at}
	case stateCancelled:
		return target{kind: toCancelled, at: t.at}
	case "handover":
		return target{kind: toHandover, at: t.at}
	case "return":
		if c.part == "" {
			c.report(t.at, ruleTarget, "return ends a sub-flow, and this step is in none: use completed")
		}
		return target{kind: toReturn, at: t.at}
	}
	if i, ok := c.flow.index[c.scoped(t.value)]; ok {
		return target{kind: toStep, step: i, at: t.at}
	}
	c.report(t.at, ruleTarget, "there is no step %q%s%s", t.value, c.inScope(), c.nearStep(t.value))
	return target{kind: toCompleted, at: t.at}
}

func (c *compiler) inScope() string {
	if c.part == "" {
		return ""
	}
	return fmt.Sprintf(" in sub-flow %s", c.part)
}

// nearStep suggests a step of the part that is being read.
func (c *compiler) nearStep(name string) string {
	var here []string
	for _, s := range c.flow.steps {
		if s.subflow == c.part && s.name != "" {
			here = append(here, strings.TrimPrefix(s.name, c.part+"."))
		}
	}
	if len(here) == 0 {
		return ""
	}
	return ": " + suggestion(name, here)
}

func (c *compiler) branchList(in item) []branch {
	list := c.list(in)
	branches := make([]branch, len(list))
	for i, in := range list {
		all := c.fields(in, branchFields...)
		c.target(c.required(all, "goto", "the step to go to"), &branches[i].to)
		when, conditional := all.of["if"]
		last := i == len(list)-1
		switch {
		case conditional:
			c.expression(c.scalar(when), wantBoolean, &branches[i].when)
			if last {
				c.report(in.at, ruleMissing, "the last branch has an if: add one without, for all other cases")
			}
		case !last && all.of != nil:
			c.report(in.at, ruleUnreachable, "a branch without if is always taken: put it last")
		}
	}
	return branches
}

func (c *compiler) split(in item) *split {
	all := c.fields(in, splitFields...)
	s := &split{test: c.name(c.required(all, "test", "the name of the test")).value}
	if s.test != "" && c.splits[s.test] != nil {
		c.report(in.at, ruleSplit, "test %q is here twice: give each its own name", s.test)
	}
	c.splits[s.test] = s
	list := c.list(c.required(all, "variants", "the list of variants"))
	s.variants = make([]variant, len(list))
	for i, in := range list {
		all := c.fields(in, variantFields...)
		v := &s.variants[i]
		v.name = c.name(c.required(all, "name", "the name of the variant")).value
		v.weight = uint32(c.count(c.required(all, "weight", "its share, such as 50"), 1, 10_000))
		s.total += v.weight
		c.target(c.required(all, "goto", "the step to go to"), &v.to)
	}
	if len(list) == 1 {
		c.report(in.at, ruleSplit, "a test needs two variants at least: add one")
	}
	c.target(c.required(all, "goal", "the step that counts as success, or completed"), &s.goal)
	c.flow.tests = append(c.flow.tests, s)
	return s
}

func (c *compiler) run(in item) *call {
	all := c.fields(in, runFields...)
	r := &call{}
	c.sets(all.of["with"], saying, &r.with)
	c.sets(all.of["save"], returned, &r.save)
	name := c.text(c.required(all, "subflow", "the name of the sub-flow"))
	c.later(func() {
		s := c.subflows[name.value]
		if s == nil {
			if name.value != "" {
				c.report(name.at, ruleSubflow, "there is no sub-flow %q: declare it under subflows", name.value)
			}
			return
		}
		s.calls++
		r.subflow, r.entry = name.value, s.first
	})
	return r
}

// sets reads computed values. The slot of each takes the type of its expression
// unless it has one.
func (c *compiler) sets(in item, ph phase, into *[]assignment) {
	var have []string
	pairs := c.pairs(in, "slots and expressions")
	*into = make([]assignment, len(pairs))
	for i, p := range pairs {
		a := &(*into)[i]
		if a.slot = c.nameOf(p.key).value; a.slot == "" {
			continue
		}
		c.assignment(p.key, c.scalar(p.value), ph, have, &a.program)
		have = append(slices.Clip(have), a.slot)
	}
	if len(pairs) == 0 {
		*into = nil
	}
}
