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

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const updatesFlow = `name: lead
language: en
entry: [{default: true}, {api: true}]
unexpected: Words, please.
steps:
  - {name: name, say: "Your name?", expect: {type: text, save: who}}
  - {name: city, say: "Which city?", expect: {type: text, save: city}}
completed: {say: Thanks., again: Done.}
`

// TestUpUpdates posts every kind of update to the real program: what says nothing
// changes nothing, and all of it is kept, once, across kills and repetitions.
func TestUpUpdates(t *testing.T) {
	g := &graph{sends: make(chan fake.Send, 10_000)}
	server := httptest.NewServer(&fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		g.sends <- s
		return fake.Answer{}
	}})
	t.Cleanup(server.Close)
	g.url = server.URL
	u, dir := newUp(t), folder(t)
	write(t, dir, "lead.yaml", updatesFlow)
	u.start(t, environment(g.url, "PARLEY_FLOWS_DIR="+dir, "PARLEY_SEND_GRACE=1s")...)
	asides(t, u, g)
	ownApp(t, u, g)
	besides(t, u, g)
	preferences(t, u, g)
	past(t, u, g)
	batch(t, u)
}

// asides: a reaction, an edit and a deletion are no answers; a reply is one to what it
// replies to. The whole POST comes again after a kill, and does nothing.
func asides(t *testing.T, u *up, g *graph) {
	says(t, u, ann, "hi")
	g.next(t, ann, "Your name?")
	now := time.Now()
	said := fake.Text(ann, "wamid.said", now, "Ann")
	signed(t, u.webhook(), said)
	g.next(t, ann, "Which city?")
	u.sent(t)
	db := open(t, u.database(t))
	asked := query[struct{ WAMID string }](t.Context(), t, db, `SELECT wamid FROM deliveries ORDER BY queued_at, "offset"`)
	again := []fake.Item{
		said, fake.Reaction(ann, "wamid.r", now, asked[1].WAMID, "👍"), fake.Edit(ann, "wamid.e", now, "wamid.said", "Anne"),
		fake.Revoke(ann, "wamid.d", now, "wamid.said"), fake.Text(ann, "wamid.old", now, "Annie", fake.ReplyTo(asked[0].WAMID)),
		fake.Message(ann, "wamid.poll", now, "unsupported", map[string]any{"type": "poll_creation"}),
	}
	signed(t, u.webhook(), again...)
	g.next(t, ann, "Which city?")    // the reply was to an older question
	g.next(t, ann, "Words, please.") // the poll
	u.sent(t)
	u.kill()
	u.start(t)
	signed(t, u.webhook(), again...)
	signed(t, u.webhook(), fake.Text(ann, "wamid.city", now, "Lima", fake.ReplyTo(asked[1].WAMID)))
	g.next(t, ann, "Thanks.")
	await(t, patience, "the log has what was done", func() error {
		kinds := map[string]string{"wamid.r": "reaction", "wamid.e": "edit", "wamid.d": "revoke", "wamid.old": "text", "wamid.poll": "unsupported"}
		page := get[struct{ Messages []store.Message }](t, u.api()+"/messages?raw=1&contact="+ann.Phone)
		for _, m := range page.Messages {
			if want := kinds[m.ProviderID]; want == m.Kind && strings.Contains(string(m.Raw), m.ProviderID) {
				delete(kinds, m.ProviderID)
			}
		}
		if len(kinds) > 0 {
			return fmt.Errorf("without %v", kinds)
		}
		return nil
	})
}

// ownApp: what the business writes with its phone takes the conversation.
func ownApp(t *testing.T, u *up, g *graph) {
	says(t, u, bea, "hi")
	g.next(t, bea, "Your name?")
	signed(t, u.webhook(), fake.Echo(bea, "wamid.echo", time.Now(), "text", map[string]any{"body": "I call you"}))
	says(t, u, bea, "Bea")
	db := open(t, u.database(t))
	await(t, patience, "the log has what was written on the phone", func() error {
		got := count(t.Context(), t, db, `SELECT count(*) FROM messages m JOIN contacts c ON c.id = m.contact_id WHERE c.phone = $1 AND (direction, body) IN (('out', 'I call you'), ('in', 'Bea'))`, bea.Phone)
		if got != 2 {
			return fmt.Errorf("%d of 2", got)
		}
		return nil
	})
	if n := count(t.Context(), t, db, `SELECT count(*) FROM deliveries d JOIN contacts c ON c.id = d.contact_id WHERE c.phone = $1`, bea.Phone); n != 1 {
		t.Errorf("%d messages were sent to who talks with a person", n)
	}
}

// preferences: who wants no marketing is not sent what the business begins, and gets
// answers.
func preferences(t *testing.T, u *up, g *graph) {
	signed(t, u.webhook(), fake.Preference(cem, time.Now(), "stop"))
	says(t, u, cem, "hi")
	g.next(t, cem, "Your name?")
	says(t, u, cem, "Cem")
	g.next(t, cem, "Which city?")
	says(t, u, cem, "Bonn")
	g.next(t, cem, "Thanks.")
	body := fmt.Sprintf(`{"channel": %q, "phone": %q}`, channel, cem.Phone)
	if got := post(t, u.api()+"/flows/lead/start", []byte(body), "Content-Type", "application/json"); got/100 != 2 {
		t.Fatalf("start answered %d", got)
	}
	db := open(t, u.database(t))
	await(t, patience, "the campaign is refused", func() error {
		if n := count(t.Context(), t, db, `SELECT count(*) FROM deliveries WHERE state = 'failed' AND error_class = 'marketing'`); n != 1 {
			return fmt.Errorf("%d refused", n)
		}
		return nil
	})
}

// besides: calls, payments, groups, clicks and the phone's address book are recorded, once,
// across a kill, and nobody answers; a number that somebody shares on request is theirs.
func besides(t *testing.T, u *up, g *graph) {
	dee := fake.Person{Phone: "15551110001", Name: "Dee"}
	says(t, u, dee, "hi")
	g.next(t, dee, "Your name?")
	u.sent(t)
	db, now := open(t, u.database(t)), time.Now()
	asked := query[struct{ WAMID string }](t.Context(), t, db, `SELECT d.wamid FROM deliveries d JOIN contacts c ON c.id = d.contact_id WHERE c.phone = $1`, dee.Phone)[0].WAMID
	again := []fake.Item{
		fake.Call(dee, "wacid.1", now, "connect", 0), fake.Call(dee, "wacid.1", now, "terminate", 90*time.Second),
		fake.Payment(dee, asked, "failed", "order-7", now), fake.Payment(dee, asked, "captured", "order-7", now),
		fake.Text(dee, "wamid.group", now, "all of you", fake.InGroup("G1")), fake.Receipt(dee, asked, "deleted", now, ""), fake.Click(now),
		fake.Book(fake.Person{Phone: dee.Phone, BSUID: "US.4711", Name: "Dee, pays late"}, now, "add"), fake.Book(fake.Person{Phone: "15559990000", Name: "Nobody"}, now, "add"),
		fake.Raw("group_status_update", map[string]any{"groups": []any{map[string]any{"group_id": "G1", "type": "group_suspend"}}}),
	}
	signed(t, u.webhook(), again...)
	u.kill()
	u.start(t)
	signed(t, u.webhook(), again...)
	hidden := fake.Person{BSUID: "US.4711"} // she is known by her user id alone now
	says(t, u, hidden, "Dee")
	g.next(t, dee, "Which city?")
	await(t, patience, "the log has what was done", func() error {
		want := map[string]bool{"call ringing": true, "call taken, 90 s": true, "payment failed order-7": true, "payment captured order-7": true, "group text all of you": true, "status deleted": true}
		page := get[struct{ Messages []store.Message }](t, u.api()+"/messages?contact="+dee.Phone)
		for _, m := range page.Messages {
			delete(want, m.Kind+" "+m.Body)
		}
		if len(want) > 0 || len(page.Messages) != 10 {
			return fmt.Errorf("%d lines, without %v", len(page.Messages), want)
		}
		return nil
	})
	db = open(t, u.database(t))
	if n := count(t.Context(), t, db, `SELECT count(*) FROM deliveries WHERE state = 'failed' AND wamid = $1`, asked); n > 0 {
		t.Error("a payment that failed is a message that failed")
	}
	if n := count(t.Context(), t, db, `SELECT count(*) FROM contacts WHERE phone = '15559990000' OR name LIKE '%late'`); n > 0 {
		t.Errorf("%d people are what the address book calls them", n)
	}
	ear := fake.Person{BSUID: "US.4712", Name: "Ear"}
	signed(t, u.webhook(), fake.Shared(ear, "wamid.shared", now, "15551110002"))
	g.next(t, fake.Person{Phone: "15551110002"}, "Your name?")
}

// pastMessages are as many as go into a POST of 3 MB, of so many people.
const pastMessages, pastPeople = 12_000, 300

// past: the history of a number in one POST as large as Meta's, twice with a kill between,
// while people write: each message is in the log once, in its person's order of then, and
// nobody is answered for it.
func past(t *testing.T, u *up, g *graph) {
	then := time.Now().Add(-90 * 24 * time.Hour)
	items := make([]fake.Item, pastMessages)
	for i := range items {
		p := fake.Person{Phone: fmt.Sprintf("15557%06d", i%pastPeople)}
		items[i] = fake.Past(p, fmt.Sprintf("wamid.past.%d", i), then.Add(time.Duration(pastMessages-i)*time.Second), i/pastPeople%2 == 1, "text", map[string]any{"body": "RESTART"})
	}
	body := fake.Payload("200000000000001", channel, append(items, fake.HistoryProgress(2, 100))...)
	if len(body) > 4<<20 {
		t.Fatalf("%d bytes", len(body))
	}
	began := time.Now()
	for n := range 2 {
		if got := post(t, u.webhook(), body, "X-Hub-Signature-256", fake.Sign(appSecret, body)); got != http.StatusOK {
			t.Fatalf("webhook answered %d", got)
		}
		if n == 0 {
			u.kill()
			u.start(t)
		}
	}
	stored := time.Since(began)
	fay := fake.Person{Phone: "15551110003", Name: "Fay"}
	says(t, u, fay, "hi")
	g.next(t, fay, "Your name?")
	answered := time.Since(began)
	db, ctx := open(t, u.database(t)), t.Context()
	await(t, settleMax, "the past is in the log", func() error {
		if n := count(ctx, t, db, `SELECT count(*) FROM messages WHERE provider_id LIKE 'wamid.past.%' AND at < now() - interval '80 days'`); n != pastMessages {
			return fmt.Errorf("%d of %d", n, pastMessages)
		}
		return nil
	})
	took := time.Since(began)
	page := get[struct{ Messages []store.Message }](t, u.api()+"/messages?contact=15557000000&limit=100&from="+then.UTC().Format(time.RFC3339))
	if n := len(page.Messages); n != pastMessages/pastPeople || page.Messages[0].ProviderID != fmt.Sprintf("wamid.past.%d", pastMessages-pastPeople) || page.Messages[0].Direction != store.DirectionOut || page.Messages[0].Status != "read" {
		t.Errorf("%d lines of one person: %+v", n, page.Messages)
	}
	if n := count(ctx, t, db, `SELECT count(*) FROM sessions s JOIN contacts c ON c.id = s.contact_id WHERE c.phone LIKE '15557%'`); n > 0 {
		t.Errorf("%d sessions began by what was written long ago", n)
	}
	t.Logf("SUMMARY up_history: %d messages of the past in %d kB, twice with a kill: stored after %v, somebody who wrote then answered after %v, all in the log after %v",
		pastMessages, len(body)>>10, stored.Round(time.Millisecond), answered.Round(time.Millisecond), took.Round(time.Millisecond))
}

// everyone is how many people are in the batch: each has an update of one of the kinds.
const everyone = 1000

// everybody has an update.
func everybody(ids string, update func(p fake.Person, id string, i int) fake.Item) []fake.Item {
	items := make([]fake.Item, everyone)
	for i := range items {
		items[i] = update(fake.Person{Phone: fmt.Sprintf("15550%06d", i), Name: "N"}, fmt.Sprintf(ids, i), i)
	}
	return items
}

// mixed is an update of one of the kinds.
func mixed(p fake.Person, id string, i int) fake.Item {
	now := time.Now()
	return []fake.Item{
		fake.Text(p, id, now, "hello 👋 "+strings.Repeat("x", 4000)), fake.Image(p, id, now, "my house"), fake.Location(p, id, now, fake.Place{Latitude: 1}),
		fake.Message(p, id, now, "hologram", map[string]any{"of": strings.Repeat("the future ", 2000)}), fake.Reaction(p, id, now, "wamid.unknown", "👍"),
		fake.Edit(p, id, now, "wamid.unknown", "new"), fake.Revoke(p, id, now, "wamid.unknown"),
		fake.Echo(p, id, now, "text", map[string]any{"body": "I call you"}), fake.Preference(p, now, "stop"), fake.Receipt(p, id, "read", now, ""),
	}[i%10]
}

// batch posts 1,000 updates and 3 MB at once, three times, with a kill after each 200.
func batch(t *testing.T, u *up) {
	body := fake.Payload("200000000000001", channel, everybody("wamid.mixed.%d", mixed)...)
	if len(body) < 5<<19 || len(body) > 3<<20 {
		t.Fatalf("%d bytes are not what Meta sends at most", len(body))
	}
	for range 3 {
		if got := post(t, u.webhook(), body, "X-Hub-Signature-256", fake.Sign(appSecret, body)); got != http.StatusOK {
			t.Fatalf("webhook answered %d", got)
		}
		u.kill()
		u.start(t)
	}
	db, ctx := open(t, u.database(t)), t.Context()
	const ofBatch = `SELECT count(*) FROM messages WHERE provider_id LIKE 'wamid.mixed.%' OR kind = 'preference' AND content ->> 'category' = 'marketing_messages'`
	// The number is used with the phone's app: 20 messages a second, in and out.
	await(t, 3*settleMax, "all of the batch is applied", func() error {
		logged, receipts := count(ctx, t, db, ofBatch), count(ctx, t, db, `SELECT count(*) FROM orphan_receipts`)
		asked := count(ctx, t, db, `SELECT count(*) FROM deliveries d JOIN contacts c ON c.id = d.contact_id WHERE c.phone LIKE '15550000%' AND d.state = 'accepted'`)
		if logged != 901 || asked != 400 || receipts != 100 {
			return fmt.Errorf("%d of 901 are in the log, %d of 400 were asked, %d of 100 receipts", logged, asked, receipts)
		}
		return nil
	})
	// Behind what everybody says now are all repetitions.
	signed(t, u.webhook(), everybody("wamid.after.%d", func(p fake.Person, id string, _ int) fake.Item { return fake.Text(p, id, time.Now(), "after it") })...)
	await(t, settleMax, "what came after it is in the log", func() error {
		if n := count(ctx, t, db, `SELECT count(*) FROM messages WHERE provider_id LIKE 'wamid.after.%'`); n != everyone {
			return fmt.Errorf("%d of %d", n, everyone)
		}
		return nil
	})
	if n := count(ctx, t, db, ofBatch); n != 901 {
		t.Errorf("%d updates of 901 took effect", n)
	}
	if n := count(ctx, t, db, `SELECT count(*) FROM messages WHERE raw = '' AND (direction = 'in' OR provider_id LIKE 'wamid.mixed.%')`); n > 0 {
		t.Errorf("%d messages without what the provider sent", n)
	}
	if n := count(ctx, t, db, `SELECT count(*) FROM dead_letters`); n > 0 {
		t.Errorf("%d dead letters", n)
	}
	t.Logf("SUMMARY up_updates: %d updates in one POST of %d kB, three times with a kill after each: every one in the log, once", everyone, len(body)>>10)
}
