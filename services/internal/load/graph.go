package load

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// earlyWait bounds how long the answer of the Graph API waits for its early receipt.
const earlyWait = time.Second

// accept is the fake Graph API: it notes the send before it answers, and plans the
// receipts. For an early receipt it answers only after Parley has taken that.
func (g *Generator) accept(ctx context.Context, s fake.Send) fake.Answer {
	wamid, early := g.hear(s, time.Now())
	if early == nil {
		return fake.Answer{WAMID: wamid}
	}
	timer := time.NewTimer(earlyWait)
	defer timer.Stop()
	select {
	case <-early.done:
		g.mu.Lock()
		g.counts.EarlyReceipts++
		g.mu.Unlock()
	case <-timer.C:
	case <-ctx.Done():
	}
	return fake.Answer{WAMID: wamid}
}

// hear notes what a contact hears. early is the POST to await before the answer.
func (g *Generator) hear(s fake.Send, now time.Time) (wamid string, early *post) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return "", nil
	}
	g.sends++
	wamid = fmt.Sprintf("wamid.out.%d.%d", g.config.Run, g.sends)
	c, fault := g.addressee(s)
	if fault != "" {
		g.misled = append(g.misled, Finding{Kind: Misaddressed, Contact: c.index, Got: fault})
	}
	if c == stranger {
		return wamid, nil
	}
	c.heard = append(c.heard, heard{at: now, text: s.Text, callback: s.Callback})
	if c.free(true) {
		g.release(c)
	}
	return wamid, g.planReceipts(c, wamid, s.Callback, now)
}

// stranger is the addressee of sends to nobody.
var stranger = &contact{index: -1}

// addressee finds who a send is for, and what is wrong with its address.
func (g *Generator) addressee(s fake.Send) (c *contact, fault string) {
	id := strings.TrimPrefix(s.To, "+")
	if s.To == "" {
		id = s.Recipient
	}
	c = g.byID[id]
	switch {
	case c == nil:
		return stranger, "nobody has this address"
	case g.config.Channels[c.channel] != s.Channel:
		return c, "sent from channel " + s.Channel
	case s.To != "" && id != c.person.Phone:
		return c, "`to` holds a BSUID"
	case s.To == "" && c.person.Phone != "":
		return c, "`recipient` used although the phone is known"
	}
	return c, ""
}

// planReceipts plans sent, delivered and read: now and then shuffled, doubled, or
// with the first one posted before the send is answered.
func (g *Generator) planReceipts(c *contact, wamid, callback string, now time.Time) (early *post) {
	statuses := []string{"sent", "delivered", "read"}
	if g.chance(0.1) {
		g.rng.Shuffle(len(statuses), func(i, j int) { statuses[i], statuses[j] = statuses[j], statuses[i] })
	}
	if g.chance(g.config.EarlyReceipts) {
		early = g.newPost(c.channel, []fake.Item{fake.Receipt(c.person, wamid, statuses[0], now, callback)}, nil)
		early.done = make(chan struct{})
		g.out = append(g.out, early)
		g.counts.Receipts++
		statuses = statuses[1:]
	}
	at := now
	for _, status := range statuses {
		at = at.Add(g.between(5*time.Millisecond, 300*time.Millisecond))
		g.planReceipt(c, wamid, status, callback, at)
		if g.chance(0.05) {
			g.planReceipt(c, wamid, status, callback, at.Add(g.between(0, soonMax)))
		}
	}
	g.hurry()
	return early
}

func (g *Generator) planReceipt(c *contact, wamid, status, callback string, at time.Time) {
	g.counts.Receipts++
	g.timers.add(at, func() {
		g.postLoose(c.channel, fake.Receipt(c.person, wamid, status, at, callback))
	})
}
