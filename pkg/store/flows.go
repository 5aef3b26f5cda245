package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/flow"
)

// ErrNoFlow says that no such flow, or no such version of it, is published.
var ErrNoFlow = errors.New("no such flow")

// PublishFlow makes the definition the live version of its flow and returns
// its number. The same definition again is the same version.
func (s *Store) PublishFlow(ctx context.Context, f *flow.Flow, source []byte) (version uint32, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Publishers of one flow wait for each other on its row.
		if _, err := tx.Exec(ctx, `INSERT INTO flows (name, live_version) VALUES ($1, 0)
			ON CONFLICT (name) DO UPDATE SET name = excluded.name`, f.Name()); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `
			WITH known AS (SELECT version FROM flow_versions WHERE flow = $1 AND digest = $2),
			added AS (INSERT INTO flow_versions (flow, version, digest, definition)
				SELECT $1, COALESCE(max(version), 0) + 1, $2, $3 FROM flow_versions
				 WHERE flow = $1 HAVING NOT EXISTS (SELECT FROM known) RETURNING version)
			SELECT version FROM known UNION ALL SELECT version FROM added`,
			f.Name(), f.Digest(), string(source)).Scan(&version)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE flows SET live_version = $2 WHERE name = $1 AND live_version <> $2`, f.Name(), version)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("publish flow %s: %w", f.Name(), err)
	}
	return version, nil
}

// LoadFlow reads and compiles one published version; version 0 is the live one.
func (s *Store) LoadFlow(ctx context.Context, name string, version uint32) (*flow.Flow, error) {
	var definition string
	var number uint32
	err := s.pool.QueryRow(ctx, `
		SELECT v.version, v.definition FROM flow_versions v JOIN flows f ON f.name = v.flow
		 WHERE v.flow = $1 AND v.version = CASE WHEN $2 = 0 THEN f.live_version ELSE $2 END`, name, int32(version)).Scan(&number, &definition)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("flow %q version %d: %w", name, version, ErrNoFlow)
	}
	if err != nil {
		return nil, fmt.Errorf("load flow %q version %d: %w", name, version, err)
	}
	f, err := flow.Parse([]byte(definition))
	if err != nil {
		return nil, fmt.Errorf("flow %q version %d: %w", name, number, err)
	}
	return f.WithVersion(number), nil
}
