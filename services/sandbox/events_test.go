package sandbox

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// sse is a server-sent event as a browser reads it.
type sse struct{ id, kind, data string }

func newServer(t *testing.T, s *Sandbox) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(s.Handler())
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server
}

// quiet is a sandbox whose Run was not started: nothing happens by itself.
func quiet(t *testing.T) (*Sandbox, *httptest.Server) {
	t.Helper()
	s := New(Config{WebhookURL: "http://127.0.0.1:1/", Secret: testSecret, Channel: testChannel, Log: zerolog.Nop()})
	return s, newServer(t, s)
}

// listen opens an event stream. The channel is closed when the stream ends.
func listen(t *testing.T, server *httptest.Server, lastID string, phones ...string) <-chan sse {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/sandbox/api/events?phone="+strings.Join(phones, "&phone="), nil)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("events: %v %v", resp, err)
	}
	events := make(chan sse, 10_000)
	go func() {
		defer resp.Body.Close()
		defer close(events)
		var e sse
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case name == "id":
				e.id = value
			case name == "event":
				e.kind = value
			case name == "data":
				e.data = value
			case lines.Text() == "" && e.kind != "":
				events <- e
				e = sse{}
			}
		}
	}()
	return events
}

func receive(t *testing.T, events <-chan sse) sse {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(patience):
		t.Fatal("no event")
	}
	return sse{}
}

// wantBubble reads the two events of a message and returns the id of the second.
func wantBubble(t *testing.T, events <-chan sse, text string) string {
	t.Helper()
	var b Bubble
	e := receive(t, events)
	if err := json.Unmarshal([]byte(e.data), &b); e.kind != "bubble" || err != nil || b.Text != text {
		t.Fatalf("event %+v, want the bubble %q", e, text)
	}
	if e = receive(t, events); e.kind != "exchange" {
		t.Fatalf("event %+v, want an exchange", e)
	}
	return e.id
}

// A stream begins with a reset and tells of the phones asked for only. It can be
// resumed where it was left, and nothing is told twice or not at all.
func TestEventsResume(t *testing.T) {
	_, server := quiet(t)
	mine, other := newPhone(t, server, "phone").ID, newPhone(t, server, "bsuid").ID
	stream := listen(t, server, "", mine)
	if e := receive(t, stream); e.kind != "reset" {
		t.Fatalf("first event %+v", e)
	}
	say(t, server, other, "not for you")
	say(t, server, mine, "one")
	left := wantBubble(t, stream, "one")
	say(t, server, mine, "two\nlines")
	say(t, server, mine, "three")

	resumed := listen(t, server, left, mine)
	wantBubble(t, resumed, "two\nlines")
	wantBubble(t, resumed, "three")
	say(t, server, mine, "four")
	wantBubble(t, resumed, "four")
	wantBubble(t, stream, "two\nlines")
}

// Who comes back too late, or from another process, is told to begin again.
func TestEventsThatAreGone(t *testing.T) {
	s, server := quiet(t)
	id := newPhone(t, server, "phone").ID
	stream := listen(t, server, "", id)
	left := receive(t, stream).id
	for i := range feedSize {
		s.feed.publish("bubble", id, i)
	}
	if e := receive(t, listen(t, server, left, id)); e.kind != "bubble" || e.data != "0" {
		t.Errorf("after %d events: %+v, want the first", feedSize, e)
	}
	s.feed.publish("bubble", id, "one more")
	for name, last := range map[string]string{"too late": left, "other process": "X-1", "nonsense": "1", "future": s.feed.format(1 << 40)} {
		e := receive(t, listen(t, server, last, id))
		if e.kind != "reset" || e.id != s.feed.format(feedSize+1) {
			t.Errorf("%s: %+v, want a reset at the end", name, e)
		}
	}
}

func TestEventsNeedPhones(t *testing.T) {
	_, server := quiet(t)
	for _, n := range []int{0, maxPhonesPerStream + 1} {
		req, _ := http.NewRequest(http.MethodGet, fmt.Sprint(server.URL, "/sandbox/api/events?", strings.Repeat("phone=15550000000&", n)), nil)
		if status, _ := do(t, req); status != http.StatusBadRequest {
			t.Errorf("%d phones: %d", n, status)
		}
	}
}
