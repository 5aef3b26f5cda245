package store

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

const fence = `WITH cp AS (SELECT 1)`

const read = fence + ` SELECT * FROM cp`

var variable = "SELECT 1"

func good(ctx context.Context, conn *pgx.Conn, batch *pgx.Batch, u *url.URL) {
	const local = read + " LIMIT $1"
	_, _ = conn.Exec(ctx, "SELECT $1::text", u.Query().Get("name"))
	_, _ = conn.Query(ctx, read)
	conn.QueryRow(ctx, local, 1)
	batch.Queue(fence+` SELECT 1`, 1).QueryRow(func(pgx.Row) error { return nil })
}

func bad(ctx context.Context, conn *pgx.Conn, batch *pgx.Batch, name string) {
	_, _ = conn.Exec(ctx, "SELECT '"+name+"'") // bad
	_, _ = conn.Query(ctx, fmt.Sprintf("SELECT %q", name)) // bad
	conn.QueryRow(ctx, variable) // bad
	batch.Queue(strings.ToUpper(read)) // bad
	read := name
	_, _ = conn.Query(ctx, read) // bad
	run := func() {
		_, _ = conn.Exec(ctx, name) // bad
	}
	run()
}

func ReplaceCounts(ctx context.Context, tx pgx.Tx) {
	for _, table := range []string{"a", "b"} {
		_, _ = tx.Exec(ctx, `DELETE FROM `+table)
	}
}
