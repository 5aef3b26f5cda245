package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/flow"
)

// VersionInfo is one published version of a flow.
type VersionInfo struct {
	Version     uint32    `json:"version"`
	Digest      string    `json:"digest"`
	PublishedBy string    `json:"published_by"`
	Note        string    `json:"note"`
	PublishedAt time.Time `json:"published_at"`
	Live        bool      `json:"live"`
	Canary      bool      `json:"canary"`
	// Weight is the percent of new sessions that get it.
	Weight int `json:"weight"`
	// People counts the sessions that run on it, with the bot or with a human.
	People int `json:"people"`
}

// FlowVersions lists the versions of a flow, the newest first.
//
// Like Standing it reads all sessions, 10 million in some seconds: an index by
// version would have to be kept up with every session that begins and ends.
func (s *Store) FlowVersions(ctx context.Context, name string) (list []VersionInfo, err error) {
	err = s.report(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT v.version, v.digest, v.published_by, v.note, v.published_at,
			       v.version = f.live_version, v.version IS NOT DISTINCT FROM f.canary_version,
			       CASE v.version WHEN f.live_version THEN 100 - f.canary_weight WHEN f.canary_version THEN f.canary_weight ELSE 0 END,
			       COALESCE(p.people, 0)
			  FROM flow_versions v JOIN flows f ON f.name = v.flow
			  LEFT JOIN (SELECT flow_version, count(*) AS people FROM sessions
			              WHERE flow = $1 AND status IN ('active', 'human') GROUP BY 1) p ON p.flow_version = v.version
			 WHERE v.flow = $1 ORDER BY v.version DESC`, name)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[VersionInfo])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list versions of flow %s: %w", name, err)
	}
	return nonNil(list), nil
}

// StandingRow counts the sessions that stand at a step of a version.
type StandingRow struct {
	Version uint32 `json:"version"`
	Step    string `json:"step"`
	Status  string `json:"status"`
	People  int    `json:"people"`
	// OldestInteraction is when the one who waits longest was heard of last.
	OldestInteraction time.Time `json:"oldest_interaction"`
}

// Standing says who stands where in a flow, of the sessions that run: with the
// bot (active) or with a human.
func (s *Store) Standing(ctx context.Context, name string) (list []StandingRow, err error) {
	err = s.report(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT flow_version, current_state, status, count(*), min(last_interaction) FROM sessions
			 WHERE flow = $1 AND status IN ('active', 'human') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, name)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[StandingRow])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count who stands where in flow %s: %w", name, err)
	}
	return nonNil(list), nil
}

// SessionPin is a session that runs on a version, and where its person is reached.
type SessionPin struct {
	Key                              SessionKey
	Shard                            int
	Portfolio, LaneKey, Phone, BSUID string
	ID                               uint64
	State                            flow.State
}

// SessionsAt returns up to limit of the sessions that run, active or with a human,
// on some versions of a flow (no versions: on any), in the order of their keys,
// contact first, after one of them; the zero key is before all. A page that is not
// full is the last. All pages together read every session once.
//
// Each page is planned by itself: whether it pays to walk along the key depends on
// how much is asked for.
func (s *Store) SessionsAt(ctx context.Context, name string, versions []uint32, after SessionKey, limit int) ([]SessionPin, error) {
	numbers := make([]int32, len(versions))
	for i, v := range versions {
		numbers[i] = int32(v)
	}
	rows, err := s.pool.Query(ctx, `
		SELECT s.channel, s.contact_id, s.session_id, s.shard, s.flow, s.flow_version, s.status, s.current_state, s.flow_data,
		       s.language, s.failure_count, s.version, s.started_at, s.last_interaction, s.progress,
		       c.portfolio, c.lane_key, c.phone, c.bsuid
		  FROM sessions s JOIN contacts c ON c.id = s.contact_id
		 WHERE s.flow = $1 AND (cardinality($2::int[]) = 0 OR s.flow_version = ANY($2)) AND s.status IN ('active', 'human')
		   AND (s.contact_id, s.channel) > ($3, $4)
		 ORDER BY s.contact_id, s.channel LIMIT $5`, pgx.QueryExecModeCacheDescribe, name, numbers, after.Contact, after.Channel, limit)
	if err != nil {
		return nil, fmt.Errorf("list sessions of flow %s: %w", name, err)
	}
	list, err := pgx.CollectRows(rows, scanPin)
	if err != nil {
		return nil, fmt.Errorf("list sessions of flow %s: %w", name, err)
	}
	return list, nil
}

func scanPin(row pgx.CollectableRow) (p SessionPin, err error) {
	session, err := scanSession(row, &p.Portfolio, &p.LaneKey, &p.Phone, &p.BSUID)
	p.Key, p.Shard, p.ID, p.State = session.Key, session.Shard, session.ID, session.State
	return p, err
}
