package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store/pgtest"
)

// TestHotLookUpsUseIndexes runs the statements as they are, often enough that PostgreSQL has settled on a generic plan, and then asks
// it how many rows it read by scanning whole tables: none.
func TestHotLookUpsUseIndexes(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t, Migrate)
	prepareManyRows(t, dsn)
	analyze(t, dsn)
	var now time.Time
	if err := connect(t, dsn).QueryRow(t.Context(), `SELECT min(at) - interval '1 second' FROM messages`).Scan(&now); err != nil {
		t.Fatal(err)
	}
	calls := map[string]func(context.Context, *Store, int) error{
		"LoadKnown": func(ctx context.Context, s *Store, i int) error {
			contacts := []uuid.UUID{numbered(i), numbered(i + 1)}
			known, err := s.LoadKnown(ctx, contacts, contacts)
			if err == nil && (len(known.Contacts) != 2 || len(known.Sessions) != 2 || len(known.Applied) != 2 || len(known.Parked) != 2) {
				err = fmt.Errorf("known: %d contacts", len(known.Contacts))
			}
			return err
		},
		"SentMessages": func(ctx context.Context, s *Store, i int) error {
			keys := []SentKey{{"c", fmt.Sprint("wamid.", i+1)}, {"c", fmt.Sprint("wamid.", i+2)}, {"another", fmt.Sprint("wamid.", i+3)}, {"c", "wamid.x"}}
			found, err := s.SentMessages(ctx, keys)
			if err == nil && (len(found) != 2 || found[keys[0]].Key != DeliveryKey{(i + 1) % 4, uint64(i + 1)}) {
				err = fmt.Errorf("found %+v", found)
			}
			return err
		},
		"ReadEvents": func(ctx context.Context, s *Store, i int) error {
			events, err := s.ReadEvents(ctx, i%4, uint64(i), 20)
			if err == nil && len(events) != 20 {
				err = fmt.Errorf("read %d events", len(events))
			}
			return err
		},
		"AppendTurns": func(ctx context.Context, s *Store, i int) error {
			lease, part := timersPart(t, s, i)
			held, err := s.AppendTurns(ctx, []TurnPart{part})
			if err == nil && len(held) != 1 {
				err = fmt.Errorf("fenced: %+v", lease)
			}
			return err
		},
		"TimersOf": func(ctx context.Context, s *Store, i int) error {
			timers, err := s.TimersOf(ctx, []int{0, 1, 2, 3}, time.Now(), 20)
			if err == nil && len(timers) != 20 {
				err = fmt.Errorf("%d timers are due", len(timers))
			}
			return err
		},
		"SessionsAt": func(ctx context.Context, s *Store, i int) error {
			page, err := s.SessionsAt(ctx, "lead", []uint32{1}, SessionKey{"c", numbered(i)}, 20)
			if err == nil && len(page) != 20 {
				err = fmt.Errorf("%d sessions", len(page))
			}
			return err
		},
		"LookupRows": func(ctx context.Context, s *Store, i int) error {
			found, err := s.LookupRows(ctx, flow.Lookup{Table: "first", Where: map[string]string{"n": fmt.Sprint(i)}})
			if err == nil && len(found) != 1 {
				err = fmt.Errorf("found %d rows", len(found))
			}
			return err
		},
		"LookupRows without a condition": func(ctx context.Context, s *Store, i int) error {
			found, err := s.LookupRows(ctx, flow.Lookup{Table: "second", Limit: 20})
			if err == nil && len(found) != 20 {
				err = fmt.Errorf("found %d rows", len(found))
			}
			return err
		},
		"Messages": func(ctx context.Context, s *Store, i int) error {
			after := Message{At: now.Add(time.Duration(i) * time.Second)}
			list, err := s.Messages(ctx, MessageQuery{From: now.Add(-time.Hour), To: now.Add(24 * time.Hour), After: &after, Limit: 20})
			if err == nil && len(list) != 20 {
				err = fmt.Errorf("%d messages", len(list))
			}
			return err
		},
		"Messages of a contact": func(ctx context.Context, s *Store, i int) error {
			list, err := s.Messages(ctx, MessageQuery{Contact: numbered(i).String(), From: now.Add(-time.Hour), To: now.Add(24 * time.Hour), Limit: 20})
			if err == nil && len(list) != 1 {
				err = fmt.Errorf("%d messages", len(list))
			}
			return err
		},
		"FileMessage": func(ctx context.Context, s *Store, i int) error {
			_, err := s.FileMessage(ctx, "c", fmt.Sprint(i))
			return err
		},
		"FindPeople": func(ctx context.Context, s *Store, i int) error {
			found, more, err := s.FindPeople(ctx, "ann 1", 20)
			if err == nil && (len(found) != 20 || !more) {
				err = fmt.Errorf("%d people, more: %t", len(found), more)
			}
			return err
		},
		"FindPeople by LID": func(ctx context.Context, s *Store, i int) error {
			found, _, err := s.FindPeople(ctx, fmt.Sprint(i+1, "@lid"), 20)
			if err == nil && len(found) != 1 {
				err = fmt.Errorf("%d people", len(found))
			}
			return err
		},
		"TakeStarts": func(ctx context.Context, s *Store, i int) error {
			starts, running, err := s.TakeStarts(ctx)
			if err == nil && (!running || len(starts) > 20) {
				err = fmt.Errorf("%d starts, running %t", len(starts), running)
			}
			return err
		},
		"StartedMembers": func(ctx context.Context, s *Store, i int) error {
			started, err := s.StartedMembers(ctx, []string{"past"}, []uuid.UUID{numbered(i), numbered(i + 1), numbered(0)})
			if err == nil && len(started) != 2 {
				err = fmt.Errorf("%d were started", len(started))
			}
			return err
		},
		"OpenDeliveries": func(ctx context.Context, s *Store, i int) error {
			list, err := s.OpenDeliveries(ctx, i%4, 1)
			if err == nil && len(list) == 0 {
				err = fmt.Errorf("no open deliveries")
			}
			return err
		},
		"FindDeliveries": func(ctx context.Context, s *Store, i int) error {
			found, err := s.FindDeliveries(ctx, []string{fmt.Sprint("wamid.", i), fmt.Sprint("wamid.", i+1)})
			if err == nil && len(found) != 2 {
				err = fmt.Errorf("found %d", len(found))
			}
			return err
		},
		"SettledDeliveries": func(ctx context.Context, s *Store, i int) error {
			settled, err := s.SettledDeliveries(ctx, []DeliveryKey{{i % 4, uint64(i) + 4}})
			if err == nil && len(settled) != 1 {
				err = fmt.Errorf("found %d", len(settled))
			}
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			before := tableReads(t, dsn)
			s, err := Open(t.Context(), dsn, 1, "store test")
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for i := range 12 {
				if err := call(t.Context(), s, 1000+4*i); err != nil {
					t.Fatal(err)
				}
			}
			s.Close() // a connection that ends reports what it did
			awaitBackendsGone(t, dsn)
			for table, after := range tableReads(t, dsn) {
				if read := after.scanned - before[table].scanned; read > 0 {
					t.Errorf("%d rows of %s were read by scanning it", read, table)
				}
				// 12 calls for 20 rows, of 4 shards: an index that is read from end to end shows.
				if read := after.fetched - before[table].fetched; read > 1000 {
					t.Errorf("%d rows of %s were read by way of an index", read, table)
				}
			}
		})
	}
}

// TestPlansOfEmptyTables lets PostgreSQL settle on generic plans while the tables are empty, as it does after every first start, and
// then fills the tables without telling the planner: the plans must not read them from end to end.
func TestPlansOfEmptyTables(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t, Migrate)
	s, err := Open(t.Context(), dsn, 1, "store test")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	lane := take(t, s, ServiceReceipts, 1)[0]
	take(t, s, ServiceSession, 1)
	all := func(i int) error {
		key, next := DeliveryKey{0, uint64(4 * i)}, DeliveryKey{0, uint64(4*i + 4)}
		lane.Checkpoint++
		_, err1 := s.AdvanceDeliveries(t.Context(), []SendResult{{Key: key, State: DeliveryAccepted}}, []Intent{{Key: next, Epoch: 1}})
		_, err2 := s.ApplyReceipts(t.Context(), []Fence{{Shard: 0, Epoch: lane.Epoch, From: lane.Checkpoint - 1, To: lane.Checkpoint}},
			[]Receipt{{Key: key, WAMID: fmt.Sprint("wamid.", i), Name: "sent", Rank: 1}})
		_, err3 := s.SettledDeliveries(t.Context(), []DeliveryKey{key, next})
		_, err4 := s.FindDeliveries(t.Context(), []string{fmt.Sprint("wamid.", i)})
		_, err5 := s.LoadKnown(t.Context(), []uuid.UUID{numbered(i)}, []uuid.UUID{numbered(i)})
		_, err6 := s.ReadEvents(t.Context(), 0, uint64(i), 20)
		_, err7 := s.OpenDeliveries(t.Context(), 1, 1)
		_, err8 := s.TimersOf(t.Context(), []int{0, 1, 2, 3}, time.Now().Add(-9900*time.Second), 20)
		_, part := timersPart(t, s, i)
		_, err9 := s.AppendTurns(t.Context(), []TurnPart{part})
		_, err10 := s.lookupRows(t.Context(), flow.Lookup{Table: "first", Where: map[string]string{"n": fmt.Sprint(i)}})
		_, err11 := s.lookupRows(t.Context(), flow.Lookup{Table: "second", Limit: 20})
		return errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11)
	}
	for i := range 10 {
		if err := all(1000 + i); err != nil {
			t.Fatal(err)
		}
	}
	prepareManyRows(t, dsn)
	before := tableReads(t, dsn)
	for i := range 3 {
		if err := all(500 + i); err != nil {
			t.Fatal(err)
		}
	}
	s.Close() // a connection that ends reports what it did
	awaitBackendsGone(t, dsn)
	for table, after := range tableReads(t, dsn) {
		if read := after.scanned - before[table].scanned; read > 1000 {
			t.Errorf("%d rows of %s were read by scanning it", read, table)
		}
		if read := after.fetched - before[table].fetched; read > 1000 {
			t.Errorf("%d rows of %s were read by way of an index", read, table)
		}
	}
}

// timersPart is a part of shard 0 that moves the timer of one of the many sessions and takes away that of another.
func timersPart(t *testing.T, s *Store, i int) (Lease, TurnPart) {
	lease, _ := storedLease(t, s, ServiceSession, 0)
	part := TurnPart{Fence: fence(lease, lease.Checkpoint+1), Head: lease.Head}
	part.Timers = []Timer{{Key: SessionKey{"c", numbered(i)}, Ref: "again", WakeAt: time.Now()}}
	part.TimersOff = []SessionKey{{"c", numbered(i + 1)}}
	part.Redriven = []int64{int64(i) + 5000}
	return lease, part
}

func analyze(t *testing.T, dsn string) {
	t.Helper()
	if _, err := connect(t, dsn).Exec(t.Context(), `ANALYZE`); err != nil {
		t.Fatal(err)
	}
}

// numbered is the uuid that prepareManyRows gives to row i.
func numbered(i int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("00000000-0000-0000-0000-%012d", i))
}

func prepareManyRows(t *testing.T, dsn string) {
	t.Helper()
	conn := connect(t, dsn)
	for _, sql := range []string{
		`CREATE TEMP TABLE n AS SELECT i, lpad(i::text, 32, '0')::uuid AS id FROM generate_series(1, 10000) i`,
		`INSERT INTO leases (service, shard, epoch) SELECT s, n, 1 FROM unnest(ARRAY['session', 'dispatcher']) s, generate_series(0, 3) n
			ON CONFLICT DO NOTHING`,
		`INSERT INTO contacts (id, portfolio, lane_key, shard, name, username, created_at) SELECT id, 'p', i, i % 4, 'Ann ' || i, 'ann' || i, now() FROM n`,
		`INSERT INTO contact_identities (portfolio, kind, value, contact_id) SELECT 'p', 'lid', i || '@lid', id FROM n`,
		`INSERT INTO sessions SELECT 'c', id, i, i % 4, 'lead', 1, 'active', 'name', '{}', 'en', 0, 1, now(), now() FROM n`,
		`INSERT INTO timers SELECT 'c', id, i % 4, 'ref', now() - make_interval(secs => i) FROM n ON CONFLICT DO NOTHING`,
		`INSERT INTO table_rows SELECT name, i, jsonb_build_object('n', i::text, 'odd', (i % 2)::text) FROM n, unnest(ARRAY['first', 'second']) name`,
		`INSERT INTO inbox SELECT id, now() FROM n`,
		`INSERT INTO events SELECT i % 4, i / 4 + 1, i, 1, 'StepEntered', now() + make_interval(days => i / 200), '' FROM n`,
		`INSERT INTO messages SELECT i % 4, i, now() + make_interval(secs => i), 'out', 'c', id, i, 'lead', 'text', '', '', '{}' FROM n`,
		`INSERT INTO campaigns (name, flow, channel, portfolio, template, per_second, state, size)
			VALUES ('past', 'f', 'c', 'p', '', 100, 'paused', 10000), ('now', 'f', 'c', 'p', '', 10, 'running', 10000)`,
		`INSERT INTO campaign_contacts (campaign, line, phone, bsuid, name, language, slots, state, contact_id)
			SELECT c, i, i, '', '', '', '{}', CASE c WHEN 'past' THEN 'started' ELSE 'waiting' END, id FROM n, unnest(ARRAY['past', 'now']) c`,
		`INSERT INTO dead_letters (kind, service, shard, position, contact_id, data, reason) SELECT 'parked', 'session', i % 4, i, id, '', '' FROM n`,
		`INSERT INTO deliveries (shard, "offset", channel, contact_id, session_id, content, state, wamid, queued_at)
			SELECT i % 4, i, 'c', id, i, '', CASE WHEN i % 500 < 4 THEN 'sending' ELSE 'accepted' END, 'wamid.' || i, now() FROM n`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// reads is how many rows of a table were read: by scanning it, and by way of an index.
type reads struct{ scanned, fetched int64 }

// tableReads returns what was read of each large table.
func tableReads(t *testing.T, dsn string) map[string]reads {
	t.Helper()
	rows, err := connect(t, dsn).Query(t.Context(), `SELECT relname, seq_tup_read, COALESCE(idx_tup_fetch, 0)
		FROM pg_stat_user_tables WHERE relname <> 'leases'`)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]reads{}
	var table string
	var read reads
	if _, err := pgx.ForEachRow(rows, []any{&table, &read.scanned, &read.fetched}, func() error { counts[table] = read; return nil }); err != nil {
		t.Fatal(err)
	}
	if len(counts) < 10 {
		t.Fatalf("statistics of %d tables only", len(counts))
	}
	return counts
}

// awaitBackendsGone returns when no store has a connection to the database.
func awaitBackendsGone(t *testing.T, dsn string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn := connect(t, dsn)
	for {
		var alive int
		err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'store test'`).Scan(&alive)
		if err != nil {
			t.Fatal(err)
		}
		if alive == 0 {
			return
		}
	}
}
