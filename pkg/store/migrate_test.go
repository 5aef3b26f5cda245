package store

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store/pgtest"
)

// TestMigrateConcurrently starts several replicas on an empty database: each has its own connections, as processes do.
func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	started := time.Now()
	var replicas errgroup.Group
	for range 4 {
		replicas.Go(func() error { return Migrate(t.Context(), dsn) })
	}
	if err := replicas.Wait(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(started); took > 4*time.Second {
		t.Errorf("replicas that start together waited %v for each other", took)
	}
	if err := Migrate(t.Context(), dsn); err != nil {
		t.Fatalf("again: %v", err)
	}
	s := openStore(t, dsn)
	if n := value[int](t, s, `SELECT count(*) FROM goose_db_version WHERE version_id = 1 AND is_applied`); n != 1 {
		t.Errorf("the first migration was applied %d times", n)
	}
	lease := take(t, s, ServiceSession, 1)[0]
	if held := appendTurns(t, s, turnOf(lease, "ann")); len(held) != 1 {
		t.Error("nothing can be appended")
	}
}

func TestMigrateKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t, Migrate)
	s := openStore(t, dsn)
	appendTurns(t, s, turnOf(take(t, s, ServiceSession, 1)[0], "ann"))
	if err := Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, s); got != onePart {
		t.Errorf("%+v after another migration, want %+v", got, onePart)
	}
}

func TestMigrateNowhere(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"postgres://parley@127.0.0.1:1/parley", "no address", "postgres://%zz"} {
		if err := Migrate(t.Context(), dsn); err == nil {
			t.Errorf("%s: no error", dsn)
		}
	}
}

// TestWhatsappSessionsView checks the stable face for SQL users (DESIGN.md, section 4): names, order and types.
func TestWhatsappSessionsView(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	found, err := s.pool.Query(t.Context(), `SELECT column_name || ' ' || data_type FROM information_schema.columns
		WHERE table_name = 'whatsapp_sessions' ORDER BY ordinal_position`)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"phone_number text", "current_state text", "last_interaction timestamp with time zone",
		"flow_data jsonb", "is_active boolean", "language text",
	}
	if len(columns) != len(want) {
		t.Fatalf("columns %q, want %q", columns, want)
	}
	for i := range want {
		if columns[i] != want[i] {
			t.Errorf("column %d is %q, want %q", i+1, columns[i], want[i])
		}
	}
}

func TestWhatsappSessionsRows(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceSession, 2)
	ann, bob := turnOf(leases[0], "ann"), turnOf(leases[1], "bob")
	ann.Sessions[0].State.Answers = map[string]string{"name": "Ann O'Neil"}
	bob.Contacts[0].Identity.Phone, bob.Contacts[0].Identity.Bsuid = "", "US.7"
	bob.Sessions[0].State.Status, bob.Sessions[0].State.Step = flow.Completed, ""
	appendTurns(t, s, ann, bob)
	for number, want := range map[string]string{
		"49151": `name|true|en|{"name": "Ann O'Neil"}`,
		"US.7":  `completed|false|en|{}`,
	} {
		got := value[string](t, s, `SELECT current_state || '|' || is_active::text || '|' || language || '|' || flow_data::text
			FROM whatsapp_sessions WHERE phone_number = $1`, number)
		if got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}
}
