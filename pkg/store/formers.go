package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Former is what of the messages to contacts that turned out to be another one is not
// settled yet. That one is sent to after them.
type Former struct {
	// Coming says that some may not even be deliveries yet.
	Coming bool
	// Channels are those on which some wait, or are on their way.
	Channels []string
}

// ContactsBehind are the contacts at home in a shard that others turned out to be, of whose
// messages some may not be settled yet.
func (s *Store) ContactsBehind(ctx context.Context, shard int) ([]uuid.UUID, error) {
	rows, err := s.pool.Query(ctx, `
		WITH RECURSIVE way AS (
			SELECT c.merged_into AS id FROM contacts c WHERE c.merged_into IS NOT NULL AND c.sent_out_at IS NULL
			UNION
			SELECT c.merged_into FROM way JOIN contacts c USING (id) WHERE c.merged_into IS NOT NULL)
		SELECT c.id FROM way JOIN contacts c USING (id) WHERE c.shard = $1 ORDER BY c.id`, shard)
	if err != nil {
		return nil, fmt.Errorf("find contacts behind others: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("find contacts behind others: %w", err)
	}
	return list, nil
}

const formersSQL = `
WITH RECURSIVE former AS (
	SELECT b.contact, c.id, c.shard, c.last_event, c.sent_out_at
	  FROM unnest($1::uuid[]) b(contact) JOIN contacts c ON c.merged_into = b.contact
	UNION
	SELECT f.contact, c.id, c.shard, c.last_event, c.sent_out_at FROM former f JOIN contacts c ON c.merged_into = f.id),
waits AS (
	SELECT f.contact, f.id, l.checkpoint < COALESCE(f.last_event, 0) AS coming, o.channel
	  FROM former f JOIN leases l ON l.service = $2 AND l.shard = f.shard
	  LEFT JOIN LATERAL (
	       SELECT DISTINCT d.channel FROM deliveries d
	        WHERE d.contact_id = f.id AND (d.state IN ('queued', 'sending') OR d.state = 'ambiguous' AND d.sending_at > now() - make_interval(secs => $3))) o ON true
	 WHERE f.sent_out_at IS NULL),
done AS (
	UPDATE contacts c SET sent_out_at = now()
	  FROM (SELECT id FROM waits GROUP BY id HAVING NOT bool_or(coming OR channel IS NOT NULL)) w WHERE c.id = w.id)
SELECT contact, bool_or(coming), array_remove(array_agg(DISTINCT channel), NULL) FROM waits
 GROUP BY contact HAVING bool_or(coming OR channel IS NOT NULL)`

// Formers tells, of contacts that others turned out to be, what they wait for; who waits
// for nothing more is left out, and is not asked for again. What has been ambiguous for
// longer than patience is not waited for: it may be for ever.
func (s *Store) Formers(ctx context.Context, contacts []uuid.UUID, patience time.Duration) (map[uuid.UUID]Former, error) {
	rows, err := s.pool.Query(ctx, formersSQL, contacts, ServiceDispatcher, patience.Seconds())
	if err != nil {
		return nil, fmt.Errorf("look for messages of former contacts: %w", err)
	}
	formers := map[uuid.UUID]Former{}
	var id uuid.UUID
	var f Former
	_, err = pgx.ForEachRow(rows, []any{&id, &f.Coming, &f.Channels}, func() error {
		formers[id] = f
		f = Former{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for messages of former contacts: %w", err)
	}
	return formers, nil
}
