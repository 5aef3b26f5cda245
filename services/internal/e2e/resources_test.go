//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// race is a flow in which everybody books as long as there is something to book, and
// sale makes everybody a lead.
const race = `
name: lead
language: en
entry: [{default: true}]
steps:
  - name: which
    say: Which?
    expect: {type: choice, save: slot, show: list, options: {free: {service: '"race"', next: 10}, empty: {say: Nothing is free., goto: cancelled}}, invalid: Gone.}
    loop: {max: 1000, then: cancelled}
  - name: book
    book: {slot: slot, taken: {say: Taken., goto: which}}
    goto: which
    loop: {max: 1000, then: cancelled}
completed: {say: Done., again: Done.}
`

const sale = `
name: sale
language: en
entry: [{keyword: [SALE]}]
steps:
  - {name: assign, assign: {pool: sales, queued: {say: You wait., goto: end}, none: {say: Nobody., goto: cancelled}}, say: Somebody has you.}
  - {name: end, end: completed}
completed: {say: Thank you., again: Thank you.}
`

// crowd are people who are spoken to, each in an order of their own.
type crowd struct {
	url    string // of the fake Graph API
	heard  sync.Map
	client *http.Client
}

func newCrowd(t *testing.T, people int) *crowd {
	t.Helper()
	c := &crowd{client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
	for i := range people {
		c.heard.Store(racer(i).Phone, make(chan fake.Send, 1000))
	}
	server := httptest.NewServer(&fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		if to, ok := c.heard.Load(strings.TrimPrefix(s.To, "+")); ok {
			to.(chan fake.Send) <- s
		}
		return fake.Answer{}
	}})
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func racer(i int) fake.Person {
	return fake.Person{Phone: fmt.Sprintf("1555020%04d", i), Name: fmt.Sprint("racer ", i)}
}

// posts a webhook until it is taken, as WhatsApp does.
func (c *crowd) posts(ctx context.Context, webhook string, items ...fake.Item) error {
	body := fake.Payload("200000000000001", channel, items...)
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, webhook, strings.NewReader(string(body)))
		if err != nil {
			return err
		}
		request.Header.Set("X-Hub-Signature-256", fake.Sign(appSecret, body))
		response, err := c.client.Do(request)
		if err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		pause(ctx, 50*time.Millisecond)
	}
	return ctx.Err()
}

// races lets one person book until nothing is free. They tap what they do not have yet,
// and one that they have if there is nothing else: that books nothing, and shows anew.
func (c *crowd) races(ctx context.Context, webhook string, i int) (lost int, err error) {
	p := racer(i)
	own, n := map[string]bool{}, 0
	id := func() string { n++; return fmt.Sprintf("wamid.race.%d.%d", i, n) }
	if err := c.posts(ctx, webhook, fake.Text(p, id(), time.Now(), "hi")); err != nil {
		return 0, err
	}
	inbox, _ := c.heard.Load(p.Phone)
	for {
		var s fake.Send
		select {
		case s = <-inbox.(chan fake.Send):
		case <-ctx.Done():
			return lost, fmt.Errorf("%s is stuck after %d messages", p.Name, n)
		}
		if strings.HasPrefix(s.Text, "Nothing is free") {
			return lost, nil
		}
		if s.Text == "Taken." {
			lost++
			continue // what is free follows
		}
		choice, title := choose(s, own)
		if choice == "" {
			continue
		}
		own[choice] = true
		if err := c.posts(ctx, webhook, fake.ListTap(p, id(), time.Now(), choice, title, "")); err != nil {
			return lost, err
		}
	}
}

// choose is a row of a list at random, one that is not theirs if there is one.
func choose(s fake.Send, own map[string]bool) (id, title string) {
	type row struct{ ID, Title string }
	var body struct {
		Interactive struct {
			Action struct{ Sections []struct{ Rows []row } }
		}
	}
	if json.Unmarshal(s.Body, &body) != nil || len(body.Interactive.Action.Sections) == 0 {
		return "", ""
	}
	var mine, others []row
	for _, r := range body.Interactive.Action.Sections[0].Rows {
		if own[r.ID] {
			mine = append(mine, r)
		} else {
			others = append(others, r)
		}
	}
	if len(others) == 0 {
		others = mine
	}
	if len(others) == 0 {
		return "", ""
	}
	r := others[rand.N(len(others))]
	return r.ID, r.Title
}

// flowsFor writes flows into a folder.
func flowsFor(t *testing.T, sources map[string]string) string {
	t.Helper()
	dir := folder(t)
	for name, source := range sources {
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// orders makes a request of the console that must be answered 200.
func orders(t *testing.T, method, url, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if said, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s answered %d %s", method, url, response.StatusCode, said)
	}
}

// raceSlots imports slots, a quarter of an hour apart.
func raceSlots(t *testing.T, api string, slots, capacity int) {
	t.Helper()
	var table strings.Builder
	fmt.Fprintln(&table, "service,calendar,start,minutes,capacity")
	start := time.Now().UTC().Truncate(time.Hour).Add(48 * time.Hour)
	for i := range slots {
		fmt.Fprintf(&table, "race,track,%s,15,%d\n", start.Add(time.Duration(i)*15*time.Minute).Format(time.RFC3339), capacity)
	}
	orders(t, http.MethodPost, api+"/slots", table.String())
}

// clusterFor starts two sessions and one of each other service.
func clusterFor(t *testing.T, graph string, flows map[string]string) (c *cluster, api, webhook string) {
	t.Helper()
	c = newCluster(t, leaseTime(), map[string]int{"ingress": 1, "session": 2, "dispatcher": 1, "projector": 1, "console": 1})
	dir := flowsFor(t, flows)
	for _, r := range c.replicas["session"] {
		r.more = append(r.more, "PARLEY_FLOWS_DIR="+dir)
	}
	c.start(t, graph)
	return c, c.replicas["console"][0].url() + "/api/v1", c.replicas["ingress"][0].url() + "/webhooks/meta"
}

// TestLastSlots: 64 people race for 150 slots of five places, through two session
// processes of which one is killed in the middle. All 750 places are booked, nobody has a
// slot twice, everybody hears in the end that nothing is free, and who came too late was
// offered what was left.
func TestLastSlots(t *testing.T) {
	const people, slots, capacity = 64, 150, 5
	crowd := newCrowd(t, people)
	c, api, webhook := clusterFor(t, crowd.url, map[string]string{"lead": race})
	db := open(t, c.database.server.DSN())
	raceSlots(t, api, slots, capacity)

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	began := time.Now()
	var group sync.WaitGroup
	lost, errs := make([]int, people), make([]error, people)
	for i := range people {
		group.Go(func() { lost[i], errs[i] = crowd.races(ctx, webhook, i) })
	}
	await(t, time.Minute, "a third is booked", func() error {
		if n := count(t.Context(), t, db, `SELECT count(*) FROM bookings WHERE state = 'booked'`); n < slots*capacity/3 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	victim := c.replicas["session"][0]
	victim.kill()
	victim.start(t)
	group.Wait()
	took, tooLate := time.Since(began), 0
	for i, err := range errs {
		if err != nil {
			t.Error(err)
		}
		tooLate += lost[i]
	}
	checkSlots(t, db, slots*capacity, people)
	gone := count(t.Context(), t, db, `SELECT count(*) FROM events WHERE type = 'AnswerRejected'`)
	t.Logf("SUMMARY last_slots: %d people, %d places booked in %v, one session process killed; %d found a place taken when they booked, %d when they chose",
		people, slots*capacity, took.Round(100*time.Millisecond), tooLate, gone)
}

// checkSlots looks for what must be true after a race.
func checkSlots(t *testing.T, db *store.Store, places, people int) {
	t.Helper()
	for what, want := range map[string]int{
		`SELECT count(*) FROM bookings WHERE state = 'booked'`:       places,
		`SELECT count(DISTINCT (slot_id, contact_id)) FROM bookings`: places,
		`SELECT sum(booked) FROM slots`:                              places,
		`SELECT count(*) FROM slots WHERE booked <> capacity`:        0,
		`SELECT count(*) FROM sessions WHERE status = 'cancelled'`:   people,
		`SELECT count(*) FROM sessions WHERE status <> 'cancelled'`:  0,
		`SELECT count(*) FROM dead_letters`:                          0,
		`SELECT count(*) FROM contacts WHERE parked_at IS NOT NULL`:  0,
		// Behind each SlotTaken stands, in the same turn, what is free, or that nothing is.
		`SELECT count(*) FROM events e WHERE e.type = 'SlotTaken' AND NOT EXISTS (SELECT FROM events f WHERE f.shard = e.shard
			AND f.session_id = e.session_id AND f.at = e.at AND f.version > e.version AND f.type IN ('ChoicesOffered', 'StepLeft'))`: 0,
	} {
		if got := count(t.Context(), t, db, what); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
}

// TestFairLeads: 3,000 leads come over 20 agents as fast as they can, through two session
// processes, while five agents go off and come on again. Each is a lead once, all are
// somebody's, and nobody has two more than another.
func TestFairLeads(t *testing.T) {
	const people, agents, off = 3000, 20, 5
	crowd := newCrowd(t, 0)
	c, api, webhook := clusterFor(t, crowd.url, map[string]string{"lead": race, "sale": sale})
	db := open(t, c.database.server.DSN())
	orders(t, http.MethodPut, api+"/pools/sales", `{}`)
	for i := range agents {
		orders(t, http.MethodPut, fmt.Sprintf("%s/pools/sales/agents/a%02d", api, i), `{"name": "Agent"}`)
	}
	began := time.Now()
	come := func(from, to int) {
		t.Helper()
		for at := from; at < to; at += 50 {
			var items []fake.Item
			for i := at; i < min(at+50, to); i++ {
				p := fake.Person{Phone: fmt.Sprintf("1555030%04d", i), Name: "Somebody"}
				items = append(items, fake.Text(p, fmt.Sprintf("wamid.lead.%d", i), time.Now(), "sale"))
			}
			if err := crowd.posts(t.Context(), webhook, items...); err != nil {
				t.Fatal(err)
			}
		}
	}
	turn := func(way string) {
		for i := range off {
			orders(t, http.MethodPost, fmt.Sprintf("%s/pools/sales/agents/a%02d/%s", api, i, way), "")
		}
	}
	come(0, people/3)
	turn("off")
	come(people/3, 2*people/3)
	await(t, patience, "who is off has nothing", func() error {
		if n := count(t.Context(), t, db, `SELECT sum(open) FROM agents WHERE NOT is_on`); n > 0 {
			return fmt.Errorf("%d leads", n)
		}
		return nil
	})
	turn("on")
	come(2*people/3, people)
	await(t, patience, "all leads are somebody's", func() error {
		if n := count(t.Context(), t, db, `SELECT count(*) FROM leads WHERE state = 'assigned'`); n != people {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	took := time.Since(began)
	for what, want := range map[string]int{
		`SELECT count(DISTINCT contact_id) FROM leads`: people,
		`SELECT sum(open) FROM agents`:                 people,
		`SELECT count(*) FROM dead_letters`:            0,
		`SELECT count(*) FROM agents a WHERE open <> (SELECT count(*) FROM leads l WHERE l.agent = a.id AND l.state = 'assigned')`: 0,
	} {
		if got := count(t.Context(), t, db, what); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	spread := count(t.Context(), t, db, `SELECT max(open) - min(open) FROM agents`)
	if spread > 1 {
		t.Errorf("the spread is %d", spread)
	}
	moved := count(t.Context(), t, db, `SELECT count(*) FROM events WHERE type = 'LeadAssigned'`) - people
	t.Logf("SUMMARY fair_leads: %d leads over %d agents in %v, %d agents off and on meanwhile; spread %d, %d leads went to another",
		people, agents, took.Round(100*time.Millisecond), off, spread, moved)
}
