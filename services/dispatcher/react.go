package dispatcher

import (
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// answered notes that the provider took a message, or refused it for a reason that
// concerns nothing but the message.
func (d *Desk) answered(job Job) {
	c := d.channels[job.Channel]
	if c == nil || d.busy[job.Key] == nil {
		return
	}
	for _, g := range c.gates() {
		g.answered(job.Key)
	}
}

// react slows down what a refusal names (WIRE.md 3.4), and returns when the message
// may be sent again, should it be.
func (d *Desk) react(now time.Time, job Job, refused *meta.SendError) time.Time {
	again := now.Add(max(growing(retryMin, job.Attempts, retryMax), refused.RetryAfter))
	c := d.channels[job.Channel]
	if c == nil {
		return again
	}
	switch refused.Class {
	case meta.RetryNumber, meta.RestNumber, meta.StopNumber:
		return d.shut(now, c.number, refused)
	case meta.RetryAccount, meta.StopAccount:
		return d.shut(now, c.account, refused)
	case meta.RetryApp:
		return d.shut(now, c.app, refused)
	case meta.RetryPair:
		again = now.Add(max(pairWait(job.Attempts), refused.RetryAfter))
	case meta.ParkTemplate, meta.StopTemplates, meta.ParkForm:
		if refused.Status != 0 { // else it is parked already, and nobody was asked
			d.park(now, job, refused)
		}
	}
	switch {
	case unanswered(refused):
		d.unanswered(now, c, job, refused)
	case refused.Status != 0:
		d.answered(job)
	}
	return again
}

func (d *Desk) shut(now time.Time, g *gate, refused *meta.SendError) time.Time {
	g.shut(now, pauses[refused.Class], refused, d.jitter())
	return g.until
}

// unanswered reports whether the provider could not answer: no connection, a
// timeout, a cut, or any 5xx that blames nothing else.
func unanswered(refused *meta.SendError) bool {
	return refused.Class == meta.Ambiguous || refused.Status >= 500 || refused.Class == meta.Retry && refused.Status == 0
}

// unanswered counts towards shutting the number's gate: its circuit.
func (d *Desk) unanswered(now time.Time, c *channel, job Job, refused *meta.SendError) {
	c.number.broken++
	if c.number.broken >= circuitAfter || c.number.trial == job.Key {
		c.number.shut(now, circuitPause, refused, d.jitter())
	}
}

func (d *Desk) jitter() float64 {
	if d.limits.Jitter == nil {
		return 0
	}
	return d.limits.Jitter()
}
