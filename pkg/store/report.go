package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// reportTimeout is what a query that people wait for may take.
const reportTimeout = 5 * time.Minute

// report runs queries that read much of a table, for people: the planner may do
// what it forbids to the hot statements (see [Open]), and they have more time. The
// transaction sees one state of the database, and keeps what is deleted meanwhile
// from being swept: it must be short.
func (s *Store) report(ctx context.Context, read func(tx pgx.Tx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT set_config(name, 'on', true) FROM unnest(ARRAY['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin']) name
			UNION ALL SELECT set_config('work_mem', '32MB', true) UNION ALL SELECT set_config('statement_timeout', $1, true)`,
			milliseconds(reportTimeout))
		if err != nil {
			return err
		}
		return read(tx)
	})
}
