package load

import (
	"context"
	"time"
)

const (
	idleLook     = time.Second          // how long the pump sleeps at most
	doubleGapMax = 5 * time.Millisecond // between the two messages of a double
	batchMax     = 5                    // contacts whose messages share a POST
)

// pump hands the workers what is due, when it is due.
func (g *Generator) pump(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		posts, again := g.due(time.Now())
		for _, p := range posts {
			select {
			case g.jobs <- p:
			case <-ctx.Done():
				return
			}
		}
		timer.Reset(time.Until(again))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-g.wake:
		}
	}
}

// hurry makes the pump look again.
func (g *Generator) hurry() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// due returns what is to be posted now, and when to ask again.
func (g *Generator) due(now time.Time) (posts []*post, again time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.timers.run(now)
	again = now.Add(idleLook)
	for g.nextAt.Before(g.end) && now.Before(g.end.Add(rateGrace)) { // what is late then stays unsaid
		if g.nextAt.After(now) {
			again = g.nextAt
			break
		}
		if !g.launch() {
			break // release wakes the pump
		}
	}
	if len(g.timers) > 0 && g.timers[0].at.Before(again) {
		again = g.timers[0].at
	}
	posts, g.out = g.out, nil
	return posts, again
}

// advance moves the schedule on by n messages. Each has a slot of 1/Rate seconds
// and comes at a random moment in it.
func (g *Generator) advance(n int) {
	g.slot += n
	at := (float64(g.slot) + g.rng.Float64()) / g.config.Rate
	g.nextAt = g.start.Add(time.Duration(at * float64(time.Second)))
}

// launch lets one or several contacts say what is scheduled now. It reports false
// if none of them is free: then the message is late, but keeps its time.
func (g *Generator) launch() bool {
	channel := g.rng.IntN(len(g.idle))
	for i := 0; len(g.idle[channel]) == 0; i++ {
		if i == len(g.idle) {
			return false
		}
		channel = (channel + 1) % len(g.idle)
	}
	scheduled, planned := g.nextAt, 1
	said := []*message{g.takeIdle(channel).speak(g.config.Run, scheduled)}
	switch chance := g.rng.Float64(); {
	case chance < g.config.DoubleMessages:
		said, planned = g.double(said[0])
	case chance < g.config.DoubleMessages+g.config.Batched:
		said = g.batch(channel, said)
		planned = len(said)
	}
	g.advance(planned)
	g.say(channel, said)
	return true
}

// takeIdle takes a random contact off the list of the idle, which must not be empty.
func (g *Generator) takeIdle(channel int) *contact {
	list := g.idle[channel]
	i, last := g.rng.IntN(len(list)), len(list)-1
	c := list[i]
	list[i] = list[last]
	g.idle[channel] = list[:last]
	c.ready = false
	return c
}

// release lists the contact as free to speak.
func (g *Generator) release(c *contact) {
	if c.ready {
		return
	}
	c.ready = true
	g.idle[c.channel] = append(g.idle[c.channel], c)
	if !g.start.IsZero() && g.nextAt.Before(time.Now()) {
		g.hurry()
	}
}

// double lets the contact say a second thing: in the same POST, or in a second one
// that leaves a few milliseconds after the first was answered 200.
func (g *Generator) double(first *message) (said []*message, planned int) {
	second := first.contact.speak(g.config.Run, first.scheduled)
	g.counts.DoubleMessages++
	if g.rng.IntN(2) == 0 {
		return []*message{first, second}, 2
	}
	first.contact.second = second
	return []*message{first}, 2
}

// batch adds messages of other contacts of the channel, and sometimes a second one
// of the same contact.
func (g *Generator) batch(channel int, said []*message) []*message {
	for range 1 + g.rng.IntN(batchMax-1) {
		if len(g.idle[channel]) == 0 {
			break
		}
		said = append(said, g.takeIdle(channel).speak(g.config.Run, said[0].scheduled))
	}
	if g.chance(0.3) {
		c := said[g.rng.IntN(len(said))].contact
		said = append(said, c.speak(g.config.Run, said[0].scheduled))
		g.counts.DoubleMessages++
	}
	return said
}

// say posts messages of one channel that were never posted before.
func (g *Generator) say(channel int, said []*message) {
	p := g.newPost(channel, g.withRiders(channel, said), said)
	for _, m := range said {
		m.contact.said = append(m.contact.said, m)
	}
	g.counts.Messages += len(said)
	g.out = append(g.out, p)
	if g.chance(g.config.Duplicates / 2) {
		g.repeatAtOnce(p)
	}
}

func (g *Generator) chance(share float64) bool { return g.rng.Float64() < share }

// between is a random duration of at least from and less than to.
func (g *Generator) between(from, to time.Duration) time.Duration {
	return from + time.Duration(g.rng.Float64()*float64(to-from))
}
