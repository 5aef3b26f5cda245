package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// stopMax is how long a program may take to end after SIGTERM: longer than the
	// drain time of every service.
	stopMax = 25 * time.Second
	// readyPoll is how often a program is asked whether it is ready.
	readyPoll = 20 * time.Millisecond
	// tailBytes of a program's output go into an error.
	tailBytes = 4 << 10
)

// Command says what to run.
type Command struct {
	// Path is the program's file.
	Path string
	Args []string
	// Env is added to the environment of this process without its own PARLEY_ variables.
	Env []string
	// Output is the file to which everything that it writes is appended.
	Output string
}

// Process is a program that runs, or has ended.
type Process struct {
	cmd    *exec.Cmd
	output string
	ended  chan struct{} // closed when it has ended
}

// Start runs a program.
func Start(c Command) (*Process, error) {
	file, err := os.OpenFile(c.Output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p := &Process{cmd: exec.Command(c.Path, c.Args...), output: c.Output, ended: make(chan struct{})}
	p.cmd.Env = append(foreign(os.Environ()), c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.SysProcAttr = dieWithParent()
	if err := p.spawn(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Name(), err)
	}
	return p, nil
}

// spawn starts the command on a thread that lives until it has ended: to Linux the
// thread is the parent, and the death signal would come when it ends.
func (p *Process) spawn() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended stands in ProcessState
			close(p.ended)
		}
	}()
	return <-started
}

// foreign leaves out the variables of Parley.
func foreign(environ []string) []string {
	var kept []string
	for _, pair := range environ {
		if !strings.HasPrefix(pair, "PARLEY_") {
			kept = append(kept, pair)
		}
	}
	return kept
}

// Name is the program's name.
func (p *Process) Name() string { return filepath.Base(p.cmd.Path) }

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Stop asks the process to end, and kills it if it does not. It returns an error if
// it had to, or if the process ended in failure.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // the only fault is that it has ended
	select {
	case <-p.ended:
	case <-time.After(stopMax):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	if !p.cmd.ProcessState.Success() {
		return p.failure(fmt.Sprintf("ended with %v", p.cmd.ProcessState))
	}
	return nil
}

// AwaitReady waits until the program's /readyz under the URL says that it can work.
func (p *Process) AwaitReady(ctx context.Context, url string) error {
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		problem := ready(ctx, client, url)
		if problem == nil {
			return nil
		}
		select {
		case <-p.ended:
			return p.failure(fmt.Sprintf("ended before it was ready: %v", p.cmd.ProcessState))
		case <-ctx.Done():
			return p.failure(fmt.Sprintf("is not ready: %v", errors.Join(ctx.Err(), problem)))
		case <-tick.C:
		}
	}
}

func ready(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// failure is an error with the end of what the program wrote.
func (p *Process) failure(what string) error {
	return fmt.Errorf("%s (pid %d) %s; it wrote:\n%s", p.Name(), p.PID(), what, p.tail())
}

func (p *Process) tail() []byte {
	data, err := os.ReadFile(p.output)
	if err != nil {
		return []byte(err.Error())
	}
	if len(data) > tailBytes {
		data = data[len(data)-tailBytes:]
		if _, whole, found := bytes.Cut(data, []byte("\n")); found {
			data = whole
		}
	}
	return data
}
