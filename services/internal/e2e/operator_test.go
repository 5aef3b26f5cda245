//go:build e2e

package e2e

import "testing"

const askFlow = `name: lead
language: en
steps:
  - {name: city, say: "Which city?", expect: {type: text, save: city}}
  - {name: month, say: "When, for {city}?", expect: {type: text, save: month}}
completed: {say: "{city} in {month}", again: Done.}
`

// TestUpOperator: a person of the business takes a conversation with the command line,
// writes, and gives it back; everything is killed in between. What is repeated with the
// same key is said once.
func TestUpOperator(t *testing.T) {
	g, u := newGraph(t), newUp(t)
	dir := folder(t)
	write(t, dir, "lead.yaml", askFlow)
	u.start(t, environment(g.url, "PARLEY_FLOWS_DIR="+dir)...)
	says(t, u, ann, "hi")
	g.next(t, ann, "Which city?")
	u.sent(t)
	saysAll(t, u.tool(t, 0, "session", "say", ann.Phone, "Bo here.", "--by", "Bo", "--key", "k1"), "in the lane")
	g.next(t, ann, "Bo here.")
	u.sent(t)
	u.kill()
	u.start(t)
	u.tool(t, 0, "session", "say", ann.Phone, "Bo here.", "--by", "Bo", "--key", "k1")
	says(t, u, ann, "Is anybody there?") // the bot is silent
	saysAll(t, u.tool(t, 0, "session", "show", ann.Phone), "human", "city")
	saysAll(t, u.tool(t, 1, "session", "move", ann.Phone, "nowhere", "--by", "Bo"), `no step "nowhere"`)
	u.tool(t, 0, "session", "give-back", ann.Phone, "--by", "Bo", "--reason", "all said")
	g.next(t, ann, "Which city?")
	says(t, u, ann, "Ulm")
	g.next(t, ann, "When, for Ulm?")
	u.tool(t, 0, "session", "set", ann.Phone, "city", "Bonn", "--by", "Bo")
	u.tool(t, 0, "session", "move", ann.Phone, "month", "--by", "Bo")
	g.next(t, ann, "When, for Bonn?")
	u.logged(t, ann, 3, "Bo here.")
}
