package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	appSecret   = "e2e-app-secret"
	verifyToken = "e2e-verify-token"
	channel     = "100000000000001"
)

// environment is what every program is told. Rates that protect a real business
// number are out of the way; graph is where the fake Graph API listens.
func environment(graph string, more ...string) []string {
	return append([]string{
		"PARLEY_META_APP_SECRET=" + appSecret,
		"PARLEY_META_VERIFY_TOKEN=" + verifyToken,
		"PARLEY_META_ACCESS_TOKEN=e2e-access-token",
		"PARLEY_GRAPH_URL=" + graph + "/v25.0",
		"PARLEY_SEND_RATE=5000",
		"PARLEY_PAIR_RATE=60000",
	}, more...)
}

// up is a `parley up` on a data folder, from start to start.
type up struct {
	*process
	addr, dir string
	env       []string
}

// newUp chooses where it will run. A later variable of env wins over an earlier one.
func newUp(t *testing.T) *up {
	t.Helper()
	return &up{addr: freeAddr(t), dir: filepath.Join(folder(t), "data")}
}

func (u *up) url() string     { return "http://" + u.addr }
func (u *up) webhook() string { return u.url() + "/webhooks/meta" }
func (u *up) api() string     { return u.url() + "/api/v1" }

// start starts it, with the variables of the first start unless new ones are
// given, and waits until it is ready.
func (u *up) start(t *testing.T, env ...string) {
	t.Helper()
	if len(env) > 0 {
		u.env = append(env, "PARLEY_ADDR="+u.addr, "PARLEY_DATA_DIR="+u.dir)
	}
	u.process = start(t, u.dir+".log", u.env, "parley", "up")
	u.awaitReady(u.url())
}

// database is the URL of its own PostgreSQL, which it tells at its start.
func (u *up) database(t *testing.T) string {
	t.Helper()
	url := ""
	for line := range strings.Lines(u.said()) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "Database" {
			url = fields[1]
		}
	}
	if url == "" {
		t.Fatal("parley up has not told the URL of its database")
	}
	return url
}

// interrupt presses Ctrl-C.
func (u *up) interrupt() { u.signal(syscall.SIGINT) }
