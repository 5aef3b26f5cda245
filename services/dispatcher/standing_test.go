package dispatcher

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// stands writes a contact, and how their session stands.
func (db *database) stands(contact, progress string) {
	db.t.Helper()
	_, err := db.conn.Exec(db.t.Context(), `INSERT INTO contacts (id, portfolio, lane_key, shard, created_at) VALUES ($1, 'p', $2, $3, now()) ON CONFLICT DO NOTHING`,
		store.ContactID("p", contact), contact, shard)
	if err != nil {
		db.t.Fatal(err)
	}
	_, err = db.conn.Exec(db.t.Context(), `INSERT INTO sessions (channel, contact_id, session_id, shard, flow, flow_version, status, current_state,
		flow_data, language, failure_count, version, started_at, last_interaction, progress)
		VALUES ('n1', $1, 7, $2, 'f', 1, 'active', 's', '{}', 'en', 0, 1, now(), now(), $3::jsonb)
		ON CONFLICT (contact_id, channel) DO UPDATE SET progress = excluded.progress`, store.ContactID("p", contact), shard, progress)
	if err != nil {
		db.t.Fatal(err)
	}
}

// careful is an office that looks again.
func careful(t *testing.T, db *database, windowless bool) *office {
	t.Helper()
	o := open(t, db)
	o.SetStandings(db.Standings, func(string) bool { return windowless })
	return o
}

func until(m lane.Message, at time.Time) lane.Message {
	m.Event.GetMessageQueued().WindowUntilMs = at.UnixMilli()
	return m
}

func instead(m lane.Message, template string) lane.Message {
	m.Event.GetMessageQueued().Fallback = &parleyv1.Template{Name: template}
	return m
}

func contentOf(t *testing.T, job Job) *parleyv1.MessageQueued {
	t.Helper()
	m := &parleyv1.MessageQueued{}
	if err := proto.Unmarshal(job.Content, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// What the session has just decided goes with the commit of its event.
func TestFreshMessagesGoAtOnce(t *testing.T) {
	db := newDatabase(t)
	o := careful(t, db, false)
	o.apply(until(queued("a", 1), start.Add(time.Hour)), queued("b", 2))
	o.wantLaunched("1 2")
}

// WIRE.md 3.4, 131047: after the window a message is its template, or fails before the
// call, whether it closed while the message waited or was never open.
func TestWindowHasClosed(t *testing.T) {
	for name, at := range map[string]time.Time{"meanwhile": start.Add(time.Hour), "never open": time.UnixMilli(1)} {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			o := careful(t, db, false)
			o.pass(59*time.Minute + 30*time.Second) // the dispatcher was away
			o.apply(until(queued("a", 1), at), instead(until(queued("b", 2), at), "hello"))
			o.wantLaunched("")
			o.cycle()
			job := o.wantLaunched("2")[0]
			if m := contentOf(t, job); m.GetTemplate().GetName() != "hello" || m.GetFallback() != nil || m.GetPhone() == "" {
				t.Errorf("sent %v", m)
			}
			o.cycle()
			if r := db.row(1); r.State != store.DeliveryFailed || r.Class != refusalWindow || r.Code != codeWindow {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The person has written since, or the channel has no windows.
func TestWindowIsOpen(t *testing.T) {
	db := newDatabase(t)
	o := careful(t, db, false)
	o.pass(2 * time.Hour)
	db.stands("a", `{"window_until_ms": 99999999999999}`)
	o.apply(instead(until(queued("a", 1), start.Add(time.Hour)), "hello"))
	o.cycle()
	if m := contentOf(t, o.wantLaunched("1")[0]); m.GetText() == nil {
		t.Errorf("sent %v", m)
	}
	sessions := careful(t, newDatabase(t), true)
	sessions.apply(until(queued("a", 1), time.UnixMilli(1)))
	sessions.cycle()
	sessions.wantLaunched("1")
}

// DESIGN 7: whoever opted out, or talks to a human, gets nothing that was queued before;
// what was said in that very turn goes.
func TestHushedMessages(t *testing.T) {
	db := newDatabase(t)
	o := careful(t, db, false)
	o.pass(time.Minute)
	db.stands("a", `{"hushed_ms": `+fmt.Sprint(start.Add(time.Second).UnixMilli())+`}`)
	db.stands("b", `{"hushed_ms": `+fmt.Sprint(start.UnixMilli())+`}`)
	o.apply(queued("a", 1), queued("b", 2))
	o.cycle()
	o.wantLaunched("2")
	o.cycle()
	if r := db.row(1); r.State != store.DeliveryFailed || r.Class != refusalHushed {
		t.Errorf("%+v", r)
	}
}

// What a human wrote goes although a human has taken the conversation since, once more
// or another one; not if the person wants to hear nothing.
func TestHumansAreNotHushed(t *testing.T) {
	db := newDatabase(t)
	o := careful(t, db, false)
	o.pass(time.Minute)
	written := func(contact string, offset uint64) lane.Message {
		m := queued(contact, offset)
		m.Event.GetMessageQueued().Author = "ann"
		return m
	}
	for _, contact := range []string{"a", "b"} {
		db.stands(contact, `{"hushed_ms": `+fmt.Sprint(start.Add(time.Second).UnixMilli())+`}`)
	}
	if _, err := db.conn.Exec(t.Context(), `INSERT INTO contacts (id, portfolio, lane_key, shard, created_at, opted_out_at)
		VALUES ($1, 'p', 'b', $2, now(), now()) ON CONFLICT (id) DO UPDATE SET opted_out_at = now()`, store.ContactID("p", "b"), shard); err != nil {
		t.Fatal(err)
	}
	o.apply(written("a", 1), written("b", 2))
	o.cycle()
	o.wantLaunched("1")
	o.cycle()
	if r := db.row(2); r.State != store.DeliveryFailed || r.Class != refusalHushed {
		t.Errorf("%+v", r)
	}
}

// WIRE.md 1.9, user_preferences: who wants no marketing gets answers, and nothing that
// the business began; it fails before the call, and its session is told.
func TestMarketingIsNotWanted(t *testing.T) {
	db := newDatabase(t)
	o := careful(t, db, false)
	bulk := func(contact string, offset uint64) lane.Message {
		m := queued(contact, offset)
		m.Event.GetMessageQueued().Priority, m.Event.GetMessageQueued().Marketing = parleyv1.Priority_PRIORITY_BULK, true
		return m
	}
	for _, contact := range []string{"a", "b"} {
		if _, err := db.conn.Exec(t.Context(), `INSERT INTO contacts (id, portfolio, lane_key, shard, created_at, marketing_stopped_at)
			VALUES ($1, 'p', $2, $3, now(), CASE WHEN $2 = 'a' THEN now() END) ON CONFLICT (id) DO UPDATE
			SET marketing_stopped_at = excluded.marketing_stopped_at`, store.ContactID("p", contact), contact, shard); err != nil {
			t.Fatal(err)
		}
	}
	migrated := bulk("a", 4)
	migrated.Event.GetMessageQueued().Marketing = false
	o.apply(bulk("a", 1), bulk("b", 2), queued("c", 3), migrated)
	o.wantLaunched("3")
	o.cycle()
	o.wantLaunched("2")
	o.cycle()
	o.cycle()
	o.wantLaunched("4")
	if r := db.row(1); r.State != store.DeliveryFailed || r.Class != refusalMarketing || r.Code != 0 {
		t.Errorf("%+v", r)
	}
}

// Whoever is blocked gets nothing that has waited, on whatever channel it was said.
func TestBlockedGetNothing(t *testing.T) {
	db := newDatabase(t)
	o := careful(t, db, false)
	o.pass(time.Minute)
	if _, err := db.conn.Exec(t.Context(), `INSERT INTO contacts (id, portfolio, lane_key, shard, created_at, blocked_at)
		VALUES ($1, 'p', 'a', $2, now(), now()) ON CONFLICT (id) DO UPDATE SET blocked_at = excluded.blocked_at`, store.ContactID("p", "a"), shard); err != nil {
		t.Fatal(err)
	}
	o.apply(queued("a", 1), queued("b", 2))
	o.cycle()
	o.wantLaunched("2")
	o.cycle()
	if r := db.row(1); r.State != store.DeliveryFailed || r.Class != refusalHushed {
		t.Errorf("%+v", r)
	}
}
