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

// Owner is who has an identity.
type Owner struct {
	Contact uuid.UUID
	// Via is the contact that had the identity before contacts turned out to be one: what is
	// on its way went there, and so must what follows. Zero if it was Contact from the first.
	Via uuid.UUID
}

// Owners says who has each of the keys. Of everybody who has one, and of the contacts,
// it has all their identities.
func (s *Store) Owners(ctx context.Context, keys []IdentityKey, contacts []uuid.UUID) (map[IdentityKey]Owner, error) {
	var c claimColumns
	for _, key := range keys {
		c.add(IdentityClaim{Key: key})
	}
	rows, err := s.pool.Query(ctx, `
		SELECT i.portfolio, i.kind, i.value, i.contact_id, i.via FROM contact_identities i
		 WHERE i.contact_id = ANY ($4::uuid[] || ARRAY (
		       SELECT k.contact_id FROM unnest($1::text[], $2::text[], $3::text[]) u(portfolio, kind, value)
		         JOIN contact_identities k USING (portfolio, kind, value)))`, c.portfolio, c.kind, c.value, contacts)
	if err != nil {
		return nil, fmt.Errorf("find contacts: %w", err)
	}
	owners := map[IdentityKey]Owner{}
	var key IdentityKey
	var id uuid.UUID
	var via uuid.NullUUID
	_, err = pgx.ForEachRow(rows, []any{&key.Portfolio, &key.Kind, &key.Value, &id, &via}, func() error {
		owners[key] = Owner{id, via.UUID}
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
	// Via is what Owner has from now on, if it moves.
	Via uuid.UUID
}

// IdentityChanges are what a batch of turns learns about who is who.
type IdentityChanges struct {
	Claims []IdentityClaim
	// Counts are how many identities contacts had when they were read: one more would
	// say that somebody else was found to be them.
	Counts map[uuid.UUID]int
	// Left is a contact that turns out to be another one; nil if none does.
	Left *Leaving
	// TakenOver are contacts that left before, and whose conversations, bookings and leads
	// are their new contact's by this commit.
	TakenOver []uuid.UUID
}

// Leaving is a contact that turns out to be another one. Its identities go there at once;
// what else it had waits until the other one takes it over, in its own lane.
type Leaving struct {
	From, Into uuid.UUID
	// Idle says that the contact's lane is not the writer's: it must be in no conversation.
	Idle bool
}

// Empty reports whether there is nothing to write or to check.
func (c IdentityChanges) Empty() bool {
	return len(c.Claims) == 0 && len(c.Counts) == 0 && c.Left == nil && len(c.TakenOver) == 0
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
		INSERT INTO contact_identities (portfolio, kind, value, contact_id, via)
		SELECT u.portfolio, u.kind, u.value, u.now, u.via
		  FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[]) u(portfolio, kind, value, was, now, via)
		ON CONFLICT DO NOTHING`, made.args()...)
	tx.mustChange(len(moved.kind), lockedIdentitiesSQL+` FOR UPDATE OF i)
		UPDATE contact_identities i SET contact_id = l.now, via = l.via FROM locked l
		 WHERE i.portfolio = l.portfolio AND i.kind = l.kind AND i.value = l.value`, moved.args()...)
	tx.mustChange(len(dropped.kind), lockedIdentitiesSQL+` FOR UPDATE OF i)
		DELETE FROM contact_identities i USING locked l
		 WHERE i.portfolio = l.portfolio AND i.kind = l.kind AND i.value = l.value`, dropped.args()...)
	c.queueLeft(tx)
	if len(moved.kind) > 0 {
		tx.batch.Queue(forgetIdentitiesSQL, moved.args()...)
	}
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

// queueLeft takes a contact out of use. Both rows are locked first, in the order of their
// ids: of two who say it of each other, the second finds that the first was there. That
// the contact is idle is looked at after its identities are locked, and whoever begins or
// takes up a conversation of theirs must lock these too. So nothing is said to it behind the
// head of its lane that is read after that.
func (c IdentityChanges) queueLeft(tx *resourceBatch) {
	if c.Left == nil {
		return
	}
	from, into := c.Left.From, c.Left.Into
	tx.mustChange(2, `SELECT FROM contacts WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE`, uuid.UUIDs{from, into})
	if c.Left.Idle {
		tx.mustChange(1, `SELECT FROM contacts c WHERE c.id = $1 AND c.parked_at IS NULL
			 AND NOT EXISTS (SELECT FROM sessions s WHERE s.contact_id = c.id AND s.status IN ('active', 'human'))`, from)
	}
	tx.mustChange(1, `
		UPDATE contacts c
		   SET opted_out_at = COALESCE(c.opted_out_at, l.opted_out_at), blocked_at = COALESCE(c.blocked_at, l.blocked_at),
		       marketing_stopped_at = COALESCE(c.marketing_stopped_at, l.marketing_stopped_at),
		       language = COALESCE(NULLIF(c.language, ''), l.language), phone = COALESCE(NULLIF(c.phone, ''), l.phone),
		       bsuid = COALESCE(NULLIF(c.bsuid, ''), l.bsuid), parent_bsuid = COALESCE(NULLIF(c.parent_bsuid, ''), l.parent_bsuid),
		       username = COALESCE(NULLIF(c.username, ''), l.username), name = COALESCE(NULLIF(c.name, ''), l.name)
		  FROM contacts l WHERE c.id = $2 AND c.merged_into IS NULL AND l.id = $1`, from, into)
	tx.mustChange(1, `
		UPDATE contacts c SET merged_into = $2, last_event = (SELECT l.head FROM leases l WHERE l.service = $3 AND l.shard = c.shard)
		 WHERE c.id = $1 AND c.merged_into IS NULL`, from, into, ServiceSession)
}

// queueTaken says of contacts that left that the contact that they turned out to be has all
// that they had, and gives it their campaigns.
func (c IdentityChanges) queueTaken(tx *resourceBatch) {
	for _, from := range c.TakenOver {
		tx.mustChange(1, `UPDATE contacts SET taken_over_at = now() WHERE id = $1 AND taken_over_at IS NULL`, from)
		tx.batch.Queue(moveStartedSQL, from)
	}
}

const moveStartedSQL = `
	UPDATE campaign_contacts w SET contact_id = c.merged_into FROM contacts c
	 WHERE c.id = $1 AND w.contact_id = c.id AND w.state = 'started'`

const lockedIdentitiesSQL = `
	WITH locked AS (
		SELECT u.* FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[]) u(portfolio, kind, value, was, now, via)
		  JOIN contact_identities i USING (portfolio, kind, value) WHERE i.contact_id = u.was ORDER BY u.portfolio, u.kind, u.value`

// forgetIdentitiesSQL takes from contacts what is somebody else's now: nothing may be
// sent to them there.
const forgetIdentitiesSQL = `
	UPDATE contacts c
	   SET phone = CASE WHEN c.phone = ANY (l.phones) THEN '' ELSE c.phone END,
	       bsuid = CASE WHEN c.bsuid = ANY (l.bsuids) THEN '' ELSE c.bsuid END
	  FROM (SELECT u.was, u.portfolio, array_remove(array_agg(CASE WHEN u.kind = 'phone' THEN u.value END), NULL) AS phones,
	               array_remove(array_agg(CASE WHEN u.kind IN ('bsuid', 'lid') THEN u.value END), NULL) AS bsuids
	          FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[]) u(portfolio, kind, value, was, now, via)
	         GROUP BY u.was, u.portfolio) l
	 WHERE c.id = l.was`

type claimColumns struct {
	portfolio, kind, value []string
	was, now               uuid.UUIDs
	via                    []uuid.NullUUID
}

func (c *claimColumns) add(claim IdentityClaim) {
	c.portfolio = append(c.portfolio, claim.Key.Portfolio)
	c.kind = append(c.kind, claim.Key.Kind)
	c.value = append(c.value, claim.Key.Value)
	c.was, c.now = append(c.was, claim.From), append(c.now, claim.To)
	c.via = append(c.via, uuid.NullUUID{UUID: claim.Via, Valid: claim.Via != uuid.Nil})
}

func (c *claimColumns) args() []any { return []any{c.portfolio, c.kind, c.value, c.was, c.now, c.via} }
