package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/leads"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// leadsFlow makes everybody a lead with each message.
const leadsFlow = `
name: bookings
language: en
entry: [{default: true}]
steps:
  - {name: give, assign: {pool: sales, keep: {agent: agent}, queued: {say: You wait., goto: more}, none: {say: Nobody., goto: more}}, say: "{agent}"}
  - {name: more, say: More?, expect: {type: text, save: more}}
  - {name: route, branch: [{if: more == "end", goto: completed}, {goto: give}]}
completed: {say: Done., again: Done.}
`

// withAgents makes the pool with agents a0, a1, ... who are on.
func (d *desk) withAgents(n, capacity int) {
	d.t.Helper()
	d.publish(leadsFlow)
	d.time = d.time.Add(time.Minute)
	if err := d.store.SavePool(context.Background(), "sales", 60); err != nil {
		d.t.Fatal(err)
	}
	for i := range n {
		a := store.AgentInfo{Pool: "sales", ID: fmt.Sprint("a", i), Weight: 1, Capacity: capacity, Zone: "UTC", On: true}
		if ok, err := d.store.SaveAgent(context.Background(), a); err != nil || !ok {
			d.t.Fatalf("%v %v", ok, err)
		}
	}
}

func (d *desk) turnAgent(id string, on bool) {
	d.t.Helper()
	if ok, err := d.store.SwitchAgent(context.Background(), "sales", id, on); err != nil || !ok {
		d.t.Fatalf("%v %v", ok, err)
	}
}

// leadEvents are the events of a person that are about leads.
func (d *desk) leadEvents(p fake.Person) (told []string) {
	for _, e := range d.events(p) {
		switch body := e.GetBody().(type) {
		case *parleyv1.Event_LeadAssigned:
			told = append(told, fmt.Sprintf("%s %s", body.LeadAssigned.Agent, body.LeadAssigned.Reason))
		case *parleyv1.Event_LeadQueued:
			told = append(told, "waits "+body.LeadQueued.Reason)
		case *parleyv1.Event_LeadClosed:
			told = append(told, "closed")
		}
	}
	return told
}

func (d *desk) wantLead(p fake.Person, want ...string) {
	d.t.Helper()
	if got := d.leadEvents(p); !slices.Equal(got, want) {
		d.t.Errorf("%s: %v, want %v", p.Name, got, want)
	}
	d.wantLeads(d.t)
}

// wantLeads: each agent has as many leads as are theirs, nobody is a lead twice, and the
// events tell the same as the table.
func (d *desk) wantLeads(t judge) {
	t.Helper()
	var wrong string
	if err := d.conn.QueryRow(context.Background(), `SELECT COALESCE(string_agg(format('%s has %s, leads %s', a.id, a.open, l.n), '; '), '')
		FROM agents a CROSS JOIN LATERAL (SELECT count(*) n FROM leads l WHERE l.pool = a.pool AND l.agent = a.id AND l.state IN ('assigned', 'taken')) l
		WHERE a.open <> l.n`).Scan(&wrong); err != nil || wrong != "" {
		t.Fatalf("%s %v", wrong, err)
	}
	told := map[string]string{}
	for shard := range shards {
		events, err := d.store.ReadEvents(context.Background(), shard, 0, 1_000_000)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, e := range events {
			switch body := e.GetBody().(type) {
			case *parleyv1.Event_LeadAssigned:
				told[body.LeadAssigned.Lead] = body.LeadAssigned.Agent
			case *parleyv1.Event_LeadQueued:
				told[body.LeadQueued.Lead] = ""
			case *parleyv1.Event_LeadClosed:
				told[body.LeadClosed.Lead] = ""
			}
		}
	}
	all, err := d.store.Leads(context.Background(), store.LeadFilter{Limit: 100_000})
	if err != nil || len(all) != len(told) {
		t.Fatalf("%d leads, and events tell of %d (%v)", len(all), len(told), err)
	}
	for _, l := range all {
		if agent, ok := told[l.ID]; !ok || agent != l.Agent {
			t.Fatalf("lead %s is %q's, and its events tell %q", l.ID, l.Agent, agent)
		}
	}
}

// spread is the difference between who has most and who has least.
func (d *desk) spread() int {
	d.t.Helper()
	var n int
	if err := d.conn.QueryRow(context.Background(), `SELECT max(open) - min(open) FROM agents WHERE is_on`).Scan(&n); err != nil {
		d.t.Fatal(err)
	}
	return n
}

// orders are those of a desk, which go into its stream.
func (d *desk) orders() *Orders {
	return NewOrders(d.store, d.Owned, kept{d}, shards, func() time.Time { return d.time }, zerolog.Nop())
}

// ordered sends what is due, and runs it.
func (d *desk) ordered(o *Orders) {
	d.t.Helper()
	if err := o.Send(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	d.run(100)
}

// TestLeadsWait: who comes while nobody is there waits; whoever comes on gets the oldest,
// and a lead that is closed makes room for the next.
func TestLeadsWait(t *testing.T) {
	d := deskFor(t)
	d.withAgents(1, 1)
	d.turnAgent("a0", false)
	for _, p := range []fake.Person{ada, bob, hid} {
		d.sends(p, "hi")
		d.run(100)
		d.time = d.time.Add(time.Second)
	}
	o := d.orders()
	d.ordered(o)
	d.wantLead(ada, "waits step")
	d.turnAgent("a0", true)
	d.ordered(o)
	d.wantLead(ada, "waits step", "a0 queue")
	d.wantLead(bob, "waits step")
	lead := d.lead(ada)
	for i := range 2 { // the second changes nothing
		id := fmt.Sprint("close.", i)
		d.input(ada, id, flow.OrderInput(id, 0, &parleyv1.ResourceOrder{Verb: flow.VerbClose, Lead: lead}))
	}
	d.ordered(o)
	d.wantLead(ada, "waits step", "a0 queue", "closed")
	d.wantLead(bob, "waits step", "a0 queue")
	d.wantLead(hid, "waits step")
	d.consistent(t)
}

// lead is the id of a person's latest lead.
func (d *desk) lead(p fake.Person) string {
	d.t.Helper()
	all, err := d.store.Leads(d.t.Context(), store.LeadFilter{Limit: 1000})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, l := range all {
		if l.Contact == store.ContactID(channel, laneKey(p)).String() {
			return l.ID
		}
	}
	d.t.Fatalf("%s is no lead", p.Name)
	return ""
}

// TestLeadsGoOn: who does not react in time, or leaves, or does not want it, loses the
// lead to another; who has taken it keeps it.
func TestLeadsGoOn(t *testing.T) {
	d := deskFor(t)
	d.withAgents(2, 0)
	o := d.orders()
	d.sends(ada, "hi", "hi again")
	d.run(100)
	d.time = d.time.Add(time.Minute)
	d.ordered(o)
	d.wantLead(ada, "a0 step", "a0 step", "a1 silent")
	d.turnAgent("a1", false)
	d.ordered(o)
	d.wantLead(ada, "a0 step", "a0 step", "a1 silent", "a0 absent")
	d.turnAgent("a0", false)
	d.time = d.time.Add(time.Second)
	d.ordered(o)
	d.turnAgent("a0", true)
	d.ordered(o)
	d.wantLead(ada, "a0 step", "a0 step", "a1 silent", "a0 absent", "waits absent", "a0 queue")
	lead := d.lead(ada)
	d.input(ada, "take", flow.OrderInput("take", 0, &parleyv1.ResourceOrder{Verb: flow.VerbTake, Lead: lead}))
	d.time = d.time.Add(time.Hour)
	d.ordered(o)
	if got := d.leadEvents(ada); got[len(got)-1] != "a0 taken" {
		t.Errorf("%v", got)
	}
	d.turnAgent("a1", true)
	d.input(ada, "no", flow.OrderInput("no", 0, &parleyv1.ResourceOrder{Verb: flow.VerbAssign, Lead: lead, Reason: leads.ReasonRefused}))
	if got := d.leadEvents(ada); got[len(got)-1] != "a1 refused" {
		t.Errorf("%v", got)
	}
	d.wantLeads(t)
	d.consistent(t)
}

// TestNoSuchPool: a pool that nobody made has nobody.
func TestNoSuchPool(t *testing.T) {
	d := deskFor(t)
	d.publish(strings.ReplaceAll(leadsFlow, "pool: sales", "pool: nobody"))
	d.time = d.time.Add(time.Minute)
	d.say(ada, "wamid.1", "hi")
	d.wantReplies(ada, "Nobody.", "More?")
}

// TestFencedPartAssignsNothing: leads of two shards come in one batch, and one shard is
// fenced: its leads are nobody's, and those of the other are shared as if they were alone.
func TestFencedPartAssignsNothing(t *testing.T) {
	d := deskFor(t)
	d.withAgents(4, 0)
	fenced := bus.ShardOf(channel, ada.Phone, shards)
	mine, others := 0, 0
	for i := range 24 {
		p := fake.Person{Phone: fmt.Sprintf("49160000%03d", i), Name: fmt.Sprint("n", i)}
		if bus.ShardOf(channel, p.Phone, shards) == fenced {
			mine++
		} else {
			others++
		}
		d.sends(p, "hi")
	}
	d.exec(`UPDATE leases SET epoch = epoch + 1 WHERE service = 'session' AND shard = $1`, fenced)
	if _, err := d.step(100); err == nil || mine == 0 || others == 0 {
		t.Fatalf("%v, %d and %d", err, mine, others)
	}
	all, err := d.store.Leads(t.Context(), store.LeadFilter{Limit: 100})
	if err != nil || len(all) != others || d.spread() > 1 {
		t.Errorf("%d leads of %d, spread %d (%v)", len(all), others, d.spread(), err)
	}
	d.wantLeads(t)
}

// TestLeadsAreShared: two replicas share a thousand leads over twenty agents at once: each
// lead is somebody's, once, and nobody has two more than another.
func TestLeadsAreShared(t *testing.T) {
	one, two := replicas(t)
	one.withAgents(20, 0)
	two.time = one.time
	const people = 1000
	for i := range people {
		one.sends(fake.Person{Phone: fmt.Sprintf("4917%08d", i), Name: fmt.Sprint("n", i)}, "hi")
	}
	began := time.Now()
	runBoth(t, one, two, 25)
	t.Logf("%d leads in %s", people, time.Since(began))
	if n := one.spread(); n > 1 {
		t.Errorf("the spread is %d", n)
	}
	all, err := one.store.Leads(t.Context(), store.LeadFilter{State: string(leads.Assigned), Limit: 2 * people})
	if err != nil || len(all) != people {
		t.Errorf("%d leads (%v)", len(all), err)
	}
	one.wantLeads(t)
}

// TestLeadHistories lets leads come, end and be refused in two replicas at once, while
// agents go off and on. Whatever meets: the counts are those of the leads, the events tell
// what the table holds, and in the end nobody waits who need not.
func TestLeadHistories(t *testing.T) {
	one, two := replicas(t)
	one.withAgents(4, 3)
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		two.time = one.time
		people := make([]fake.Person, rapid.IntRange(1, 12).Draw(t, "people"))
		for i := range people {
			people[i] = fake.Person{Phone: fmt.Sprintf("4918%03d%05d", i, round), Name: fmt.Sprintf("l%d.%d", round, i)}
		}
		for i := range rapid.IntRange(0, 4).Draw(t, "agent") {
			one.turnAgent(fmt.Sprint("a", i), rapid.Bool().Draw(t, "on"))
		}
		for range rapid.IntRange(1, 20).Draw(t, "messages") {
			one.sends(rapid.SampledFrom(people).Draw(t, "who"), "hi")
		}
		runBoth(t, one, two, rapid.IntRange(1, 20).Draw(t, "batch"))
		one.wantLeads(t)
		for i := range 4 {
			one.turnAgent(fmt.Sprint("a", i), true)
		}
		settle(t, one, two, round)
		one.wantLeads(t)
	})
}

// settle orders what is due, closes all leads, and so on until there is none.
func settle(t judge, one, two *desk, round int) {
	for try := range 50 {
		for _, d := range []*desk{one, two} {
			orders := NewOrders(d.store, d.Owned, kept{one}, shards, func() time.Time { return d.time }, zerolog.Nop())
			if err := orders.Send(context.Background()); err != nil {
				t.Fatalf("%v", err)
			}
		}
		runBoth(t, one, two, 10)
		open, err := one.store.Leads(context.Background(), store.LeadFilter{Limit: 100_000})
		if err != nil {
			t.Fatalf("%v", err)
		}
		open = slices.DeleteFunc(open, func(l store.LeadInfo) bool { return l.State == string(leads.Closed) })
		if len(open) == 0 {
			return
		}
		for i, l := range open {
			if l.State == string(leads.Queued) {
				continue
			}
			order := order{
				id: fmt.Sprintf("close/%d/%d/%d", round, try, i), channel: l.Channel, portfolio: l.Portfolio, laneKey: l.LaneKey,
				what: &parleyv1.ResourceOrder{Verb: flow.VerbClose, Lead: l.ID},
			}
			m, err := order.message(shards, one.time)
			if err == nil {
				err = kept{one}.Publish(context.Background(), m)
			}
			if err != nil {
				t.Fatalf("%v", err)
			}
		}
		runBoth(t, one, two, 10)
	}
	t.Fatalf("leads are left that nobody gets")
}
