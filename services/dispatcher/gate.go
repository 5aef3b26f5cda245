package dispatcher

import (
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// gate lets sends of a number, an account or an app through, or not. It shuts when
// the provider says so, or does not answer any more. After a while one send may try:
// if it is answered, the gate is open again, else it is shut for longer.
//
//	      told to wait, or no answer circuitAfter times
//	open ──────────────────────────────────────────────▶ shut
//	  ▲                                                  │  ▲
//	  └──────────────── answered ──── one send tries ◀───┘  │
//	                                        └── no good ────┘
type gate struct {
	// row counts the times in a row that it was shut; 0 is open.
	row int
	// since is when the row began, until when a send may try.
	since, until time.Time
	// trial is the send that tries; its Offset is 0 if there is none.
	trial store.DeliveryKey
	// broken counts sends in a row that had no answer of the provider.
	broken int
	class  meta.Class
	code   int
	// adopted says that another replica has found it out.
	adopted bool
}

// open reports whether a send may go.
func (g *gate) open(now time.Time) bool {
	return g.row == 0 || !now.Before(g.until) && g.trial.Offset == 0
}

// wake is when a send may go; ok is false if that is not a matter of time.
func (g *gate) wake() (at time.Time, ok bool) {
	if g.row == 0 {
		return time.Time{}, true
	}
	return g.until, g.trial.Offset == 0
}

// enter notes a send that goes.
func (g *gate) enter(key store.DeliveryKey) {
	if g.row > 0 {
		g.trial = key
	}
}

// leave notes that a send is over, whatever came of it.
func (g *gate) leave(key store.DeliveryKey) {
	if g.trial == key {
		g.trial = store.DeliveryKey{}
	}
}

// answered notes that the provider had nothing against the gate. Only the send
// that tried opens it: others were on their way before it was shut.
func (g *gate) answered(key store.DeliveryKey) {
	g.broken = 0
	if g.row > 0 && g.trial == key {
		*g = gate{}
	}
}

// shut closes the gate for the wait of a pause that grows. What was on its way when
// it was shut already, and comes back with the same, does not make it grow.
func (g *gate) shut(now time.Time, p pause, refused *meta.SendError, jitter float64) {
	if g.row == 0 {
		g.since = now
	}
	if g.row == 0 || !now.Before(g.until) {
		g.row++
	}
	g.broken, g.class, g.code, g.adopted = 0, refused.Class, refused.Code, false
	wait := growing(p.first, g.row-1, p.most)
	wait += time.Duration(float64(wait) * jitterMost * jitter)
	g.until = latest(g.until, now.Add(max(wait, refused.RetryAfter)))
}

// pause is how long a gate is shut: first, doubled each time up to most.
type pause struct{ first, most time.Duration }
