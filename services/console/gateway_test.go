package console

import (
	"bytes"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	qr "github.com/piglig/go-qr"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// scanCode is as long as WhatsApp's are.
var scanCode = "2@" + strings.Repeat("aB3/+", 40) + ",kEy=,iD==,1"

// watched makes a session of the channel "shop" in a state.
func (s *site) watched(state, alarm string) {
	s.t.Helper()
	ctx := s.t.Context()
	taken, err := s.store.TakeSessions(ctx, "me", time.Minute, []string{"shop"}, nil)
	if err != nil || len(taken) != 1 {
		s.t.Fatal(taken, err)
	}
	taken[0].Memory = []byte("{}")
	now := time.Now()
	if err := s.store.SaveSession(ctx, taken[0], store.SessionHealth{State: state, Alarm: alarm, Since: &now}, []string{"state", "alarm"}); err != nil {
		s.t.Fatal(err)
	}
}

// obeys answers orders like whoever watches the session.
func (s *site) obeys(outcome, status string, orders *[]string) {
	s.t.Helper()
	sub, err := s.api.nats.Subscribe(bus.SubjectOrder("shop"), func(m *nats.Msg) {
		order := &parleyv1.SessionOrder{}
		_ = proto.Unmarshal(m.Data, order)
		*orders = append(*orders, order.GetAction())
		data, _ := proto.Marshal(&parleyv1.SessionOrderAnswer{Outcome: outcome, Status: status})
		_ = m.Respond(data)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = sub.Unsubscribe() })
}

func TestGatewaySessions(t *testing.T) {
	s := newSite(t, "")
	var list []gatewaySession
	s.ask(http.MethodGet, "/api/v1/wasender/sessions", http.StatusOK, &list)
	if list == nil || len(list) != 0 {
		t.Errorf("without sessions: %v", list)
	}
	s.refused("/api/v1/wasender/sessions/shop", http.StatusNotFound)
	s.watched("logged_out", "logged_out")
	s.ask(http.MethodGet, "/api/v1/wasender/sessions", http.StatusOK, &list)
	if len(list) != 1 || list[0].State != "logged_out" || !strings.Contains(list[0].Advice, "scan the QR code") {
		t.Errorf("sessions: %+v", list)
	}
	if _, err := s.conn.Exec(t.Context(), `UPDATE session_health SET lease_until = now() WHERE channel = 'shop'`); err != nil {
		t.Fatal(err)
	}
	s.ask(http.MethodGet, "/api/v1/wasender/sessions", http.StatusOK, &list)
	if list[0].Alarm != "unwatched" || !strings.Contains(list[0].Advice, "start the dispatcher") {
		t.Errorf("nobody watches it: %+v", list)
	}
	var one gatewaySession
	s.ask(http.MethodGet, "/api/v1/wasender/sessions/shop", http.StatusOK, &one)
	if one.State != "logged_out" || len(one.History) != 2 || one.History[0].What != "alarm" {
		t.Errorf("session: %+v", one)
	}
}

// Orders go to whoever watches the session; without one they are refused at once.
func TestGatewayOrders(t *testing.T) {
	s := newSite(t, "")
	s.watched("logged_out", "logged_out")
	var p problem
	s.ask(http.MethodPost, "/api/v1/wasender/sessions/shop/connect", http.StatusServiceUnavailable, &p)
	s.ask(http.MethodPost, "/api/v1/wasender/sessions/other/connect", http.StatusNotFound, &p)
	for outcome, want := range map[string]int{
		"done": http.StatusOK, "no_token": http.StatusConflict, "busy": http.StatusConflict, "refused": http.StatusBadGateway, "unanswered": http.StatusBadGateway,
	} {
		t.Run(outcome, func(t *testing.T) {
			at := newSite(t, "")
			at.watched("connected", "")
			var orders []string
			at.obeys(outcome, "need_scan", &orders)
			for _, action := range []string{"connect", "restart", "disconnect"} {
				var got struct{ State, Error string }
				at.ask(http.MethodPost, "/api/v1/wasender/sessions/shop/"+action, want, &got)
				if (want == http.StatusOK) != (got.State == "need_scan") || (want == http.StatusOK) == (got.Error != "") {
					t.Errorf("%s: %+v", action, got)
				}
			}
			if strings.Join(orders, " ") != "connect restart disconnect" {
				t.Errorf("ordered %v", orders)
			}
		})
	}
}

// The code is shown as JSON, SVG, PNG and text, and what is drawn can be read.
func TestSessionQR(t *testing.T) {
	s := newSite(t, "secret")
	get := func(format string, want int) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "/api/v1/wasender/sessions/shop/qr"+format, nil)
		r.Header.Set("Authorization", "Bearer secret")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%s answered %d %s, cached %q; want %d", format, w.Code, w.Body, w.Header().Get("Cache-Control"), want)
		}
		return w
	}
	get("", http.StatusNotFound)
	s.watched("connected", "")
	get("", http.StatusConflict)
	s.watched("need_scan", "scan")
	get("", http.StatusServiceUnavailable) // no code, and nobody who could ask for one
	if err := s.store.SetSessionCode(t.Context(), "shop", scanCode, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if body := get("", http.StatusOK).Body.String(); !strings.Contains(body, `"svg":"\u003csvg`) || !strings.Contains(body, `"expires_at"`) {
		t.Errorf("JSON: %s", body)
	}
	img, err := png.Decode(bytes.NewReader(get("?format=png", http.StatusOK).Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if read, err := qr.Decode(img); err != nil || read != scanCode {
		t.Errorf("the picture says %q, %v", read, err)
	}
	if svg := get("?format=svg", http.StatusOK); svg.Header().Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(svg.Body.String(), "<svg") {
		t.Errorf("SVG: %.80s", svg.Body)
	}
	if text := get("?format=text", http.StatusOK).Body.String(); strings.Count(text, "\n") < 20 || !strings.HasPrefix(text, "████") {
		t.Errorf("text:\n%s", text)
	}
	get("?format=gif", http.StatusBadRequest)
	if strings.Contains(s.log.String(), scanCode) {
		t.Error("the code is logged")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/wasender/sessions/shop/qr", nil))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("without the token: %d", w.Code)
	}
	if err := s.store.SetSessionCode(t.Context(), "shop", scanCode, time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	var orders []string
	s.obeys("done", "need_scan", &orders)
	if get("", http.StatusNotFound); len(orders) != 1 || orders[0] != "qr" {
		t.Errorf("of an expired code: %v", orders)
	}
}
