//go:build e2e

package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// ear is another system of the business. It checks what it is told as the Standard
// Webhooks specification says, with the secret that it knows.
type ear struct {
	secret string

	mu     sync.Mutex
	down   bool
	gone   string // the type that it wants to hear no more of
	heard  map[string][]string
	ids    map[string]bool
	forged error
}

// told is as much of a body as the ear looks at.
type told struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		Contact struct {
			Phone string `json:"phone"`
		} `json:"contact"`
		Event struct {
			Value any `json:"value"`
		} `json:"event"`
	} `json:"data"`
}

func (e *ear) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	var is told
	err = errors.Join(err, e.verify(r.Header, body), json.Unmarshal(body, &is))
	switch id := r.Header.Get("webhook-id"); {
	case err != nil:
		e.forged = err
		w.WriteHeader(http.StatusBadRequest)
	case e.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case is.Type == e.gone:
		w.WriteHeader(http.StatusGone)
	case !e.ids[id]: // the same id is the same event
		e.ids[id] = true
		phone := is.Data.Contact.Phone
		said := is.Type
		if is.Data.Event.Value != nil {
			said = fmt.Sprint(said, " ", is.Data.Event.Value)
		}
		e.heard[phone] = append(e.heard[phone], said)
	}
}

// verify: "the content to sign is composed of the id, the timestamp and the payload,
// separated by full stops", the secret is what comes after whsec_ in base64, and the header
// is a list, separated by spaces, of version and signature, separated by a comma.
func (e *ear) verify(h http.Header, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(e.secret, "whsec_"))
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > 5*time.Minute {
		return fmt.Errorf("timestamp %q: %w", h.Get("webhook-timestamp"), err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "." + string(body)))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if !slices.Contains(strings.Split(h.Get("webhook-signature"), " "), want) {
		return errors.New("no signature fits")
	}
	return nil
}

func (e *ear) set(down bool, gone string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down, e.gone = down, gone
}

// hears waits until the ear has been told this of a person, in this order.
func (e *ear) hears(t *testing.T, p fake.Person, want ...string) {
	t.Helper()
	await(t, 2*patience, "webhooks arrive", func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.forged != nil {
			t.Fatal(e.forged)
		}
		if got := e.heard[p.Phone]; !slices.Equal(got, want) {
			return fmt.Errorf("told of %s: %q, want %q", p.Phone, got, want)
		}
		return nil
	})
}

// talks lets a person answer the whole flow.
func talks(t *testing.T, g *graph, u *up, p fake.Person, city, month string) {
	t.Helper()
	says(t, u, p, "hi")
	g.next(t, p, "Which city?")
	says(t, u, p, city)
	g.next(t, p, "Which month?")
	says(t, u, p, month)
	g.next(t, p, city)
}

// TestUpWebhooks: a system of the business is told what happens, signed. While it is away
// nothing is lost, even if everything is killed, and of each person it learns all in
// order. What it refuses for good is listed, and told again on demand.
func TestUpWebhooks(t *testing.T) {
	secret := func(fill string) string {
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fill, 32)))
	}
	e := &ear{secret: secret("o"), heard: map[string][]string{}, ids: map[string]bool{}}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	g, u, dir := newGraph(t), newUp(t), folder(t)
	write(t, dir, "lead.yaml", `name: lead
language: en
steps:
  - {name: city, say: "Which city?", expect: {type: text, save: city}}
  - {name: month, say: "Which month?", expect: {type: text, save: month}}
completed: {say: "{city}, {month}!", again: Done.}
`)
	u.start(t, environment(g.url, "PARLEY_FLOWS_DIR="+dir, "PARLEY_CALL_ALLOW="+strings.TrimPrefix(server.URL, "http://"),
		"PARLEY_WEBHOOK_URL="+server.URL+"/parley", "PARLEY_WEBHOOK_SECRET="+secret("n")+","+secret("o"))...) // one is being exchanged
	talks(t, g, u, ann, "Rome", "May")
	e.hears(t, ann, "session.started", "session.answered Rome", "session.answered May", "session.completed")

	e.set(true, "")
	talks(t, g, u, bea, "Oslo", "June")
	await(t, patience, "the webhooks wait", func() error {
		if said := u.tool(t, 0, "webhooks", "list"); !strings.Contains(said, "4 queued, 0 given up") || !strings.Contains(said, "HTTP 503") {
			return errors.New(said)
		}
		return nil
	})
	u.sent(t)
	u.kill()
	e.set(false, "session.answered")
	u.start(t)
	e.hears(t, bea, "session.started", "session.completed")
	saysAll(t, u.tool(t, 0, "webhooks", "list", "--state", "dead"), "session.answered", "HTTP 410", "0 queued, 2 given up")
	e.set(false, "")
	saysAll(t, u.tool(t, 0, "webhooks", "redrive", "--all"), "2 told again")
	e.hears(t, bea, "session.started", "session.completed", "session.answered Oslo", "session.answered June")
	saysAll(t, u.tool(t, 0, "webhooks", "list"), "0 queued, 0 given up")
	if said := u.said(); strings.Contains(said, bea.Phone) || strings.Contains(said, "Oslo") || strings.Contains(said, secret("o")) {
		t.Error("the log names somebody, or a secret")
	}
}
