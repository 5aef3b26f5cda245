package sandbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
)

// faulty is a sandbox with one phone, and a business that only listens.
type faulty struct {
	t             *testing.T
	parley        *parley
	sandbox       *Sandbox
	server        *httptest.Server
	graph, person string
}

func newFaulty(t *testing.T) *faulty {
	p := newParley(t)
	s, server := start(t, p.server.URL)
	return &faulty{t, p, s, server, server.URL + "/sandbox/graph", newPhone(t, server, "phone").ID}
}

// sendsWithAnswer reports whether a send has an answer at all.
func (g *faulty) sendsWithAnswer(text string) bool {
	body := `{"messaging_product":"whatsapp","to":"` + g.person + `","type":"text","text":{"body":"` + text + `"}}`
	req, _ := http.NewRequest(http.MethodPost, g.graph+"/v25.0/"+testChannel+"/messages", strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer token")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return true
}

// turnOn turns a fault on over HTTP.
func (g *faulty) turnOn(fault string) {
	g.t.Helper()
	if status, answer := postJSON(g.t, g.server, "/sandbox/api/faults", json.RawMessage(fault)); status != http.StatusCreated {
		g.t.Fatalf("%s: %d %s", fault, status, answer)
	}
}

// statuses are the receipts that the business has accepted, in order.
func (g *faulty) statuses() (list []string) {
	for _, p := range g.parley.accepted() {
		list = append(list, strings.Fields(p.receipt)[1])
	}
	return list
}

func TestFaultsOfSends(t *testing.T) {
	g := newFaulty(t)
	for _, c := range []struct {
		fault, says string
		status      int
	}{
		{`{"kind":"refuse","next":1,"status":429,"code":130429}`, `"code":130429`, 429},
		{`{"kind":"refuse","next":1,"status":500}`, "<html>", 500},
		{`{"kind":"garbage","next":1}`, "<html>", 200},
		{`{"kind":"slow","next":1,"delay_ms":5}`, "wamid.", 200},
	} {
		g.turnOn(c.fault)
		if status, answer := send(t, g.graph, g.person, "hello"); status != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%s: %d %s", c.fault, status, answer)
		}
	}
	for _, fault := range []string{`{"kind":"cut","next":1}`, `{"kind":"lost","next":1,"delay_ms":5}`} {
		g.turnOn(fault)
		if g.sendsWithAnswer("hello") {
			t.Errorf("%s: it is answered", fault)
		}
	}
	// Accepted were all but what was refused, or cut before.
	until(t, g.sandbox, "the receipts", func() bool { return len(g.statuses()) == 3*3 })
	g.wantFired(6)
}

func TestFaultsOfReceipts(t *testing.T) {
	g := newFaulty(t)
	g.turnOn(`{"kind":"receipts_never","next":1}`)
	g.turnOn(`{"kind":"receipts_first","next":1}`)
	g.turnOn(`{"kind":"receipts_twice","next":1}`)
	g.turnOn(`{"kind":"receipts_late","every":1,"delay_ms":1}`)
	send(t, g.graph, g.person, "no receipts")
	send(t, g.graph, g.person, "receipts before the answer")
	if got := g.statuses(); !slices.Equal(got, []string{"sent", "delivered", "read"}) {
		t.Fatalf("when the answer is there: %v", got)
	}
	send(t, g.graph, g.person, "receipts twice")
	until(t, g.sandbox, "both of each", func() bool { return len(g.statuses()) == 9 })
	if got := g.statuses()[3:]; !slices.Equal(got, []string{"sent", "sent", "delivered", "delivered", "read", "read"}) {
		t.Errorf("%v", got)
	}
	send(t, g.graph, g.person, "late")
	until(t, g.sandbox, "the late ones", func() bool { return len(g.statuses()) == 12 })
}

func TestFaultsAPI(t *testing.T) {
	g := newFaulty(t)
	for _, fault := range []string{`{"kind":"explode","next":1}`, `{"kind":"cut"}`, `{"kind":"drop","next":1}`, `[]`} {
		if status, answer := postJSON(t, g.server, "/sandbox/api/faults", json.RawMessage(fault)); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", fault, status, answer)
		}
	}
	g.turnOn(`{"kind":"cut","every":1}`)
	req, _ := http.NewRequest(http.MethodDelete, g.server.URL+"/sandbox/api/faults", nil)
	if status, _ := do(t, req); status != http.StatusNoContent || len(g.faults()) != 0 {
		t.Errorf("%d, left are %v", status, g.faults())
	}
	if status, answer := send(t, g.graph, g.person, "all well"); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
}

func (g *faulty) faults() []faults.Fault {
	g.t.Helper()
	req, _ := http.NewRequest(http.MethodGet, g.server.URL+"/sandbox/api/faults", nil)
	_, answer := do(g.t, req)
	var list struct{ Faults []faults.Fault }
	if err := json.Unmarshal([]byte(answer), &list); err != nil {
		g.t.Fatal(err)
	}
	return list.Faults
}

func (g *faulty) wantFired(want int) {
	g.t.Helper()
	fired := 0
	for _, f := range g.faults() {
		fired += f.Fired
	}
	if fired != want {
		g.t.Errorf("%d fired, want %d: %+v", fired, want, g.faults())
	}
}
