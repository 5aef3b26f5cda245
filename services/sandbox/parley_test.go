package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const (
	testSecret  = "test_app_secret"
	testChannel = "100000000000001"
	patience    = 10 * time.Second // only a failing test waits that long
)

// parley plays the other side: it takes webhooks, checks their signatures, and
// answers texts through the Graph API.
type parley struct {
	t      *testing.T
	server *httptest.Server
	graph  string                   // base URL of the Graph API to answer through; empty to stay silent
	say    func(text string) string // what to answer

	mu       sync.Mutex
	refused  string // nothing that this person writes is accepted
	answers  []int  // HTTP statuses of the next webhooks; 200 when there are none left. 0 cuts the connection
	attempts []post // each POST, whatever was answered
}

// post is a webhook as it arrived.
type post struct {
	status  int    // answered
	from    string // of a message
	text    string
	receipt string // "<wamid> <status> <callback>"
	body    string
}

func newParley(t *testing.T) *parley {
	p := &parley{t: t, say: func(text string) string { return "You said: " + text }}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

// fail sets what the next webhooks are answered.
func (p *parley) fail(statuses ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = statuses
}

func (p *parley) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if got, want := r.Header.Get("X-Hub-Signature-256"), fake.Sign(testSecret, body); got != want {
		p.t.Errorf("signature %q, want %q", got, want)
	}
	arrived := read(p.t, body)
	p.mu.Lock()
	arrived.status = http.StatusOK
	switch {
	case arrived.from != "" && arrived.from == p.refused:
		arrived.status = http.StatusServiceUnavailable
	case len(p.answers) > 0:
		arrived.status, p.answers = p.answers[0], p.answers[1:]
	}
	p.attempts = append(p.attempts, arrived)
	p.mu.Unlock()
	switch {
	case arrived.status == 0:
		panic(http.ErrAbortHandler)
	case arrived.status >= 300 && arrived.status < 400:
		w.Header().Set("Location", "/elsewhere")
	case arrived.status == http.StatusOK && arrived.from != "" && p.graph != "":
		p.reply(arrived)
	}
	w.WriteHeader(arrived.status)
}

func (p *parley) reply(to post) {
	status, answer := send(p.t, p.graph, to.from, p.say(to.text))
	if status != http.StatusOK {
		p.t.Errorf("Graph API answered %d: %s", status, answer)
	}
}

// refuse accepts nothing from this person any more.
func (p *parley) refuse(person string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = person
}

// accepted lists the webhooks that were answered 200.
func (p *parley) accepted() []post {
	p.mu.Lock()
	defer p.mu.Unlock()
	var accepted []post
	for _, a := range p.attempts {
		if a.status == http.StatusOK {
			accepted = append(accepted, a)
		}
	}
	return accepted
}

// send posts a text to the Graph API, to a phone or a BSUID.
func send(t *testing.T, graph, to, text string) (status int, answer string) {
	t.Helper()
	field := "to"
	if strings.Contains(to, ".") {
		field = "recipient"
	}
	body, _ := json.Marshal(map[string]any{
		"messaging_product": "whatsapp", field: to, "type": "text",
		"text": map[string]any{"body": text}, "biz_opaque_callback_data": callback(text),
	})
	req, _ := http.NewRequest(http.MethodPost, graph+"/v25.0/"+testChannel+"/messages", bytes.NewReader(body))
	req.Header.Set("Authorization", "Bearer token")
	return do(t, req)
}

// callback is our own id of a message with this text.
func callback(text string) string {
	return fmt.Sprintf("delivery-%08x", crc32.ChecksumIEEE([]byte(text)))
}

func do(t *testing.T, req *http.Request) (status int, body string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Errorf("%s %s: %v", req.Method, req.URL.Path, err)
		return 0, ""
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data)
}

// read takes a webhook with one update apart.
func read(t *testing.T, body []byte) post {
	var hook struct {
		Entry []struct {
			Changes []struct {
				Value struct {
					Metadata struct {
						Channel string `json:"phone_number_id"`
					} `json:"metadata"`
					Messages []struct {
						From   string                   `json:"from"`
						FromID string                   `json:"from_user_id"`
						Text   struct{ Body string }    `json:"text"`
						Image  struct{ Caption string } `json:"image"`
					} `json:"messages"`
					Statuses []struct {
						ID, Status string
						Callback   string `json:"biz_opaque_callback_data"`
					} `json:"statuses"`
				} `json:"value"`
			} `json:"changes"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(body, &hook); err != nil {
		t.Errorf("webhook is not JSON: %v", err)
		return post{}
	}
	value := hook.Entry[0].Changes[0].Value
	if value.Metadata.Channel != testChannel {
		t.Errorf("webhook of channel %q", value.Metadata.Channel)
	}
	arrived := post{body: string(body)}
	for _, m := range value.Messages {
		arrived.from, arrived.text = m.From+m.FromID, m.Text.Body+m.Image.Caption
	}
	for _, s := range value.Statuses {
		arrived.receipt = fmt.Sprint(s.ID, " ", s.Status, " ", s.Callback)
	}
	return arrived
}

// start runs a sandbox that posts to url and serves it over HTTP.
func start(t *testing.T, url string, more ...func(*Config)) (*Sandbox, *httptest.Server) {
	t.Helper()
	c := Config{WebhookURL: url, Secret: testSecret, Channel: testChannel, DisplayNumber: "15550001111", Log: zerolog.Nop()}
	for _, change := range more {
		change(&c)
	}
	s := New(c)
	server := httptest.NewServer(s.Handler())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		server.Close()
	})
	return s, server
}

// until waits, from one event to the next, for something to be true.
func until(t *testing.T, s *Sandbox, what string, isTrue func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		_, _, changed, _ := s.feed.since(0, nil)
		if isTrue() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited %v for: %s", patience, what)
		}
	}
}

// say sends a text from a phone and wants it taken.
func say(t *testing.T, server *httptest.Server, phone, text string) {
	t.Helper()
	if status, answer := postJSON(t, server, "/sandbox/api/phones/"+phone+"/messages", map[string]string{"type": "text", "text": text}); status != http.StatusAccepted {
		t.Fatalf("message: %d %s", status, answer)
	}
}

func postJSON(t *testing.T, server *httptest.Server, path string, body any) (status int, answer string) {
	t.Helper()
	data, _ := json.Marshal(body)
	req, _ := http.NewRequest(http.MethodPost, server.URL+path, bytes.NewReader(data))
	return do(t, req)
}

// view reads a phone over HTTP.
func view(t *testing.T, server *httptest.Server, phone string) PhoneView {
	t.Helper()
	req, _ := http.NewRequest(http.MethodGet, server.URL+"/sandbox/api/phones/"+phone, nil)
	status, answer := do(t, req)
	var v PhoneView
	if err := json.Unmarshal([]byte(answer), &v); err != nil || status != http.StatusOK {
		t.Fatalf("phone: %d %s: %v", status, answer, err)
	}
	return v
}

// newPhone makes up a person over HTTP.
func newPhone(t *testing.T, server *httptest.Server, kind string) PhoneView {
	t.Helper()
	status, answer := postJSON(t, server, "/sandbox/api/phones", map[string]string{"kind": kind})
	var v PhoneView
	if err := json.Unmarshal([]byte(answer), &v); err != nil || status != http.StatusCreated {
		t.Fatalf("new phone: %d %s: %v", status, answer, err)
	}
	return v
}
