// Package lifecycle starts the parts of a program together and stops them in order: first no new work, then the work that was begun
// is finished, then a watchdog.
//
//	            ctx ends, or a part returns        drain                    5 s
//	intake ────────────────┤ cancelled
//	work   ──────────────────────────────────────────┤ cancelled
//	Run    ───────────────────────── returns as soon as all parts have ──────────┤ names who has not, and gives up
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// watchdog is how long a part may still run after its work was cancelled. The grace period of whoever kills the process in the end
// (30 s in Kubernetes) must be longer than the drain time and this together.
const watchdog = 5 * time.Second

// Part is one of the things that a program runs as long as it lives.
type Part struct {
	// Name names the part in errors.
	Name string
	// Run runs the part. When intake ends it takes nothing new, finishes what it has begun, and returns; when work ends it drops that
	// too. work is what the operations on a database or a peer run under. Returning, with an error or without, stops all other parts.
	Run func(intake, work context.Context) error
}

// Run runs the parts until ctx ends or one of them returns. Then intake is cancelled at once and work after the drain time, and Run
// returns when all parts have: their errors joined, without those that only say that they were cancelled. If parts still run five
// seconds after work was cancelled, Run returns without them; the error names them, and the process should exit.
func Run(ctx context.Context, drain time.Duration, parts ...Part) error {
	intake, stopIntake := context.WithCancel(ctx)
	defer stopIntake()
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()

	ends := launch(intake, work, parts)
	running := make([]bool, len(parts))
	for i := range running {
		running[i] = true
	}
	var errs []error
	var drained, overdue <-chan time.Time
	stopping := intake.Done()
	for slices.Contains(running, true) {
		select {
		case end := <-ends:
			running[end.part] = false
			if end.err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", parts[end.part].Name, end.err))
			}
			stopIntake()
		case <-stopping:
			stopping, drained = nil, time.After(drain)
		case <-drained:
			stopWork()
			overdue = time.After(watchdog)
		case <-overdue:
			return errors.Join(append(errs, stuck(parts, running))...)
		}
	}
	return errors.Join(errs...)
}

// end is how one part has ended. err is nil for a part that was cancelled as it should be.
type end struct {
	part int
	err  error
}

// launch starts each part in a goroutine of its own.
func launch(intake, work context.Context, parts []Part) <-chan end {
	ends := make(chan end, len(parts)) // room for all: a part that ends after the watchdog is not held by it
	for i, part := range parts {
		go func() {
			err := part.Run(intake, work)
			if intake.Err() != nil && errors.Is(err, context.Canceled) {
				err = nil
			}
			ends <- end{part: i, err: err}
		}()
	}
	return ends
}

// stuck is the watchdog's error.
func stuck(parts []Part, running []bool) error {
	var names []string
	for i, part := range parts {
		if running[i] {
			names = append(names, part.Name)
		}
	}
	return fmt.Errorf("still running %v after their work was cancelled: %s", watchdog, strings.Join(names, ", "))
}
