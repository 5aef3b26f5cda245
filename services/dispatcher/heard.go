package dispatcher

import (
	"math"
	"time"
)

// Meta counts what comes in on a number and what goes out together (WIRE.md 3.3).
// What comes in is seen in the events, a moment later, and only what a flow heard: so
// a number's pace is the rate less what came in lately, and never less than half.
const (
	heardEvery = 500 * time.Millisecond
	// heardAge is how old an event may be that still says what comes in now.
	heardAge = 3 * time.Second
	// heardFades is what is left of a peak after heardEvery.
	heardFades = 0.8
	// sendLeast is the part of the rate that incoming messages never take.
	sendLeast = 0.5
)

// heard measures what comes in on a number.
type heard struct {
	count     int
	since     time.Time
	perSecond float64
}

// Heard counts messages that came in on a number.
func (d *Desk) Heard(now time.Time, channel string, n int) { d.channel(now, channel).heard.count += n }

// measure brings the rate up to date: a peak counts at once, and fades.
func (h *heard) measure(now time.Time) {
	past := now.Sub(h.since)
	if past < heardEvery {
		return
	}
	h.perSecond = max(float64(h.count)/past.Seconds(), h.perSecond*heardFades)
	if h.perSecond < 1 {
		h.perSecond = 0
	}
	h.count, h.since = 0, now
}

// left is what is left of a rate for sending.
func (h *heard) left(rate float64) float64 {
	return max(rate-math.Ceil(h.perSecond), rate*sendLeast)
}
