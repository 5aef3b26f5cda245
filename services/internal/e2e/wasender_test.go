//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
)

// TestUpWASender is a conversation through the other provider: the same flow, with
// the secret of a session instead of a signature, choices as numbered text, receipts
// under an id that is asked for, and an outage of the session in between.
func TestUpWASender(t *testing.T) {
	dot := fake.Person{Phone: "15550100009", Name: "Dot"}
	sends := make(chan fake.Send, 100)
	refuse := make(chan fake.Answer, 1)
	gateway := &fake.Server{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		select {
		case answer := <-refuse:
			return answer
		default:
			sends <- s
			return fake.Answer{}
		}
	}}
	gateway.Add(fake.Session{ID: 7, Name: "shop", APIKey: "the api key", WebhookSecret: "the webhook secret", Status: "connected"})
	server := httptest.NewServer(gateway)
	t.Cleanup(server.Close)
	u, g := newUp(t), newGraph(t)
	u.start(t, environment(g.url, "PARLEY_WASENDER_URL="+server.URL+"/api", "PARLEY_WASENDER_SECRET=shop=the webhook secret", "PARLEY_WASENDER_TOKEN=shop=the api key")...)
	hook := func(body []byte) {
		t.Helper()
		if got := post(t, u.url()+"/webhooks/wasender/shop", body, "X-Webhook-Signature", "the webhook secret"); got != http.StatusOK {
			t.Fatalf("webhook answered %d", got)
		}
	}
	n := 0
	says := func(text string) {
		t.Helper()
		n++
		m := fake.Text(dot, fmt.Sprintf("3EB0IN%d", n), time.Now(), text)
		hook(fake.Received("the api key", time.Now(), m))
		hook(fake.Event("messages.upsert", "", time.Now(), fake.List, "messages", m)) // the same once more
	}
	hears := func(want string) fake.Send {
		t.Helper()
		select {
		case s := <-sends:
			if s.To != "+"+dot.Phone || !strings.HasPrefix(s.Text, want) {
				t.Fatalf("sent %q to %s, want %q", s.Text, s.To, want)
			}
			return s
		case <-time.After(patience):
			t.Fatalf("not sent: %q", want)
			return fake.Send{}
		}
	}
	says("book")
	hears("Hello Dot, welcome to Salon Ana!")
	if s := hears("Which service would you like?"); !strings.Contains(s.Text, "\n2. Colour") {
		t.Errorf("the choices are not numbered: %q", s.Text)
	}
	refuse <- fake.NotConnected()
	says("2")
	hears("On which day?")
	u.sent(t)
	db := open(t, u.database(t))
	ids := query[struct{ WAMID string }](t.Context(), t, db, `SELECT wamid FROM deliveries ORDER BY queued_at DESC, "offset" DESC LIMIT 1`)
	hook(fake.Receipt("the api key", dot, ids[0].WAMID, 4, time.Now()))
	await(t, patience, "the receipt is joined", func() error {
		if read := count(t.Context(), t, db, `SELECT count(*) FROM deliveries WHERE receipt = 'read'`); read != 1 {
			return fmt.Errorf("%d deliveries are read", read)
		}
		return nil
	})
	if kept := count(t.Context(), t, db, `SELECT count(*) FROM events WHERE position('the api key'::bytea IN data) > 0 OR position('the webhook secret'::bytea IN data) > 0`); kept > 0 {
		t.Errorf("%d events hold a secret", kept)
	}
	for _, secret := range []string{"the api key", "the webhook secret", dot.Phone} {
		if strings.Contains(u.said(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if len(g.sends) > 0 {
		t.Errorf("%d messages went to Meta", len(g.sends))
	}
}
