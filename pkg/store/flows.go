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

// PublishFlow is what the start of a service does with a definition that it
// carries: it becomes the live version of its flow. The same definition again is
// the same version. Its number is returned.
//
// People come first. A definition that is already known stays as it is, live or
// not, if a person has released anything of the flow since it was published: a
// restart does not undo a roll-back, and an old replica does not bring back what a
// person has replaced. (To go back to an older definition then takes a person as
// well: see [Store.Publish].) A definition that nobody has seen before goes
// live whatever people did before. A canary is never touched.
func (s *Store) PublishFlow(ctx context.Context, f *flow.Flow, source []byte) (version uint32, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		live, err := lockFlow(ctx, tx, f.Name())
		if err != nil {
			return err
		}
		var known, decided bool
		version, known, err = addVersion(ctx, tx, Release{Flow: f, Source: source})
		if err != nil || version == live.Version {
			return err
		}
		if known {
			decided, err = decidedSince(ctx, tx, f.Name(), version)
		}
		if err != nil || decided {
			return err
		}
		live.Version = version
		return setLive(ctx, tx, live, "", "")
	})
	if err != nil {
		return 0, fmt.Errorf("publish flow %s: %w", f.Name(), err)
	}
	return version, nil
}

// lockFlow makes sure that the flow has its row, and locks it: whoever changes
// what is live waits for the others, and sees what they did.
func lockFlow(ctx context.Context, tx pgx.Tx, name string) (Live, error) {
	live := Live{Name: name}
	err := tx.QueryRow(ctx, `INSERT INTO flows (name, live_version) VALUES ($1, 0)
		ON CONFLICT (name) DO UPDATE SET name = excluded.name
		RETURNING live_version, COALESCE(canary_version, 0), canary_weight`, name).Scan(&live.Version, &live.Canary, &live.Weight)
	return live, err
}

// addVersion gives the definition its number; known says that it had one. The
// times are those of the clock, not of the transaction, which may have begun
// before others that it waited for.
func addVersion(ctx context.Context, tx pgx.Tx, r Release) (version uint32, known bool, err error) {
	err = tx.QueryRow(ctx, `
		WITH known AS (SELECT version FROM flow_versions WHERE flow = $1 AND digest = $2),
		added AS (INSERT INTO flow_versions (flow, version, digest, definition, published_by, note, published_at)
			SELECT $1, COALESCE(max(version), 0) + 1, $2, $3, $4, $5, clock_timestamp() FROM flow_versions
			 WHERE flow = $1 HAVING NOT EXISTS (SELECT FROM known) RETURNING version)
		SELECT version, true FROM known UNION ALL SELECT version, false FROM added`,
		r.Flow.Name(), r.Flow.Digest(), string(r.Source), r.By, r.Note).Scan(&version, &known)
	return version, known, err
}

// decidedSince reports whether a person released anything of the flow after the
// version was published, or with it.
func decidedSince(ctx context.Context, tx pgx.Tx, name string, version uint32) (decided bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM flow_releases r JOIN flow_versions v ON v.flow = r.flow
		 WHERE v.flow = $1 AND v.version = $2 AND r.released_by <> '' AND r.released_at >= v.published_at)`,
		name, int32(version)).Scan(&decided)
	return decided, err
}

// setLive changes what new sessions get, and keeps on record who did it.
func setLive(ctx context.Context, tx pgx.Tx, live Live, by, note string) error {
	_, err := tx.Exec(ctx, `
		WITH f AS (UPDATE flows SET live_version = $2, canary_version = NULLIF($3::int, 0), canary_weight = $4 WHERE name = $1)
		INSERT INTO flow_releases (flow, version, canary_version, canary_weight, released_by, note, released_at)
		VALUES ($1, $2, NULLIF($3::int, 0), $4, $5, $6, clock_timestamp())`,
		live.Name, int32(live.Version), int32(live.Canary), int16(live.Weight), by, note)
	return err
}

// LoadFlow reads and compiles one published version; version 0 is the live one.
func (s *Store) LoadFlow(ctx context.Context, name string, version uint32) (*flow.Flow, error) {
	number, definition, err := s.definition(ctx, name, version)
	if err != nil {
		return nil, err
	}
	f, err := flow.Parse([]byte(definition))
	if err != nil {
		return nil, fmt.Errorf("flow %q version %d: %w", name, number, err)
	}
	return f.WithVersion(number), nil
}

// Definition returns the source of one published version; version 0 is the live one.
func (s *Store) Definition(ctx context.Context, name string, version uint32) ([]byte, error) {
	_, definition, err := s.definition(ctx, name, version)
	return []byte(definition), err
}

func (s *Store) definition(ctx context.Context, name string, version uint32) (number uint32, source string, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT v.version, v.definition FROM flow_versions v JOIN flows f ON f.name = v.flow
		 WHERE v.flow = $1 AND v.version = CASE WHEN $2 = 0 THEN f.live_version ELSE $2 END`, name, int32(version)).Scan(&number, &source)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, "", fmt.Errorf("flow %q version %d: %w", name, version, ErrNoFlow)
	}
	if err != nil {
		return 0, "", fmt.Errorf("load flow %q version %d: %w", name, version, err)
	}
	return number, source, nil
}
