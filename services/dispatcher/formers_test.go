package dispatcher

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// merged is the event that a contact took over what another one had.
func merged(contact string, former uuid.UUID, offset uint64) lane.Message {
	m := queued(contact, offset)
	m.Event.Body = &parleyv1.Event_ContactMerged{ContactMerged: &parleyv1.ContactMerged{From: former[:]}}
	return m
}

func (db *database) exec(sql string, args ...any) {
	db.t.Helper()
	if _, err := db.conn.Exec(db.t.Context(), sql, args...); err != nil {
		db.t.Fatal(err)
	}
}

// former makes a contact of another shard turn out to be one of this shard, who was sent
// something in the events up to the last one.
func (db *database) former(name, now string, last int) uuid.UUID {
	db.t.Helper()
	id, into := store.ContactID("p", name), store.ContactID("p", now)
	for _, c := range []uuid.UUID{id, into} {
		db.exec(`INSERT INTO contacts (id, portfolio, lane_key, shard, created_at) VALUES ($1, 'p', 'k', $2, now()) ON CONFLICT DO NOTHING`, c, shard)
	}
	db.exec(`UPDATE contacts SET shard = 2, merged_into = $2, last_event = $3 WHERE id = $1`, id, into, last)
	return id
}

// TestFormersAreSentToFirst: what is said after a merge goes when all is settled that was
// said to the other contact before, wherever that is sent from; on each number for itself.
func TestFormersAreSentToFirst(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	look := func(want string) {
		t.Helper()
		o.pass(formersPoll)
		o.cycle()
		o.wantLaunched(want)
	}
	former := db.former("former", "a", 5)
	o.apply(merged("a", former, 1), queued("a", 2), queued("b", 3), queued("a", 4))
	o.wantLaunched("3") // b has nothing to wait for
	look("")            // the dispatcher of the other shard has not got there yet

	db.exec(`INSERT INTO deliveries (shard, "offset", channel, contact_id, session_id, content, state, attempts, queued_at)
		VALUES (2, 5, 'n1', $1, 7, '', 'queued', 0, now())`, former)
	db.exec(`UPDATE leases SET checkpoint = 5 WHERE service = $1 AND shard = 2`, store.ServiceDispatcher)
	look("")
	other := queued("a", 5)
	other.Event.Channel = "n2"
	o.apply(other)
	look("5")

	o = open(t, db) // another process
	look("")
	db.exec(`UPDATE deliveries SET state = 'sending', sending_at = now() WHERE shard = 2`)
	look("")
	db.exec(`UPDATE deliveries SET state = 'accepted' WHERE shard = 2`)
	look("2")
	var sentOut bool
	if err := db.conn.QueryRow(t.Context(), `SELECT sent_out_at IS NOT NULL FROM contacts WHERE id = $1`, former).Scan(&sentOut); err != nil || !sentOut {
		t.Errorf("sent out %v, %v", sentOut, err)
	}
	if o = open(t, db); len(o.desk.behind) > 0 {
		t.Errorf("behind %v", o.desk.behind)
	}
}

// TestFormersOfFormers: who turned out to be somebody else later waits as that one does, and
// that one for both. What is unknown for long is waited for no longer.
func TestFormersOfFormers(t *testing.T) {
	db := newDatabase(t)
	first := db.former("first", "second", 0)
	second := db.former("second", "a", 0)
	db.exec(`INSERT INTO deliveries (shard, "offset", channel, contact_id, session_id, content, state, attempts, queued_at, sending_at)
		VALUES (2, 5, 'n1', $1, 7, '', 'ambiguous', 1, now(), now())`, first)
	for at, want := range map[int][]uuid.UUID{2: {second}, shard: {store.ContactID("p", "a")}} {
		behind, err := db.ContactsBehind(t.Context(), at)
		if err != nil || len(behind) != 1 || behind[0] != want[0] {
			t.Fatalf("behind in shard %d: %v, %v", at, behind, err)
		}
	}
	ask := []uuid.UUID{second, store.ContactID("p", "a")}
	formers, err := db.Formers(t.Context(), ask, time.Hour)
	if err != nil || len(formers) != 2 || formers[ask[1]].Channels[0] != "n1" || formers[ask[0]].Coming {
		t.Fatalf("formers %v, %v", formers, err)
	}
	formers, err = db.Formers(t.Context(), ask, 0)
	if err != nil || len(formers) != 0 {
		t.Errorf("formers %v, %v", formers, err)
	}
}
