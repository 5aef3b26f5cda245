package devpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// fastStop is how long PostgreSQL may take to disconnect everybody and write its last checkpoint. After that it is told to drop
	// everything (SIGQUIT), which loses nothing either: the next start recovers from the log.
	fastStop = 10 * time.Second
	// immediateStop is longer than the five seconds in which a postmaster kills what ignores its SIGQUIT.
	immediateStop = 8 * time.Second
)

// ErrInUse says that another Parley runs the PostgreSQL of this folder.
var ErrInUse = errors.New("another parley is running on this data folder")

// Options says where a server lives and whom it tells what it does.
type Options struct {
	// Dir holds everything of the server. It is created if it is missing.
	Dir string
	// Progress, if set, hears in a sentence what takes a while.
	Progress func(string)
	// Log, if set, receives a copy of what PostgreSQL writes to Dir/postgres.log.
	Log io.Writer
	// Settings are added to the defaults of the configuration, and win over them.
	Settings map[string]string
}

// Server is a running PostgreSQL.
type Server struct {
	dsn     string
	process *process
	log     *os.File // open until postgres has ended, because a copy for Options.Log passes through this process
	locks   []*os.File

	stopping chan struct{}
	stopOnce sync.Once
	stopErr  error
	died     chan error
}

// Start starts a private PostgreSQL whose data lives in o.Dir (initdb on first use) and returns when it accepts connections and has
// a database named parley. What a killed parent left running is stopped first. ctx limits the start only; Stop ends the server.
//
// It returns ErrInUse if another Parley has the folder, and a NotFoundError if there is no PostgreSQL on this machine.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	dir, err := makeDir(o.Dir)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, dir, o)
	if err != nil {
		lock.Close()
		return nil, err
	}
	s.locks = append(s.locks, lock)
	return s, nil
}

// start does what Start does in a folder that is locked.
func start(ctx context.Context, dir string, o Options) (*Server, error) {
	h, err := settle(dir, o.Progress)
	if err != nil {
		return nil, err
	}
	if h.dir == dir {
		return h.start(ctx, o)
	}
	lock, err := lockDir(h.dir) // a copy of dir names the same place
	if err != nil {
		return nil, err
	}
	s, err := h.start(ctx, o)
	if err != nil {
		lock.Close()
		return nil, err
	}
	s.locks = append(s.locks, lock)
	return s, nil
}

// start starts the server of a home that is locked.
func (h *home) start(ctx context.Context, o Options) (*Server, error) {
	alive, err := h.claim(ctx)
	if err != nil {
		return nil, err
	}
	defer alive.Close() // from here on the processes of the server hold it
	if err := h.makeCluster(ctx, alive, o.Progress); err != nil {
		return nil, err
	}
	s, err := h.launch(alive, o)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx, h, o.Progress); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// launch starts postgres and watches it.
func (h *home) launch(alive *os.File, o Options) (*Server, error) {
	socket, err := h.socketDir()
	if err != nil {
		return nil, err
	}
	log, err := h.openLog()
	if err != nil {
		return nil, err
	}
	cmd := h.account.command(context.Background(), h.binaries.postgres(), append([]string{"-D", h.data()}, settings(socket, o.Settings)...)...)
	cmd.ExtraFiles = []*os.File{alive}
	cmd.Stdout, cmd.Stderr = log, log
	if o.Log != nil {
		cmd.Stderr = io.MultiWriter(log, o.Log)
	}
	process, err := spawn(cmd)
	if err != nil {
		log.Close()
		return nil, fmt.Errorf("start %s: %w", h.binaries.postgres(), err)
	}
	s := &Server{dsn: dsn(socket, database), process: process, log: log, stopping: make(chan struct{}), died: make(chan error, 1)}
	go s.watch()
	return s, nil
}

// DSN is the connection string of the database named parley, as pgx reads it.
func (s *Server) DSN() string { return s.dsn }

// Wait returns a channel that receives one error if PostgreSQL dies without Stop, and is closed when it has ended.
func (s *Server) Wait() <-chan error { return s.died }

func (s *Server) watch() {
	<-s.process.ended
	s.log.Close()
	select {
	case <-s.stopping:
	default:
		s.died <- fmt.Errorf("postgres died: %w", s.process.failure())
	}
	close(s.died)
}

// Stop disconnects everybody and ends PostgreSQL in order, by force if that takes too long. Its error is nil if the server has
// ended, however it ended. More calls do nothing.
func (s *Server) Stop() error {
	s.stopOnce.Do(func() {
		close(s.stopping)
		s.stopErr = s.process.stop()
		for _, lock := range s.locks {
			lock.Close()
		}
	})
	return s.stopErr
}

// stop ends the process with signals that grow stronger.
func (p *process) stop() error {
	for _, step := range []struct {
		signal syscall.Signal
		limit  time.Duration
	}{{syscall.SIGINT, fastStop}, {syscall.SIGQUIT, immediateStop}, {syscall.SIGKILL, immediateStop}} {
		if p.end(step.signal, step.limit) {
			return nil
		}
	}
	return fmt.Errorf("stop postgres (pid %d): it does not end", p.cmd.Process.Pid)
}
