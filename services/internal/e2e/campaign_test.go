//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const stopFlow = `name: lead
language: en
keywords: {stop: [STOP]}
steps: [{name: city, say: "Which city?", expect: {type: text, save: city}}]
completed: {say: Thanks., again: Done.}
`

const springFlow = `name: spring
language: en
entry: [{api: true}]
slots: {code: {type: text, default: none}}
steps: [{name: when, say: "When, with {code}?", expect: {type: text, save: month}}]
completed: {say: "{month}, {code}.", again: Done.}
`

// callees counts what each person was sent.
type callees struct {
	mu        sync.Mutex
	templates map[string]int
	callbacks map[string]string // of the template, by person
}

func (c *callees) hear(_ context.Context, s fake.Send) fake.Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to := strings.TrimPrefix(s.To, "+"); s.Type == "template" {
		c.templates[to]++
		c.callbacks[to] = s.Callback
	}
	return fake.Answer{}
}

// receipts says of every template that it was delivered: what was under way at a kill is
// settled by that.
func (c *callees) receipts(t *testing.T, u *up) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var items []fake.Item
	for phone, callback := range c.callbacks {
		items = append(items, fake.Receipt(fake.Person{Phone: phone}, "wamid.spring."+phone, "delivered", time.Now(), callback))
	}
	for len(items) > 0 {
		n := min(len(items), 100)
		signed(t, u.webhook(), items[:n]...)
		items = items[n:]
	}
}

func callee(i int) fake.Person {
	return fake.Person{Phone: fmt.Sprintf("1555040%04d", i), Name: fmt.Sprintf("Callee%d", i)}
}

// calleeFile is a CSV of some of them.
func calleeFile(t *testing.T, dir string, first, last int) string {
	t.Helper()
	var file strings.Builder
	fmt.Fprintln(&file, "phone,name,code")
	for i := first; i < last; i++ {
		fmt.Fprintf(&file, "+%s,%s,K%d\n", callee(i).Phone, callee(i).Name, i)
	}
	return write(t, dir, fmt.Sprintf("people-%d.csv", first), file.String())
}

// TestUpCampaign: 300 people are started from a CSV at 30 a second while everything is
// killed three times, and the campaign is paused once. Each is started once and sent one
// template; who is in a conversation or has opted out is left alone, and reported.
func TestUpCampaign(t *testing.T) {
	const people, rate, busy, opted = 300, 30, 5, 3
	heard := &callees{templates: map[string]int{}, callbacks: map[string]string{}}
	server := httptest.NewServer(&fake.Graph{OnSend: heard.hear})
	t.Cleanup(server.Close)
	u, dir := newUp(t), folder(t)
	write(t, dir, "lead.yaml", stopFlow)
	write(t, dir, "spring.yaml", springFlow)
	u.start(t, environment(server.URL, "PARLEY_FLOWS_DIR="+dir)...)
	for i := range busy + opted {
		says(t, u, callee(i), "hi")
		if i >= busy {
			says(t, u, callee(i), "STOP")
		}
	}
	db := open(t, u.database(t))
	await(t, patience, "they are heard", func() error {
		if n := count(t.Context(), t, db, `SELECT count(*) FROM contacts WHERE opted_out_at IS NOT NULL`); n != opted {
			return fmt.Errorf("%d opted out", n)
		}
		if n := count(t.Context(), t, db, `SELECT count(*) FROM sessions`); n != busy+opted {
			return fmt.Errorf("%d sessions", n)
		}
		return nil
	})
	create := func(name string, first, last, rate int) []string {
		return []string{"campaign", "create", "--flow", "spring", "--channel", channel, "--csv", calleeFile(t, dir, first, last), "--rate", fmt.Sprint(rate, "/s"), "--name", name}
	}
	template := []string{"--template", "invitation", "--template-value", "{name}", "--template-value", "{code}"}
	spring := create("spring", 0, people, rate)
	saysAll(t, u.tool(t, 1, spring...), "flow spring says free text at step when")
	saysAll(t, u.tool(t, 0, append(spring, template...)...), "campaign spring: 300 contacts")
	began := time.Now()
	u.tool(t, 0, "campaign", "start", "spring")

	decided := func(least int) {
		t.Helper()
		db := open(t, u.database(t))
		await(t, 2*time.Minute, fmt.Sprint(least, " are decided"), func() error {
			if n := count(t.Context(), t, db, `SELECT count(*) FROM campaign_contacts WHERE campaign = 'spring' AND decided_at IS NOT NULL`); n < least {
				return fmt.Errorf("%d are", n)
			}
			return nil
		})
	}
	for i := range 3 {
		decided((i + 1) * people / 5)
		u.kill()
		u.start(t)
	}
	u.tool(t, 0, "campaign", "pause", "spring")
	db = open(t, u.database(t))
	ordered := func() int {
		t.Helper()
		return count(t.Context(), t, db, `SELECT count(*) FROM campaign_contacts WHERE campaign = 'spring' AND state <> 'waiting'`)
	}
	paused := ordered()
	// Another one takes its turns meanwhile: all its people have opted out.
	u.tool(t, 0, append(create("other", busy, busy+opted, 2), template...)...)
	u.tool(t, 0, "campaign", "start", "other")
	saysAll(t, u.tool(t, 0, "campaign", "status", "other", "--watch"), "other  done", "refused 3: opted_out 3")
	if now := ordered(); now != paused || now == people {
		t.Errorf("%d were started when it was paused, and %d after another campaign", paused, now)
	}
	u.tool(t, 0, "campaign", "resume", "spring")
	decided(people) // what was lost at a kill comes again after 30 s
	took := time.Since(began)
	saysAll(t, u.tool(t, 0, "campaign", "status", "spring", "--watch"), "spring  done", "300 of 300", "started 292", "refused 8: busy 5, opted_out 3")

	heard.receipts(t, u)
	checkCampaign(t, db, heard, people-busy-opted, rate)
	says(t, u, callee(people-1), "May")
	await(t, patience, "a reply is counted", func() error {
		if n := count(t.Context(), t, db, `SELECT count(*) FROM campaign_contacts WHERE replied_at IS NOT NULL`); n != 1 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	saysAll(t, u.tool(t, 0, "campaign", "results", "spring"), "2,15550400000,,Callee0,refused,busy", "7,15550400005,,Callee5,refused,opted_out",
		"301,15550400299,,Callee299,started,,", ",accepted,delivered,")
	t.Logf("SUMMARY up_campaign: %d people at %d/s, 3 kills, 1 pause, decided in %v; %d in the fullest second", people, rate, took.Round(100*time.Millisecond), fullest(t, db))
	if strings.Contains(u.said(), "1555040") || strings.Contains(u.said(), "Callee") {
		t.Error("the log names people")
	}
}

// fullest is how many starts were ordered in the fullest second.
func fullest(t *testing.T, db *store.Store) int {
	t.Helper()
	return count(t.Context(), t, db, `SELECT max(n) FROM (SELECT count(*) OVER (ORDER BY ordered_at RANGE BETWEEN CURRENT ROW AND '1 second' FOLLOWING) AS n
		FROM campaign_contacts WHERE campaign = 'spring') seconds`)
}

// checkCampaign looks for what must be true at the end.
func checkCampaign(t *testing.T, db *store.Store, heard *callees, started, rate int) {
	t.Helper()
	for what, want := range map[string]int{
		`SELECT count(*) FROM campaign_contacts WHERE state = 'started'`:                                   started,
		`SELECT count(DISTINCT contact_id) FROM campaign_contacts WHERE state = 'started'`:                 started,
		`SELECT count(*) FROM sessions WHERE flow = 'spring'`:                                              started,
		`SELECT count(*) FROM events e JOIN sessions s USING (session_id) WHERE e.type = 'SessionStarted'`: started + 8,
		`SELECT count(*) FROM events WHERE type = 'SessionStarted'`:                                        started + 8,
		`SELECT count(*) FROM events WHERE type = 'StartRefused'`:                                          8 + 3, // and the other campaign's
		`SELECT count(*) FROM deliveries WHERE campaign = 'spring'`:                                        started,
		`SELECT count(*) FROM dead_letters`:                                                                0,
	} {
		if got := count(t.Context(), t, db, what); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	await(t, patience, "receipts are applied", func() error {
		if n := count(t.Context(), t, db, `SELECT count(*) FROM deliveries WHERE campaign = 'spring' AND receipt = 'delivered'`); n != len(heard.callbacks) {
			return fmt.Errorf("%d of %d are", n, len(heard.callbacks))
		}
		return nil
	})
	unknown := count(t.Context(), t, db, `SELECT count(*) FROM deliveries WHERE campaign = 'spring' AND state <> 'accepted'`)
	if len(heard.templates)+unknown != started {
		t.Errorf("%d people were sent a template, and of %d nobody knows: want %d", len(heard.templates), unknown, started)
	}
	for phone, n := range heard.templates {
		if n != 1 {
			t.Errorf("%s was sent %d templates", phone, n)
		}
	}
	// What a kill has lost is ordered once more, all at once: hence the few more.
	if n := fullest(t, db); n > rate*115/100+1+rate/3 {
		t.Errorf("%d starts in the fullest second, at %d/s", n, rate)
	}
}
