package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/devpg"
	"github.com/parleyhq/parley/services/internal/process"
)

// What the programs are told, and the callers know.
const (
	appSecret = "bench-app-secret"
	channel   = "100000000000001"
	poolSize  = 4
)

// natsCommand makes this program a nats-server.
const natsCommand = "nats"

// stage is what one measurement has started. What was opened is closed in reverse
// order.
type stage struct {
	bench   *bench
	dir     string
	closers []func() error
}

func (s *stage) onClose(f func() error) { s.closers = append(s.closers, f) }

func (s *stage) close() error {
	var errs []error
	for _, f := range slices.Backward(s.closers) {
		errs = append(errs, f())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// mustReach fails if PostgreSQL's account cannot enter the folder that was chosen:
// its data would go to another disk than the one that was timed, and stay there.
func mustReach(dir string) error {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if os.Geteuid() == 0 && info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("%s is closed to the account that runs PostgreSQL for root: choose another folder with -dir", dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// folder makes a folder that PostgreSQL's account can enter.
func (s *stage) folder(name string) (string, error) {
	dir := filepath.Join(s.dir, name)
	return dir, os.MkdirAll(dir, 0o755)
}

// launch runs a program, whose output goes to a file named after it.
func (s *stage) launch(path string, env []string, args ...string) (*process.Process, error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	output := filepath.Join(s.dir, filepath.Base(path)+".log")
	p, err := process.Start(process.Command{Path: path, Args: args, Env: env, Output: output})
	if err == nil {
		s.onClose(p.Stop)
	}
	return p, err
}

// program runs one of Parley's programs, waits until it is ready, and returns where
// it listens.
func (s *stage) program(ctx context.Context, name string, env []string, args ...string) (*process.Process, string, error) {
	addr, err := process.FreeAddr()
	if err != nil {
		return nil, "", err
	}
	return s.programAt(ctx, addr, name, env, args...)
}

func (s *stage) programAt(ctx context.Context, addr, name string, env []string, args ...string) (*process.Process, string, error) {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	p, err := s.launch(s.bench.bin(name), append(env, "PARLEY_ADDR="+addr), args...)
	if err != nil {
		return nil, "", err
	}
	return p, addr, p.AwaitReady(ctx, "http://"+addr)
}

// environment is what every program is told. Rates that protect a real business
// number are out of the way.
func environment(more ...string) []string {
	return append([]string{
		"PARLEY_META_APP_SECRET=" + appSecret,
		"PARLEY_META_VERIFY_TOKEN=bench-verify-token",
		"PARLEY_META_ACCESS_TOKEN=bench-access-token",
		"PARLEY_SEND_RATE=1000000",
		"PARLEY_PAIR_RATE=1000000",
	}, more...)
}

// nats runs a nats-server as a process of its own: this program, which carries the
// one that `parley up` embeds.
func (s *stage) nats(ctx context.Context) (server *process.Process, url string, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	dir, err := s.folder("nats")
	if err != nil {
		return nil, "", err
	}
	addr, err := process.FreeAddr()
	if err != nil {
		return nil, "", err
	}
	if server, err = s.launch(program, nil, natsCommand, dir, addr); err != nil {
		return nil, "", err
	}
	nc, err := s.connect(ctx, "nats://"+addr)
	if err != nil {
		return nil, "", err
	}
	defer nc.Close()
	s.bench.versions["nats-server"] = nc.ConnectedServerVersion()
	return server, "nats://" + addr, nil
}

func (s *stage) connect(ctx context.Context, url string) (*nats.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	return bus.Connect(ctx, url, "bench", zerolog.Nop())
}

// serveNATS is the process that stage.nats runs.
func serveNATS(ctx context.Context, dir, addr string) error {
	server, err := bus.StartServer(bus.ServerOptions{Dir: dir, Listen: addr, Log: zerolog.New(os.Stderr)})
	if err != nil {
		return err
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}

// postgres runs a private PostgreSQL and returns its DSN.
func (s *stage) postgres(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	dir, err := s.folder("postgres")
	if err != nil {
		return "", err
	}
	server, err := devpg.Start(ctx, devpg.Options{Dir: dir})
	if err != nil {
		return "", err
	}
	s.onClose(server.Stop)
	return server.DSN(), s.askVersion(ctx, server.DSN())
}

func (s *stage) askVersion(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	s.bench.versions["PostgreSQL"] = conn.PgConn().ParameterStatus("server_version")
	return nil
}

// open migrates a database and opens it.
func (s *stage) open(ctx context.Context, dsn string) (*store.Store, error) {
	if err := store.Migrate(ctx, dsn); err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, dsn, poolSize, "bench")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dsn, err)
	}
	s.onClose(func() error { db.Close(); return nil })
	return db, nil
}
