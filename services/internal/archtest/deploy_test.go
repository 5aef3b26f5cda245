package archtest

import (
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
)

// TestExternalNATSKeepsTheSamePromises compares deploy/nats/nats.conf with the
// server that `parley up` embeds.
func TestExternalNATSKeepsTheSamePromises(t *testing.T) {
	external, err := server.ProcessConfigFile(filepath.Join("..", "..", "..", "deploy", "nats", "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if !external.JetStream || !external.SyncAlways {
		t.Errorf("JetStream %t, sync_interval always %t: a webhook answered 200 would not be on disk", external.JetStream, external.SyncAlways)
	}
	if external.JetStreamMaxStore < 72<<30 {
		t.Errorf("max_file is %d bytes: less than the streams may hold", external.JetStreamMaxStore)
	}
	embedded, err := bus.StartServer(bus.ServerOptions{Dir: t.TempDir(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer embedded.Shutdown()
	nc, err := embedded.Connect(t.Name(), nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if int64(external.MaxPayload) != nc.MaxPayload() {
		t.Errorf("max_payload is %d, and %d in the embedded server", external.MaxPayload, nc.MaxPayload())
	}
}

// TestInstallerLooksWhereParleyLooks compares the folders of PostgreSQL in
// deploy/tools/postgres.sh with those of pkg/store/devpg.
func TestInstallerLooksWhereParleyLooks(t *testing.T) {
	script, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "tools", "postgres.sh"))
	if err != nil {
		t.Fatal(err)
	}
	places := 0
	for _, p := range repository(t).Packages {
		if p.Path != "pkg/store/devpg" {
			continue
		}
		p.inspect(func(node ast.Node) {
			literal, ok := node.(*ast.BasicLit)
			if !ok || !strings.HasSuffix(unquote(literal), "/bin") {
				return
			}
			places++
			if !strings.Contains(string(script), unquote(literal)) {
				t.Errorf("postgres.sh does not look in %s", unquote(literal))
			}
		})
	}
	if places == 0 {
		t.Error("no folders were found in pkg/store/devpg: the test looks in the wrong place")
	}
}
