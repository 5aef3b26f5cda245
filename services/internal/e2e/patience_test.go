//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Hours are seconds here: reminders after 3 and 8, a timeout after 4, the end of the wait
// after 16.
const patientFlow = `name: lead
language: en
expire: {after: 16s}
entry: [{default: true}]
steps:
  - name: first
    say: First?
    expect: {type: text, save: first}
    remind: [{after: 3s, say: Still there?}, {after: 8s, say: Last call.}]
  - {name: second, say: Second?, expect: {type: text, save: second}, timeout: {after: 4s, goto: late}}
  - {name: late, say: We call you., end: completed}
completed: {say: Thanks., again: Done.}
`

// patients are people who take their time: a third never answers, a third answers once,
// a third comes back after their session has expired.
type patients struct {
	*testing.T
	*up
	db     *store.Store
	people [3][]fake.Person
	said   int
}

const (
	never = iota
	once
	later
)

func (p *patients) say(kind int, text string) {
	p.Helper()
	var items []fake.Item
	for _, one := range p.people[kind] {
		p.said++
		items = append(items, fake.Text(one, fmt.Sprint("wamid.patient.", p.said), time.Now(), text))
	}
	signed(p.T, p.webhook(), items...)
}

// awaitEvents waits until there are so many events of a kind.
func (p *patients) awaitEvents(kind string, want int) {
	p.Helper()
	await(p.T, patience, fmt.Sprintf("%d events %s", want, kind), func() error {
		if n := count(p.Context(), p.T, p.db, `SELECT count(*) FROM events WHERE type = $1`, kind); n < want {
			return fmt.Errorf("%d are there", n)
		}
		return nil
	})
}

// dies kills the process, and starts it again. Questions should have been handed over
// before: one that was in a queue when its time was up is looked at a minute later.
func (p *patients) dies() {
	p.Helper()
	p.db.Close()
	p.kill()
	p.start(p.T)
	p.db = open(p.T, p.database(p.T))
}

// TestUpPatience kills up while people take their time: reminders, timeouts, expiry and
// the way back come all the same, once, and never for what was answered.
func TestUpPatience(t *testing.T) {
	const each = 40
	graph := httptest.NewServer(&fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer { return fake.Answer{} }})
	t.Cleanup(graph.Close)
	dir := folder(t)
	write(t, dir, "lead.yaml", patientFlow)
	p := &patients{T: t, up: newUp(t)}
	for n := range 3 * each {
		p.people[n%3] = append(p.people[n%3], fake.Person{Phone: fmt.Sprintf("15550200%03d", n), Name: "P"})
	}
	p.start(t, environment(graph.URL, "PARLEY_FLOWS_DIR="+dir, "PARLEY_SEND_GRACE=2s")...)
	p.db = open(t, p.database(t))
	for kind := range p.people {
		p.say(kind, "hi")
	}
	p.awaitEvents("SessionStarted", 3*each)
	p.sent(t)
	p.dies()
	p.awaitEvents("ReminderQueued", each)
	p.say(once, "one")
	p.awaitEvents("AnswerAccepted", each)
	p.sent(t)
	p.dies()
	p.awaitEvents("StepTimedOut", each)
	p.awaitEvents("SessionExpired", each/2)
	p.dies()
	p.awaitEvents("SessionExpired", 2*each)
	p.say(later, "one")
	p.awaitEvents("AnswerAccepted", 2*each)
	p.sent(t)
	p.dies()
	p.awaitEvents("SessionCompleted", 2*each)
	p.check(each)
}

// check judges what is stored of everybody.
func (p *patients) check(each int) {
	p.Helper()
	kinds := map[string]int{}
	for kind, people := range p.people {
		for _, one := range people {
			counts := p.judge(store.ContactID(channel, one.Phone))
			want := map[int][3]int{never: {1, 0, 0}, once: {0, 1, 1}, later: {1, 1, 1}}[kind] // expired, timed out, completed
			if got := [3]int{counts["expired"], counts["timed out"], counts["completed"]}; got != want || kind != once && counts["reminded"] == 0 {
				p.Errorf("person of kind %d: expired, timed out, completed %v, want %v; %v", kind, got, want, counts)
			}
			for name, n := range counts {
				kinds[name] += n
			}
		}
	}
	ctx := p.Context()
	if n := count(ctx, p.T, p.db, `SELECT count(*) FROM session_archive WHERE status = 'expired'`); n != each {
		p.Errorf("%d expired sessions are in the archive, want %d", n, each)
	}
	if n := count(ctx, p.T, p.db, `SELECT count(*) FROM sessions s WHERE status = 'active' OR NOT EXISTS (SELECT FROM timers t WHERE t.contact_id = s.contact_id)`); n != 0 {
		p.Errorf("%d sessions still wait, or have no timer for the archive", n)
	}
	if n := count(ctx, p.T, p.db, `SELECT count(*) FROM dead_letters`); n != 0 {
		p.Errorf("%d dead letters", n)
	}
	p.Logf("SUMMARY up_patience: 4 kills, %d people, %v", 3*each, kinds)
}

// judge holds one person's events against what they may expect, and counts them.
func (p *patients) judge(contact uuid.UUID) map[string]int {
	p.Helper()
	counts := map[string]int{}
	var step string
	var asked, heard int64
	var reminded uint32
	for _, e := range p.events(contact) {
		silent := time.Duration(e.GetAtMs()-max(asked, heard)) * time.Millisecond
		switch body := e.GetBody().(type) {
		case *parleyv1.Event_StepEntered:
			step, asked, reminded = body.StepEntered.GetStep(), e.GetAtMs(), 0
		case *parleyv1.Event_InputReceived:
			if body.InputReceived.GetInput().GetMessage() != nil {
				heard = e.GetAtMs()
			}
		case *parleyv1.Event_AnswerAccepted:
			step = ""
		case *parleyv1.Event_ReminderQueued:
			counts["reminded"]++
			r := body.ReminderQueued
			if least := []time.Duration{3 * time.Second, 8 * time.Second}[r.GetNumber()-1]; r.GetStep() != step || silent < least || r.GetNumber() <= reminded {
				p.Errorf("reminder %d of %s after %s, at %q with %d done", r.GetNumber(), r.GetStep(), silent, step, reminded)
			}
			reminded = r.GetNumber()
		case *parleyv1.Event_StepTimedOut:
			if counts["timed out"]++; step != "second" || silent < 4*time.Second {
				p.Errorf("timed out at %q after %s", step, silent)
			}
		case *parleyv1.Event_SessionExpired:
			if counts["expired"]++; silent < 16*time.Second {
				p.Errorf("expired at %q after %s", step, silent)
			}
		case *parleyv1.Event_SessionCompleted:
			counts["completed"]++
		}
	}
	return counts
}

// events are those of a person, in order.
func (p *patients) events(contact uuid.UUID) (events []*parleyv1.Event) {
	p.Helper()
	for shard, head := range heads(p.Context(), p.T, p.db) {
		all, err := p.db.ReadEvents(p.Context(), shard, 0, int(head))
		if err != nil {
			p.Fatal(err)
		}
		for _, e := range all {
			if uuid.UUID(e.GetContactId()) == contact {
				events = append(events, e)
			}
		}
	}
	return events
}
