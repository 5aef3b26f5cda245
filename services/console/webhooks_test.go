package console

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// tells queues webhooks of one contact, a second apart, each in a state.
func (s *site) tells(states ...string) {
	s.t.Helper()
	for i, state := range states {
		if _, err := s.conn.Exec(s.t.Context(), `INSERT INTO webhooks (shard, "offset", contact_id, type, state, since, attempts, error)
			VALUES (3, $1, $2, 'session.started', $3, $4, 5, 'HTTP 410')`, i+1, store.ContactID("n1", "ann"), state, start.Add(time.Duration(i)*time.Second)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestWebhooks lists what is still to be told page by page, and has told again what was
// given up, and nothing else.
func TestWebhooks(t *testing.T) {
	s := newSite(t, "")
	s.tells("queued", "dead", "queued", "dead")
	list := func(query string) (ids []string) {
		for after := ""; ; {
			var page struct {
				Counts   store.WebhookCounts
				Webhooks []webhookView
				Next     string
			}
			s.ask(http.MethodGet, "/api/v1/webhooks?limit=1"+query+after, http.StatusOK, &page)
			if page.Counts.Queued+page.Counts.Dead != 4 {
				t.Errorf("%+v", page.Counts)
			}
			for _, w := range page.Webhooks {
				if w.Contact != store.ContactID("n1", "ann").String() || w.Type != "session.started" || w.Attempts != 5 && w.State == "dead" {
					t.Errorf("%+v", w)
				}
				ids = append(ids, fmt.Sprint(w.ID, " ", w.Error))
			}
			if page.Next == "" {
				return ids
			}
			after = "&after=" + page.Next
		}
	}
	for query, want := range map[string][]string{
		"":              {"evt_3_1 HTTP 410", "evt_3_2 HTTP 410", "evt_3_3 HTTP 410", "evt_3_4 HTTP 410"},
		"&state=dead":   {"evt_3_2 HTTP 410", "evt_3_4 HTTP 410"},
		"&state=queued": {"evt_3_1 HTTP 410", "evt_3_3 HTTP 410"},
	} {
		if got := list(query); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{"?state=lost", "?after=x", "?after=2026-11-28T00:00:00Z~x", "?after=x~evt_1_2"} {
		s.refused("/api/v1/webhooks"+query, http.StatusBadRequest)
	}
	var done map[string]string
	s.ask(http.MethodPost, "/api/v1/webhooks/evt_3_2/redrive", http.StatusAccepted, &done)
	if got := list("&state=dead"); len(got) != 1 {
		t.Errorf("after the redrive: %q", got)
	}
	var p problem
	for id, want := range map[string]int{
		"evt_3_2": http.StatusNotFound, "evt_3_1": http.StatusNotFound, "evt_3_9": http.StatusNotFound, "evt_x": http.StatusBadRequest, "3": http.StatusBadRequest,
	} {
		s.ask(http.MethodPost, "/api/v1/webhooks/"+id+"/redrive", want, &p)
	}
}
