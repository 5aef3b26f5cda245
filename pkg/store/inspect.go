package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// SessionView is a session as the console shows it.
type SessionView struct {
	SessionID       int64           `json:"session_id"`
	Channel         string          `json:"channel"`
	ContactID       uuid.UUID       `json:"contact_id"`
	Phone           string          `json:"phone"`
	BSUID           string          `json:"bsuid"`
	Flow            string          `json:"flow"`
	FlowVersion     int             `json:"flow_version"`
	Status          string          `json:"status"`
	CurrentState    string          `json:"current_state"`
	FlowData        json.RawMessage `json:"flow_data"`
	Language        string          `json:"language"`
	FailureCount    int             `json:"failure_count"`
	Version         int             `json:"version"`
	StartedAt       time.Time       `json:"started_at"`
	LastInteraction time.Time       `json:"last_interaction"`
	Parked          bool            `json:"parked"`
}

// FindSessions returns the sessions of a contact, named by phone, BSUID, LID or id: those
// that run, and those in the archive, also those of contacts that turned out to be this one.
func (s *Store) FindSessions(ctx context.Context, contact string) ([]SessionView, error) {
	id, err := uuid.Parse(contact)
	if err != nil {
		id = uuid.Nil
	}
	rows, err := s.pool.Query(ctx, `
		SELECT s.session_id, s.channel, n.id, n.phone, n.bsuid, s.flow, s.flow_version, s.status, s.current_state, s.flow_data,
		       s.language, s.failure_count, s.version, s.started_at, s.last_interaction, n.parked_at IS NOT NULL
		  FROM contacts c JOIN contacts n ON n.id = contact_now(c.id) CROSS JOIN LATERAL (
			SELECT session_id, channel, contact_id, flow, flow_version, status, current_state, flow_data, language, failure_count, version, started_at, last_interaction
			  FROM sessions WHERE contact_id = c.id
			UNION ALL
			SELECT session_id, channel, contact_id, flow, flow_version, status, current_state, flow_data, language, failure_count, version, started_at, last_interaction
			  FROM session_archive WHERE contact_id = c.id) s
		 WHERE c.id IN (SELECT contacts_of(f) FROM contacts_named($1, $2) f)
		 ORDER BY s.channel, s.session_id`, contact, id)
	if err != nil {
		return nil, fmt.Errorf("find sessions: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[SessionView])
	if err != nil {
		return nil, fmt.Errorf("find sessions: %w", err)
	}
	return list, nil
}

// ContactView names a contact.
type ContactView struct {
	ID        uuid.UUID
	Portfolio string
}

// FindContacts returns who has a phone, a BSUID, a LID or an id; of contacts that turned out to
// be others, these.
func (s *Store) FindContacts(ctx context.Context, contact string) ([]ContactView, error) {
	id, err := uuid.Parse(contact)
	if err != nil {
		id = uuid.Nil
	}
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT n.id, n.portfolio FROM contacts_named($1, $2) c JOIN contacts n ON n.id = contact_now(c)`, contact, id)
	if err != nil {
		return nil, fmt.Errorf("find contacts: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ContactView])
	if err != nil {
		return nil, fmt.Errorf("find contacts: %w", err)
	}
	return list, nil
}

// DeadLetterView is a dead letter as the console lists it.
type DeadLetterView struct {
	ID        int64         `json:"id"`
	Kind      string        `json:"kind"`
	Service   string        `json:"service"`
	Shard     int           `json:"shard"`
	Position  int64         `json:"position"`
	Channel   string        `json:"channel"`
	ContactID uuid.NullUUID `json:"contact_id"`
	Bytes     int           `json:"bytes"`
	Reason    string        `json:"reason"`
	CreatedAt time.Time     `json:"created_at"`
}

// DeadLetters lists what was not redriven, newest first; kind "" means all.
func (s *Store) DeadLetters(ctx context.Context, kind string, limit int) ([]DeadLetterView, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT id, kind, service, shard, position, channel, contact_id, length(data), reason, created_at FROM dead_letters
		 WHERE redriven_at IS NULL AND ($1 = '' OR kind = $1) ORDER BY id DESC LIMIT $2`, kind, limit)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DeadLetterView])
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return nonNil(list), nil
}

// AmbiguousView is a send whose outcome was unknown at least once.
type AmbiguousView struct {
	DeliveryID string     `json:"delivery_id"`
	Channel    string     `json:"channel"`
	ContactID  uuid.UUID  `json:"contact_id"`
	State      string     `json:"state"`
	Attempts   int        `json:"attempts"`
	Times      int        `json:"times_ambiguous"`
	Cause      string     `json:"cause"`
	SettledBy  string     `json:"settled_by"`
	QueuedAt   time.Time  `json:"queued_at"`
	SettledAt  *time.Time `json:"settled_at"`
}

// AmbiguousDeliveries lists them, newest first.
func (s *Store) AmbiguousDeliveries(ctx context.Context, limit int) ([]AmbiguousView, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT 'p1.' || shard || '.' || "offset", channel, contact_id, state, attempts, ambiguous_count, ambiguous_cause,
		       settled_by, queued_at, settled_at
		  FROM deliveries WHERE ambiguous_count > 0 ORDER BY queued_at DESC LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("list ambiguous deliveries: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AmbiguousView])
	if err != nil {
		return nil, fmt.Errorf("list ambiguous deliveries: %w", err)
	}
	return nonNil(list), nil
}

// ParkedLetter is what a redrive needs to know of a dead letter's contact.
type ParkedLetter struct {
	Contact                     uuid.UUID
	Channel, Portfolio, LaneKey string
	// Waiting counts the updates of the contact that wait for a redrive.
	Waiting int
}

// ParkedLetter looks up a parked letter; ok is false if there is none of that
// id that still waits.
func (s *Store) ParkedLetter(ctx context.Context, id int64) (letter ParkedLetter, ok bool, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT c.id, d.channel, c.portfolio, c.lane_key,
		       (SELECT count(*) FROM dead_letters w WHERE w.contact_id = c.id AND w.kind = 'parked' AND w.redriven_at IS NULL)
		  FROM dead_letters d JOIN contacts c ON c.id = d.contact_id
		 WHERE d.id = $1 AND d.kind = 'parked' AND d.redriven_at IS NULL AND d.service = $2`, id, ServiceSession).
		Scan(&letter.Contact, &letter.Channel, &letter.Portfolio, &letter.LaneKey, &letter.Waiting)
	if errors.Is(err, pgx.ErrNoRows) {
		return letter, false, nil
	}
	if err != nil {
		return letter, false, fmt.Errorf("look up dead letter %d: %w", id, err)
	}
	return letter, true, nil
}

// UnhandledLetter returns the update that a letter holds because nothing was known of it;
// ok is false if there is none of that id that still waits.
func (s *Store) UnhandledLetter(ctx context.Context, id int64) (data []byte, ok bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT data FROM dead_letters
		WHERE id = $1 AND kind = $2 AND redriven_at IS NULL AND service = $3`, id, DeadUnhandled, ServiceSession).Scan(&data)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look up dead letter %d: %w", id, err)
	}
	return data, true, nil
}

// ResolveUnhandled says that what the letter holds is on its way again.
func (s *Store) ResolveUnhandled(ctx context.Context, id int64) error {
	if _, err := s.pool.Exec(ctx, `UPDATE dead_letters SET redriven_at = now() WHERE id = $1 AND kind = $2`, id, DeadUnhandled); err != nil {
		return fmt.Errorf("resolve dead letter %d: %w", id, err)
	}
	return nil
}
