package lifecycle

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// until is a part that returns err once the context that choose picks has ended.
func until(name string, choose func(intake, work context.Context) context.Context, err error) Part {
	return Part{Name: name, Run: func(intake, work context.Context) error {
		<-choose(intake, work).Done()
		return err
	}}
}

func intakeOnly(intake, _ context.Context) context.Context { return intake }
func workOnly(_, work context.Context) context.Context     { return work }

func TestWorkIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, stop)
		finished := false
		began := time.Now()
		err := Run(ctx, 10*time.Second, until("a", intakeOnly, context.Canceled), Part{Name: "b", Run: func(intake, work context.Context) error {
			<-intake.Done()
			select {
			case <-time.After(3 * time.Second): // what was begun takes 3 s more
				finished = true
			case <-work.Done():
			}
			return nil
		}})
		if err != nil || !finished || time.Since(began) != time.Minute+3*time.Second {
			t.Errorf("err %v, finished %v, after %v", err, finished, time.Since(began))
		}
	})
}

func TestWorkIsCancelledAfterTheDrainTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		began := time.Now()
		if err := Run(ctx, 10*time.Second, until("slow", workOnly, context.Canceled)); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("work ended after %v, want 10s", took)
		}
	})
}

func TestFirstPartThatReturnsStopsAll(t *testing.T) {
	lost, late := errors.New("connection lost"), errors.New("checkpoint failed")
	for name, first := range map[string]error{"with an error": lost, "without": nil, "cancelled by itself": context.Canceled} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := Run(t.Context(), time.Second,
					Part{Name: "first", Run: func(context.Context, context.Context) error { return first }},
					until("other", intakeOnly, late))
				if first != nil && (!errors.Is(err, first) || !strings.Contains(err.Error(), "first: "+first.Error())) {
					t.Errorf("the first error is missing: %v", err)
				}
				if !errors.Is(err, late) {
					t.Errorf("the later error is missing: %v", err)
				}
			})
		})
	}
}

func TestWatchdogNamesWhoDoesNotStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		release := make(chan struct{})
		began := time.Now()
		err := Run(ctx, time.Second, until("good", intakeOnly, nil), Part{Name: "deaf", Run: func(context.Context, context.Context) error {
			<-release
			return nil
		}})
		close(release)
		if err == nil || !strings.HasSuffix(err.Error(), ": deaf") {
			t.Errorf("error: %v", err)
		}
		if took := time.Since(began); took != time.Second+watchdog {
			t.Errorf("gave up after %v", took)
		}
	})
}

func TestNothingToRun(t *testing.T) {
	if err := Run(t.Context(), time.Second); err != nil {
		t.Error(err)
	}
}
