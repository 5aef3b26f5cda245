//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/store"
)

// fencedLine is what a replica logs whose commit came too late.
const fencedLine = "fenced: another replica owns the shard now"

// TestSigstop stops a session process between reading and committing a batch, for
// twice the lease time. When it wakes up it commits what it has decided, on shards
// that others own by now.
func TestSigstop(t *testing.T) {
	run := newCluster(t, leaseTime(), map[string]int{"ingress": 1, "session": 2, "dispatcher": 1, "projector": 1, "console": 1})
	c := people(run.replicas["ingress"][0].url()+"/webhooks/meta", sized(size{80, 25 * time.Second}, size{200, 60 * time.Second}))
	c.QuietTimeout = 2 * time.Minute
	zombie, heir := run.replicas["session"][0], run.replicas["session"][1]
	var db *store.Store
	fenced, stops := 0, 2
	c.Nemesis = func(ctx context.Context, mark func(string)) {
		for range stops {
			if !pause(ctx, 2*time.Second) {
				return
			}
			freezeInBatch(t, db, run.database.server.DSN(), zombie)
			mark("session stopped")
			pause(t.Context(), 2*run.lease)
			run.awaitShares(t, db, 0, map[*replica]int{heir: run.shards})
			before := strings.Count(zombie.said(), fencedLine)
			zombie.signal(syscall.SIGCONT)
			mark("session continued")
			await(t, patience, "the late commit is fenced", func() error {
				if strings.Count(zombie.said(), fencedLine) == before {
					return errNotYet
				}
				return nil
			})
			fenced++
			run.awaitShares(t, db, patience, map[*replica]int{zombie: run.shards / 2, heir: run.shards / 2})
		}
	}
	g := newLoad(t, c)
	run.start(t, g.GraphURL())
	db = open(t, run.database.server.DSN())
	run.awaitShares(t, db, patience, map[*replica]int{zombie: run.shards / 2, heir: run.shards / 2})

	report := play(t, g)
	if fenced != stops {
		t.Errorf("only %d of %d stops fell into the load", fenced, stops)
	}
	h := checkAll(t, db, run.funnel(t), report.Counts.Messages)
	namesNobody(t, report, run.processes()...)
	t.Logf("SUMMARY sigstop: %d times stopped for %v within a batch, %d late commits fenced; %s; %v", stops, 2*run.lease, fenced, figures(report), h)
}

// freezeInBatch stops the process while it waits for the answer to the question
// with which each batch begins, which a lock on the inbox holds back.
func freezeInBatch(t *testing.T, db *store.Store, url string, r *replica) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	tx, err := conn.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, `LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE`)
	}
	if err != nil {
		t.Fatal(err)
	}
	await(t, patience, "both session processes wait in a batch", func() error {
		waiting := count(ctx, t, db, `
			SELECT count(*) FROM pg_stat_activity
			 WHERE application_name = 'parley-session' AND wait_event_type = 'Lock' AND query LIKE '%FROM inbox%'`)
		if waiting != 2 {
			return fmt.Errorf("%d wait", waiting)
		}
		return nil
	})
	r.signal(syscall.SIGSTOP)
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
}
