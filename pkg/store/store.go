package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store is a pool of connections to Parley's database. Its methods are safe for
// concurrent use.
type Store struct {
	pool *pgxpool.Pool
}

// Limits on what one statement may cost the others: a lock is waited for
// briefly, a statement that hangs is ended.
const (
	lockTimeout      = 2 * time.Second
	statementTimeout = 15 * time.Second
	connectTimeout   = 5 * time.Second
	// connLifetime bounds how long a pooled connection can outlive a failover:
	// a demoted primary keeps its old connections "healthy" and read-only.
	connLifetime = 5 * time.Minute
)

// Open prepares a pool of at most maxConns connections. It does not wait for
// the database: the first query does.
func Open(ctx context.Context, dsn string, maxConns int, application string) (*Store, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database url: %w", err)
	}
	config.MaxConns = int32(maxConns)
	config.MaxConnLifetime = connLifetime
	config.ConnConfig.ConnectTimeout = connectTimeout
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = application
	params["lock_timeout"] = milliseconds(lockTimeout)
	params["statement_timeout"] = milliseconds(statementTimeout)
	params["timezone"] = "UTC"
	// Every hot statement looks up a few rows by key. The planner cannot know
	// that: it plans them once per connection, often while the tables are still
	// empty, and a plan that reads a whole table stays in use while it grows.
	for _, path := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
		params[path] = "off"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database pool: %w", err)
	}
	return &Store{pool: pool}, nil
}

// Close ends every connection.
func (s *Store) Close() { s.pool.Close() }

// Ping asks the database for an answer.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Query runs a read-only query for the console's API.
func (s *Store) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return s.pool.Query(ctx, sql, args...)
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
