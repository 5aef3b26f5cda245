package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// otherBinary makes this test binary be another one, which has a server as long as its input is open.
const otherBinary = "PGTEST_OTHER_BINARY"

func TestMain(m *testing.M) {
	if os.Getenv(otherBinary) != "" {
		admin, err := server()
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(admin.address)
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var migrations atomic.Int32

func migrate(ctx context.Context, dsn string) error {
	migrations.Add(1)
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "create table rows_of_a_test (n int)")
	return err
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func count(t *testing.T, conn *pgx.Conn, sql string) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Run("tests", func(t *testing.T) {
		for i := range 4 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				conn := connect(t, New(t, migrate))
				t.Logf("a database in %v", time.Since(began).Round(time.Millisecond))
				if _, err := conn.Exec(t.Context(), "insert into rows_of_a_test values (1)"); err != nil {
					t.Fatal(err)
				}
				if n := count(t, conn, "select count(*) from rows_of_a_test"); n != 1 {
					t.Errorf("%d rows, want 1", n)
				}
			})
		}
	})
	if n := migrations.Load(); n != 1 {
		t.Errorf("migrated %d times, want once", n)
	}
	conn := connect(t, DSN(t))
	if n := count(t, conn, "select count(*) from pg_tables where tablename = 'rows_of_a_test'"); n != 0 {
		t.Error("a database without migrate is not empty")
	}
	// Left are this test's and the template.
	if n := count(t, conn, "select count(*) from pg_database where datname like 'parley_test_%'"); n != 2 {
		t.Errorf("%d databases, want 2", n)
	}
}

func TestMigrateThatFails(t *testing.T) {
	refuse := errors.New("no")
	_, _, err := create(t.Context(), func(context.Context, string) error { return refuse })
	if !errors.Is(err, refuse) {
		t.Errorf("create: %v", err)
	}
}

func TestDatabaseOfAKilledBinaryIsDropped(t *testing.T) {
	folder := openFolder(t)
	other := startOther(t, folder)
	left, err := newAdmin(other.address)
	if err != nil {
		t.Fatal(err)
	}
	if err := left.create(t.Context(), fmt.Sprintf(nameFormat, 1, 2, 3), "template0"); err != nil {
		t.Fatal(err)
	}
	if mine, err := server(); err != nil || mine.address.String() == other.address {
		t.Fatalf("two binaries share the server %s (%v)", other.address, err)
	}
	if err := other.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.cmd.Wait()
	again := startOther(t, folder)
	if again.address != other.address {
		t.Fatalf("the slot of a killed binary was not taken: %s, %s", other.address, again.address)
	}
	if n := count(t, connect(t, again.address), "select count(*) from pg_database where datname = 'parley_test_1_2_3'"); n != 0 {
		t.Error("the database was not dropped")
	}
}

type other struct {
	cmd     *exec.Cmd
	address string
}

// openFolder returns a folder of the test that PostgreSQL's account can enter.
func openFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startOther starts a test binary whose slots lie in a folder of their own:
// those of the machine come and go with the tests of other packages.
func startOther(t *testing.T, folder string) other {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), otherBinary+"=1", "TMPDIR="+folder)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error:") {
		t.Fatalf("other binary: %s %v", line, err)
	}
	return other{cmd: cmd, address: strings.TrimSpace(line)}
}

func TestAddressThatIsNoURLDoesNotShowItsPassword(t *testing.T) {
	_, err := newAdmin("host=db password=hunter2")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("newAdmin: %v", err)
	}
}
