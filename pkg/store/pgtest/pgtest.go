// Package pgtest gives each test a PostgreSQL database of its own.
//
// A migrated template is made once per test binary; a test gets a clone of it (tens of milliseconds) and never sees another test's
// rows, so there is nothing to reset and tests can run in parallel.
//
// The server is a private one of this test binary (package devpg), started by the first test that asks, unless
// PARLEY_TEST_DATABASE_URL names another (a URL of a user who may create databases). One per binary and not one shared by all that run
// at a time: sharing needs somebody to decide who starts, counts and stops it, and a start costs 0.1 s. Only the first start on a
// machine makes a cluster (1 s): clusters are kept in numbered folders under the temporary folder, and a binary takes the first one
// that is free.
//
// Nothing is stopped explicitly, because a test binary has no end that everybody passes (a timeout, a kill): on Linux the kernel
// stops PostgreSQL when the binary is gone, elsewhere the next test binary does.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store/devpg"
)

const (
	// slotsMax is how many test binaries can have a private server at a time.
	slotsMax = 64
	// dropLimit is the time for removing a test's database.
	dropLimit = 30 * time.Second
	// leftoverAge is how old a database on a server that others use must be before it is taken for one that a killed binary left.
	leftoverAge = 24 * time.Hour
)

// Migrate brings an empty database to the schema that a test needs.
type Migrate func(ctx context.Context, dsn string) error

// New returns the DSN of a new database with the schema that migrate makes, and drops the database when the test has ended (after
// the test's own cleanups, which close its connections). With nil the database is empty.
//
// migrate runs once per test binary and is known by its code: pass a named function, not closures that differ in what they captured.
func New(t testing.TB, migrate Migrate) string {
	t.Helper()
	dsn, drop, err := create(t.Context(), migrate)
	if err != nil {
		t.Fatalf("test database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), dropLimit)
		defer cancel()
		if err := drop(ctx); err != nil {
			t.Errorf("drop test database: %v", err)
		}
	})
	return dsn
}

// DSN returns the DSN of a new, empty database, which is dropped when the test has ended.
func DSN(t testing.TB) string {
	t.Helper()
	return New(t, nil)
}

// What the tests of a binary share: the server, and the templates by the code of their migrate function.
var (
	server    = sync.OnceValues(open)
	templates sync.Map // uintptr to func() (name string, err error)
	serial    atomic.Int64
)

// create makes a database and returns its DSN and what drops it.
func create(ctx context.Context, migrate Migrate) (dsn string, drop func(context.Context) error, err error) {
	admin, err := server()
	if err != nil {
		return "", nil, err
	}
	template := "template0"
	if migrate != nil {
		first := sync.OnceValues(func() (string, error) { return makeTemplate(admin, migrate) })
		once, _ := templates.LoadOrStore(reflect.ValueOf(migrate).Pointer(), first)
		if template, err = once.(func() (string, error))(); err != nil {
			return "", nil, err
		}
	}
	name := newName()
	if err := admin.create(ctx, name, template); err != nil {
		return "", nil, err
	}
	return admin.dsn(name), func(ctx context.Context) error { return admin.drop(ctx, name) }, nil
}

// makeTemplate runs migrate on a new database. It outlives the test that asked first, so it has no test's context.
func makeTemplate(admin admin, migrate Migrate) (string, error) {
	ctx := context.Background()
	name := newName()
	if err := admin.create(ctx, name, "template0"); err != nil {
		return "", err
	}
	if err := migrate(ctx, admin.dsn(name)); err != nil {
		return "", fmt.Errorf("migrate: %w", err)
	}
	return name, nil
}

// newName is unique on a server, also on one that several test binaries use, and says when it was made.
func newName() string {
	return fmt.Sprintf(nameFormat, time.Now().UnixMilli(), os.Getpid(), serial.Add(1))
}

// open returns the server of this test binary, without what earlier ones left on it.
func open() (admin, error) {
	ctx := context.Background()
	if url := os.Getenv("PARLEY_TEST_DATABASE_URL"); url != "" {
		a, err := newAdmin(url)
		if err != nil {
			return admin{}, err
		}
		return a, a.dropLeftovers(ctx, time.Now().Add(-leftoverAge))
	}
	private, err := startPrivate(ctx)
	if err != nil {
		return admin{}, err
	}
	a, err := newAdmin(private.DSN())
	if err != nil {
		return admin{}, err
	}
	return a, a.dropLeftovers(ctx, time.Now())
}

// startPrivate starts a server in the first slot that no other test binary uses.
func startPrivate(ctx context.Context) (*devpg.Server, error) {
	slots := filepath.Join(os.TempDir(), "parley-pgtest-"+strconv.Itoa(os.Geteuid()))
	if err := ownDir(slots); err != nil {
		return nil, err
	}
	for n := range slotsMax {
		s, err := devpg.Start(ctx, devpg.Options{Dir: filepath.Join(slots, strconv.Itoa(n)), Settings: settings()})
		if errors.Is(err, devpg.ErrInUse) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%w (the folder %s holds test data only and may be removed)", err, slots)
		}
		return s, nil
	}
	return nil, fmt.Errorf("%d test binaries use %s already", slotsMax, slots)
}

// settings trade durability, which no test asks of this server, for speed.
func settings() map[string]string {
	return map[string]string{
		"fsync":            "off",
		"full_page_writes": "off",
		"wal_compression":  "off",
		"max_connections":  "200",
		"shared_buffers":   "128MB",
		"max_wal_size":     "512MB",
	}
}

// ownDir creates a folder in the shared temporary folder, where somebody else could have put one with its name.
func ownDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; !info.IsDir() || int(owner) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a folder that only uid %d can write to", dir, os.Geteuid())
	}
	return nil
}
