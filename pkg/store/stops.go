package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// SendStop says that a dispatcher does not send to a number, an account or an app,
// or nothing that uses a template or a form of an account, and why.
type SendStop struct {
	Scope   string    `json:"scope"`
	Name    string    `json:"name"`
	Subject string    `json:"subject,omitempty"`
	Class   string    `json:"class"`
	Code    int       `json:"code,omitempty"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
}

// stopsKept is how long a stop of a replica that has gone is kept after its end.
const stopsKept = time.Hour

// putStopsSQL makes the list an owner's whole list. Rows of nobody who lives end by
// themselves.
const putStopsSQL = `
WITH list AS (
	SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::timestamptz[], $8::timestamptz[])
	       s(scope, name, subject, class, code, since, until)),
gone AS (
	DELETE FROM send_stops s
	 WHERE s.until < now() - $9::interval
	    OR s.owner = $1 AND NOT EXISTS (SELECT FROM list l WHERE l.scope = s.scope AND l.name = s.name AND l.subject = s.subject))
INSERT INTO send_stops AS s (owner, scope, name, subject, class, code, since, until)
SELECT $1, scope, name, subject, class, code, since, until FROM list
ON CONFLICT (owner, scope, name, subject) DO UPDATE
   SET class = excluded.class, code = excluded.code, since = excluded.since, until = excluded.until`

// PutSendStops replaces what an owner does not send to.
func (s *Store) PutSendStops(ctx context.Context, owner string, stops []SendStop) error {
	n := len(stops)
	scopes, names, subjects, classes := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	codes, since, until := make([]int, n), make([]time.Time, n), make([]time.Time, n)
	for i, stop := range stops {
		scopes[i], names[i], subjects[i], classes[i] = stop.Scope, stop.Name, stop.Subject, stop.Class
		codes[i], since[i], until[i] = stop.Code, stop.Since, stop.Until
	}
	if _, err := s.pool.Exec(ctx, putStopsSQL, owner, scopes, names, subjects, classes, codes, since, until, stopsKept); err != nil {
		return fmt.Errorf("record what is not sent to: %w", err)
	}
	return nil
}

// sendStopsSQL gives each stop once: since the first replica has it, until the last ends it.
const sendStopsSQL = `
SELECT scope, name, subject, (array_agg(class ORDER BY until DESC))[1], (array_agg(code ORDER BY until DESC))[1], min(since), max(until)
  FROM send_stops WHERE owner <> $1 AND until > now() GROUP BY scope, name, subject ORDER BY scope, name, subject`

// SendStops returns what others than owner do not send to now; of all if owner is empty.
func (s *Store) SendStops(ctx context.Context, owner string) ([]SendStop, error) {
	rows, err := s.pool.Query(ctx, sendStopsSQL, owner)
	if err != nil {
		return nil, fmt.Errorf("read what is not sent to: %w", err)
	}
	stops, err := pgx.CollectRows(rows, pgx.RowToStructByPos[SendStop])
	if err != nil {
		return nil, fmt.Errorf("read what is not sent to: %w", err)
	}
	return stops, nil
}
