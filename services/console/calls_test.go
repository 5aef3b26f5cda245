package console

import (
	"net/http"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Calls are listed that failed or wait, the newest first, with what was asked.
func TestCalls(t *testing.T) {
	s := newSite(t, "")
	request, err := proto.Marshal(&parleyv1.CallQueued{Method: "GET", Url: "https://crm.example.org/orders/7"})
	if err != nil {
		t.Fatal(err)
	}
	for i, state := range []string{store.CallFailed, store.CallOK, store.CallQueued, store.CallFailed} {
		if _, err := s.conn.Exec(t.Context(), `INSERT INTO calls (shard, "offset", channel, contact_id, session_id, flow, step, request, state, attempts, status, reason, queued_at, due_at)
			VALUES (3, $1::int, 'n1', $2, 1, 'lead', 'look', $3, $4, 2, 500, 'HTTP 500', now() + $1::int * interval '1 second', now())`, i+1, store.ContactID("n1", "ann"), request, state); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string][]string{"": {"p1.3.4", "p1.3.1"}, "?state=failed&limit=1": {"p1.3.4"}, "?state=queued": {"p1.3.3"}} {
		var page struct{ Calls []store.CallView }
		s.ask(http.MethodGet, "/api/v1/calls"+query, http.StatusOK, &page)
		var got []string
		for _, c := range page.Calls {
			got = append(got, c.ID)
			if c.Method != "GET" || c.URL != "https://crm.example.org/orders/7" || c.Reason != "HTTP 500" || c.Step != "look" {
				t.Errorf("%+v", c)
			}
		}
		if len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
	s.refused("/api/v1/calls?state=ok", http.StatusBadRequest)
}
