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

// TestUpLostAnswer loses the answer to a send that WASenderApi took: it is found in its
// log, long before the grace period is over, and the person reads it once.
func TestUpLostAnswer(t *testing.T) {
	eve := fake.Person{Phone: "15550100029", Name: "Eve"}
	texts := make(chan string, 100)
	gateway := &fake.Server{AccountToken: "the account token", OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		texts <- s.Text
		return fake.Answer{Lost: strings.HasPrefix(s.Text, "Which service")}
	}}
	gateway.Add(fake.Session{ID: 7, Name: "shop", APIKey: "key", WebhookSecret: "secret", Status: "connected", Linked: true})
	server := httptest.NewServer(gateway)
	t.Cleanup(server.Close)
	u, g := newUp(t), newGraph(t)
	u.start(t, environment(g.url, "PARLEY_WASENDER_URL="+server.URL+"/api", "PARLEY_WASENDER_SECRET=shop=secret",
		"PARLEY_WASENDER_TOKEN=shop=key", "PARLEY_WASENDER_ACCOUNT_TOKEN=the account token", "PARLEY_SEND_GRACE=10m")...)
	says := func(id, text string) {
		t.Helper()
		body := fake.Received("", time.Now(), fake.Text(eve, id, time.Now(), text))
		if got := post(t, u.url()+"/webhooks/wasender/shop", body, "X-Webhook-Signature", "secret"); got != http.StatusOK {
			t.Fatalf("webhook answered %d", got)
		}
	}
	hears := func(want string) {
		t.Helper()
		select {
		case text := <-texts:
			if !strings.HasPrefix(text, want) {
				t.Fatalf("sent %q, want %q", text, want)
			}
		case <-time.After(patience):
			t.Fatalf("not sent: %q", want)
		}
	}
	says("3EB0A", "book")
	hears("Hello Eve")
	hears("Which service")
	db := open(t, u.database(t))
	await(t, patience, "the log settles it", func() error {
		const settled = `SELECT count(*) FROM deliveries WHERE settled_by = 'log' AND state = 'accepted' AND ambiguous_cause = 'cut' AND wamid NOT LIKE 'wasender:%'`
		if n := count(t.Context(), t, db, settled); n != 1 {
			return fmt.Errorf("%d are settled", n)
		}
		return nil
	})
	says("3EB0B", "2")
	hears("On which day?")
}
