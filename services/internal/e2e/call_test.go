//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// crm is a system of the business. It answers what its order says.
type crm struct {
	mu    sync.Mutex
	keys  []string // of the requests, in their order
	busy  int      // so many of the next requests are refused
	holds chan bool
}

func (c *crm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.keys = append(c.keys, r.Header.Get("Idempotency-Key"))
	refuse, holds := c.busy > 0, c.holds
	c.busy--
	c.mu.Unlock()
	if holds != nil {
		<-holds
	}
	switch {
	case refuse:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.Header.Get("Authorization") != "Bearer s3cret":
		w.WriteHeader(http.StatusUnauthorized)
	default:
		fmt.Fprintf(w, `{"order":{"status":"status of %s"}}`, strings.TrimPrefix(r.URL.Path, "/orders/"))
	}
}

func (c *crm) set(busy int, holds chan bool) (asked []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked, c.keys = c.keys, nil
	c.busy, c.holds = busy, holds
	return asked
}

// TestUpCall asks a system of the business: one that fails twice, and one whose answer is
// under way when everything is killed. What is asked again has the key it had, and the
// person is answered once.
func TestUpCall(t *testing.T) {
	system := &crm{}
	server := httptest.NewServer(system)
	t.Cleanup(server.Close)
	g, u, dir := newGraph(t), newUp(t), folder(t)
	write(t, dir, "lead.yaml", strings.ReplaceAll(`name: lead
language: en
steps:
  - {name: order, say: "Which order?", expect: {type: text, save: order}}
  - name: look
    say: One moment.
    call:
      url: "ADDRESS/orders/{order}"
      headers: {Authorization: "Bearer ${secret:CRM}"}
      timeout: 2m
      keep: {status: order.status}
      busy: Still looking.
      failed: {say: "I cannot look now.", goto: order}
  - {name: told, say: "{status}"}
  - {name: more, branch: [{if: order == "none", goto: completed}, {goto: order}]}
completed: {say: Thanks., again: Done.}
`, "ADDRESS", server.URL))
	u.start(t, environment(g.url, "PARLEY_FLOWS_DIR="+dir, "PARLEY_SECRET_CRM=s3cret", "PARLEY_CALL_ALLOW="+strings.TrimPrefix(server.URL, "http://"))...)
	system.set(2, nil)
	says(t, u, ann, "hi")
	g.next(t, ann, "Which order?")
	says(t, u, ann, "7/8 ü")
	g.next(t, ann, "One moment.")
	g.next(t, ann, "status of 7/8 ü")
	g.next(t, ann, "Which order?")
	holds := make(chan bool)
	if keys := system.set(0, holds); len(keys) != 3 || keys[0] != keys[2] {
		t.Errorf("it was asked with the keys %q", keys)
	}
	says(t, u, ann, "9")
	g.next(t, ann, "One moment.")
	await(t, patience, "the system is asked", func() error {
		system.mu.Lock()
		defer system.mu.Unlock()
		if len(system.keys) != 1 {
			return fmt.Errorf("%d times", len(system.keys))
		}
		return nil
	})
	says(t, u, ann, "hello?")
	g.next(t, ann, "Still looking.")
	u.sent(t)
	u.kill()
	close(holds)
	keys := system.set(0, nil)
	u.start(t)
	g.next(t, ann, "status of 9") // when the claim of who was killed is over
	g.next(t, ann, "Which order?")
	if again := system.set(0, nil); len(again) != 1 || again[0] != keys[0] {
		t.Errorf("it was asked again with the keys %q, before with %q", again, keys)
	}
	u.sent(t)
	u.kill()
	u.start(t, environment(g.url, "PARLEY_FLOWS_DIR="+dir, "PARLEY_CALL_ALLOW="+strings.TrimPrefix(server.URL, "http://"))...)
	says(t, u, ann, "10") // without the secret
	g.next(t, ann, "One moment.")
	g.next(t, ann, "I cannot look now.")
	list := u.tool(t, 0, "calls")
	saysAll(t, list, "lead  look", "GET "+server.URL+"/orders/10", "PARLEY_SECRET_CRM")
	if strings.Count(list, "\n") != 2 || strings.Contains(list, "s3cret") {
		t.Errorf("parley calls says\n%s", list)
	}
}
