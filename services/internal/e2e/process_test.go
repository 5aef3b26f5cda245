package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// stopMax is how long a program may take to end after SIGTERM.
	stopMax = 25 * time.Second
	// tailBytes of a program's output are shown if the test fails.
	tailBytes = 16 << 10
)

// process is a program that runs, or has ended.
type process struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	output string        // file with all that it wrote
	ended  chan struct{} // closed when it has ended
}

// start runs a program with these variables and no others of Parley.
func start(t *testing.T, output string, env []string, name string, args ...string) *process {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := &process{t: t, name: name, output: output, ended: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(dir, name), args...)
	p.cmd.Env = append(foreign(os.Environ()), env...)
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.SysProcAttr = dieWithTest()
	if err := p.spawn(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(p.end)
	return p
}

// spawn starts the command on a thread that lives until it has ended: to Linux the
// thread is the parent.
func (p *process) spawn() error {
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

// end is the cleanup: nothing outlives its test, nothing ends but in order, and a
// failed test shows what the program said.
func (p *process) end() {
	if p.running() {
		p.terminate()
	}
	for _, fault := range []string{"DATA RACE", "panic: ", "fatal error: "} {
		if strings.Contains(p.said(), fault) {
			p.t.Errorf("%s wrote %q", p.name, fault)
		}
	}
	if p.t.Failed() && !shown[p.output] {
		shown[p.output] = true
		p.t.Logf("the end of what %s (pid %d) wrote:\n%s", p.name, p.pid(), p.tail())
	}
}

func (p *process) terminate() {
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			p.t.Errorf("%s ended on SIGTERM with exit code %d", p.name, code)
		}
	case <-time.After(stopMax):
		p.t.Errorf("%s did not end on SIGTERM", p.name)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// shown lists the output files that a failed test has shown: every start of a
// program on the same place writes to the same file.
var shown = map[string]bool{}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v to %s: %v", s, p.name, err)
	}
}

// kill ends the process as a crash of the machine's kernel would: without a word.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// wait returns the exit code.
func (p *process) wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		p.t.Fatalf("%s has not ended within %v", p.name, limit)
		return 0
	}
}

// said returns all that was written to the output file.
func (p *process) said() string {
	data, err := os.ReadFile(p.output)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

func (p *process) tail() string {
	said := p.said()
	if len(said) <= tailBytes {
		return said
	}
	_, whole, _ := strings.Cut(said[len(said)-tailBytes:], "\n")
	return whole
}

// awaitReady waits until the program's /readyz says that it can work.
func (p *process) awaitReady(url string) {
	p.t.Helper()
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	await(p.t, patience, p.name+" is ready", func() error {
		if !p.running() {
			p.t.Fatalf("%s ended before it was ready: %v", p.name, p.cmd.ProcessState)
		}
		response, err := client.Get(url + "/readyz")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	})
}

// freeAddr finds an address that a program can listen on, and again after it was
// killed: below the ports that the kernel gives to outgoing connections.
func freeAddr(t *testing.T) string {
	t.Helper()
	const first, last = 20000, 31999
	for port := first + os.Getpid()%(last-first); port <= last; port++ {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if used[addr] {
			continue
		}
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		listener.Close()
		used[addr] = true
		return addr
	}
	t.Fatal("no free port")
	return ""
}

// used lists the addresses that were given away: who got one may not listen yet.
// Tests run one after the other.
var used = map[string]bool{}
