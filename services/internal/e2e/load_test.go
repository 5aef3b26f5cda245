//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// TestUpLoad is a busy business without faults, but with all that WhatsApp does.
func TestUpLoad(t *testing.T) {
	u := newUp(t)
	g := newLoad(t, people(u.webhook(), sized(size{150, 15 * time.Second}, size{500, 60 * time.Second})))
	u.start(t, environment(g.GraphURL())...)
	report := play(t, g)
	h := checkAll(t, open(t, u.database(t)), u.funnel(t), report.Counts.Messages)
	namesNobody(t, report, u.process)
	t.Logf("SUMMARY up_load: %s; %v", figures(report), h)
}

// funnel reads what the console says of the flow.
func (u *up) funnel(t *testing.T) func() store.Funnel {
	return func() store.Funnel { return get[store.Funnel](t, u.api()+"/funnels/lead") }
}

// TestRebuild folds everything again, and must get what the projector has counted.
func TestRebuild(t *testing.T) {
	u := newUp(t)
	g := newLoad(t, people(u.webhook(), sized(size{100, 5 * time.Second}, size{200, 30 * time.Second})))
	u.start(t, environment(g.GraphURL())...)
	report := play(t, g)
	db := open(t, u.database(t))
	checkAll(t, db, u.funnel(t), report.Counts.Messages)

	before := insight(t, db)
	if !strings.Contains(before, "lead") {
		t.Fatalf("there are no read models: %s", before)
	}
	count(t.Context(), t, db, `WITH x AS (UPDATE insight.funnel_step_counts SET entered = entered + 1 RETURNING 1) SELECT count(*) FROM x`)
	count(t.Context(), t, db, `WITH x AS (DELETE FROM insight.flow_total_counts RETURNING 1) SELECT count(*) FROM x`)
	if insight(t, db) == before {
		t.Fatal("the read models could not be spoilt")
	}
	began := time.Now()
	rebuild := start(t, u.dir+".rebuild.log", []string{"PARLEY_DATABASE_URL=" + u.database(t)}, "parley", "rebuild")
	if code := rebuild.wait(time.Minute); code != 0 {
		t.Fatalf("parley rebuild: exit code %d", code)
	}
	if after := insight(t, db); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	t.Logf("SUMMARY rebuild: %d rows are the same; it took %v; %s", strings.Count(before, "\n"), time.Since(began).Round(time.Millisecond), figures(report))
}

// insight dumps the read models.
func insight(t *testing.T, db *store.Store) string {
	t.Helper()
	var dump strings.Builder
	for _, table := range []string{"funnel_step_counts", "flow_total_counts", "silence_counts"} {
		rows := query[struct{ Row string }](t.Context(), t, db, `SELECT r::text FROM insight.`+table+` r ORDER BY 1`)
		for _, row := range rows {
			fmt.Fprintln(&dump, table, row.Row)
		}
	}
	return dump.String()
}
