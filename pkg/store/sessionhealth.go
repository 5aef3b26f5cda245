package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// SessionHealth is how a session of WASenderApi is. A time is nil if it never was.
type SessionHealth struct {
	Channel    string     `json:"channel" db:"channel"`
	State      string     `json:"state" db:"state"`
	Since      *time.Time `json:"since,omitempty" db:"since"`
	SeenAt     *time.Time `json:"seen_at,omitempty" db:"seen_at"`
	HeardAt    *time.Time `json:"heard_at,omitempty" db:"heard_at"`
	DownSince  *time.Time `json:"down_since,omitempty" db:"down_since"`
	Tries      int        `json:"tries" db:"tries"`
	NextTry    *time.Time `json:"next_try,omitempty" db:"next_try"`
	Alarm      string     `json:"alarm,omitempty" db:"alarm"`
	AlarmSince *time.Time `json:"alarm_since,omitempty" db:"alarm_since"`
	// MissedFrom and MissedTo are the last time in which nothing could be heard. They are
	// read from what the watcher remembers.
	MissedFrom *time.Time `json:"missed_from,omitempty" db:"missed_from"`
	MissedTo   *time.Time `json:"missed_to,omitempty" db:"missed_to"`
	// Watched says that somebody watches it now: without that the rest is old.
	Watched bool `json:"watched" db:"watched"`
}

// WatchedSession is a session that this watcher owns: what was remembered of it, and
// the fence of what is written from now on.
type WatchedSession struct {
	Channel string
	Epoch   int64
	Memory  []byte
}

// SessionChange is one line of a session's history. What names it.
type SessionChange struct {
	Channel string    `json:"channel" db:"channel"`
	At      time.Time `json:"at" db:"at"`
	State   string    `json:"state" db:"state"`
	Alarm   string    `json:"alarm,omitempty" db:"alarm"`
	What    string    `json:"what" db:"what"`
}

// RenewSessions prolongs what the owner holds, and returns it by epoch.
func (s *Store) RenewSessions(ctx context.Context, owner string, ttl time.Duration) (held map[string]int64, err error) {
	rows, err := s.pool.Query(ctx, `UPDATE session_health SET lease_until = now() + $2::interval WHERE owner = $1 RETURNING channel, epoch`, owner, ttl)
	if err != nil {
		return nil, fmt.Errorf("renew sessions: %w", err)
	}
	held = map[string]int64{}
	var channel string
	var epoch int64
	_, err = pgx.ForEachRow(rows, []any{&channel, &epoch}, func() error { held[channel] = epoch; return nil })
	if err != nil {
		return nil, fmt.Errorf("renew sessions: %w", err)
	}
	return held, nil
}

// TakeSessions takes those of the channels that nobody watches, or that the same
// owner watched before; except lists what it watches now.
func (s *Store) TakeSessions(ctx context.Context, owner string, ttl time.Duration, channels, except []string) ([]WatchedSession, error) {
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO session_health (channel) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING`, channels)
	batch.Queue(`
		UPDATE session_health h SET epoch = h.epoch + 1, owner = $1, lease_until = now() + $2::interval
		  FROM (SELECT channel FROM session_health
		         WHERE channel = ANY($3) AND channel <> ALL($4::text[]) AND (lease_until < now() OR owner = $1)
		         ORDER BY channel FOR UPDATE SKIP LOCKED) free
		 WHERE h.channel = free.channel
		RETURNING h.channel, h.epoch, h.memory`, owner, ttl, channels, nonNil(except))
	results := s.pool.SendBatch(ctx, batch)
	defer func() { _ = results.Close() }()
	if _, err := results.Exec(); err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	rows, err := results.Query()
	if err != nil {
		return nil, fmt.Errorf("take sessions: %w", err)
	}
	taken, err := pgx.CollectRows(rows, pgx.RowToStructByPos[WatchedSession])
	if err != nil {
		return nil, fmt.Errorf("take sessions: %w", err)
	}
	return taken, nil
}

// ReleaseSession gives a session back, so that another watcher takes it at once.
func (s *Store) ReleaseSession(ctx context.Context, w WatchedSession) error {
	_, err := s.pool.Exec(ctx, `UPDATE session_health SET owner = '', lease_until = '-infinity' WHERE channel = $1 AND epoch = $2`, w.Channel, w.Epoch)
	if err != nil {
		return fmt.Errorf("release session %s: %w", w.Channel, err)
	}
	return nil
}

// ForgetSession forgets a session that nobody watches any more; its history stays.
func (s *Store) ForgetSession(ctx context.Context, channel string) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM session_health WHERE channel = $1 AND lease_until < now()`, channel); err != nil {
		return fmt.Errorf("forget session %s: %w", channel, err)
	}
	return nil
}

// SaveSession writes how a session is, and what changed, if it is still the
// watcher's; else it returns ErrFenced and writes nothing. The code that linked the
// phone of one that is connected goes with it.
func (s *Store) SaveSession(ctx context.Context, w WatchedSession, h SessionHealth, changes []string) error {
	tag, err := s.pool.Exec(ctx, `
		WITH held AS (
			UPDATE session_health SET state = $3, since = $4, seen_at = $5, heard_at = $6, down_since = $7, tries = $8,
			       next_try = $9, alarm = $10, alarm_since = $11, memory = $12
			 WHERE channel = $1 AND epoch = $2
			RETURNING channel, state, alarm),
		history AS (
			INSERT INTO session_history (channel, state, alarm, what)
			SELECT channel, state, alarm, c.what FROM held, unnest($13::text[]) WITH ORDINALITY c(what, n) ORDER BY n),
		used AS (DELETE FROM session_codes c USING held h WHERE c.channel = h.channel AND h.state = 'connected')
		SELECT channel FROM held`,
		w.Channel, w.Epoch, h.State, h.Since, h.SeenAt, h.HeardAt, h.DownSince, h.Tries,
		h.NextTry, h.Alarm, h.AlarmSince, w.Memory, nonNil(changes))
	if err != nil {
		return fmt.Errorf("save session %s: %w", w.Channel, err)
	}
	if tag.RowsAffected() == 0 {
		return ErrFenced
	}
	return nil
}

// SessionsHealth returns how every session is, by channel.
func (s *Store) SessionsHealth(ctx context.Context) ([]SessionHealth, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT channel, state, since, seen_at, heard_at, down_since, tries, next_try, alarm, alarm_since,
		       NULLIF(memory->>'missed_from', '0001-01-01T00:00:00Z')::timestamptz AS missed_from,
		       NULLIF(memory->>'missed_to', '0001-01-01T00:00:00Z')::timestamptz AS missed_to,
		       lease_until > now() AS watched
		  FROM session_health ORDER BY channel`)
	if err != nil {
		return nil, fmt.Errorf("read sessions' health: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[SessionHealth])
	if err != nil {
		return nil, fmt.Errorf("read sessions' health: %w", err)
	}
	return nonNil(list), nil
}

// SessionHistory returns the last changes of a session, the newest first.
func (s *Store) SessionHistory(ctx context.Context, channel string, limit int) ([]SessionChange, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT channel, at, state, alarm, what FROM session_history WHERE channel = $1 ORDER BY id DESC LIMIT $2`, channel, limit)
	if err != nil {
		return nil, fmt.Errorf("read history of session %s: %w", channel, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[SessionChange])
	if err != nil {
		return nil, fmt.Errorf("read history of session %s: %w", channel, err)
	}
	return nonNil(list), nil
}

// TrimSessions forgets changes older than age, sessions that nobody has watched for as
// long, and codes that have expired.
func (s *Store) TrimSessions(ctx context.Context, age time.Duration) error {
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM session_history WHERE at < now() - $1::interval`, age)
	batch.Queue(`DELETE FROM session_health WHERE lease_until < now() AND COALESCE(seen_at, '-infinity') < now() - $1::interval`, age)
	batch.Queue(`DELETE FROM session_codes WHERE expires_at < now()`)
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("trim sessions: %w", err)
	}
	return nil
}

// SetSessionCode keeps the code that links a phone until it expires.
func (s *Store) SetSessionCode(ctx context.Context, channel, code string, expires time.Time) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO session_codes (channel, code, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (channel) DO UPDATE SET code = excluded.code, expires_at = excluded.expires_at`, channel, code, expires)
	if err != nil {
		return fmt.Errorf("keep code of session %s: %w", channel, err)
	}
	return nil
}

// SessionCode is the code that links a phone now; ok is false if there is none.
func (s *Store) SessionCode(ctx context.Context, channel string) (code string, expires time.Time, ok bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT code, expires_at FROM session_codes WHERE channel = $1 AND expires_at > now()`, channel).Scan(&code, &expires)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", time.Time{}, false, nil
	}
	if err != nil {
		return "", time.Time{}, false, fmt.Errorf("read code of session %s: %w", channel, err)
	}
	return code, expires, true, nil
}
