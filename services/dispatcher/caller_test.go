package dispatcher

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// asks makes a caller that may go to a server, and to nobody else that is not public.
func asks(t *testing.T, server *httptest.Server, secrets map[string]string) *caller {
	t.Helper()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return allowing(t, secrets, u.Host)
}

// allowing makes a caller that may go to places that are not public.
func allowing(t *testing.T, secrets map[string]string, places ...string) *caller {
	t.Helper()
	client, err := Outside{Allow: places}.client()
	if err != nil {
		t.Fatal(err)
	}
	return &caller{client: client, secrets: secrets}
}

// TestCallIsMade looks at what arrives, and at what comes back.
func TestCallIsMade(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		fmt.Fprint(w, `{"id":7}`)
	}))
	t.Cleanup(server.Close)
	c := asks(t, server, map[string]string{"CRM": "s3cret"})
	a := c.ask(t.Context(), "call/0-7", &parleyv1.CallQueued{
		Method: "POST", Url: server.URL + "/orders/7%2F8?lang=en", Body: []byte(`{"n":1}`),
		Headers: map[string]string{"Authorization": "Bearer ${secret:CRM}", "X-From": "parley"},
	})
	if !a.ok || a.status != 200 || string(a.json) != `{"id":7}` {
		t.Errorf("answered %+v", a)
	}
	if got.Method != "POST" || got.URL.String() != "/orders/7%2F8?lang=en" || string(body) != `{"n":1}` {
		t.Errorf("%s %s %s", got.Method, got.URL, body)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer s3cret", "X-From": "parley", "Idempotency-Key": "call/0-7", "Content-Type": "application/json",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
}

// TestCallAnswers is every way in which a try ends.
func TestCallAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header map[string]string
		body   string
		ok     bool
		again  bool
		after  time.Duration
		reason string
	}{
		"done":         {status: 201, body: `{"a":1}`, ok: true},
		"empty":        {status: 204, ok: true},
		"no JSON":      {status: 200, body: "<html>", ok: true},
		"too long":     {status: 200, body: `"` + strings.Repeat("x", maxCallAnswer) + `"`, reason: "more than 256 KB"},
		"not found":    {status: 404, reason: "HTTP 404"},
		"a redirect":   {status: 302, header: map[string]string{"Location": "http://127.0.0.1:1/"}, reason: "HTTP 302"},
		"busy":         {status: 429, header: map[string]string{"Retry-After": "7"}, again: true, after: 7 * time.Second, reason: "HTTP 429"},
		"broken":       {status: 500, again: true, reason: "HTTP 500"},
		"away":         {status: 503, header: map[string]string{"Retry-After": "tomorrow"}, again: true, reason: "HTTP 503"},
		"wait for it":  {status: 425, again: true, reason: "HTTP 425"},
		"unauthorized": {status: 401, reason: "HTTP 401"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for key, value := range c.header {
					w.Header().Set(key, value)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			t.Cleanup(server.Close)
			a := asks(t, server, nil).ask(t.Context(), "call/1", &parleyv1.CallQueued{Method: "GET", Url: server.URL})
			if a.ok != c.ok || a.again != c.again || a.after != c.after || a.status != c.status || !strings.Contains(a.reason, c.reason) {
				t.Errorf("%+v", a)
			}
		})
	}
}

// TestCallGoesNowhereElse: a flow, or what a person wrote into an address, cannot reach
// what is not public; secrets that are not there are no calls.
func TestCallGoesNowhereElse(t *testing.T) {
	var reached atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(server.Close)
	c := allowing(t, nil, "crm.internal:8080")
	for address, want := range map[string]string{
		server.URL: "not https", "http://example.org/": "not https", "ftp://crm.internal:8080/": "", "https://" + strings.TrimPrefix(server.URL, "http://"): "not public",
		"https://127.0.0.1/": "not public", "https://localhost/": "not public", "https://[::1]/": "not public", "https://[::ffff:127.0.0.1]/": "not public",
		"https://10.1.2.3/": "not public", "https://172.31.0.1/": "not public", "https://192.168.0.1/": "not public", "https://169.254.169.254/latest": "not public",
		"https://100.64.0.1/": "not public", "https://0.0.0.0/": "not public", "https://[fd12::1]/": "not public", "https://[fe80::1]/": "not public",
		"https://[64:ff9b::a00:1]/": "not public", "https://[2002:a00:1::]/": "not public", "https://224.0.0.1/": "not public", "https://255.255.255.255/": "not public",
		"https://192.0.2.1/": "not public", "https://198.18.0.1/": "not public", "https://2130706433/": "", "https://0x7f000001/": "", "https://127.1/": "",
	} {
		a := c.ask(t.Context(), "call/1", &parleyv1.CallQueued{Method: "GET", Url: address})
		if a.ok || want != "" && (a.again || !strings.Contains(a.reason, want)) {
			t.Errorf("%s: %+v, want %q", address, a, want)
		}
	}
	for _, path := range []string{"/orders/..", "/orders/%2E%2e/x", "/orders/7%2F..%2F8", "/orders/%2e", `/orders/%5C..%5c`} {
		if a := asks(t, server, nil).ask(t.Context(), "call/1", &parleyv1.CallQueued{Method: "GET", Url: server.URL + path}); a.ok || a.again || !strings.Contains(a.reason, "out of its place") {
			t.Errorf("%s: %+v", path, a)
		}
	}
	a := asks(t, server, nil).ask(t.Context(), "call/1", &parleyv1.CallQueued{Method: "GET", Url: server.URL, Headers: map[string]string{"X": "${secret:CRM}"}})
	if a.ok || a.again || !strings.Contains(a.reason, "PARLEY_SECRET_CRM") {
		t.Errorf("without the secret: %+v", a)
	}
	if reached.Load() > 0 {
		t.Errorf("%d requests arrived", reached.Load())
	}
}

// TestCallAllow: a network that the operator allows is reached like a public one.
func TestCallAllow(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	c := allowing(t, nil, "127.0.0.0/8", "::1/128")
	// The network is allowed, the port is not: 443 only.
	if a := c.ask(t.Context(), "call/1", &parleyv1.CallQueued{Method: "GET", Url: server.URL}); !strings.Contains(a.reason, "not public") {
		t.Errorf("%+v", a)
	}
}

// TestCallCircuit closes a host off that fails, lets one call try it, and opens with the
// first answer. Other hosts are not concerned.
func TestCallCircuit(t *testing.T) {
	c, now := newCircuits(), time.Unix(1000, 0)
	for range circuitFailures {
		if wait := c.closedFor("a", now); wait != 0 {
			t.Fatalf("waits %v after less than %d failures", wait, circuitFailures)
		}
		c.note("a", true, now)
	}
	if wait := c.closedFor("a", now); wait != circuitRest {
		t.Errorf("waits %v, want %v", wait, circuitRest)
	}
	if wait := c.closedFor("b", now); wait != 0 {
		t.Errorf("another host waits %v", wait)
	}
	now = now.Add(circuitRest)
	if first, second := c.closedFor("a", now), c.closedFor("a", now); first != 0 || second != circuitRest {
		t.Errorf("after the rest they wait %v and %v", first, second)
	}
	c.note("a", true, now)
	if wait := c.closedFor("a", now); wait != circuitRest {
		t.Errorf("after another failure it waits %v", wait)
	}
	c.note("a", false, now)
	if wait := c.closedFor("a", now); wait != 0 {
		t.Errorf("after an answer it waits %v", wait)
	}
}
