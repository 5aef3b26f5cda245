package ingress

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var (
	session = "shop"
	writer  = fake.Person{Phone: "15550100001", Name: "Ann"}
	noon    = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
)

func fromSession(channel string, body []byte, secrets ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/wasender/"+channel, bytes.NewReader(body))
	for _, secret := range secrets {
		r.Header.Add("X-Webhook-Signature", secret)
	}
	return r
}

// WIRE 5.4: the secret is the session's own, and there once.
func TestSessionSecret(t *testing.T) {
	i := install(t)
	body := fake.Received("", noon, fake.Text(writer, "A1", noon, "hi"))
	for name, r := range map[string]*http.Request{
		"none":               fromSession(session, body),
		"wrong":              fromSession(session, body, "wrong"),
		"of another session": fromSession(session, body, "other secret"),
		"twice":              fromSession(session, body, "session secret", "session secret"),
		"unknown session":    fromSession("nobody", body, "session secret"),
		"empty":              fromSession("nobody", body, ""),
	} {
		w := do(i, r)
		if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "PARLEY_WASENDER_SECRET") || strings.Contains(w.Body.String(), "secret of nobody") {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
	}
	wantIDs(t, i.contents(t, bus.StreamIn))
	for _, secret := range []string{"session secret", "older secret"} {
		if w := do(i, fromSession(session, body, secret)); w.Code != http.StatusOK {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	}
	wantIDs(t, i.contents(t, bus.StreamIn), "A1", "A1") // the inbox drops the second
}

// A message is stored with its person, a receipt goes to the other stream, and
// nothing that is stored holds a secret.
func TestSessionUpdates(t *testing.T) {
	i := install(t)
	for _, body := range [][]byte{
		fake.Received("session secret", noon, fake.Text(writer, "A1", noon, "hi")),
		fake.Event("messages.upsert", "session secret", noon, fake.List, "messages", fake.Text(writer, "A1", noon, "hi"), fake.Text(writer, "A2", noon, "ho")),
		fake.Receipt("session secret", writer, "OUT1", 1, noon), // pending is no news
		fake.Receipt("session secret", writer, "OUT1", 3, noon),
		fake.Status("session secret", "disconnected", noon),
		[]byte("rags"),
	} {
		if w := do(i, fromSession(session, body, "session secret")); w.Code != http.StatusOK {
			t.Fatalf("%d %q", w.Code, w.Body)
		}
	}
	in, status := i.contents(t, bus.StreamIn), i.contents(t, bus.StreamStatus)
	wantIDs(t, status, "OUT1/delivered")
	kinds := []parleyv1.Kind{
		parleyv1.Kind_KIND_MESSAGE, parleyv1.Kind_KIND_MESSAGE, parleyv1.Kind_KIND_MESSAGE, parleyv1.Kind_KIND_ACCOUNT, parleyv1.Kind_KIND_UNREADABLE,
	}
	if len(in) != len(kinds) {
		t.Fatalf("stored %v", ids(in))
	}
	for n, s := range append(in, status...) {
		e := s.envelope
		if n < len(kinds) && e.Kind != kinds[n] || e.Provider != wasender.Provider || e.Channel != session || e.Portfolio != "portfolio of shop" {
			t.Errorf("%d: %v", n, e)
		}
		if e.Kind == parleyv1.Kind_KIND_MESSAGE && (e.LaneKey != writer.Phone || e.Contact.GetName() != "Ann") {
			t.Errorf("%d: %v", n, e)
		}
		if bytes.Contains(e.Raw, []byte("session secret")) || strings.Contains(e.String(), "session secret") {
			t.Errorf("a secret is stored: %s", e.Raw)
		}
	}
}

// What a session says about itself goes to whoever watches it. The code that links a
// phone is in that signal, and in nothing that is stored or logged.
func TestSessionSignals(t *testing.T) {
	var log bytes.Buffer
	shelf := &shelf{}
	var got []*parleyv1.SessionSignal
	h := newSignalling(shelf, shelf, &log, func(channel string, s *parleyv1.SessionSignal) {
		if channel != session {
			t.Errorf("signal of %s", channel)
		}
		got = append(got, s)
	})
	for _, test := range []struct {
		body       []byte
		status, qr string
	}{
		{fake.Status("session secret", "NEED_SCAN", noon), "need_scan", ""},
		{fake.Status("session secret", "connected", noon), "connected", ""},
		{fake.QR("session secret", "2@the-code-to-scan", noon), "need_scan", "2@the-code-to-scan"},
		{append(append([]byte("["), fake.QR("", "2@the-code-to-scan", noon)...), ']'), "need_scan", "2@the-code-to-scan"},
		{fake.Received("session secret", noon, fake.Text(writer, "A1", noon, "qrcode.updated")), "", ""},
		{[]byte("rags"), "", ""},
	} {
		got = nil
		if w := do(h, fromSession(session, test.body, "session secret")); w.Code != http.StatusOK {
			t.Fatalf("%d %q", w.Code, w.Body)
		}
		if len(got) != 1 || !got[0].GetHeard() || got[0].GetStatus() != test.status || got[0].GetQr() != test.qr {
			t.Errorf("%s: %v", test.body, got)
		}
	}
	for _, m := range shelf.messages {
		if bytes.Contains(m.Data, []byte("the-code-to-scan")) {
			t.Errorf("the code is stored: %s", m.Data)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log.String())
	}
	got = nil
	if do(h, fromSession(session, fake.Status("", "connected", noon), "wrong")); len(got) > 0 {
		t.Error("a POST with a wrong secret is heard")
	}
}
