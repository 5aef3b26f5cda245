package devpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leftoverPoll is how often the lock of an earlier server is tried while that server ends.
const leftoverPoll = 10 * time.Millisecond

// lockDir takes the lock that one Parley holds while its server runs. It ends with the process that holds it, so it never is stale.
func lockDir(dir string) (*os.File, error) {
	lock, err := openLock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	held, err := tryLock(lock)
	if err == nil && !held {
		err = fmt.Errorf("%w: %s", ErrInUse, dir)
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// claim returns the lock that every process of the server will inherit, after the last process of an earlier server has ended.
//
// A parent that was killed leaves PostgreSQL behind, for a moment on Linux and for good elsewhere; a PostgreSQL that was killed
// leaves its children. All of them hold the lock, so there is no guessing from process ids, which another process may have by now.
func (h *home) claim(ctx context.Context) (*os.File, error) {
	alive, err := openLock(filepath.Join(h.dir, "alive.lock"))
	if err != nil {
		return nil, err
	}
	if err := h.outlive(ctx, alive); err != nil {
		alive.Close()
		return nil, err
	}
	return alive, nil
}

// outlive ends what an earlier server left, takes its lock and removes its traces.
func (h *home) outlive(ctx context.Context, alive *os.File) error {
	began, sent := time.Now(), syscall.Signal(0)
	for {
		held, err := tryLock(alive)
		if err != nil {
			return err
		}
		if held {
			return h.sweep()
		}
		signal := syscall.SIGINT
		if time.Since(began) > fastStop {
			signal = syscall.SIGQUIT
		}
		if pid := h.postmaster(); pid != 0 && signal != sent && syscall.Kill(pid, signal) == nil {
			sent = signal
		}
		if time.Since(began) > fastStop+immediateStop {
			return fmt.Errorf("an earlier PostgreSQL on %s does not end", h.data())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(leftoverPoll):
		}
	}
}

// sweep removes what a server that was killed leaves on disk: a pid file or a socket that names a process id which somebody else may
// have by now keeps PostgreSQL from starting. With the lock held none of our processes can be alive; a server that somebody started
// by hand can.
func (h *home) sweep() error {
	if pid := h.postmaster(); pid != 0 {
		return fmt.Errorf("a PostgreSQL that parley did not start (pid %d) runs on %s: stop it first", pid, h.data())
	}
	socket := filepath.Join(h.socketPath(), socketName)
	for _, file := range []string{h.pidFile(), socket, socket + ".lock"} {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

func (h *home) pidFile() string { return filepath.Join(h.data(), "postmaster.pid") }

// postmaster returns the process id of the server that runs on the cluster, or 0.
func (h *home) postmaster() int {
	text, err := os.ReadFile(h.pidFile())
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 || !runsOn(pid, h.data()) {
		return 0
	}
	return pid
}

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}

// tryLock takes the lock of an open file, and reports false if somebody else has it.
func tryLock(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return true, nil
}
