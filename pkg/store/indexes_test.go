package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/store/pgtest"
)

// TestHotLookUpsUseIndexes runs the statements as they are, often enough that PostgreSQL has settled on a generic plan, and then asks
// it how many rows it read by scanning whole tables: none.
func TestHotLookUpsUseIndexes(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t, Migrate)
	prepareManyRows(t, dsn)
	analyze(t, dsn)
	calls := map[string]func(context.Context, *Store, int) error{
		"LoadKnown": func(ctx context.Context, s *Store, i int) error {
			contacts := []uuid.UUID{numbered(i), numbered(i + 1)}
			known, err := s.LoadKnown(ctx, contacts, contacts)
			if err == nil && (len(known.Contacts) != 2 || len(known.Sessions) != 2 || len(known.Applied) != 2 || len(known.Parked) != 2) {
				err = fmt.Errorf("known: %d contacts", len(known.Contacts))
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
			before := scanned(t, dsn)
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
			for table, rows := range scanned(t, dsn) {
				if rows != before[table] {
					t.Errorf("%d rows of %s were read by scanning it", rows-before[table], table)
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
		return errors.Join(err1, err2, err3, err4, err5, err6, err7)
	}
	for i := range 10 {
		if err := all(1000 + i); err != nil {
			t.Fatal(err)
		}
	}
	prepareManyRows(t, dsn)
	before := scanned(t, dsn)
	for i := range 3 {
		if err := all(500 + i); err != nil {
			t.Fatal(err)
		}
	}
	s.Close() // a connection that ends reports what it did
	awaitBackendsGone(t, dsn)
	for table, rows := range scanned(t, dsn) {
		if read := rows - before[table]; read > 1000 {
			t.Errorf("%d rows of %s were read by scanning it", read, table)
		}
	}
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
		`INSERT INTO leases (service, shard, epoch) SELECT s, n, 1 FROM unnest(ARRAY['session', 'dispatcher']) s, generate_series(0, 3) n`,
		`INSERT INTO contacts (id, portfolio, lane_key, shard, created_at) SELECT id, 'p', i, i % 4, now() FROM n`,
		`INSERT INTO sessions SELECT 'c', id, i, i % 4, 'lead', 1, 'active', 'name', '{}', 'en', 0, 1, now(), now() FROM n`,
		`INSERT INTO inbox SELECT id, now() FROM n`,
		`INSERT INTO events SELECT i % 4, i / 4 + 1, i, 1, 'StepEntered', now() + make_interval(days => i / 200), '' FROM n`,
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

// scanned returns how many rows of each large table were read by sequential scans.
func scanned(t *testing.T, dsn string) map[string]int64 {
	t.Helper()
	rows, err := connect(t, dsn).Query(t.Context(), `SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE relname <> 'leases'`)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	var table string
	var read int64
	if _, err := pgx.ForEachRow(rows, []any{&table, &read}, func() error { counts[table] = read; return nil }); err != nil {
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
