package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/flow"
)

// ErrNoRelease says that what was asked for cannot be released; the error around
// it says why.
var ErrNoRelease = errors.New("not released")

// Live is what new sessions of a flow get: Version, and of every hundred Weight
// get Canary instead. Canary and Weight are both 0, or neither is.
type Live struct {
	Name    string `json:"name"`
	Version uint32 `json:"version"`
	Canary  uint32 `json:"canary"`
	Weight  uint32 `json:"weight"`
}

// Release is a person's decision to give a definition to new sessions.
type Release struct {
	Flow   *flow.Flow
	Source []byte
	// By says who decided; it is not empty.
	By, Note string
	// Weight is the percent of new sessions that get the definition. With 0 or 100
	// it goes live, and the flow's canary ends; else it becomes the canary.
	Weight int
}

// Published says what became of a release.
type Published struct {
	Version uint32
	// Known says that the definition had been published before, by that number.
	Known         bool
	Before, After Live
}

// Publish gives the definition its number, unless it has one, and to new sessions.
// Sessions that run stay with their version.
func (s *Store) Publish(ctx context.Context, r Release) (p Published, err error) {
	if r.Weight < 0 || r.Weight > 100 {
		return p, fmt.Errorf("publish flow %s: %w: a weight of %d is not 0 to 100", r.Flow.Name(), ErrNoRelease, r.Weight)
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if p.Before, err = lockFlow(ctx, tx, r.Flow.Name()); err != nil {
			return err
		}
		if p.Version, p.Known, err = addVersion(ctx, tx, r); err != nil {
			return err
		}
		if p.After, err = p.Before.with(p.Version, r.Weight); err != nil {
			return err
		}
		return release(ctx, tx, p.After, r.By, r.Note)
	})
	if err != nil {
		return Published{}, fmt.Errorf("publish flow %s: %w", r.Flow.Name(), err)
	}
	return p, nil
}

// with is what holds after a release of the version.
func (l Live) with(version uint32, weight int) (Live, error) {
	switch {
	case weight == 0 || weight == 100:
		return Live{Name: l.Name, Version: version}, nil
	case l.Version == 0:
		return l, fmt.Errorf("%w: a canary needs a live version beside it, and there is none", ErrNoRelease)
	case l.Version == version:
		return l, fmt.Errorf("%w: version %d is live already, it cannot be its own canary", ErrNoRelease, version)
	}
	return Live{Name: l.Name, Version: l.Version, Canary: version, Weight: uint32(weight)}, nil
}

// release is setLive for a person, who has a name.
func release(ctx context.Context, tx pgx.Tx, live Live, by, note string) error {
	if by == "" {
		return fmt.Errorf("%w: nobody is named who releases it", ErrNoRelease)
	}
	return setLive(ctx, tx, live, by, note)
}

// LiveFlows returns what is live of every flow, by name.
func (s *Store) LiveFlows(ctx context.Context) ([]Live, error) {
	rows, err := s.pool.Query(ctx, `SELECT name, live_version, COALESCE(canary_version, 0), canary_weight FROM flows ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list live flows: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Live])
	if err != nil {
		return nil, fmt.Errorf("list live flows: %w", err)
	}
	return list, nil
}

// ReleaseView is what new sessions got from a time on, and who decided that.
type ReleaseView struct {
	Version uint32 `json:"version"`
	Canary  uint32 `json:"canary"`
	Weight  uint32 `json:"weight"`
	// By is empty for the start of a service.
	By   string    `json:"by"`
	Note string    `json:"note"`
	At   time.Time `json:"at"`
}

// Releases lists the last decisions of what new sessions of a flow get, the newest
// first.
func (s *Store) Releases(ctx context.Context, name string, limit int) ([]ReleaseView, error) {
	rows, err := s.pool.Query(ctx, `SELECT version, COALESCE(canary_version, 0), canary_weight, released_by, note, released_at
		FROM flow_releases WHERE flow = $1 ORDER BY id DESC LIMIT $2`, name, limit)
	if err != nil {
		return nil, fmt.Errorf("list releases of flow %s: %w", name, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ReleaseView])
	if err != nil {
		return nil, fmt.Errorf("list releases of flow %s: %w", name, err)
	}
	return nonNil(list), nil
}
