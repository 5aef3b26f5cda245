//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const (
	outcomesFlow = `name: lead
language: en
entry: [{keyword: [BEGIN]}, {api: true}]
undelivered: other
steps:
  - name: name
    say: {text: "Your name?", template: {name: who_are_you, language: {en: en_US}}}
    expect: {type: text, save: who}
    goto: completed
  - {name: other, say: "Another way?", expect: {type: text}, goto: completed}
completed: {say: Thanks., again: Done.}
`
	offerFlow = `name: offer
language: en
entry: [{api: true}]
steps:
  - {name: offer, say: {template: {name: offer, language: {en: en_US}}}}
completed: {say: {text: Thanks., template: {name: goodbye, language: {en: en_US}}}, again: Done.}
`
)

// TestUpOutcomes follows what becomes of sends through real processes: a question that
// WhatsApp reports as failed is reacted to once, across two kills; who was never heard
// gets the template; a template whose outcome is unknown is kept, listed, and sent again
// when an operator says so.
func TestUpOutcomes(t *testing.T) {
	hangup := make(chan bool, 1)
	g := &graph{sends: make(chan fake.Send, 100)}
	server := httptest.NewServer(&fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		g.sends <- s
		select {
		case <-hangup:
			return fake.Answer{Hangup: true}
		default:
			return fake.Answer{}
		}
	}})
	t.Cleanup(server.Close)
	g.url = server.URL
	u, dir := newUp(t), folder(t)
	write(t, dir, "lead.yaml", outcomesFlow)
	write(t, dir, "offer.yaml", offerFlow)
	u.start(t, environment(g.url, "PARLEY_FLOWS_DIR="+dir, "PARLEY_SEND_GRACE=1s")...)

	says(t, u, ann, "begin")
	asked := g.next(t, ann, "Your name?")
	u.sent(t)
	fails := func() {
		t.Helper()
		signed(t, u.webhook(), fake.Receipt(ann, "wamid.failed", "failed", time.Now(), asked.Callback))
	}
	fails()
	u.kill()
	u.start(t)
	g.next(t, ann, "Another way?")
	fails()
	u.sent(t)
	u.kill()
	u.start(t)
	fails()
	says(t, u, ann, "by mail")
	g.next(t, ann, "Thanks.")
	db := open(t, u.database(t))
	if n := count(t.Context(), t, db, `SELECT count(*) FROM events WHERE type = 'DeliveryFailed'`); n != 1 {
		t.Errorf("the failure was recorded %d times", n)
	}

	begins := func(flow string, p fake.Person) {
		t.Helper()
		body := fmt.Sprintf(`{"channel": %q, "phone": %q}`, channel, p.Phone)
		if got := post(t, u.api()+"/flows/"+flow+"/start", []byte(body), "Content-Type", "application/json"); got/100 != 2 {
			t.Fatalf("start answered %d", got)
		}
	}
	isTemplate := func(s fake.Send, p fake.Person, name string) {
		t.Helper()
		if s.Type != "template" || strings.TrimPrefix(s.To, "+") != p.Phone || !strings.Contains(string(s.Body), name) {
			t.Fatalf("sent %s", s.Body)
		}
	}
	begins("lead", bea)
	isTemplate(g.next(t, bea, ""), bea, "who_are_you")

	hangup <- true
	begins("offer", cem)
	isTemplate(g.next(t, cem, ""), cem, "offer")
	isTemplate(g.next(t, cem, ""), cem, "goodbye") // only the grace period holds it up
	type row struct {
		ID    string `json:"delivery_id"`
		Kind  string `json:"kind"`
		Cause string `json:"cause"`
	}
	listed := func() []row {
		t.Helper()
		return get[struct{ Deliveries []row }](t, u.api()+"/deliveries?state=ambiguous").Deliveries
	}
	list := listed()
	if len(list) != 1 || list[0].Kind != "template" || list[0].Cause != "cut" {
		encoded, _ := json.Marshal(list)
		t.Fatalf("ambiguous: %s", encoded)
	}
	select {
	case s := <-g.sends:
		t.Fatalf("sent without an order: %s", s.Body)
	case <-time.After(2 * time.Second): // twice the grace period
	}
	if got := post(t, u.api()+"/deliveries/"+list[0].ID+"/resend", nil); got != http.StatusAccepted {
		t.Fatalf("resend answered %d", got)
	}
	isTemplate(g.next(t, cem, ""), cem, "offer")
	u.sent(t)
	if list := listed(); len(list) > 0 {
		t.Errorf("still ambiguous: %v", list)
	}
}
