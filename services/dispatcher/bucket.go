package dispatcher

import (
	"math"
	"time"
)

// bucket keeps a rate with a little burst. In any second, wherever it begins, it
// lets at most the rate's messages through: what the burst may add is taken off the
// pace.
type bucket struct {
	// every is the pace; 0 lets nothing through. full is when the burst is whole again.
	every time.Duration
	burst int
	full  time.Time
}

// burst allows a twentieth of a second's messages at once: enough not to lose
// rate to the clock's grain.
func burst(perSecond float64) int { return 1 + int(perSecond/20) }

// set changes the rate. What comes with a higher one starts empty: the messages of
// the last second were sent by whoever had it before.
func (b *bucket) set(now time.Time, perSecond float64) {
	old := *b
	b.every, b.burst = 0, burst(perSecond)
	if perSecond > 0 {
		b.every = time.Duration(math.Ceil(float64(time.Second) / (perSecond - float64(b.burst-1))))
	}
	if b.every == old.every && b.burst == old.burst {
		return
	}
	wait := time.Duration(0)
	if old.every > 0 {
		wait = min(max(old.free().Sub(now), 0), b.every)
	}
	b.full = now.Add(wait + time.Duration(b.burst-1)*b.every)
}

// free is when the next message may go, if the rate is not zero.
func (b *bucket) free() time.Time { return b.full.Add(-time.Duration(b.burst-1) * b.every) }

// ready reports whether a message may go.
func (b *bucket) ready(now time.Time) bool { return b.every > 0 && !now.Before(b.free()) }

// take counts a message that goes.
func (b *bucket) take(now time.Time) { b.full = latest(b.full, now).Add(b.every) }

// wake is when ready may be true. A bucket without a rate never is: whoever gives
// it one wakes the desk.
func (b *bucket) wake(now time.Time) time.Time {
	const never = time.Hour
	if b.every == 0 {
		return now.Add(never)
	}
	return b.free()
}
