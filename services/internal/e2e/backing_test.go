package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store/devpg"
)

// startNATS starts a NATS that programs reach over TCP, and returns its URL.
func startNATS(t *testing.T) string {
	t.Helper()
	server, err := bus.StartServer(bus.ServerOptions{Dir: folder(t), Listen: "127.0.0.1:0", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	return server.URL()
}

// postgres is a PostgreSQL that the test can take away and bring back.
type postgres struct {
	dir    string
	server *devpg.Server
}

func startPostgres(t *testing.T) *postgres {
	t.Helper()
	p := &postgres{dir: filepath.Join(folder(t), "postgres")}
	p.start(t)
	t.Cleanup(func() {
		if err := p.server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *postgres) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	server, err := devpg.Start(ctx, devpg.Options{Dir: p.dir})
	if err != nil {
		t.Fatal(err)
	}
	p.server = server
}

// stop ends it in order.
func (p *postgres) stop(t *testing.T) {
	t.Helper()
	if err := p.server.Stop(); err != nil {
		t.Fatal(err)
	}
}

// crash ends it without a word.
func (p *postgres) crash(t *testing.T) {
	t.Helper()
	killPostmaster(t, p.dir)
	<-p.server.Wait()
	p.stop(t) // gives the folder free
}

// killPostmaster kills the PostgreSQL whose folder this is; its other processes
// notice, and end.
func killPostmaster(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
}
