package sandbox

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// replies reads what the business said, over HTTP.
func replies(t *testing.T, server *httptest.Server, query string) []*Bubble {
	t.Helper()
	req, _ := http.NewRequest(http.MethodGet, server.URL+"/sandbox/api/phones/"+ann+"/messages"+query, nil)
	status, answer := do(t, req)
	var got struct{ Bubbles []*Bubble }
	if err := json.Unmarshal([]byte(answer), &got); err != nil || status != http.StatusOK || got.Bubbles == nil {
		t.Errorf("%s: %d %s", query, status, answer)
	}
	return got.Bubbles
}

// A script reads only what the business said, from where it was.
func TestRepliesAfterABubble(t *testing.T) {
	s, server := quiet(t)
	if got := replies(t, server, ""); len(got) != 0 || len(s.book.phones) != 0 {
		t.Errorf("before the first word: %d bubbles, %d phones", len(got), len(s.book.phones))
	}
	hear(t, s, "text", `{"body":"one"}`)
	say(t, server, ann, "mine")
	hear(t, s, "interactive", buttons)
	all := replies(t, server, "?after=0&wait=30s")
	if len(all) != 2 || string(all[0].Content) != `{"body":"one"}` || all[1].Type != "interactive" {
		t.Fatalf("%d bubbles", len(all))
	}
	if got := replies(t, server, "?after="+idOf(all[0])); len(got) != 1 || got[0].ID != all[1].ID {
		t.Errorf("after the first: %d bubbles", len(got))
	}
	if got := replies(t, server, "?wait=1ms&after="+idOf(all[1])); len(got) != 0 {
		t.Errorf("after the last: %d bubbles", len(got))
	}
}

func idOf(b *Bubble) string {
	id, _ := json.Marshal(b.ID)
	return string(id)
}

// Who waits is told at once, and does not keep the sandbox from stopping.
func TestRepliesAreAwaited(t *testing.T) {
	s := New(Config{WebhookURL: "http://127.0.0.1:1/", Secret: testSecret, Channel: testChannel, Log: zerolog.Nop()})
	server := newServer(t, s)
	begin := time.Now()
	got := make(chan []*Bubble)
	poll := func(query string) { got <- replies(t, server, query) }
	go poll("?wait=30s")
	hear(t, s, "text", `{"body":"here"}`)
	first := <-got
	if len(first) != 1 {
		t.Fatalf("%d bubbles", len(first))
	}

	ctx, stop := context.WithCancel(t.Context())
	go poll("?wait=30s&after=" + idOf(first[0]))
	stop()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	if late := <-got; len(late) != 0 || time.Since(begin) > patience {
		t.Errorf("%d bubbles after %v", len(late), time.Since(begin))
	}
}

func TestRepliesRefusals(t *testing.T) {
	_, server := quiet(t)
	for path, want := range map[string]int{
		"nobody/messages":               404,
		ann + "/messages?after=x":       400,
		ann + "/messages?after=-1":      400,
		ann + "/messages?wait=2":        400,
		ann + "/messages?wait=31s":      400,
		ann + "/messages?wait=-1s":      400,
		ann + "/messages?after=&wait=0": 200,
	} {
		req, _ := http.NewRequest(http.MethodGet, server.URL+"/sandbox/api/phones/"+path, nil)
		if status, answer := do(t, req); status != want {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
}
