package load

import (
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const (
	atOnceMax = 3 * time.Millisecond // a duplicate "at once" races with the first
	soonMax   = 200 * time.Millisecond
	ridePause = 50 * time.Millisecond // an update waits for company at most so long
)

// repeatAtOnce posts the same bytes a second time, beside the first or right
// behind it. Messages of one contact keep their order in it, so that the order of
// first acceptance stays defined.
func (g *Generator) repeatAtOnce(p *post) {
	g.unfinished++
	again := &post{body: p.body, signature: p.signature, updates: p.updates, copyOf: p}
	g.counts.Duplicates += len(p.fresh)
	if g.chance(0.5) {
		g.out = append(g.out, again)
		return
	}
	g.timers.add(time.Now().Add(g.between(0, atOnceMax)), func() { g.out = append(g.out, again) })
}

// repeatLater posts a message that was answered 200 again: soon, or when nobody
// remembers it, and in another company than the first time.
func (g *Generator) repeatLater(m *message, now time.Time) {
	g.counts.Duplicates++
	latest := soonMax
	if g.chance(0.5) {
		latest = g.config.DuplicateDelay
	}
	g.timers.add(now.Add(g.between(0, latest)), func() { g.postLoose(m.contact.channel, m.item()) })
	g.hurry()
}

// postLoose posts an update whose place in the order does not matter: a receipt or
// a late duplicate. Some wait to ride with the next POST of the channel.
func (g *Generator) postLoose(channel int, item fake.Item) {
	if !g.chance(g.config.Batched) {
		g.out = append(g.out, g.newPost(channel, append(g.takeRiders(channel), item), nil))
		return
	}
	g.riders[channel] = append(g.riders[channel], item)
	g.timers.add(time.Now().Add(ridePause), func() {
		if items := g.takeRiders(channel); len(items) > 0 {
			g.out = append(g.out, g.newPost(channel, items, nil))
		}
	})
}

func (g *Generator) takeRiders(channel int) []fake.Item {
	items := g.riders[channel]
	g.riders[channel] = nil
	return items
}

// withRiders puts the waiting updates before or behind the messages.
func (g *Generator) withRiders(channel int, said []*message) []fake.Item {
	riders := g.takeRiders(channel)
	items := make([]fake.Item, 0, len(said)+len(riders))
	for _, m := range said {
		items = append(items, m.item())
	}
	if g.chance(0.5) {
		return append(items, riders...)
	}
	return append(riders, items...)
}
