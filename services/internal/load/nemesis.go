package load

import (
	"strings"
	"time"
)

const (
	// killWindow is how long before a kill a send may have been accepted that
	// Parley could not record any more.
	killWindow = 1500 * time.Millisecond
	// killSlack is how long after a kill bytes that the process had written may
	// still arrive.
	killSlack = 100 * time.Millisecond
)

// Mark is something that the nemesis did.
type Mark struct {
	Kind string    `json:"kind"`
	At   time.Time `json:"at"`
}

func (g *Generator) mark(kind string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.marks = append(g.marks, Mark{kind, time.Now()})
}

// inFlight says whether a send accepted at this time may have been cut off by a kill.
func inFlight(marks []Mark, accepted time.Time) bool {
	for _, m := range marks {
		if strings.HasPrefix(m.Kind, "kill") && accepted.After(m.At.Add(-killWindow)) && accepted.Before(m.At.Add(killSlack)) {
			return true
		}
	}
	return false
}

// inWindow says whether a time lies in the window after any mark.
func inWindow(marks []Mark, window time.Duration, at time.Time) bool {
	for _, m := range marks {
		if !at.Before(m.At) && at.Before(m.At.Add(window)) {
			return true
		}
	}
	return false
}
