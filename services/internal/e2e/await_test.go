package e2e

import (
	"errors"
	"testing"
	"time"
)

const (
	poll = 20 * time.Millisecond
	// patience bounds what has no limit of its own: only a failing test waits so long.
	patience = 30 * time.Second
)

var errNotYet = errors.New("not yet")

// await asks again and again until the condition is true, which its nil error
// says, and returns how long that took.
func await(t *testing.T, limit time.Duration, what string, condition func() error) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		<-tick.C
	}
}
