package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/store"
)

// open connects to a database of the system under test.
func open(t *testing.T, url string) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), url, 2, "parley-e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// query reads rows into structs, column by column.
func query[T any](ctx context.Context, t *testing.T, db *store.Store, sql string, args ...any) []T {
	t.Helper()
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// count reads one number.
func count(ctx context.Context, t *testing.T, db *store.Store, sql string, args ...any) int {
	t.Helper()
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// settleMax is how long receipts and read models may take after the last reply.
const settleMax = time.Minute

// checkAll waits until nothing moves any more, and then looks at everything that
// must be true after a load. messages is how many different ones were posted.
func checkAll(t *testing.T, db *store.Store, funnel func() store.Funnel, messages int) *history {
	t.Helper()
	ctx := t.Context()
	await(t, settleMax, "deliveries are read, and all events applied", func() error { return settled(ctx, t, db) })
	h := readHistory(ctx, t, db)
	h.checkInputs(ctx, t, db)
	h.checkSessions(ctx, t, db)
	h.checkDeliveries(ctx, t, db)
	h.checkFunnel(ctx, t, db, funnel())
	if inbox := count(ctx, t, db, `SELECT count(*) FROM inbox`); inbox != messages {
		t.Errorf("%d messages were acknowledged, %d took effect", messages, inbox)
	}
	if dead := count(ctx, t, db, `SELECT count(*) FROM dead_letters`); dead > 0 {
		t.Errorf("%d dead letters", dead)
	}
	if orphans := count(ctx, t, db, `SELECT count(*) FROM orphan_receipts`); orphans > 0 {
		t.Errorf("%d receipts of no message", orphans)
	}
	return h
}

// settled says what still moves.
func settled(ctx context.Context, t *testing.T, db *store.Store) error {
	open := count(ctx, t, db, `SELECT count(*) FROM deliveries WHERE state NOT IN ('accepted', 'failed') OR receipt <> 'read'`)
	behind := count(ctx, t, db, `
		SELECT COALESCE(sum(h.head - l.checkpoint), 0)::int FROM leases l JOIN leases h ON h.service = 'session' AND h.shard = l.shard
		 WHERE l.service IN ('dispatcher', 'projector')`)
	if open > 0 || behind > 0 {
		return fmt.Errorf("%d deliveries are open or unread, services are %d events behind", open, behind)
	}
	return nil
}
