package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Kinds of identities that prove who somebody is. A username is none: it can be given
// up, and taken by somebody else.
const (
	IdentityBSUID  = "bsuid"
	IdentityLID    = "lid"
	IdentityParent = "parent_bsuid"
	IdentityPhone  = "phone"
)

// IdentityKey is one identity of a person, as one business knows them.
type IdentityKey struct{ Portfolio, Kind, Value string }

func compareKeys(a, b IdentityKey) int {
	return cmp.Or(cmp.Compare(a.Portfolio, b.Portfolio), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
}

// IsLID reports whether an id that stands as the BSUID is a LID of WASenderApi.
func IsLID(bsuid string) bool { return strings.HasSuffix(bsuid, "@lid") }

// IdentityKeys are the identities that an update names, the surest first: a phone can
// change hands (WIRE.md 2.5).
func IdentityKeys(portfolio string, id *parleyv1.Identity) (keys []IdentityKey) {
	add := func(kind, value string) {
		key := IdentityKey{portfolio, kind, value}
		if value != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if IsLID(id.GetBsuid()) {
		add(IdentityLID, id.GetBsuid())
	} else {
		add(IdentityBSUID, id.GetBsuid())
	}
	add(IdentityParent, id.GetParentBsuid())
	add(IdentityLID, id.GetLid())
	add(IdentityPhone, id.GetPhone())
	return keys
}

// Owners says who has each of the keys. Of everybody who has one, and of the contacts,
// it has all their identities.
func (s *Store) Owners(ctx context.Context, keys []IdentityKey, contacts []uuid.UUID) (map[IdentityKey]uuid.UUID, error) {
	var c claimColumns
	for _, key := range keys {
		c.add(IdentityClaim{Key: key})
	}
	rows, err := s.pool.Query(ctx, `
		SELECT i.portfolio, i.kind, i.value, i.contact_id FROM contact_identities i
		 WHERE i.contact_id = ANY ($4::uuid[] || ARRAY (
		       SELECT k.contact_id FROM unnest($1::text[], $2::text[], $3::text[]) u(portfolio, kind, value)
		         JOIN contact_identities k USING (portfolio, kind, value)))`, c.portfolio, c.kind, c.value, contacts)
	if err != nil {
		return nil, fmt.Errorf("find contacts: %w", err)
	}
	owners := map[IdentityKey]uuid.UUID{}
	var key IdentityKey
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&key.Portfolio, &key.Kind, &key.Value, &id}, func() error {
		owners[key] = id
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find contacts: %w", err)
	}
	return owners, nil
}

// IdentityClaim says whose an identity was when it was read, and whose it is now; the
// zero UUID is nobody. If it stays whose it was, it only must not have moved.
type IdentityClaim struct {
	Key      IdentityKey
	From, To uuid.UUID
}

// IdentityChanges are what a batch of turns learns about who is who.
type IdentityChanges struct {
	Claims []IdentityClaim
	// Counts are how many identities contacts had when they were read: one more would
	// say that somebody else was found to be them.
	Counts map[uuid.UUID]int
	// Left are contacts whose identities went to another, by contact. Their bookings
	// go with them, opting out counts for both; they must be in no conversation.
	Left map[uuid.UUID]uuid.UUID
}

// queue adds the statements, with the rows locked in the order of their keys. Who finds
// that another was first gets ErrConflict.
func (c IdentityChanges) queue(tx *resourceBatch) {
	slices.SortFunc(c.Claims, func(a, b IdentityClaim) int { return compareKeys(a.Key, b.Key) })
	var held, made, moved, dropped claimColumns
	for _, claim := range c.Claims {
		switch {
		case claim.From == claim.To:
			held.add(claim)
		case claim.From == uuid.Nil:
			made.add(claim)
		case claim.To == uuid.Nil:
			dropped.add(claim)
		default:
			moved.add(claim)
		}
	}
	c.queueCounts(tx)
	tx.mustChange(len(held.kind), lockedIdentitiesSQL+` FOR SHARE OF i) SELECT FROM locked`, held.args()...)
	tx.mustChange(len(made.kind), `
		INSERT INTO contact_identities (portfolio, kind, value, contact_id)
		SELECT u.portfolio, u.kind, u.value, u.now FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::uuid[]) u(portfolio, kind, value, was, now)
		ON CONFLICT DO NOTHING`, made.args()...)
	tx.mustChange(len(moved.kind), lockedIdentitiesSQL+` FOR UPDATE OF i)
		UPDATE contact_identities i SET contact_id = l.now FROM locked l
		 WHERE i.portfolio = l.portfolio AND i.kind = l.kind AND i.value = l.value`, moved.args()...)
	tx.mustChange(len(dropped.kind), lockedIdentitiesSQL+` FOR UPDATE OF i)
		DELETE FROM contact_identities i USING locked l
		 WHERE i.portfolio = l.portfolio AND i.kind = l.kind AND i.value = l.value`, dropped.args()...)
	if len(moved.kind) > 0 {
		tx.batch.Queue(forgetIdentitiesSQL, moved.args()...)
	}
	c.queueLeft(tx)
}

func (c IdentityChanges) queueCounts(tx *resourceBatch) {
	var ids uuid.UUIDs
	var counts []int
	for id, n := range c.Counts {
		ids, counts = append(ids, id), append(counts, n)
	}
	tx.mustChange(len(ids), `SELECT FROM unnest($1::uuid[], $2::int[]) u(id, n)
		 WHERE u.n = (SELECT count(*) FROM contact_identities i WHERE i.contact_id = u.id)`, ids, counts)
}

// queueLeft takes contacts out of use. They are looked at after their identities are
// locked, and whoever begins a conversation of theirs must lock these too.
func (c IdentityChanges) queueLeft(tx *resourceBatch) {
	var from, to uuid.UUIDs
	for a, b := range c.Left {
		from, to = append(from, a), append(to, b)
	}
	tx.mustChange(len(from), `SELECT FROM unnest($1::uuid[]) u(id)
		 WHERE NOT EXISTS (SELECT FROM sessions s WHERE s.contact_id = u.id AND s.status IN ('active', 'human'))`, from)
	if len(from) > 0 {
		tx.batch.Queue(`UPDATE contacts c
			   SET opted_out_at = COALESCE(c.opted_out_at, l.opted_out_at),
			       marketing_stopped_at = COALESCE(c.marketing_stopped_at, l.marketing_stopped_at),
			       blocked_at = COALESCE(c.blocked_at, l.blocked_at), language = COALESCE(NULLIF(c.language, ''), l.language)
			  FROM unnest($1::uuid[], $2::uuid[]) u(was, now) JOIN contacts l ON l.id = u.was WHERE c.id = u.now`, from, to)
		tx.batch.Queue(`UPDATE bookings b SET contact_id = u.now FROM unnest($1::uuid[], $2::uuid[]) u(was, now)
			 WHERE b.contact_id = u.was AND b.state IN ('held', 'booked')
			   AND NOT EXISTS (SELECT FROM bookings o WHERE o.contact_id = u.now AND o.slot_id = b.slot_id)`, from, to)
	}
}

const lockedIdentitiesSQL = `
	WITH locked AS (
		SELECT u.* FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::uuid[]) u(portfolio, kind, value, was, now)
		  JOIN contact_identities i USING (portfolio, kind, value) WHERE i.contact_id = u.was ORDER BY u.portfolio, u.kind, u.value`

// forgetIdentitiesSQL takes from contacts what is somebody else's now: nothing may be
// sent to them there.
const forgetIdentitiesSQL = `
	UPDATE contacts c
	   SET phone = CASE WHEN c.phone = ANY (l.phones) THEN '' ELSE c.phone END,
	       bsuid = CASE WHEN c.bsuid = ANY (l.bsuids) THEN '' ELSE c.bsuid END
	  FROM (SELECT u.was, u.portfolio, array_remove(array_agg(CASE WHEN u.kind = 'phone' THEN u.value END), NULL) AS phones,
	               array_remove(array_agg(CASE WHEN u.kind IN ('bsuid', 'lid') THEN u.value END), NULL) AS bsuids
	          FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::uuid[]) u(portfolio, kind, value, was, now)
	         GROUP BY u.was, u.portfolio) l
	 WHERE c.id = l.was`

type claimColumns struct {
	portfolio, kind, value []string
	was, now               uuid.UUIDs
}

func (c *claimColumns) add(claim IdentityClaim) {
	c.portfolio = append(c.portfolio, claim.Key.Portfolio)
	c.kind = append(c.kind, claim.Key.Kind)
	c.value = append(c.value, claim.Key.Value)
	c.was, c.now = append(c.was, claim.From), append(c.now, claim.To)
}

func (c *claimColumns) args() []any { return []any{c.portfolio, c.kind, c.value, c.was, c.now} }
