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

// An action stands in the lane of the contact, with who and why.
func TestAct(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	var got map[string]string
	s.post("/api/v1/sessions/+16505551234/actions", request{"action": "move", "step": "email", "by": "Ana", "reason": "typo"}, http.StatusConflict, &got)
	if !strings.Contains(got["error"], "completed") {
		t.Errorf("a session that has ended is moved: %v", got)
	}
	s.post("/api/v1/sessions/US.77/actions", request{"action": "take", "by": "Ana", "reason": "asks for help"}, http.StatusAccepted, &got)
	s.post("/api/v1/sessions/US.77/messages", request{"text": "Hello, this is Ana.", "by": "Ana"}, http.StatusAccepted, &got)
	s.post("/api/v1/sessions/US.77/messages", request{"media": request{"kind": "image", "link": "https://example.org/a.png"}, "by": "Ana"}, http.StatusAccepted, &got)
	orders := s.lanes()
	if len(orders) != 3 {
		t.Fatalf("%d orders", len(orders))
	}
	for i, o := range orders {
		a := o.input.GetOperatorAction()
		if o.Kind != parleyv1.Kind_KIND_OPERATOR || o.Field != store.OperatorInput || o.LaneKey != "US.77" || o.Channel != "n2" || a.GetBy() != "Ana" {
			t.Errorf("order %d: %v %v", i, o.Envelope, a)
		}
	}
	if a := orders[0].input.GetOperatorAction(); a.GetVerb() != flow.ActTake || a.GetReason() != "asks for help" {
		t.Errorf("%v", a)
	}
	if a := orders[1].input.GetOperatorAction(); a.GetText().GetBody() != "Hello, this is Ana." {
		t.Errorf("%v", a)
	}
	if a := orders[2].input.GetOperatorAction(); a.GetMedia().GetLink() != "https://example.org/a.png" {
		t.Errorf("%v", a)
	}
}

// A key makes a repeated request the same update: the stream or the inbox drops it.
func TestActIdempotencyKey(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	post := func(key string) string {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/sessions/US.77/messages", encoded(request{"text": "Hello", "by": "Ana"}))
		r.Header.Set("Idempotency-Key", key)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var got map[string]string
		decode(t, w, http.StatusAccepted, &got)
		return got["id"]
	}
	if first, again := post("k1"), post("k1"); first != again {
		t.Errorf("%s is not %s", first, again)
	}
	if first, second := post(""), post(""); first == second || post("k1") == post("k2") {
		t.Error("different requests are the same update")
	}
}

func TestActRefusals(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	for _, c := range []struct {
		path, body string
		status     int
		says       string
	}{
		{"US.77/actions", `{"action":"dance","by":"Ana"}`, http.StatusConflict, "there is take, give_back"},
		{"US.77/actions", `{"action":"take"}`, http.StatusBadRequest, "give by"},
		{"US.77/actions", `{"action":"say","by":"Ana"}`, http.StatusBadRequest, "POST to messages"},
		{"US.77/actions", `{"action":"give_back","by":"Ana"}`, http.StatusConflict, "the bot has the conversation"},
		{"US.77/actions", `{"action":"move","step":"nowhere","by":"Ana"}`, http.StatusConflict, `no step "nowhere"`},
		{"US.77/actions", `{"action":"set","slot":"nothing","value":1,"by":"Ana"}`, http.StatusConflict, `no slot "nothing"`},
		{"US.77/actions", `{"action":"merge","by":"Ana"}`, http.StatusBadRequest, "merge needs into"},
		{"US.77/actions", `{"action":"take","into":"US.77","by":"Ana"}`, http.StatusBadRequest, "merge needs into"},
		{"US.77/actions", `{"action":"merge","into":"US.77","by":"Ana"}`, http.StatusConflict, "one contact already"},
		{"US.77/actions", `{"action":"merge","into":"US.78","by":"Ana"}`, http.StatusNotFound, "no contact of the same business"},
		{"US.77/actions", `{"action":"take","by":"Ana","channel":"n9"}`, http.StatusNotFound, "nobody"},
		{"US.78/actions", `{"action":"take","by":"Ana"}`, http.StatusNotFound, "nobody"},
		{"US.77/actions", `{"action":"take","by":"A\u0007"}`, http.StatusBadRequest, "control character"},
		{"US.77/messages", `{"by":"Ana"}`, http.StatusBadRequest, "0 things to say"},
		{"US.77/messages", `{"by":"Ana","text":"a","location":{}}`, http.StatusBadRequest, "2 things to say"},
		{"US.77/messages", `{"by":"Ana","location":{"lat":1}}`, http.StatusBadRequest, "location is not understood"},
		{"US.77/messages", `{"by":"Ana","media":{"kind":"film","id":"1"}}`, http.StatusConflict, "no kind of media"},
		{"US.77/messages", `{"by":"Ana","media":{"kind":"image"}}`, http.StatusConflict, "an id or a link"},
		{"US.77/messages", `{"by":"Ana","text":"` + strings.Repeat("a", 4097) + `"}`, http.StatusConflict, "4096"},
	} {
		var got problem
		s.post("/api/v1/sessions/"+c.path, c.body, c.status, &got)
		if !strings.Contains(got.Error, c.says) {
			t.Errorf("%s %.60s says %q, not %q", c.path, c.body, got.Error, c.says)
		}
	}
	if n := len(s.lanes()); n > 0 {
		t.Errorf("%d refused actions stand in a lane", n)
	}
}
