package leads

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/hours"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC) // a Tuesday

func pool(agents ...*Agent) *Pool {
	for _, a := range agents {
		a.Zone = time.UTC
	}
	return &Pool{Name: "sales", React: time.Minute, Agents: agents, Leads: map[string]*Lead{}, Changed: map[string]bool{}}
}

var count int

func (p *Pool) comes(who string, skills string) flow.Outcome {
	count++
	return p.Do(Order{Verb: flow.VerbAssign, Where: map[string]string{"skills": skills}, Contact: who, At: noon.Add(time.Duration(count) * time.Millisecond), ID: who})
}

func (p *Pool) order(verb, who, agent, reason string, at time.Time) flow.Outcome {
	return p.Do(Order{Verb: verb, Where: map[string]string{"lead": who, "agent": agent, "reason": reason}, Contact: who, At: at})
}

func want(t *testing.T, o flow.Outcome, result, agent string) {
	t.Helper()
	if o.Result != result || o.Agent != agent {
		t.Errorf("%s to %q, want %s to %q", o.Result, o.Agent, result, agent)
	}
}

func TestWhoGetsIt(t *testing.T) {
	week, _ := hours.ParseWeek(map[string]string{"monday": "09:00-17:00"})
	p := pool(
		&Agent{ID: "ann", On: true, Skills: []string{"en", "es"}},
		&Agent{ID: "bob", Skills: []string{"en"}},
		&Agent{ID: "cy", On: true, Week: week, Skills: []string{"en"}},
		&Agent{ID: "di", On: true, Capacity: 1, Skills: []string{"en"}},
	)
	want(t, p.comes("1", "es"), flow.ResultDone, "ann")
	want(t, p.comes("2", "en"), flow.ResultDone, "di")
	want(t, p.comes("3", "en"), flow.ResultDone, "ann") // bob is off, cy out of hours, di full
	want(t, p.comes("3", "en"), flow.ResultDone, "ann") // once
	want(t, p.comes("4", "fr"), flow.ResultNone, "")
	if p.Agents[0].Open != 2 || p.Agents[3].Open != 1 {
		t.Errorf("ann has %d, di %d", p.Agents[0].Open, p.Agents[3].Open)
	}
}

func TestQueueIsServedByAge(t *testing.T) {
	p := pool(&Agent{ID: "ann", On: true, Capacity: 1}, &Agent{ID: "bob", Capacity: 1})
	want(t, p.comes("1", ""), flow.ResultDone, "ann")
	for _, who := range []string{"2", "3", "4"} {
		want(t, p.comes(who, ""), flow.ResultQueued, "")
	}
	p.Agents[1].On = true
	want(t, p.comes("5", ""), flow.ResultQueued, "") // 2 has waited for longer
	want(t, p.order(flow.VerbAssign, "3", "", ReasonQueue, noon), flow.ResultMissing, "")
	if due := p.Due(noon); len(due) != 1 || due[0].ID != "2" {
		t.Errorf("due are %v", due)
	}
	want(t, p.order(flow.VerbAssign, "2", "", ReasonQueue, noon), flow.ResultDone, "bob")
	want(t, p.order(flow.VerbAssign, "2", "", ReasonQueue, noon), flow.ResultMissing, "")
	want(t, p.order(flow.VerbClose, "1", "", "", noon), flow.ResultDone, "ann")
	want(t, p.order(flow.VerbClose, "1", "", "", noon), flow.ResultMissing, "")
	want(t, p.order(flow.VerbAssign, "3", "", ReasonQueue, noon), flow.ResultDone, "ann")
}

func TestReassign(t *testing.T) {
	p := pool(&Agent{ID: "ann", On: true}, &Agent{ID: "bob", On: true}, &Agent{ID: "cy"})
	want(t, p.comes("1", ""), flow.ResultDone, "ann")
	want(t, p.order(flow.VerbAssign, "1", "", ReasonSilent, noon), flow.ResultMissing, "") // too early
	late := noon.Add(2 * time.Minute)
	want(t, p.order(flow.VerbAssign, "1", "", ReasonSilent, late), flow.ResultDone, "bob")
	want(t, p.order(flow.VerbTake, "1", "", "", late), flow.ResultDone, "bob")
	want(t, p.order(flow.VerbAssign, "1", "", ReasonSilent, late.Add(time.Hour)), flow.ResultMissing, "") // it is worked on
	want(t, p.order(flow.VerbAssign, "1", "", ReasonRefused, late), flow.ResultDone, "ann")               // who had it before
	p.Agents[0].On = false
	want(t, p.order(flow.VerbAssign, "1", "", ReasonAbsent, late), flow.ResultDone, "bob")
	p.Agents[1].On = false
	want(t, p.order(flow.VerbAssign, "1", "", ReasonAbsent, late), flow.ResultQueued, "")
	want(t, p.order(flow.VerbAssign, "1", "cy", ReasonOperator, late), flow.ResultDone, "cy")
	want(t, p.order(flow.VerbTake, "1", "bob", "", late), flow.ResultDone, "bob")
	want(t, p.order(flow.VerbAssign, "1", "nobody", ReasonOperator, late), flow.ResultMissing, "")
	for i, open := range []int{0, 1, 0} {
		if p.Agents[i].Open != open {
			t.Errorf("%s has %d, want %d", p.Agents[i].ID, p.Agents[i].Open, open)
		}
	}
	if o := p.Do(Order{Verb: flow.VerbClose, Where: map[string]string{"lead": "1"}, Contact: "somebody else", At: late}); o.Result != flow.ResultMissing {
		t.Errorf("somebody else's: %s", o.Result)
	}
}

// TestFair: whatever leads come, go, and come back while agents go off and on: a lead
// that is given goes to one who had least, so those who are there differ by one at most
// once as many came as the difference was; who waits, waits because nobody has room; the
// counts are those of the leads.
func TestFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "agents")
		p := pool()
		for i := range n {
			p.Agents = append(p.Agents, &Agent{ID: fmt.Sprint("a", i), Zone: time.UTC, On: true, Weight: rapid.IntRange(1, 3).Draw(t, "weight"), Capacity: rapid.IntRange(0, 4).Draw(t, "capacity")})
		}
		for i := range rapid.IntRange(1, 60).Draw(t, "orders") {
			at := noon.Add(time.Duration(i) * time.Second)
			a := p.Agents[rapid.IntRange(0, n-1).Draw(t, "agent")]
			who := fmt.Sprint("l", rapid.IntRange(0, i).Draw(t, "who"))
			before := show(p)
			p.Begin()
			switch rapid.SampledFrom([]string{"come", "come", "come", "on", "close", "queue", "refused", "absent", "take", "merge"}).Draw(t, "what") {
			case "come":
				least := least(p)
				o := p.Do(Order{Verb: flow.VerbAssign, Contact: who, At: at, ID: fmt.Sprint("l", i)})
				if o.Lead == fmt.Sprint("l", i) && o.Result == flow.ResultDone && float64(p.agent(o.Agent).Open)/float64(p.agent(o.Agent).Weight) > least+1e-9 {
					t.Fatalf("%s has %d now, and somebody had less", o.Agent, p.agent(o.Agent).Open)
				}
			case "on":
				a.On = !a.On
				before = show(p)
			case "close":
				p.Do(Order{Verb: flow.VerbClose, Where: map[string]string{"lead": who}, Contact: contactOf(p, who), At: at})
			case "take":
				p.Do(Order{Verb: flow.VerbTake, Where: map[string]string{"lead": who, "agent": a.ID}, Contact: contactOf(p, who), At: at})
			case "merge":
				if into := fmt.Sprint("l", rapid.IntRange(0, i+1).Draw(t, "into")); into != contactOf(p, who) {
					p.Merge(contactOf(p, who), into)
				}
			case "queue":
				for _, l := range p.Due(at) {
					if o := p.Do(Order{Verb: flow.VerbAssign, Where: map[string]string{"lead": l.ID, "reason": ReasonQueue}, Contact: l.Contact, At: at}); o.Result != flow.ResultDone {
						t.Fatalf("%s was due, and it is %s", l.ID, o.Result)
					}
				}
				if len(p.Due(at)) > 0 {
					t.Fatal("somebody waits although there is room")
				}
			default:
				p.Do(Order{Verb: flow.VerbAssign, Where: map[string]string{"lead": who, "reason": rapid.SampledFrom([]string{ReasonRefused, ReasonAbsent}).Draw(t, "why")}, Contact: contactOf(p, who), At: at})
			}
			check(t, p)
			if rapid.Bool().Draw(t, "undo") {
				if p.Undo(); show(p) != before {
					t.Fatalf("undone it is\n%s, and was\n%s", show(p), before)
				}
			}
		}
	})
}

// least is what the one who would have least with one more would have, by weight.
func least(p *Pool) float64 {
	least := math.Inf(1)
	for _, a := range p.Agents {
		if a.free(&Lead{}, noon) {
			least = min(least, float64(a.Open+1)/float64(a.Weight))
		}
	}
	return least
}

func contactOf(p *Pool, lead string) string {
	if l := p.Leads[lead]; l != nil {
		return l.Contact
	}
	return ""
}

func show(p *Pool) string {
	s := ""
	for _, a := range p.Agents {
		s += fmt.Sprintf("%s %v %d %d; ", a.ID, a.On, a.Open, a.Assigned)
	}
	for _, l := range p.Queue {
		s += fmt.Sprintf("%s %v; ", l.ID, l.Tried)
	}
	return s + fmt.Sprint(len(p.Leads), len(p.Changed))
}

func check(t *rapid.T, p *Pool) {
	open, queued, owned := map[string]int{}, 0, map[string]bool{}
	for _, l := range p.Leads {
		if l.State != Closed && owned[l.Contact] {
			t.Fatalf("%s has two open leads", l.Contact)
		}
		owned[l.Contact] = owned[l.Contact] || l.State != Closed
		switch l.State {
		case Assigned, Taken:
			open[l.Agent]++
		case Queued:
			queued++
		}
	}
	for _, a := range p.Agents {
		if a.Open != open[a.ID] {
			t.Fatalf("%s has %d, and %d leads are theirs", a.ID, a.Open, open[a.ID])
		}
	}
	if queued != len(p.Queue) {
		t.Fatalf("%d wait, and %d are in the queue", queued, len(p.Queue))
	}
}
