package devpg

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a postgres that was started and is waited for.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended; err is set before
	err   error
}

// pipeLimit is how long a copy of the log may go on after postgres itself has ended: its last children write into it too.
const pipeLimit = 2 * time.Second

// spawn starts cmd on a thread that lives until cmd has ended: to Linux the parent of a process is the thread that started it, and
// the death signal (see dieWithParent) would come when that thread ends.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.WaitDelay = pipeLimit
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.ended)
		}
	}()
	return p, <-started
}

// failure is the error of a process that has ended; it is never nil.
func (p *process) failure() error {
	if p.err == nil {
		return errors.New("it ended by itself")
	}
	return p.err
}

// end sends a signal and reports whether the process has ended within the limit.
func (p *process) end(signal syscall.Signal, limit time.Duration) bool {
	_ = p.cmd.Process.Signal(signal) // the only fault is that it has ended
	select {
	case <-p.ended:
		return true
	case <-time.After(limit):
		return false
	}
}
