package devpg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	database = "parley"
	// readyPoll is how often a connection is tried while PostgreSQL starts.
	readyPoll = 20 * time.Millisecond
	// readySlow is after how long the start is worth a word: there is a log to replay.
	readySlow = 2 * time.Second
)

// open waits until PostgreSQL accepts connections, and creates the database if it is missing.
func (s *Server) open(ctx context.Context, h *home, progress func(string)) error {
	conn, err := s.connect(ctx, dsn(h.socketPath(), "postgres"), progress)
	if err != nil {
		return fmt.Errorf("wait for postgres: %w; %s", err, h.logTail())
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", database).Scan(&exists); err != nil {
		return fmt.Errorf("look for database %s: %w", database, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "create database "+database); err != nil {
		return fmt.Errorf("create database %s: %w", database, err)
	}
	return nil
}

// connect tries until PostgreSQL answers, ends, or ctx does. A recovery takes as long as it takes.
func (s *Server) connect(ctx context.Context, dsn string, progress func(string)) (*pgx.Conn, error) {
	slow := time.After(readySlow)
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return conn, nil
		}
		select {
		case <-s.process.ended:
			return nil, s.process.failure()
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-slow:
			progress("PostgreSQL is still starting: it replays what was not checkpointed when it last ended")
		case <-time.After(readyPoll):
		}
	}
}
