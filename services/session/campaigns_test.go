package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var (
	cem = fake.Person{Phone: "905301234567", Name: "Cem"}
	dan = fake.Person{Phone: "447700900123", Name: "Dan"}
	eve = fake.Person{Phone: "33612345678", Name: "Eve"}
)

// callees are contacts of a campaign, from line 2 on.
func callees(people ...fake.Person) (list []store.CampaignContact) {
	for i, p := range people {
		list = append(list, store.CampaignContact{Line: i + 2, Phone: p.Phone, BSUID: p.BSUID, Name: p.Name, Slots: []byte(`{"code": "K7"}`)})
	}
	return list
}

// campaign begins the flow trip for people, by a template and as fast as can be.
func (d *desk) campaign(name string, list []store.CampaignContact) *Campaigns {
	d.t.Helper()
	template, err := proto.Marshal(&parleyv1.Template{Name: "invitation", Language: "en_US"})
	for i := range list {
		list[i].Template = template
	}
	if err == nil {
		err = d.store.CreateCampaign(d.t.Context(), store.Campaign{
			Name: name, Flow: "trip", Channel: channel, Portfolio: channel, PerSecond: 1e6, State: store.CampaignReady,
		}, list)
	}
	if err == nil {
		_, err = d.store.MoveCampaign(d.t.Context(), name, "start")
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return d.campaigns(d)
}

func (d *desk) campaigns(in Publisher) *Campaigns {
	return NewCampaigns(d.store, in, shards, func() time.Time { return d.time }, zerolog.Nop())
}

// starts takes what is due, and runs it.
func (d *desk) starts(c *Campaigns) {
	d.t.Helper()
	if _, err := c.Start(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	d.run(100)
}

// wantCampaign fails unless this became of the lines of a campaign.
func (d *desk) wantCampaign(name string, want map[int]string) {
	d.t.Helper()
	results, err := d.store.CampaignResults(d.t.Context(), name, 0, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	got := map[int]string{}
	for _, r := range results {
		got[r.Line] = r.State + r.Reason
		if r.RepliedAt != nil {
			got[r.Line] += " replied"
		}
		if r.OptedOut {
			got[r.Line] += " opted out"
		}
	}
	if !maps.Equal(got, want) {
		d.t.Errorf("%v, want %v", got, want)
	}
}

// refusals are the reasons of a person's StartRefused.
func (d *desk) refusals(p fake.Person) (reasons []string) {
	for _, e := range d.events(p) {
		if r := e.GetStartRefused(); r != nil {
			reasons = append(reasons, fmt.Sprint(r.GetCampaign(), " ", r.GetLine(), " ", r.GetReason()))
		}
	}
	return reasons
}

// TestCampaign: everybody is started once, by the template and with their values; who is in
// a conversation, has opted out, wants no marketing or is another line's person is not, and
// the report says so. It follows who writes back.
func TestCampaign(t *testing.T) {
	d := newDesk(t)
	d.publish(strings.Replace(trip1, "slots:", "keywords: {stop: [STOP]}\nslots:", 1))
	d.time = d.time.Add(liveFor)
	d.say(bob, "wamid.1", "trip") // stays in a conversation
	d.say(cem, "wamid.2", "trip")
	d.say(cem, "wamid.3", "STOP")
	d.post(fake.Preference(dan, d.time, "stop"))
	hidToo := fake.Person{BSUID: hid.BSUID, Phone: "5511987654321", Name: "Hid"} // the same person: both ids came in one webhook
	d.post(fake.Text(hidToo, "wamid.4", d.time, "trip"))
	d.run(100)
	for i, text := range []string{"Ulm", "May"} {
		d.post(fake.Text(hidToo, fmt.Sprint("wamid.5.", i), d.time, text))
	}
	d.run(100)
	c := d.campaign("spring", callees(ada, bob, cem, dan, eve, hid, fake.Person{Phone: hidToo.Phone, Name: "Hid"}))
	d.starts(c)
	d.wantCampaign("spring", map[int]string{
		2: "started", 3: "refusedbusy", 4: "refusedopted_out", 5: "refusedno_marketing", 6: "started", 7: "started", 8: "refusedbusy",
	})
	for who, want := range map[*fake.Person][]string{&bob: {"spring 3 busy"}, &cem: {"spring 4 opted_out"}, &dan: {"spring 5 no_marketing"}, &ada: nil} {
		if got := d.refusals(*who); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", who.Name, got, want)
		}
	}
	var first *parleyv1.MessageQueued
	for _, e := range d.events(ada) {
		if q := e.GetMessageQueued(); q != nil && first == nil {
			first = q
		}
	}
	if first.GetTemplate().GetName() != "invitation" || first.GetCampaign() != "spring" || first.GetPriority() != parleyv1.Priority_PRIORITY_BULK || !first.GetMarketing() {
		t.Errorf("%v", first)
	}
	if who, s := d.known(ada); who.Identity.GetName() != "Ada" || s.State.Answers["code"] != "K7" {
		t.Errorf("%+v %+v", who, s.State)
	}
	d.say(ada, "wamid.6", "Lima")
	d.say(ada, "wamid.7", "June")
	d.say(eve, "wamid.8", "STOP")
	d.wantCampaign("spring", map[int]string{
		2: "started replied", 3: "refusedbusy", 4: "refusedopted_out", 5: "refusedno_marketing", 6: "started replied opted out", 7: "started", 8: "refusedbusy",
	})
	d.consistent(t)

	// When their conversation has ended, another campaign can begin the next.
	d.say(bob, "wamid.9", "Oslo")
	d.say(bob, "wamid.10", "August")
	d.starts(d.campaign("autumn", callees(bob, eve)))
	d.say(bob, "wamid.11", "Rome")
	d.wantCampaign("autumn", map[int]string{2: "started replied", 3: "refusedopted_out"})
	d.consistent(t)
}

// TestCampaignFollowsMerge: who was started, and then turns out to be another contact, is not
// started again as that one.
func TestCampaignFollowsMerge(t *testing.T) {
	d := newDesk(t)
	d.publish(trip1)
	d.time = d.time.Add(liveFor)
	other := seen("", oldID)
	talk := func(p fake.Person, texts ...string) {
		for _, text := range texts {
			d.say(p, fmt.Sprint("m", len(d.stream)), text)
		}
	}
	talk(other, "trip", "Ulm")
	c := d.campaign("spring", callees(ada, other))
	if _, err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := d.stream[len(d.stream)-1]
	d.stream = d.stream[:len(d.stream)-1]
	talk(ada, "Ulm", "May")
	into, _ := d.known(other)
	from, _ := d.known(ada)
	d.told(from, "merge", flow.OperatorInput("merge", 0, &parleyv1.OperatorAction{Verb: flow.ActMerge, By: "Ana", Reason: "same person", Into: into.ID[:]}))
	d.run(100)
	talk(other, "May")
	d.stream = append(d.stream, lateCopy(second, len(d.stream)+1))
	d.run(100)
	d.wantCampaign("spring", map[int]string{2: "started replied", 3: "refusedtwice"})
}

// Two lines are one person, whose conversation ends at once: the second is refused.
func TestCampaignOfOnePersonTwice(t *testing.T) {
	d := newDesk(t)
	d.publish("name: trip\nlanguage: en\nentry: [{api: true}]\nslots: {code: {type: text, default: none}}\nsteps: [{name: hello, say: Hello.}]\ncompleted: {say: Bye., again: Done.}\n")
	d.time = d.time.Add(liveFor)
	d.post(fake.Text(fake.Person{BSUID: hid.BSUID, Phone: ada.Phone, Name: "Hid"}, "wamid.1", d.time, "hi"))
	d.run(100)
	d.say(hid, "wamid.2", "Hid")
	d.say(hid, "wamid.3", "hid@example.org")
	c := d.campaign("spring", callees(hid, ada, hid)) // in one batch, and by another lane
	d.starts(c)
	d.wantCampaign("spring", map[int]string{2: "started", 3: "refusedtwice", 4: "refusedtwice"})
	d.consistent(t)
}

// lossy loses what it is given, or says so although it is stored.
type lossy struct {
	*desk
	lose bool
}

func (l *lossy) Publish(ctx context.Context, messages ...bus.Message) error {
	if !l.lose {
		if err := l.desk.Publish(ctx, messages...); err != nil {
			return err
		}
	}
	return errors.New("no answer")
}

// A start that is lost on its way comes again; one that was stored although nobody knows
// comes twice, and begins one conversation.
func TestCampaignStartsAreLost(t *testing.T) {
	d := newDesk(t)
	d.publish(trip1)
	d.time = d.time.Add(liveFor)
	c := d.campaign("spring", callees(ada, eve))
	bad := &lossy{desk: d, lose: true}
	age := func() { d.exec(`UPDATE campaign_contacts SET ordered_at = ordered_at - interval '1 minute'`) }
	for _, lose := range []bool{true, false} {
		bad.lose = lose
		if _, err := d.campaigns(bad).Start(t.Context()); err == nil {
			t.Error("nobody noticed")
		}
		d.wantCampaign("spring", map[int]string{2: "ordered", 3: "ordered"})
		age()
	}
	d.starts(c)
	d.wantCampaign("spring", map[int]string{2: "started", 3: "started"})
	for _, p := range []fake.Person{ada, eve} {
		if n := len(d.replies(p)); n != 1 {
			t.Errorf("%s was told %d things", p.Name, n)
		}
	}
	d.starts(c)
	if c, _, err := d.store.Campaign(t.Context(), "spring"); err != nil || c.State != store.CampaignDone {
		t.Errorf("%+v, %v", c, err)
	}
	d.consistent(t)
}

// Whoever is parked is started when they are redriven; a flow that is gone starts nobody.
func TestCampaignMeetsTrouble(t *testing.T) {
	d := newDesk(t)
	d.publish(trip1)
	d.time = d.time.Add(liveFor)
	d.say(ada, "wamid.1", "hi")
	d.strand(ada, "gone")
	d.say(ada, "wamid.2", "Ada")
	d.starts(d.campaign("spring", callees(ada)))
	d.wantCampaign("spring", map[int]string{2: "failedparked"})
	d.strand(ada, "name")
	d.exec(`UPDATE sessions SET status = 'completed', current_state = ''`)
	d.order(ada, "order 1", store.OperatorRedrive)
	d.run(100)
	d.wantCampaign("spring", map[int]string{2: "started"})

	d.publish("name: trip\nlanguage: en\nentry: [{keyword: [TRIP]}]\nsteps: [{name: city, say: Which?, expect: {type: text, save: city}}]\ncompleted: {say: Bye., again: Done.}\n")
	d.time = d.time.Add(liveFor)
	d.restart()
	d.starts(d.campaign("summer", callees(eve)))
	d.wantCampaign("summer", map[int]string{2: "refusednot_live"})
	d.wantNoReplies(eve)
	d.consistent(t)
}

func (d *desk) wantNoReplies(p fake.Person) {
	d.t.Helper()
	if got := d.replies(p); len(got) > 0 {
		d.t.Errorf("%s was told %q", p.Name, got)
	}
}

// wantDecided fails unless the events of a campaign say for each of its lines, once, what
// its report says, and nobody was started twice.
func (d *desk) wantDecided(t judge, name string) {
	t.Helper()
	told, members := map[int]string{}, map[string]int{}
	for shard := range shards {
		events, err := d.store.ReadEvents(context.Background(), shard, d.after[shard], 100_000)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, e := range events {
			line, what := 0, ""
			if start := e.GetInputReceived().GetInput().GetStart(); start.GetCampaign() == name {
				line, what = int(start.GetLine()), store.ContactStarted
				if members[string(e.GetContactId())]++; members[string(e.GetContactId())] > 1 {
					t.Fatalf("somebody was started twice, by line %d the second time", line)
				}
			} else if refused := e.GetStartRefused(); refused.GetCampaign() == name {
				line, what = int(refused.GetLine()), store.ContactRefused+refused.GetReason()
			}
			if line > 0 && told[line] != "" {
				t.Fatalf("line %d is %s and %s", line, told[line], what)
			}
			if line > 0 {
				told[line] = what
			}
		}
	}
	results, err := d.store.CampaignResults(context.Background(), name, 0, 1000)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, r := range results {
		if got := r.State + r.Reason; told[r.Line] != got {
			t.Fatalf("line %d is %s in the report, and %q in the events", r.Line, got, told[r.Line])
		}
	}
}

// TestCampaignHistories: starts are lost or stored unseen on their way, commits fail or
// happen unseen, people write, opt out and are in the file twice, and the campaign is
// paused and resumed. In the end each line was decided once, its report is what the events
// say, and nobody was started twice.
func TestCampaignHistories(t *testing.T) {
	d := newDesk(t)
	d.publish(strings.Replace(trip1, "slots:", "keywords: {stop: [STOP]}\nslots:", 1))
	d.time = d.time.Add(liveFor)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		name := fmt.Sprint("campaign ", run)
		d.after = maps.Clone(d.heads)
		var people, listed []fake.Person
		for i := range rapid.IntRange(1, 6).Draw(t, "people") {
			p := fake.Person{Phone: fmt.Sprintf("4916%d%06d", i, run), BSUID: fmt.Sprintf("US.%d.%d", run, i), Name: fmt.Sprint("p", i)}
			people = append(people, p)
			switch rapid.SampledFrom([]string{"phone", "user id", "both", "twice"}).Draw(t, "known by") {
			case "phone":
				listed = append(listed, fake.Person{Phone: p.Phone})
			case "user id":
				listed = append(listed, fake.Person{BSUID: p.BSUID})
			case "both":
				listed = append(listed, p)
			default:
				listed = append(listed, fake.Person{Phone: p.Phone}, fake.Person{BSUID: p.BSUID})
			}
		}
		said := 0
		says := func() {
			p := rapid.SampledFrom(people).Draw(t, "who")
			said++
			d.post(fake.Text(p, fmt.Sprintf("wamid.%d.%d", run, said), d.time, rapid.SampledFrom([]string{"trip", "Ulm", "May", "STOP"}).Draw(t, "text")))
		}
		for range rapid.IntRange(0, 5).Draw(t, "said before") {
			says()
		}
		c := d.campaign(name, callees(listed...))
		age := func() {
			d.exec(`UPDATE campaign_contacts SET ordered_at = ordered_at - interval '1 minute' WHERE state = 'ordered'`)
		}
		move := func(verb string) {
			if _, err := d.store.MoveCampaign(context.Background(), name, verb); err != nil {
				t.Fatalf("%v", err)
			}
		}
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			switch what := rapid.SampledFrom([]string{"start", "lose", "doubt", "say", "run", "age", "pause", "resume"}).Draw(t, "step"); what {
			case "start":
				_, _ = c.Start(context.Background())
			case "lose", "doubt":
				_, _ = d.campaigns(&lossy{desk: d, lose: what == "lose"}).Start(context.Background())
			case "say":
				says()
			case "run":
				d.disturbed(t)
			case "age":
				age()
			default:
				move(what)
			}
		}
		move("resume")
		for range 10 {
			age()
			if running, err := c.Start(context.Background()); err != nil {
				t.Fatalf("%v", err)
			} else if !running {
				break
			}
			d.disturbed(t)
		}
		if now, _, err := d.store.Campaign(context.Background(), name); err != nil || now.State != store.CampaignDone {
			t.Fatalf("it is not done: %+v, %v", now, err)
		}
		d.wantDecided(t, name)
	})
	d.store.before, d.store.after = nil, func([]store.TurnPart) error { return nil } // what was not relayed is expected
	d.consistent(t)
}
