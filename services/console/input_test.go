package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// What a system says in a person's place stands in their lane as a message of theirs.
func TestInput(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	var got map[string]string
	for _, body := range []request{
		{"text": "ada@example.org"},
		{"location": request{"latitude": 52.5, "longitude": 13.4}},
		{"contact": request{"name": "Ada", "phone": "+49 151"}, "channel": "n2"},
	} {
		s.post("/api/v1/sessions/US.77/input", body, http.StatusAccepted, &got)
	}
	orders := s.lanes()
	if len(orders) != 3 {
		t.Fatalf("%d inputs", len(orders))
	}
	for i, o := range orders {
		if o.Kind != parleyv1.Kind_KIND_OPERATOR || o.Field != store.OperatorInput || o.Provider != "parley" || o.LaneKey != "US.77" || o.Channel != "n2" || !strings.HasPrefix(o.Id, flow.APIInput) {
			t.Errorf("input %d: %v", i, o.Envelope)
		}
	}
	if m := orders[0].input.GetMessage(); m.GetText() != "ada@example.org" || m.GetType() != "text" {
		t.Errorf("%v", m)
	}
	if m := orders[1].input.GetMessage(); m.GetLocation().GetLatitude() != 52.5 {
		t.Errorf("%v", m)
	}
	if m := orders[2].input.GetMessage(); m.GetContact().GetName() != "Ada" || got["id"] != orders[2].Id || got["channel"] != "n2" {
		t.Errorf("%v, answered %v", m, got)
	}
}

// A key makes a repeated input, and a repeated start, the same update.
func TestInputIdempotencyKey(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	post := func(path, key string, body request, want int) string {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, path, encoded(body))
		r.Header.Set("Idempotency-Key", key)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var got map[string]string
		decode(t, w, want, &got)
		return got["id"] + got["error"]
	}
	say := func(key string) string {
		return post("/api/v1/sessions/US.77/input", key, request{"text": "x"}, http.StatusAccepted)
	}
	if first, again := say("k1"), say("k1"); first != again {
		t.Errorf("%s is not %s", first, again)
	}
	if first, second := say(""), say(""); first == second || say("k1") == say("k2") {
		t.Error("different requests are the same update")
	}
	if got := post("/api/v1/flows/lead/start", "k1", request{"channel": "n1", "phone": "15551", "key": "k2"}, http.StatusBadRequest); !strings.Contains(got, "differ") {
		t.Errorf("two keys: %s", got)
	}
}

func TestInputRefusals(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	if _, err := s.conn.Exec(t.Context(), `UPDATE contacts SET opted_out_at = now() WHERE phone = '16505551234'`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, body string
		status     int
		says       string
	}{
		{"US.77", `{}`, http.StatusBadRequest, "0 things to say"},
		{"US.77", `{"text":"a","location":{}}`, http.StatusBadRequest, "2 things to say"},
		{"US.77", `{"location":{"lat":1}}`, http.StatusBadRequest, "latitude"},
		{"US.77", `{"contact":[]}`, http.StatusBadRequest, "organization"},
		{"US.77", `{"text":"` + strings.Repeat("a", flow.TextCharactersMax+1) + `"}`, http.StatusBadRequest, "4096"},
		{"US.77", `{"text":"a","by":"Ana"}`, http.StatusBadRequest, "channel, and one of"},
		{"US.77", `{"text":"a","channel":"n9"}`, http.StatusNotFound, "nobody"},
		{"US.78", `{"text":"a"}`, http.StatusNotFound, "nobody"},
		{"16505551234", `{"text":"a"}`, http.StatusConflict, "nothing more"},
	} {
		var got problem
		s.post("/api/v1/sessions/"+c.path+"/input", c.body, c.status, &got)
		if !strings.Contains(got.Error, c.says) {
			t.Errorf("%s %.60s says %q, not %q", c.path, c.body, got.Error, c.says)
		}
	}
	if n := len(s.lanes()); n > 0 {
		t.Errorf("%d refused inputs stand in a lane", n)
	}
}
