package dispatcher

import (
	"math"
	"time"
)

// bucket keeps a rate with a little burst. In any second, wherever it begins, the
// provider sees at most the rate's messages: what the burst may add is taken off the
// pace, and so is what way may.
type bucket struct {
	// every is the pace; 0 lets nothing through. full is when the burst is whole again.
	every time.Duration
	burst int
	full  time.Time
}

// way is how much longer one message may take than another from its turn to the
// provider: what left a second apart may arrive closer together by that.
const way = 50 * time.Millisecond

// burst allows a fortieth of a second's messages at once: enough not to lose rate to
// the clock's grain.
func burst(perSecond float64) int { return 1 + int(perSecond/40) }

// pace is the time between messages. Of a rate below one a second, what counts is
// the time in which one is allowed.
func pace(perSecond float64) time.Duration {
	if perSecond <= 0 {
		return 0
	}
	const rounding = 1e-3 // of a nanosecond, not to be rounded up to a whole one
	window := max(1, 1/perSecond)
	seconds := (window + way.Seconds()) / (perSecond*window - float64(burst(perSecond)-1))
	return time.Duration(math.Ceil(seconds*float64(time.Second) - rounding))
}

// set changes the rate. What comes with a higher one starts empty: the messages of
// the last second were sent by whoever had it before. What was sent before a time
// without a rate counts after it.
func (b *bucket) set(now time.Time, perSecond float64) {
	every, most := pace(perSecond), burst(perSecond)
	if every == b.every && most == b.burst {
		return
	}
	free := b.free()
	b.every, b.burst = every, most
	if every > 0 {
		free = now.Add(min(max(free.Sub(now), 0), every))
	}
	b.full = free.Add(time.Duration(most-1) * every)
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
