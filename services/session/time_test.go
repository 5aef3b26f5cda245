package session

import (
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/insight"
	"github.com/parleyhq/parley/pkg/store"
)

// patient is a flow that reminds, gives up waiting, and lets people come back.
const patient = `
name: patient
language: en
entry: [{keyword: [VISIT]}]
keywords: {stop: {words: [STOP], say: Bye.}}
steps:
  - name: day
    say: Which day?
    expect: {type: text, save: day}
    remind: [{after: 3h, say: Still there?}]
  - {name: what, say: "And what, on {day}?", expect: {type: text, save: what}, timeout: {after: 1h, goto: late}}
  - {name: late, say: We call you., end: completed}
completed: {say: Thanks., again: Done., restart: message}
`

func (d *desk) count(sql string) (n int) {
	d.t.Helper()
	if err := d.conn.QueryRow(d.t.Context(), sql).Scan(&n); err != nil {
		d.t.Fatal(err)
	}
	return n
}

// Monday to Wednesday: a reminder, a night, an archive, and every answer still there.
func TestSilenceAndReturn(t *testing.T) {
	d := newDesk(t)
	d.publish(patient)
	timers := d.clockwork(nil)
	d.say(ada, "wamid.1", "visit")
	d.pass(2 * time.Hour)
	d.fire(timers, 0)
	d.pass(time.Hour)
	d.fire(timers, 1)
	d.wantReplies(ada, "Which day?", "Still there?")
	d.say(ada, "wamid.2", "friday")
	d.pass(10 * time.Minute)
	d.say(ada, "wamid.3", "STOP")
	d.say(ada, "wamid.4", "visit")
	d.pass(21 * time.Hour) // the timer of before is not there any more
	d.fire(timers, 1)
	d.pass(3 * time.Hour)
	d.fire(timers, 1)
	d.wantReplies(ada, "Which day?", "Still there?", "And what, on friday?", "Bye.", "Which day?", "Still there?")
	if n := d.count(`SELECT count(*) FROM sessions`); n != 0 {
		t.Errorf("%d sessions run", n)
	}
	if n := d.count(`SELECT count(*) FROM session_archive`); n != 2 {
		t.Errorf("%d sessions in the archive, want the one that ended and the one that expired", n)
	}
	d.consistent(t)
	d.pass(48 * time.Hour)
	d.fire(timers, 0)
	d.say(ada, "wamid.5", "saturday")
	d.wantReplies(ada, "Which day?", "Still there?", "And what, on friday?", "Bye.", "Which day?", "Still there?", "And what, on saturday?")
	if _, s := d.known(ada); s.State.Status != flow.Active || s.State.Answers["day"] != "saturday" || s.FromArchive {
		t.Errorf("%+v", s)
	}
	if n := d.count(`SELECT count(*) FROM session_archive`); n != 1 {
		t.Errorf("%d sessions in the archive: one came back", n)
	}
	d.consistent(t)
}

// A session that was completed is put away after a day, answers on from there, and
// keeps its row when the next one begins.
func TestEndedSessionIsArchived(t *testing.T) {
	d := newDesk(t)
	d.publish(patient)
	timers := d.clockwork(nil)
	d.say(ada, "wamid.1", "visit")
	d.say(ada, "wamid.2", "friday")
	d.say(ada, "wamid.3", "cut")
	for range 4 {
		d.pass(24 * time.Hour)
		if err := timers.Fire(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.run(100)
	}
	if n := d.count(`SELECT count(*) FROM session_archive WHERE status = 'completed'`); n != 1 {
		t.Fatalf("%d completed sessions in the archive", n)
	}
	if n := d.count(`SELECT count(*) FROM timers`); n != 0 {
		t.Errorf("%d timers are left", n)
	}
	d.say(ada, "wamid.4", "hello")
	if n := d.count(`SELECT count(*) FROM sessions`) + 10*d.count(`SELECT count(*) FROM session_archive WHERE flow_data->>'what' = 'cut'`); n != 11 {
		t.Errorf("the next session runs, and the one before is kept: %d", n)
	}
	d.consistent(t)
}

// The clock of a question runs from when WhatsApp has it, and stands while it waits in a queue.
func TestTimeoutFromTheHandOver(t *testing.T) {
	d := newDesk(t)
	d.publish(patient)
	timers := d.clockwork(nil)
	d.say(ada, "wamid.1", "visit")
	d.say(ada, "wamid.2", "friday")
	contact, session := d.known(ada)
	asked := time.UnixMilli(session.State.Progress.AskedMs)
	d.exec(`INSERT INTO deliveries (shard, "offset", channel, contact_id, session_id, content, state, queued_at)
		VALUES ($1, 1000, $2, $3, $4, '', 'queued', $5)`, session.Shard, session.Key.Channel, contact.ID, int64(session.ID), asked)
	d.pass(time.Hour)
	d.fire(timers, 1) // it lies in the queue
	d.exec(`UPDATE deliveries SET state = 'accepted', settled_at = $1`, d.time.Add(time.Minute))
	d.pass(30 * time.Minute)
	d.fire(timers, 1) // WhatsApp has it for 29 minutes
	if _, s := d.known(ada); s.State.Step != "what" {
		t.Fatalf("%+v", s.State)
	}
	d.pass(31 * time.Minute)
	d.fire(timers, 1)
	d.wantReplies(ada, "Which day?", "And what, on friday?", "We call you.", "Thanks.")
	d.consistent(t)
}

// A question that the dispatcher has not come to is pending too.
func TestPromptBehindTheDispatcher(t *testing.T) {
	d := newDesk(t)
	d.publish(patient)
	d.say(ada, "wamid.1", "visit")
	d.pass(3 * time.Hour)
	due := func() store.Prompt {
		t.Helper()
		timers, err := d.store.TimersOf(t.Context(), d.Owned(), d.time, 10)
		if err != nil || len(timers) != 1 {
			t.Fatalf("%v, %v", timers, err)
		}
		return timers[0].Prompt
	}
	if p := due(); p.Pending {
		t.Errorf("no dispatcher is known: %+v", p)
	}
	_, s := d.known(ada)
	d.exec(`INSERT INTO leases (service, shard, checkpoint, checkpoint_at) VALUES ('dispatcher', $1, 0, '-infinity')
		ON CONFLICT (service, shard) DO UPDATE SET checkpoint = 0`, s.Shard)
	if p := due(); !p.Pending {
		t.Errorf("the dispatcher has seen nothing yet: %+v", p)
	}
}

// hesitant is a flow whose reminder chooses its time.
const hesitant = `
name: hesitant
language: en
entry: [{keyword: [VISIT]}]
keywords: {stop: {words: [STOP], say: Bye.}}
steps:
  - {name: day, say: Which day?, expect: {type: text, save: day}, remind: [{after: auto, say: Still there?}]}
completed: {say: Thanks., again: Done., restart: message}
`

// A reminder comes by what is known of the step when its time is chosen, and says so in
// its event; what is learnt later changes nothing for who waits already.
func TestReminderByAdvice(t *testing.T) {
	d := newDesk(t)
	d.publish(hesitant)
	timers := d.clockwork(nil)
	advise := func(after time.Duration) {
		t.Helper()
		if err := d.store.Advise(t.Context(), map[store.FlowStep]insight.Advice{{Flow: "hesitant", Step: "day"}: {After: after, Reason: "of 300 silences"}}); err != nil {
			t.Fatal(err)
		}
	}
	d.say(ada, "wamid.1", "visit")
	d.pass(flow.AutoFirst)
	d.fire(timers, 1)
	d.pass(flow.AutoDefault - flow.AutoFirst)
	d.fire(timers, 1)
	d.wantReplies(ada, "Which day?", "Still there?")
	d.say(ada, "wamid.2", "friday")

	advise(time.Hour)
	d.say(ada, "wamid.33", "again") // one whose draw is near the best time
	d.pass(flow.AutoFirst)
	d.fire(timers, 1)
	advise(9 * time.Hour)
	_, s := d.known(ada)
	plan := s.State.Progress.Silence
	if plan == nil || !plan.Drawn || plan.Withheld || plan.Reason != "of 300 silences" || plan.AfterMs < 42*60_000 || plan.AfterMs > 84*60_000 {
		t.Fatalf("%+v", plan)
	}
	d.pass(time.Duration(plan.AfterMs)*time.Millisecond - flow.AutoFirst - time.Second)
	d.fire(timers, 0)
	d.pass(time.Second)
	d.restart()
	d.fire(d.clockwork(nil), 1)
	d.wantReplies(ada, "Which day?", "Still there?", "Thanks.", "Which day?", "Still there?")
	said := ""
	for _, e := range d.events(ada) {
		if r := e.GetReminderQueued(); r != nil {
			said = r.GetReason()
		}
	}
	if !strings.HasPrefix(said, "silent for ") || !strings.HasSuffix(said, ": of 300 silences") {
		t.Errorf("the event gives as reason %q", said)
	}
	d.consistent(t)
}
