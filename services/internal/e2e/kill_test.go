//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// pause waits, and reports false if the load has ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// TestUpKill9 kills everything at once, again and again, in the middle of the load.
func TestUpKill9(t *testing.T) {
	const between = 5 * time.Second
	kills := 4
	if *long {
		kills = 12
	}
	u := newUp(t)
	c := people(u.webhook(), sized(size{80, 30 * time.Second}, size{200, 90 * time.Second}))
	c.TolerateInFlightDoubles, c.NemesisWindow = true, between
	c.Settle, c.QuietTimeout = grace()+3*time.Second, 2*time.Minute
	killed, slowest := 0, time.Duration(0)
	c.Nemesis = func(ctx context.Context, mark func(string)) {
		for ; killed < kills && pause(ctx, between); killed++ {
			mark("kill up")
			u.kill()
			began := time.Now()
			u.start(t)
			slowest = max(slowest, time.Since(began))
		}
	}
	g := newLoad(t, c)
	u.start(t, environment(g.GraphURL(), "PARLEY_SEND_GRACE="+grace().String())...)
	report := play(t, g)
	if killed < kills {
		t.Errorf("only %d kills of %d fell into the load", killed, kills)
	}
	db := open(t, u.database(t))
	h := checkAll(t, db, u.funnel(t), report.Counts.Messages)
	ambiguous := checkAmbiguous(t, u.api())
	namesNobody(t, report, u.process)
	t.Logf("SUMMARY up_kill9: %d kills, ready again after at most %v, %d ambiguous sends, all settled; %s; %v",
		killed, slowest.Round(time.Millisecond), ambiguous, figures(report), h)
}

// checkAmbiguous fails unless each send whose outcome was unknown has a cause and
// is settled. There must be some: else nothing was cut off.
func checkAmbiguous(t *testing.T, api string) int {
	t.Helper()
	list := get[[]store.AmbiguousView](t, api+"/ambiguous?limit=1000")
	if len(list) == 0 {
		t.Error("no send was ambiguous: the kills have not hit anything")
	}
	for _, a := range list {
		if a.Cause == "" || a.SettledBy == "" || a.SettledAt == nil || a.State != store.DeliveryAccepted {
			t.Errorf("ambiguous send: %+v", a)
		}
	}
	return len(list)
}
