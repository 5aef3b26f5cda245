//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
)

// gatewaySession is what the API says of a session of WASenderApi.
type gatewaySession struct {
	State, Alarm string
	MissedTo     *time.Time `json:"missed_to"`
}

func (u *up) gatewaySession(t *testing.T, channel string, is func(gatewaySession) bool) gatewaySession {
	t.Helper()
	var got gatewaySession
	await(t, patience, "the session is as it should be", func() error {
		answer, err := http.Get(u.api() + "/wasender/sessions/" + channel)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		got = gatewaySession{}
		if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || !is(got) {
			return fmt.Errorf("%+v, %w", got, err)
		}
		return nil
	})
	return got
}

// TestUpSession is a session of WASenderApi that drops while somebody writes, and then
// loses its phone. It is connected again, not sooner than the wait of a try that a kill
// interrupted; what was queued goes then, in order; the receipt that was missed is
// caught up; and a person finds the code to scan in the console.
func TestUpSession(t *testing.T) {
	const key, secret = "the api key of shop", "the webhook secret"
	eve := fake.Person{Phone: "15550100019", Name: "Eve"}
	sends := make(chan fake.Send, 100)
	connects, interrupted := make(chan time.Time, 100), make(chan struct{})
	var isBlocked atomic.Bool
	isBlocked.Store(true)
	u, g := newUp(t), newGraph(t)
	hook := func(body []byte) {
		t.Helper()
		if got := post(t, u.url()+"/webhooks/wasender/shop", body, "X-Webhook-Signature", secret); got != http.StatusOK {
			t.Fatalf("webhook answered %d", got)
		}
	}
	gateway := &fake.Server{
		AccountToken: "the account token",
		OnSend:       func(_ context.Context, s fake.Send) fake.Answer { sends <- s; return fake.Answer{} },
		OnCall: func(method, path string) fake.Answer {
			if method != http.MethodPost || !strings.HasSuffix(path, "/connect") {
				return fake.Answer{}
			}
			connects <- time.Now()
			if isBlocked.Load() {
				<-interrupted
				return fake.Answer{Hangup: true}
			}
			return fake.Answer{}
		},
		Notify: func(_ int64, body []byte) { hook(body) },
	}
	gateway.Add(fake.Session{ID: 7, Name: "shop", APIKey: key, WebhookSecret: secret, Status: "connected", Linked: true})
	server := httptest.NewServer(gateway)
	t.Cleanup(server.Close)
	u.start(t, environment(g.url, "PARLEY_WASENDER_URL="+server.URL+"/api", "PARLEY_WASENDER_SECRET=shop="+secret,
		"PARLEY_WASENDER_TOKEN=shop="+key, "PARLEY_WASENDER_ACCOUNT_TOKEN=the account token")...)
	n := 0
	says := func(text string) {
		t.Helper()
		n++
		hook(fake.Received("", time.Now(), fake.Text(eve, fmt.Sprintf("3EB0EVE%d", n), time.Now(), text)))
	}
	hears := func(want string) fake.Send {
		t.Helper()
		select {
		case s := <-sends:
			if !strings.HasPrefix(s.Text, want) {
				t.Fatalf("sent %q, want %q", s.Text, want)
			}
			return s
		case <-time.After(patience):
			t.Fatalf("not sent: %q", want)
			return fake.Send{}
		}
	}
	says("book")
	hears("Hello Eve, welcome to Salon Ana!")
	hears("Which service would you like?")
	u.sent(t)
	gateway.SetMessage(100_000, "delivered") // and the webhook got lost

	gateway.Become(7, "disconnected")
	u.gatewaySession(t, "shop", func(s gatewaySession) bool { return s.State == "disconnected" })
	first := <-connects
	asked := gateway.Requests("POST /send-message")
	says("2")
	says("tomorrow")
	db := open(t, u.database(t))
	await(t, patience, "replies wait", func() error {
		if waiting := count(t.Context(), t, db, `SELECT count(*) FROM deliveries WHERE state = 'queued'`); waiting == 0 {
			return errNotYet
		}
		return nil
	})
	if got := gateway.Requests("POST /send-message"); got != asked {
		t.Errorf("%d sends to a session that is down", got-asked)
	}
	u.kill() // in the middle of the connect
	close(interrupted)
	isBlocked.Store(false)
	u.start(t)
	second := <-connects
	if gap := second.Sub(first); gap < 11*time.Second {
		t.Errorf("connected again after %s: the wait of the interrupted try was forgotten", gap)
	}
	u.gatewaySession(t, "shop", func(s gatewaySession) bool { return s.State == "connected" && s.MissedTo != nil })
	hears("On which day?")
	if s := hears(""); !strings.Contains(s.Text, "Is that right?") {
		t.Errorf("out of order: %q", s.Text)
	}
	u.sent(t)
	db = open(t, u.database(t))
	await(t, patience, "the receipt is caught up", func() error {
		if delivered := count(t.Context(), t, db, `SELECT count(*) FROM deliveries WHERE receipt = 'delivered'`); delivered != 1 {
			return fmt.Errorf("%d deliveries are delivered", delivered)
		}
		return nil
	})
	if late := count(t.Context(), t, db, `SELECT count(*) FROM deliveries WHERE state <> 'accepted' OR ambiguous_count > 0`); late > 0 {
		t.Errorf("%d deliveries are not simply accepted", late)
	}

	gateway.Become(7, "logged_out")
	u.gatewaySession(t, "shop", func(s gatewaySession) bool { return s.Alarm == "logged_out" })
	if got := post(t, u.api()+"/wasender/sessions/shop/connect", nil); got != http.StatusOK {
		t.Fatalf("connect answered %d", got)
	}
	u.gatewaySession(t, "shop", func(s gatewaySession) bool { return s.State == "need_scan" && s.Alarm == "scan" })
	picture, err := http.Get(u.api() + "/wasender/sessions/shop/qr?format=png")
	if err != nil {
		t.Fatal(err)
	}
	defer picture.Body.Close()
	var data bytes.Buffer
	if _, err := data.ReadFrom(picture.Body); err != nil || !bytes.HasPrefix(data.Bytes(), []byte("\x89PNG")) {
		t.Errorf("the code to scan: %d, %v", picture.StatusCode, err)
	}
	page, err := http.Get(u.url() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	if text, err := io.ReadAll(page.Body); err != nil || !strings.Contains(string(text), "Parley console") {
		t.Errorf("the console at /: %d, %v", page.StatusCode, err)
	}
	gateway.Scan(7)
	u.gatewaySession(t, "shop", func(s gatewaySession) bool { return s.State == "connected" && s.Alarm == "" })
	if len(connects) != 1 {
		t.Errorf("%d connects more than the person's", len(connects)-1)
	}
	if kept := count(t.Context(), t, db, `SELECT count(*) FROM session_codes`); kept > 0 {
		t.Error("a code that was used is kept")
	}
	for _, leak := range []string{key, secret, "the account token", eve.Phone, "2@q"} {
		if strings.Contains(u.said(), leak) {
			t.Errorf("the log holds %q", leak)
		}
	}
}
