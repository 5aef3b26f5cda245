package e2e

import (
	"context"
	"path/filepath"
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

func (p *postgres) stop(t *testing.T) {
	t.Helper()
	if err := p.server.Stop(); err != nil {
		t.Fatal(err)
	}
}
