//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/services/internal/load"
)

// TestPostgresOutage takes PostgreSQL away for a while: webhooks are taken as
// before, and what has gathered is worked off in order afterwards.
func TestPostgresOutage(t *testing.T) {
	t.Run("stopped", func(t *testing.T) { outage(t, (*postgres).stop) })
	t.Run("killed", func(t *testing.T) { outage(t, (*postgres).crash) })
}

func outage(t *testing.T, end func(*postgres, *testing.T)) {
	const before = 5 * time.Second
	s, away := sized(size{80, 22 * time.Second}, size{200, 45 * time.Second}), 8*time.Second
	if *long {
		away = 20 * time.Second
	}
	u, db := newUp(t), startPostgres(t)
	c := people(u.webhook(), s)
	c.Contacts = int(s.rate * s.duration.Seconds()) // who waits for a reply says nothing
	c.NemesisWindow, c.Settle, c.QuietTimeout = away, grace()+3*time.Second, 2*time.Minute
	var g *load.Generator
	var after drain
	c.Nemesis = func(ctx context.Context, mark func(string)) {
		if !pause(ctx, before) {
			return
		}
		mark("PostgreSQL ended")
		end(db, t)
		pause(ctx, away)
		db.start(t)
		mark("PostgreSQL started")
		after = awaitDrained(t, g, s, away)
	}
	g = newLoad(t, c)
	u.start(t, environment(g.GraphURL(), "PARLEY_DATABASE_URL="+db.server.DSN(), "PARLEY_SEND_GRACE="+grace().String())...)
	report := play(t, g)
	if n := total(report.Counts.Retries); n > 0 {
		t.Errorf("%d webhooks were not answered 200: %v", n, report.Counts.Retries)
	}
	if least := int(s.rate * away.Seconds() / 2); after.backlog < least {
		t.Errorf("only %d messages gathered, fewer than %d", after.backlog, least)
	}
	inside := report.InWindows.AckFromSend
	if *long && inside.P99 > 100 {
		t.Errorf("webhooks were answered within %.1f ms (p99)", inside.P99)
	}
	h := checkAll(t, open(t, db.server.DSN()), u.funnel(t), report.Counts.Messages)
	namesNobody(t, report, u.process)
	t.Logf("SUMMARY pg_outage: %v without PostgreSQL, 200 within it p50 %.1f p99 %.1f max %.1f ms; %v; %s; %v",
		away, inside.P50, inside.P99, inside.Max, after, figures(report), h)
}

// drain is how what has gathered was worked off.
type drain struct {
	backlog int // messages without a reply when PostgreSQL was back
	took    time.Duration
	rate    float64 // replies a second
}

func (d drain) String() string {
	return fmt.Sprintf("backlog %d, worked off in %v at %.0f replies/s", d.backlog, d.took.Round(time.Millisecond), d.rate)
}

// awaitDrained waits until the replies have caught up with the messages, which keep
// coming: the backlog is worked off faster than it came.
func awaitDrained(t *testing.T, g *load.Generator, s size, limit time.Duration) drain {
	t.Helper()
	at := g.Progress()
	took := await(t, limit, "the backlog is worked off while more comes", func() error {
		if waiting := g.Progress().Unanswered; waiting > int(s.rate)/2 {
			return fmt.Errorf("%d messages wait for their reply", waiting)
		}
		return nil
	})
	return drain{backlog: at.Unanswered, took: took, rate: float64(g.Progress().Replies-at.Replies) / took.Seconds()}
}

// TestOwnPostgresDies kills the PostgreSQL that up has started, in the middle of
// the load: up starts it again, and takes webhooks meanwhile.
func TestOwnPostgresDies(t *testing.T) {
	kills := 2
	if *long {
		kills = 6
	}
	u := newUp(t)
	c := people(u.webhook(), sized(size{80, 20 * time.Second}, size{200, 60 * time.Second}))
	c.NemesisWindow, c.Settle, c.QuietTimeout = 4*time.Second, grace()+3*time.Second, 2*time.Minute
	killed, slowest := 0, time.Duration(0)
	c.Nemesis = func(ctx context.Context, mark func(string)) {
		for ; killed < kills && pause(ctx, 4*time.Second); killed++ {
			mark("PostgreSQL killed")
			killPostmaster(t, filepath.Join(u.dir, "postgres"))
			slowest = max(slowest, await(t, patience, "up has started PostgreSQL again", func() error {
				if strings.Count(u.said(), "PostgreSQL is back") <= killed {
					return errNotYet
				}
				return nil
			}))
		}
	}
	g := newLoad(t, c)
	u.start(t, environment(g.GraphURL(), "PARLEY_SEND_GRACE="+grace().String())...)
	report := play(t, g)
	if killed < kills {
		t.Errorf("only %d kills of %d fell into the load", killed, kills)
	}
	if n := total(report.Counts.Retries); n > 0 {
		t.Errorf("%d webhooks were not answered 200: %v", n, report.Counts.Retries)
	}
	h := checkAll(t, open(t, u.database(t)), u.funnel(t), report.Counts.Messages)
	namesNobody(t, report, u.process)
	inside := report.InWindows.AckFromSend
	t.Logf("SUMMARY own_pg_dies: PostgreSQL killed %d times, back after at most %v, 200 within it p50 %.1f p99 %.1f max %.1f ms; %s; %v",
		killed, slowest.Round(time.Millisecond), inside.P50, inside.P99, inside.Max, figures(report), h)
}
