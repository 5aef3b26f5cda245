package store

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store/pgtest"
)

// TestMigrateConcurrently starts several replicas on an empty database: each has its own connections, as processes do.
func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	started := time.Now()
	if err := Migrate(t.Context(), pgtest.DSN(t)); err != nil {
		t.Fatal(err)
	}
	alone := time.Since(started)
	dsn := pgtest.DSN(t)
	started = time.Now()
	var replicas errgroup.Group
	for range 4 {
		replicas.Go(func() error { return Migrate(t.Context(), dsn) })
	}
	if err := replicas.Wait(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(started); took > 4*time.Second+3*alone {
		t.Errorf("replicas that start together waited %v for each other; one alone takes %v", took, alone)
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

// TestMigrateOldData migrates a database that the first version of the schema has filled.
func TestMigrateOldData(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	migrateTo(t, dsn, 1)
	s := openStore(t, dsn)
	contact := people(1)[0]
	for _, sql := range []string{
		`INSERT INTO contacts (id, portfolio, lane_key, shard, created_at) VALUES ($1, 'p', 'ann', 3, 'epoch')`,
		`INSERT INTO sessions VALUES ('c', $1, 7, 3, 'lead', 1, 'active', 'name', '{"city": "Rome"}', 'en', 2, 5, 'epoch', 'epoch')`,
	} {
		exec(t, s, sql, contact)
	}
	exec(t, s, `INSERT INTO flows VALUES ('lead', 2)`)
	exec(t, s, `INSERT INTO flow_versions (flow, version, digest, definition) SELECT 'lead', n, n, '' FROM generate_series(1, 2) n`)
	if err := Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	known, err := s.LoadKnown(t.Context(), []uuid.UUID{contact}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Session{Key: SessionKey{"c", contact}, ID: 7, Shard: 3, State: flow.State{
		Flow: "lead", FlowVersion: 1, Status: flow.Active, Step: "name", Language: "en", Failures: 2, Version: 5,
		Answers: map[string]any{"city": "Rome"},
	}}
	if got := known.Sessions[want.Key]; !reflect.DeepEqual(got, want) {
		t.Errorf("session %+v, want %+v", got, want)
	}
	if c := known.Contacts[contact]; c.LaneKey != "ann" || c.Language != "" || c.OptedOut {
		t.Errorf("contact %+v", c)
	}
	if live, err := s.LiveFlows(t.Context()); err != nil || !slices.Equal(live, []Live{{Name: "lead", Version: 2}}) {
		t.Errorf("live: %v, %v", live, err)
	}
	if got := releases(t, s, "lead"); !slices.Equal(got, []string{"2 by "}) {
		t.Errorf("releases %q", got)
	}
}

// migrateTo stops at an older version of the schema.
func migrateTo(t *testing.T, dsn string, version int64) {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	provider, err := newProvider(db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
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
	cleo := turnOf(moved(leases[0], ann), "cleo")
	cleo.Contacts[0].Identity.Phone, cleo.Sessions[0].State.Status = "49152", flow.Human
	ann.Sessions[0].State.Answers = map[string]any{"name": "Ann O'Neil"}
	bob.Contacts[0].Identity.Phone, bob.Contacts[0].Identity.Bsuid = "", "US.7"
	bob.Sessions[0].State.Status, bob.Sessions[0].State.Step = flow.Completed, ""
	appendTurns(t, s, ann, bob)
	appendTurns(t, s, cleo)
	for number, want := range map[string]string{
		"49151": `name|true|en|{"name": "Ann O'Neil"}`,
		"US.7":  `completed|false|en|{}`,
		"49152": `name|false|en|{}`,
	} {
		got := value[string](t, s, `SELECT current_state || '|' || is_active::text || '|' || language || '|' || flow_data::text
			FROM whatsapp_sessions WHERE phone_number = $1`, number)
		if got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}
}
