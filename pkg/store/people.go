package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Person is a contact as the console lists it.
type Person struct {
	ContactID uuid.UUID `json:"contact_id"`
	Portfolio string    `json:"portfolio"`
	Name      string    `json:"name"`
	Username  string    `json:"username"`
	Phone     string    `json:"phone"`
	BSUID     string    `json:"bsuid"`
	CreatedAt time.Time `json:"created_at"`
	// LastInteraction is that of the newest conversation; nil if there is none.
	LastInteraction *time.Time `json:"last_interaction,omitempty"`
}

// findPeopleSQL compares by the operators of the indexes, byte by byte, because a LIKE of
// a parameter finds no index. What is behind all that begins alike is U+10FFFF. Each part
// is bounded, so that a letter that a million names begin with costs no more than a name.
const findPeopleSQL = `
WITH found AS (
	SELECT contacts_named($1, $2) AS id
	UNION ALL
	(SELECT id FROM contacts WHERE username <> '' AND lower("left"(username, 64)) ~>=~ lower("left"($3, 64))
	    AND lower("left"(username, 64)) ~<=~ (lower("left"($3, 64)) || chr(1114111))
	  ORDER BY lower("left"(username, 64)) USING ~<~ LIMIT $5)
	UNION ALL
	(SELECT id FROM contacts WHERE name <> '' AND lower("left"(name, 64)) ~>=~ lower("left"($4, 64))
	    AND lower("left"(name, 64)) ~<=~ (lower("left"($4, 64)) || chr(1114111))
	  ORDER BY lower("left"(name, 64)) USING ~<~ LIMIT $5)),
now AS (SELECT DISTINCT contact_now(id) AS id FROM found)
SELECT c.id, c.portfolio, c.name, c.username, c.phone, c.bsuid, c.created_at,
       (SELECT max(s.last_interaction) FROM sessions s WHERE s.contact_id = c.id)
  FROM now JOIN contacts c USING (id) ORDER BY lower(c.name), c.id LIMIT $5`

// FindPeople returns who has this phone number, user id, LID or contact id, or a user name
// or name that begins like this, at most limit; more says that there are others. Of
// contacts that turned out to be others, it is these. Names may be several people's, and a
// user name somebody else's by now: a person chooses.
func (s *Store) FindPeople(ctx context.Context, who string, limit int) (found []Person, more bool, err error) {
	id, err := uuid.Parse(who)
	if err != nil {
		id = uuid.Nil
	}
	rows, err := s.pool.Query(ctx, findPeopleSQL, strings.TrimPrefix(who, "+"), id, strings.TrimPrefix(who, "@"), who, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("find people: %w", err)
	}
	if found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Person]); err != nil {
		return nil, false, fmt.Errorf("find people: %w", err)
	}
	return nonNil(found[:min(len(found), limit)]), len(found) > limit, nil
}
