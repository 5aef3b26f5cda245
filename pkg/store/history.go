package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// windowSessions is how many sessions of a shard Conversations sorts at a time; the
// ends of sessions that were cancelled count as well.
const windowSessions = 10_000

// clockMargin is how far the clock of a service may have gone back within a session.
const clockMargin = 24 * time.Hour

// EventHeads returns how many events each shard has, in the order of shards.
func (s *Store) EventHeads(ctx context.Context) ([]uint64, error) {
	rows, err := s.pool.Query(ctx, `SELECT head FROM leases WHERE service = $1 ORDER BY shard`, ServiceSession)
	if err != nil {
		return nil, fmt.Errorf("read the heads of the shards: %w", err)
	}
	heads, err := pgx.CollectRows(rows, pgx.RowTo[uint64])
	if err != nil {
		return nil, fmt.Errorf("read the heads of the shards: %w", err)
	}
	return heads, nil
}

// SessionPlace is the shard and the offset that a session's id carries.
func SessionPlace(session uint64) (shard int, offset uint64) {
	return int(session >> sessionShardBits), session & (1<<sessionShardBits - 1)
}

// Conversations calls each for every session of the flow that started at a time or
// later, with all its events, in the order of session ids: by shard, and there in
// the order in which they started. An error of each ends it. Of a session that began
// in the turn that ended another one (a restart), the InputReceived of that turn
// comes first, as if it were its own.
//
// No index leads from a session to its events: each event would have to be put
// into it, for a third more than an event costs now. A session's events come after
// the one that its id names, so a shard is read in windows of so many sessions:
// who they are, and then their events, sorted by PostgreSQL (on disk if there are
// many). Memory holds one session. A window reads what the shard has from its
// first session on, so the work grows with the square of the sessions per shard,
// at first hardly: a million sessions over 16 shards are read about 4 times.
//
// A window is one transaction, which lasts as long as each takes for its sessions:
// each may compute, but must not wait for anybody.
func (s *Store) Conversations(ctx context.Context, name string, since time.Time, each func(session uint64, events []*parleyv1.Event) error) error {
	return s.conversations(ctx, name, since, windowSessions, each)
}

func (s *Store) conversations(ctx context.Context, name string, since time.Time, size int, each func(uint64, []*parleyv1.Event) error) error {
	shards, err := s.CountShards(ctx, ServiceSession)
	if err != nil {
		return err
	}
	for shard := range shards {
		w := window{shard: shard, flow: name, since: since, size: size, each: each}
		for more := true; more; {
			err := s.report(ctx, func(tx pgx.Tx) (err error) {
				more, err = w.next(ctx, tx)
				return err
			})
			if err != nil {
				return fmt.Errorf("read conversations of flow %s, shard %d: %w", name, shard, err)
			}
		}
	}
	return nil
}

// window walks through the sessions of a shard, so many at a time.
type window struct {
	shard int
	flow  string
	since time.Time
	size  int
	each  func(session uint64, events []*parleyv1.Event) error
	// after is the last offset that was looked at: of a session's start or end.
	after int64
	// cancelled says that one ended there.
	cancelled bool
	// opened are the sessions of this window that began in the turn that ended another,
	// at the offsets of that turn's input.
	opened, inputs []int64
}

// next shows the sessions of the next window; more says that there may be another.
func (w *window) next(ctx context.Context, tx pgx.Tx) (more bool, err error) {
	ids, more, err := w.started(ctx, tx)
	if err != nil || len(ids) == 0 {
		return more, err
	}
	rows, err := tx.Query(ctx, `
		SELECT e.shard, e."offset", e.session_id, e.version, e.at, e.data
		  FROM unnest($4::bigint[]) s(id) JOIN events e ON e.session_id = s.id
		 WHERE e.shard = $1 AND e."offset" >= $2 AND e.at >= $3
		UNION ALL
		SELECT e.shard, e."offset", s.id, e.version, e.at, e.data
		  FROM unnest($5::bigint[], $6::bigint[]) s(id, input) JOIN events e ON e.shard = $1 AND e."offset" = s.input
		 WHERE e.at >= $3 AND e.type = 'InputReceived'
		 ORDER BY 3, 2`,
		pgx.QueryExecModeCacheDescribe, w.shard, ids[0]&(1<<sessionShardBits-1), w.since.Add(-clockMargin), ids, w.opened, w.inputs)
	if err != nil {
		return false, err
	}
	return more, bySession(rows, w.each)
}

// started returns the sessions of the flow among the next that started in the
// shard, of whatever flow.
func (w *window) started(ctx context.Context, tx pgx.Tx) (ids []int64, more bool, err error) {
	w.opened, w.inputs = nil, nil
	rows, err := tx.Query(ctx, `SELECT "offset", session_id, type, data FROM events
		 WHERE shard = $1 AND "offset" > $2 AND at >= $3 AND type IN ('SessionStarted', 'SessionCancelled') ORDER BY "offset" LIMIT $4`,
		pgx.QueryExecModeCacheDescribe, w.shard, w.after, w.since, w.size)
	if err != nil {
		return nil, false, err
	}
	seen := 0
	var offset, session int64
	var kind string
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&offset, &session, &kind, &data}, func() error {
		seen++
		follows := w.cancelled && offset == w.after+1
		w.after, w.cancelled = offset, kind == "SessionCancelled"
		if w.cancelled {
			return nil
		}
		var e parleyv1.Event
		if err := proto.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("decode event %d/%d: %w", w.shard, offset, err)
		}
		if e.GetSessionStarted().GetFlow() != w.flow {
			return nil
		}
		ids = append(ids, session)
		if follows { // input, SessionCancelled, SessionStarted
			w.opened, w.inputs = append(w.opened, session), append(w.inputs, offset-2)
		}
		return nil
	})
	return ids, seen == w.size, err
}

// bySession shows the events, which are sorted by session, session by session.
func bySession(rows pgx.Rows, each func(uint64, []*parleyv1.Event) error) error {
	defer rows.Close()
	var events []*parleyv1.Event
	for rows.Next() {
		e, err := scanEvent(rows)
		if err != nil {
			return err
		}
		if len(events) > 0 && events[0].SessionId != e.SessionId {
			if err := each(events[0].SessionId, events); err != nil {
				return err
			}
			events = nil
		}
		events = append(events, e)
	}
	if err := rows.Err(); err != nil || len(events) == 0 {
		return err
	}
	return each(events[0].SessionId, events)
}
