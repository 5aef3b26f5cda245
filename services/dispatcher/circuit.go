package dispatcher

import (
	"sync"
	"time"
)

const (
	// circuitFailures in a row close a host off, for circuitRest; then one call tries it.
	circuitFailures = 5
	circuitRest     = 10 * time.Second
)

// circuits keep calls from hosts that fail: each replica learns for itself.
type circuits struct {
	mu    sync.Mutex
	hosts map[string]*hostHealth
}

type hostHealth struct {
	failures int
	until    time.Time // no call before
}

func newCircuits() *circuits { return &circuits{hosts: map[string]*hostHealth{}} }

// closedFor is how long calls of a host should wait; 0 if they may go. Who is let
// through after a rest is alone until it is noted.
func (c *circuits) closedFor(host string, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[host]
	if h == nil || h.failures < circuitFailures {
		return 0
	}
	if wait := h.until.Sub(now); wait > 0 {
		return wait
	}
	h.until = now.Add(circuitRest)
	return 0
}

// note learns how a call of a host went. A host that answers is forgotten: it is the
// failing ones that are few.
func (c *circuits) note(host string, failed bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !failed {
		delete(c.hosts, host)
		return
	}
	h := c.hosts[host]
	if h == nil {
		h = &hostHealth{}
		c.hosts[host] = h
	}
	if h.failures++; h.failures >= circuitFailures {
		h.until = now.Add(circuitRest)
	}
}
