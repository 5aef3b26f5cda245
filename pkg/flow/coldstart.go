package flow

import (
	"fmt"
	"slices"
)

// coldStarts warns of flows that the API begins with free text. WhatsApp takes that only
// from a business that the person has written to in the last 24 hours (WIRE.md 3.4,
// 131047): whoever has not gets nothing.
func (c *compiler) coldStarts() {
	for _, e := range c.flow.entries {
		if e.kind != byAPI {
			continue
		}
		if says := c.firstFreeText(e.step); says != "" {
			c.warn(e.at, ruleWindow, "the API begins with %s, which says something without a template: who has not written for 24 hours will not get it. Give each message before the first answer a template; channels of WASenderApi need none", says)
		}
	}
}

// firstFreeText names the first step on any way from an entry, up to the first answer,
// that says something that needs an open window; empty if there is none.
func (c *compiler) firstFreeText(from target) string {
	begin := 0
	if from.kind == toStep {
		begin = from.step
	}
	seen, queue := map[int]bool{begin: true}, []int{begin}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		s := c.flow.steps[i]
		if needsWindow(s.say) {
			return fmt.Sprintf("step %q", s.name)
		}
		for _, e := range c.edges[i] {
			switch {
			case s.expect != nil && (!e.silent || e.label == "loop"): // the person has answered
			case e.to.kind == toCompleted && needsWindow(c.flow.completed.say):
				return "completed"
			case e.to.kind == toStep && !seen[e.to.step]:
				seen[e.to.step] = true
				queue = append(queue, e.to.step)
			}
		}
	}
	return ""
}

// needsWindow reports whether WhatsApp may refuse some of the messages outside of the
// window.
func needsWindow(say []bubble) bool {
	return slices.ContainsFunc(say, func(b bubble) bool { return b.template == nil && !b.typing })
}
