package bus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrDirInUse says that another live server keeps its streams in the directory.
var ErrDirInUse = errors.New("in use by another live server")

// dirLock keeps a second server out of a data directory: two would corrupt each
// other's streams, and nats-server itself does not check. It is an flock, so it ends
// with the process however that ends.
type dirLock struct{ file *os.File }

func lockDir(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "parley.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of data directory %s: %w", dir, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(lockError(dir, file, err), file.Close())
	}
	if err := writePID(file); err != nil {
		return nil, errors.Join(fmt.Errorf("write the lock of data directory %s: %w", dir, err), file.Close())
	}
	return &dirLock{file: file}, nil
}

// lockError names the process that holds the lock, which wrote its number into it.
func lockError(dir string, file *os.File, err error) error {
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	pid := make([]byte, 16)
	n, _ := file.ReadAt(pid, 0) // a reader at end of file has what there is
	return fmt.Errorf("data directory %s: %w (process %s)", dir, ErrDirInUse, strings.TrimSpace(string(pid[:n])))
}

func writePID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(file, os.Getpid())
	return err
}

func (l *dirLock) release() error { return l.file.Close() }
