package devpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// parentDir makes the test binary be a Parley that starts a server there, says its DSN, and waits to be killed.
const parentDir = "DEVPG_TEST_PARENT_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentDir); dir != "" {
		server, err := Start(context.Background(), Options{Dir: dir})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(server.DSN())
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1) // the test closed our input: it is gone
	}
	var err error
	if usedDir, err = openTempDir(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(usedDir)
	os.Exit(code)
}

// usedDir is the folder of the tests that do not mind what was in it before: initdb takes longer than they do.
var usedDir string

// openTempDir makes a folder that any account can reach. (Those of t.TempDir are closed to others, which is a test of its own.)
func openTempDir() (string, error) {
	dir, err := os.MkdirTemp("", "devpg")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

func newDir(t *testing.T) string {
	t.Helper()
	dir, err := openTempDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// startServer starts a server that is stopped before the test's folder is removed.
func startServer(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Progress == nil {
		o.Progress = func(text string) { t.Log(text) }
	}
	began := time.Now()
	server, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %v", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// wantRunning: others find the server by its folder while it runs, and only then.
func wantRunning(t *testing.T, dir, want string) {
	t.Helper()
	if got, ok := Running(dir); got != want || ok != (want != "") {
		t.Errorf("running in %s: %q, want %q", dir, got, want)
	}
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

func execSQL(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func query(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	var value string
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// homeOf is where a server that was started in dir has its files.
func homeOf(t *testing.T, dir string) *home {
	t.Helper()
	real, err := makeDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err := settle(real, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestStopAndStartKeepTheData(t *testing.T) {
	dir := usedDir
	var log strings.Builder
	first := startServer(t, Options{Dir: dir, Log: &log, Settings: map[string]string{"work_mem": "5MB"}})
	conn := connect(t, first.DSN())
	execSQL(t, conn, "create table kept (n int); insert into kept values (7)")
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on", "listen_addresses": "",
		"server_encoding": "UTF8", "timezone": "UTC", "jit": "off", "work_mem": "5MB",
	} {
		if got := query(t, conn, "show "+setting); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	wantRunning(t, dir, first.DSN())
	began := time.Now()
	if err := first.Stop(); err != nil { // with a client connected
		t.Fatal(err)
	}
	wantRunning(t, dir, "")
	t.Logf("stopped in %v", time.Since(began).Round(time.Millisecond))
	if err, open := <-first.Wait(); open || err != nil {
		t.Errorf("a stop was reported as a death: %v", err)
	}
	if !strings.Contains(log.String(), "ready to accept connections") {
		t.Errorf("the log was not copied: %q", log.String())
	}
	second := startServer(t, Options{Dir: dir})
	if got := query(t, connect(t, second.DSN()), "select n::text from kept"); got != "7" {
		t.Errorf("kept %s, want 7", got)
	}
}

func TestOneParleyPerFolder(t *testing.T) {
	dir := usedDir
	startServer(t, Options{Dir: dir})
	if _, err := Start(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Fatalf("second start: %v, want ErrInUse", err)
	}
}

// A parent is killed again and again while it writes. Each start must be quick and find every row whose insert was acknowledged.
func TestParentIsKilled(t *testing.T) {
	dir := usedDir
	acknowledged := 0
	for round := range 4 {
		parent, dsn := startParent(t, dir)
		conn := connect(t, dsn)
		execSQL(t, conn, "create table if not exists written (n int, filler text)")
		if got := query(t, conn, "select count(*)::text from written"); got != strconv.Itoa(acknowledged) {
			t.Fatalf("round %d: %s rows, %d were acknowledged", round, got, acknowledged)
		}
		for range 50 {
			execSQL(t, conn, "insert into written select g, repeat('x', 1000) from generate_series(1, 40) g")
			acknowledged += 40
		}
		if err := parent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = parent.Wait()
	}
	began := time.Now()
	server := startServer(t, Options{Dir: dir})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the start after a kill took %v", took)
	}
	if got := query(t, connect(t, server.DSN()), "select count(*)::text from written"); got != strconv.Itoa(acknowledged) {
		t.Errorf("%s rows, %d were acknowledged", got, acknowledged)
	}
}

func startParent(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	began := time.Now()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentDir+"="+dir)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error:") {
		t.Fatalf("parent: %s %v", line, err)
	}
	t.Logf("parent started in %v", time.Since(began).Round(time.Millisecond))
	return cmd, strings.TrimSpace(line)
}

func TestPostgresIsKilled(t *testing.T) {
	dir := usedDir
	server := startServer(t, Options{Dir: dir})
	execSQL(t, connect(t, server.DSN()), "create table outlives_a_crash ()")
	if err := server.process.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-server.Wait(); err == nil || !strings.Contains(err.Error(), "postgres died") {
		t.Errorf("Wait: %v", err)
	}
	if err := server.Stop(); err != nil {
		t.Errorf("stop of a dead server: %v", err)
	}
	// Its children may still be alive, and its pid file and socket are left.
	again := startServer(t, Options{Dir: dir})
	execSQL(t, connect(t, again.DSN()), "select * from outlives_a_crash")
}

func TestTracesOfADeadServerDoNotBlock(t *testing.T) {
	dir := usedDir
	if err := startServer(t, Options{Dir: dir}).Stop(); err != nil {
		t.Fatal(err)
	}
	h := homeOf(t, dir)
	// After a power cut the process id of the old server belongs to something else of the same account.
	ctx, cancel := context.WithCancel(t.Context())
	something, err := spawn(h.account.command(ctx, "sleep", "60"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); <-something.ended }()
	traces := fmt.Sprintf("%d\n%s\n1\n5432\n%s\n\n", something.cmd.Process.Pid, h.data(), h.socketPath())
	for _, file := range []string{h.pidFile(), filepath.Join(h.socketPath(), socketName), filepath.Join(h.socketPath(), socketName+".lock")} {
		if err := os.WriteFile(file, []byte(traces), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(file, int(h.account.uid), int(h.account.gid)); err != nil {
			t.Fatal(err)
		}
	}
	execSQL(t, connect(t, startServer(t, Options{Dir: dir}).DSN()), "select 1")
}

func TestServerOfSomebodyElseIsLeftAlone(t *testing.T) {
	dir := usedDir
	if err := startServer(t, Options{Dir: dir}).Stop(); err != nil {
		t.Fatal(err)
	}
	h := homeOf(t, dir)
	byHand, err := spawn(h.account.command(t.Context(), h.binaries.postgres(), append([]string{"-D", h.data()}, settings(h.socketPath(), nil)...)...))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = byHand.stop() }()
	address := dsn(h.socketPath(), database)
	deadline := time.Now().Add(10 * time.Second)
	for conn, err := pgx.Connect(t.Context(), address); ; conn, err = pgx.Connect(t.Context(), address) {
		if err == nil {
			conn.Close(t.Context())
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if _, err := Start(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "did not start") {
		t.Errorf("start beside a server of somebody else: %v", err)
	}
	execSQL(t, connect(t, address), "select 1")
}

func TestUnfinishedInitdbIsRepeated(t *testing.T) {
	dir := newDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := Start(ctx, Options{Dir: dir, Progress: func(text string) {
		if strings.Contains(text, "making") {
			go func() { // as soon as initdb has written something
				for ctx.Err() == nil {
					if _, err := os.Stat(filepath.Join(dir, "data.new", "PG_VERSION")); err == nil {
						cancel()
					}
					runtime.Gosched()
				}
			}()
		}
	}})
	if err == nil {
		t.Fatal("a cancelled start succeeded")
	}
	if _, err := os.Stat(filepath.Join(dir, "data.new")); err != nil {
		t.Fatalf("initdb was not cut in its work: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
		t.Fatalf("an unfinished cluster took the name of a finished one: %v", err)
	}
	execSQL(t, connect(t, startServer(t, Options{Dir: dir}).DSN()), "select 1")
}

func TestOtherMajorIsRefusedAndLeftUntouched(t *testing.T) {
	dir := newDir(t)
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: dir})
	var notFound *NotFoundError
	if !errors.As(err, &notFound) || notFound.Major != 9 || !strings.Contains(err.Error(), "made by PostgreSQL 9") {
		t.Errorf("start: %v", err)
	}
	if entries, err := os.ReadDir(data); err != nil || len(entries) != 1 {
		t.Errorf("the data folder was touched: %v %v", entries, err)
	}
}

func TestFolderThatIsNoClusterIsRefused(t *testing.T) {
	dir := newDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "data", "photos"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not a PostgreSQL cluster") {
		t.Errorf("start: %v", err)
	}
}

func TestNoPostgreSQLSaysWhatToDo(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("PARLEY_PG_BIN", empty)
	_, err := Start(t.Context(), Options{Dir: newDir(t)})
	var notFound *NotFoundError
	if !errors.As(err, &notFound) {
		t.Fatalf("start: %v", err)
	}
	for _, part := range []string{empty, installLine(0)} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(installLine(0), "sudo") != (os.Geteuid() != 0 && !strings.Contains(installLine(0), "brew")) {
		t.Errorf("sudo is for who is not root: %q", installLine(0))
	}
}

func TestWrongSettingIsReportedWithTheLog(t *testing.T) {
	_, err := Start(t.Context(), Options{Dir: usedDir, Settings: map[string]string{"shared_buffers": "lots"}})
	if err == nil || !strings.Contains(err.Error(), "shared_buffers") {
		t.Errorf("start: %v", err)
	}
}

// The path is too long for a socket, and (if the tests run as root) closed to the account that runs PostgreSQL.
func TestFolderThatIsLongAndClosed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	server := startServer(t, Options{Dir: dir})
	conn := connect(t, server.DSN())
	execSQL(t, conn, "create table kept ()")
	h := homeOf(t, dir)
	t.Cleanup(func() { // both are outside of the test's own folder
		os.RemoveAll(h.socketPath())
		os.RemoveAll(h.dir)
	})
	if moved := h.dir != dir; moved != (os.Geteuid() == 0) {
		t.Errorf("the files are in %s", h.dir)
	}
	if h.dir != dir { // a copy of the folder must not take the server of the first
		copied := newDir(t)
		if err := os.WriteFile(filepath.Join(copied, "place"), []byte(h.dir+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Start(t.Context(), Options{Dir: copied}); !errors.Is(err, ErrInUse) {
			t.Errorf("start of a copy: %v, want ErrInUse", err)
		}
	}
	wantRunning(t, dir, server.DSN())
	if got := query(t, conn, "show data_directory"); got != h.data() {
		t.Errorf("the data is in %s, want %s", got, h.data())
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	execSQL(t, connect(t, startServer(t, Options{Dir: dir}).DSN()), "select * from kept")
}

func TestDataThatIsGoneIsNotMadeAnew(t *testing.T) {
	dir := newDir(t)
	if err := os.WriteFile(filepath.Join(dir, "place"), []byte(filepath.Join(dir, "gone")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "the data is gone") {
		t.Errorf("start: %v", err)
	}
}
