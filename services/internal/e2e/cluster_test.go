package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// replica is one place of a service in a cluster: the process changes, the place stays.
type replica struct {
	*process
	service, addr, output string
	env                   []string
	more                  []string // variables of its own
}

func (r *replica) url() string { return "http://" + r.addr }

func (r *replica) start(t *testing.T) {
	t.Helper()
	r.process = start(t, r.output, r.env, "parley-"+r.service)
	r.awaitReady(r.url())
}

// cluster is Parley as separate programs, on a NATS and a PostgreSQL of the test.
type cluster struct {
	replicas map[string][]*replica
	database *postgres
	lease    time.Duration
	shards   int
}

// newCluster plans as many replicas of each service as asked for.
func newCluster(t *testing.T, lease time.Duration, sizes map[string]int) *cluster {
	t.Helper()
	c := &cluster{replicas: map[string][]*replica{}, database: startPostgres(t), lease: lease, shards: 16}
	dir := folder(t)
	for service, n := range sizes {
		for i := range n {
			r := &replica{service: service, addr: freeAddr(t), output: filepath.Join(dir, fmt.Sprint(service, i))}
			c.replicas[service] = append(c.replicas[service], r)
		}
	}
	return c
}

// start starts every replica; graph is where they find the fake Graph API.
func (c *cluster) start(t *testing.T, graph string) {
	t.Helper()
	env := environment(graph, "PARLEY_NATS_URL="+startNATS(t), "PARLEY_DATABASE_URL="+c.database.server.DSN(),
		"PARLEY_LEASE_TIME="+c.lease.String(), "PARLEY_SEND_GRACE="+grace().String())
	for _, replicas := range c.replicas {
		for _, r := range replicas {
			r.env = append(append(env[:len(env):len(env)], "PARLEY_ADDR="+r.addr), r.more...)
			r.start(t)
		}
	}
}

// funnel reads what the console says of the flow.
func (c *cluster) funnel(t *testing.T) func() store.Funnel {
	return func() store.Funnel {
		return get[store.Funnel](t, c.replicas["console"][0].url()+"/api/v1/funnels/lead")
	}
}

func (c *cluster) processes() []*process {
	var list []*process
	for _, replicas := range c.replicas {
		for _, r := range replicas {
			list = append(list, r.process)
		}
	}
	return list
}

// leases of the services that own shards, by program.
var leases = map[string][]string{
	"session":    {store.ServiceSession},
	"dispatcher": {store.ServiceDispatcher, store.ServiceReceipts},
	"projector":  {store.ServiceProjector, store.ServiceMessages},
}

// awaitShares waits until the live replicas of a service hold just as many shards
// each, and returns how long that took.
func (c *cluster) awaitShares(t *testing.T, db *store.Store, limit time.Duration, want map[*replica]int) time.Duration {
	t.Helper()
	return await(t, limit, "shards are shared out", func() error {
		for r, shards := range want {
			for _, service := range leases[r.service] {
				if got := held(t.Context(), t, db, service, r.pid()); got != shards {
					return fmt.Errorf("%s holds %d shards as %s, not %d", r.name, got, service, shards)
				}
			}
		}
		return nil
	})
}

// held counts the shards whose lease, unexpired, names a process: an owner is
// called host-pid-letters.
func held(ctx context.Context, t *testing.T, db *store.Store, service string, pid int) int {
	t.Helper()
	shards := 0
	for _, row := range query[struct{ Owner string }](ctx, t, db,
		`SELECT owner FROM leases WHERE service = $1 AND lease_until > now()`, service) {
		if parts := strings.Split(row.Owner, "-"); len(parts) >= 3 && parts[len(parts)-2] == strconv.Itoa(pid) {
			shards++
		}
	}
	return shards
}

// balance spreads requests over replicas, one after the other, dead or alive: half
// of what follows a kill is answered 502, and must be repeated. It returns its URL,
// and how many requests each replica has answered.
func balance(t *testing.T, replicas []*replica) (address string, answered []*atomic.Int64) {
	t.Helper()
	var proxies []*httputil.ReverseProxy
	for _, r := range replicas {
		target, err := url.Parse(r.url())
		if err != nil {
			t.Fatal(err)
		}
		n := &atomic.Int64{}
		answered = append(answered, n)
		proxies = append(proxies, &httputil.ReverseProxy{
			Rewrite:        func(p *httputil.ProxyRequest) { p.SetURL(target) },
			Transport:      &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true},
			ModifyResponse: func(*http.Response) error { n.Add(1); return nil },
			ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		})
	}
	var next atomic.Uint64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxies[next.Add(1)%uint64(len(proxies))].ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, answered
}
