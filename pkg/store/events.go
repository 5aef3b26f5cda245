package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// EventType is the event's name, as the events table and the documentation
// spell it: "SessionStarted". It is empty for an event without a body.
func EventType(e *parleyv1.Event) string {
	body := e.ProtoReflect().WhichOneof(e.ProtoReflect().Descriptor().Oneofs().ByName("body"))
	if body == nil {
		return ""
	}
	return string(body.Message().Name())
}

// ReadEvents returns up to limit events of a shard after an offset, in order.
func (s *Store) ReadEvents(ctx context.Context, shard int, after uint64, limit int) ([]*parleyv1.Event, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT shard, "offset", session_id, version, at, data FROM events
		 WHERE shard = $1 AND "offset" > $2 ORDER BY "offset" LIMIT $3`, shard, int64(after), limit)
	if err != nil {
		return nil, fmt.Errorf("read events of shard %d: %w", shard, err)
	}
	events, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, fmt.Errorf("read events of shard %d: %w", shard, err)
	}
	return events, nil
}

func scanEvent(row pgx.CollectableRow) (*parleyv1.Event, error) {
	var shard, version int32
	var offset, session int64
	var at time.Time
	var data []byte
	if err := row.Scan(&shard, &offset, &session, &version, &at, &data); err != nil {
		return nil, err
	}
	e := &parleyv1.Event{}
	if err := proto.Unmarshal(data, e); err != nil {
		return nil, fmt.Errorf("decode event %d/%d: %w", shard, offset, err)
	}
	e.Shard, e.Offset, e.SessionId, e.Version, e.AtMs = uint32(shard), uint64(offset), uint64(session), uint32(version), at.UnixMilli()
	return e, nil
}

// SessionEvents returns all events of one session, in order. A session's events
// start at the offset that its id carries, so no index by session is needed.
func (s *Store) SessionEvents(ctx context.Context, session uint64) ([]*parleyv1.Event, error) {
	shard, first := session>>sessionShardBits, session&(1<<sessionShardBits-1)
	rows, err := s.pool.Query(ctx, `
		SELECT shard, "offset", session_id, version, at, data FROM events
		 WHERE shard = $1 AND "offset" >= $2 AND session_id = $3 ORDER BY "offset"`, int(shard), int64(first), int64(session))
	if err != nil {
		return nil, fmt.Errorf("read events of session %d: %w", session, err)
	}
	events, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, fmt.Errorf("read events of session %d: %w", session, err)
	}
	return events, nil
}

// EnsureEventPartitions creates the monthly partitions of the next months.
func (s *Store) EnsureEventPartitions(ctx context.Context, months int) error {
	if _, err := s.pool.Exec(ctx, `SELECT ensure_event_partitions($1)`, months); err != nil {
		return fmt.Errorf("create event partitions: %w", err)
	}
	return nil
}

// ForgetInbox deletes remembered message ids older than age: WhatsApp retries
// for at most 7 days, so 30 are plenty. At most limit rows a call.
func (s *Store) ForgetInbox(ctx context.Context, age time.Duration, limit int) (int64, error) {
	tag, err := s.pool.Exec(ctx, `DELETE FROM inbox WHERE ctid = ANY(ARRAY(
		SELECT ctid FROM inbox WHERE at < now() - $1::interval LIMIT $2))`, age, limit)
	if err != nil {
		return 0, fmt.Errorf("forget old inbox keys: %w", err)
	}
	return tag.RowsAffected(), nil
}
