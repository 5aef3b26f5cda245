package flow

import (
	"cmp"
	"slices"
	"time"

	"github.com/parleyhq/parley/pkg/flow/when"
)

// expireMs is how long a person may be silent unless the flow says.
const expireMs = 24 * hourMs

// RemindersMax is the number of reminders that a question can have.
const RemindersMax = 5

var (
	expireFields     = []string{"after", "resume"}
	handBackFields   = []string{"give_back_after", "to"}
	quietHoursFields = []string{"from", "to"}
	remindFields     = []string{"after", "say"}
	timeoutFields    = []string{"after", "goto"}
)

// expiry reads how long a person may be silent, and what they find when they come
// back.
func (c *compiler) expiry(in item) {
	c.flow.expireMs, c.flow.resume = expireMs, resumeContinue
	if in.isMapping() {
		all := c.fields(in, expireFields...)
		if word := c.word(all.of["resume"], string(resumeContinue), string(resumeRestart), string(resumeAsk)); word != "" {
			c.flow.resume = resumePolicy(word)
		}
		in = all.of["after"]
	}
	switch {
	case in.absent():
	case c.isWord(in, "never"):
		c.flow.expireMs = 0
	default:
		c.flow.expireMs = c.duration(in)
	}
}

// handBack reads when the bot takes back what was handed over.
func (c *compiler) handBack(in item) {
	if in.absent() {
		return
	}
	all := c.fields(in, handBackFields...)
	h := &handBack{afterMs: c.duration(c.required(all, "give_back_after", "how long no human may write, such as 12h"))}
	c.target(c.required(all, "to", "the step to go on at"), &h.to)
	c.later(func() {
		if h.to.kind == toHandover {
			c.report(in.at, ruleValue, "a human has the conversation already: let to name a step, completed or cancelled")
		}
	})
	c.flow.handBack = h
}

func (c *compiler) quietHours(in item) {
	if in.absent() {
		return
	}
	all := c.fields(in, quietHoursFields...)
	from := c.minute(c.required(all, "from", "when they begin, such as 21:00"))
	to := c.minute(c.required(all, "to", "when they end, such as 08:00"))
	if from == to && all.of != nil {
		c.report(in.at, ruleValue, "the quiet hours begin when they end: write another time")
	}
	c.flow.quiet = &quietHours{from, to}
}

// minute reads a time of day, in minutes.
func (c *compiler) minute(in item) int {
	t := c.text(in)
	if t.value == "" {
		return 0
	}
	clock, err := when.ParseISOClock(t.value)
	if err != nil {
		c.report(t.at, ruleValue, "%q is no time of day: write one such as 21:00", t.value)
	}
	return clock.Hour*60 + clock.Minute
}

// waiting reads what happens while a step waits for its answer.
func (c *compiler) waiting(s *step, all fields) {
	for _, key := range []string{"remind", "timeout"} {
		if in, given := all.of[key]; given && s.expect == nil && all.of["expect"].absent() && all.of["form"].absent() {
			c.report(in.at, ruleField, "the step waits for no answer: remove %s, or add expect", key)
			return
		}
	}
	if in, given := all.of["timeout"]; given {
		of := c.fields(in, timeoutFields...)
		s.timeout = &timeout{afterMs: c.duration(c.required(of, "after", "how long it waits, such as 2h"))}
		c.target(c.required(of, "goto", "the step to go to"), &s.timeout.to)
	}
	list := c.listIfAny(all.of["remind"])
	if len(list) > RemindersMax {
		c.report(all.of["remind"].at, ruleLimit, "%d reminders, the limit is %d: remove some", len(list), RemindersMax)
	}
	for _, in := range list {
		s.reminders = append(s.reminders, c.reminder(s, in))
	}
	c.later(func() { c.checkReminders(s, list) })
}

// checkAuto finds a reminder that would have no time to choose from.
func (c *compiler) checkAuto(s *step, in item) {
	const least = 2 * AutoDefault / time.Millisecond
	if c.flow.expireMs > 0 && c.flow.expireMs < int64(least) {
		c.report(in.at, ruleUnreachable, "the session expires before the best time is known: expire no sooner than after %s, or write a duration", 2*AutoDefault)
	}
	if s.timeout != nil && s.timeout.afterMs > 0 && s.timeout.afterMs < int64(least) {
		c.report(in.at, ruleUnreachable, "the step times out before the best time is known: let it wait for %s, or write a duration", 2*AutoDefault)
	}
}

func (c *compiler) reminder(s *step, in item) reminder {
	all := c.fields(in, remindFields...)
	after := c.required(all, "after", "how long the person is silent, such as 3h, or auto")
	r := reminder{auto: c.isWord(after, "auto")}
	if !r.auto {
		r.afterMs = c.duration(after)
	}
	say := c.required(all, "say", "what is said")
	r.template = c.onlyTemplates(say)
	choices := s.expect // stand below the text, and a template has none
	if r.template {
		choices = nil
	}
	r.say = c.bubbles(say, choices)
	return r
}

// onlyTemplates reports whether nothing but templates is said.
func (c *compiler) onlyTemplates(say item) bool {
	list := []item{say}
	if say.isList() {
		list = c.list(say)
	}
	return !slices.ContainsFunc(list, func(in item) bool { return !in.hasKey("template") })
}

// checkReminders finds those that could never be said.
func (c *compiler) checkReminders(s *step, list []item) {
	for i, r := range s.reminders {
		switch {
		case r.auto && i > 0:
			c.report(list[i].at, ruleValue, "only the first reminder can choose its time: put it first, or write a duration")
		case r.auto:
			c.checkAuto(s, list[i])
		case r.afterMs == 0: // reported
		case i > 0 && s.reminders[0].auto && r.afterMs < SilenceMeasured.Milliseconds():
			c.report(list[i].at, ruleValue, "what comes after a reminder that chooses its time comes a day after the last message or later: make after longer")
		case i > 0 && r.afterMs <= s.reminders[i-1].afterMs:
			c.report(list[i].at, ruleValue, "this reminder comes no later than the one before it: make after longer")
		case c.flow.expireMs > 0 && r.afterMs >= c.flow.expireMs:
			c.report(list[i].at, ruleUnreachable, "the session has expired before this reminder: make after shorter, or expire longer")
		case s.timeout != nil && s.timeout.afterMs > 0 && r.afterMs >= s.timeout.afterMs:
			c.report(list[i].at, ruleUnreachable, "the step has timed out before this reminder: make after shorter, or the timeout longer")
		case r.afterMs > windowMs && !r.template:
			c.report(list[i].at, ruleLimit, "%d hours after the last message WhatsApp takes templates only: say a template, or make after shorter", cmp.Or(r.afterMs/hourMs, 24))
		}
	}
	if s.timeout != nil && c.flow.expireMs > 0 && s.timeout.afterMs >= c.flow.expireMs {
		c.report(s.at, ruleUnreachable, "the session has expired before the timeout: make after shorter, or expire longer")
	}
}
