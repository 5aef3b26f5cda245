package ingress

import (
	"sync"
	"time"
)

// Limits of the wait for a session's answer. WhatsApp waits 10 s (WIRE.md 4.3).
const (
	// answerBudget is how long an open form waits, from its request on.
	answerBudget = 3 * time.Second
	// shortBudget is how long it waits while sessions do not answer.
	shortBudget = 200 * time.Millisecond
	// missesMax is after how many missing answers in a row waits are short.
	missesMax = 8
	// tryEvery is after how many more of them one waits in full: sessions that answer, but
	// not that soon, are noticed.
	tryEvery = 16
	// waitersMax bounds the requests that wait. More are shown the received screen at once.
	waitersMax = 1024
)

// patience bounds the waits: while sessions or their database are away, requests must
// not pile up. Every exchange is stored before it waits, so that nothing is lost.
type patience struct {
	mu      sync.Mutex
	misses  int
	waiting int
	// trying says that while waits are short somebody waits in full.
	trying bool
}

// begin says how long a request may wait; 0 if too many wait already. Else end follows.
func (p *patience) begin() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting >= waitersMax {
		return 0
	}
	p.waiting++
	if p.misses >= missesMax {
		if p.trying || p.misses%tryEvery != 0 {
			return shortBudget
		}
		p.trying = true
	}
	return answerBudget
}

// end notes whether the answer came within what begin said. One that did ends the short
// waits.
func (p *patience) end(budget time.Duration, came bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
	if budget == answerBudget {
		p.trying = false
	}
	if p.misses++; came {
		p.misses = 0
	}
}
