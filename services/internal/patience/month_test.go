package patience

import (
	"container/heap"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var sessions = flag.Int("sessions", 5000, "how many people the month has")

const month = 28 * 24 * time.Hour // then two days in which nobody begins

var monday = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

// bug is a mistake of whoever runs the core, planted to see that the judge notices.
type bug string

const (
	noBug       bug = ""
	timerLost   bug = "a timer is not committed with its turn"
	staleState  bug = "a timer decides by the state of before the last message"
	noOffset    bug = "the person's clock is not told"
	keptHot     bug = "an expired session stays among those that run"
	neverPut    bug = "a session that ended is not put away"
	handOverOld bug = "the hand-over of the question is not told"
	deaf        bug = "timers go off no more after the tenth day"
)

// moment is something that is due.
type moment struct {
	at  int64
	seq int
	who *life
	// input is what arrives in the person's lane; nil lets the person write, or the timer
	// be read.
	input *parleyv1.Input
	timer int64 // the timer that is read, by its time; 0 lets the person write
	act   int   // the version of the person's intent
}

type agenda []moment

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(m any)   { *a = append(*a, m.(moment)) }
func (a *agenda) Pop() any {
	old := *a
	m := old[len(old)-1]
	*a = old[:len(old)-1]
	return m
}

// life is one person with their session, as the store keeps it.
type life struct {
	*Person
	state, before flow.State
	hot           bool
	timer         int64 // the row of timers; 0 is none
	handedOver    int64 // when the question is with WhatsApp
	said, act     int
	stopped       bool
}

// world runs the core over a month: a lane for each person, a table of timers, and
// outages in which nothing goes off.
type world struct {
	t      testing.TB
	f      *flow.Flow
	bug    bug
	chance *rand.Rand
	agenda agenda
	seq    int
	judge  *Judge
	lives  []*life
	turns  int
	over   bool // nobody writes any more
}

// outages are times in which no timer goes off, from and to in hours of the month.
var outages = [][2]int64{{50, 52}, {9*24 + 20, 10*24 + 22}, {400, 401}}

func newWorld(t testing.TB, people int, seed uint64, planted bug) *world {
	f, err := flow.Parse([]byte(Source))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, f: f.WithVersion(1), bug: planted, chance: rand.New(rand.NewPCG(seed, 1)), judge: NewJudge()}
	for n := range people {
		one := &life{Person: Meet(seed, n, monday, month), hot: true}
		w.lives = append(w.lives, one)
		w.push(moment{at: one.Begins.UnixMilli(), who: one})
	}
	return w
}

func (w *world) push(m moment) {
	w.seq++
	m.seq = w.seq
	heap.Push(&w.agenda, m)
}

// run goes on to a time, in order.
func (w *world) run(until time.Time) {
	for len(w.agenda) > 0 && w.agenda[0].at <= until.UnixMilli() {
		m := heap.Pop(&w.agenda).(moment)
		switch {
		case m.input != nil:
			w.turn(m.who, m.input, m.at)
		case m.timer != 0:
			w.fire(m.who, m.timer, m.at)
		case m.act == m.who.act && !w.over:
			w.write(m.who, m.at)
		}
	}
}

// write lets a person say something.
func (w *world) write(who *life, at int64) {
	who.said++
	text := "hi"
	if who.state.Status != flow.None {
		text = who.Says(who.state.Step)
	}
	w.turn(who, &parleyv1.Input{
		Id:   fmt.Sprintf("m%d.%d", who.Number, who.said),
		Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text", Text: text}},
	}, at)
}

// fire reads a timer that is due, as session replicas do, and puts it into the lane: most
// often at once, at times much later, at times twice.
func (w *world) fire(who *life, timer, at int64) {
	if who.timer != timer {
		return // its row is gone, or moved
	}
	in := flow.TimerInput(fmt.Sprintf("timer/%s/%d", who.state.Progress.Ref, timer), 0, who.state.Progress.Ref, timer)
	due := in.GetTimerDue()
	if due.PromptAtMs = who.handedOver; who.handedOver > at {
		due.PromptAtMs = -1
	}
	if w.bug == handOverOld {
		due.PromptAtMs = 0
	}
	if w.chance.IntN(3) > 0 {
		due.Advice = &parleyv1.ReminderAdvice{Step: "kind", AfterMs: 2_400_000, Reason: "of 300 silences"}
	}
	lag := w.chance.Int64N(1500)
	if w.chance.IntN(100) == 0 {
		lag = w.chance.Int64N(3 * 3_600_000)
	}
	w.push(moment{at: at + lag, who: who, input: in})
	if w.chance.IntN(50) == 0 {
		w.push(moment{at: at + lag + 31_000, who: who, input: in})
	}
	w.push(moment{at: at + 30_000, who: who, timer: timer}) // if it is still there then, it was lost
}

// turn decides, and commits: the state, its timer, whether it is among those that run.
func (w *world) turn(who *life, in *parleyv1.Input, at int64) {
	w.turns++
	state := who.state
	if w.bug == staleState && in.GetTimerDue() != nil && w.chance.IntN(20) == 0 && who.before.Status == flow.Active && who.before.WakeAt() != 0 {
		state = who.before
		in = flow.TimerInput(in.GetId(), 0, state.Progress.Ref, state.WakeAt())
	}
	events, next := flow.Turn(w.f, w.f, state, w.dressed(who, in, at))
	if len(events) == 0 {
		return
	}
	w.judge.Turn(who.Person, events)
	who.before, who.state = who.state, next
	spoken, asked, reminded := who.see(events)
	w.commit(who, at)
	if asked {
		w.handOver(who, at)
	}
	if spoken {
		w.intend(who, at, reminded)
	}
}

// dressed is an input with its time, and what was kept with the contact.
func (w *world) dressed(who *life, in *parleyv1.Input, at int64) *parleyv1.Input {
	contact := &parleyv1.ContactInfo{Phone: who.Phone, OptedOut: who.stopped}
	if _, seconds := time.UnixMilli(at).In(who.Zone).Zone(); w.bug != noOffset {
		minutes := int32(seconds / 60)
		contact.UtcOffsetMinutes = &minutes
	}
	return &parleyv1.Input{Id: in.GetId(), AtMs: at, Contact: contact, Body: in.GetBody()}
}

// see takes in what was said to the person.
func (who *life) see(events []*parleyv1.Event) (spoken, asked, reminded bool) {
	for _, e := range events {
		spoken = spoken || e.GetMessageQueued() != nil
		asked = asked || e.GetStepEntered() != nil
		reminded = reminded || e.GetReminderQueued() != nil
		who.stopped = who.stopped && e.GetOptedIn() == nil || e.GetOptedOut() != nil
	}
	return spoken, asked, reminded
}

// commit writes the row and the timer.
func (w *world) commit(who *life, at int64) {
	who.hot = !who.state.Archived()
	switch w.bug {
	case keptHot:
		who.hot = who.hot || who.state.Status == flow.Expired
	case neverPut:
		who.hot = who.hot || who.state.Progress.Archived
	}
	if w.bug == timerLost && w.chance.IntN(500) == 0 || who.state.WakeAt() == who.timer {
		return
	}
	if who.timer = who.state.WakeAt(); who.timer != 0 {
		w.push(moment{at: w.goesOff(max(who.timer, at)), who: who, timer: who.timer})
	}
}

// goesOff is when a timer is read that is due at a time.
func (w *world) goesOff(at int64) int64 {
	hour := time.Hour.Milliseconds()
	for _, out := range outages {
		from, to := monday.UnixMilli()+out[0]*hour, monday.UnixMilli()+out[1]*hour
		if at >= from && at < to {
			return to + w.chance.Int64N(10*60_000)
		}
	}
	if w.bug == deaf && at > monday.UnixMilli()+10*24*hour {
		return at + 1000*hour
	}
	return at
}

// handOver gives a question to WhatsApp: most often at once, at times much later.
func (w *world) handOver(who *life, at int64) {
	who.handedOver = at + w.chance.Int64N(3000)
	if w.chance.IntN(50) == 0 {
		who.handedOver = at + w.chance.Int64N(2*3_600_000)
	}
	w.judge.HandedOver(who.Person, time.UnixMilli(who.handedOver).UTC())
}

// intend decides when the person writes next.
func (w *world) intend(who *life, at int64, reminded bool) {
	if w.judge.Waiting(who.Person) == "" && !who.Stays() {
		return
	}
	if silence, ok := who.Silence(reminded); ok {
		who.act++
		w.push(moment{at: max(at, who.handedOver) + silence.Milliseconds(), who: who, act: who.act})
	}
}

// late is by how much timers may be behind: the lane's lag, and an outage of late.
func (w *world) late(now time.Time) time.Duration {
	late := 4 * time.Hour
	for _, out := range outages {
		from, to := monday.Add(time.Duration(out[0])*time.Hour), monday.Add(time.Duration(out[1])*time.Hour)
		if from.Before(now) && now.Sub(to) < 4*24*time.Hour {
			late += to.Sub(from)
		}
	}
	return late
}

// look judges all rows.
func (w *world) look(now time.Time) {
	late := w.late(now)
	for _, who := range w.lives {
		if who.state.Status == flow.None {
			continue
		}
		row := Row{Hot: who.hot}
		if who.timer != 0 {
			row.WakeAt = time.UnixMilli(who.timer).UTC()
		}
		w.judge.Look(who.Person, now, row, late)
	}
}

// runMonth plays the month, looks at all rows every two days, and once more when
// everybody has been silent for a week.
func runMonth(t testing.TB, people int, seed uint64, planted bug) *world {
	w := newWorld(t, people, seed, planted)
	for day := 2; day <= 30; day += 2 {
		now := monday.AddDate(0, 0, day)
		w.run(now)
		w.look(now)
	}
	w.over = true
	end := monday.AddDate(0, 0, 38)
	w.run(end)
	w.look(end)
	return w
}

// TestMonth: of people who take their time for a month, none waits without a timer, is
// reminded of what they answered, or at night, or by what WhatsApp does not take; who is
// silent for too long expires, and lies in the archive.
func TestMonth(t *testing.T) {
	w := runMonth(t, *sessions, 1, noBug)
	for _, fault := range w.judge.Faults {
		t.Error(fault)
	}
	t.Logf("%d people, %d turns, %v", *sessions, w.turns, w.judge.Counts)
	for _, kind := range []string{"reminded", "withheld", "expired", "resumed", "archived", "timed out"} {
		if w.judge.Counts[kind] < *sessions/100 {
			t.Errorf("only %d sessions were %s", w.judge.Counts[kind], kind)
		}
	}
	for _, who := range w.lives {
		if who.hot && who.state.Status != flow.Human {
			t.Fatalf("person %d has been silent for a week, and is among those that run: %s at %q", who.Number, who.state.Status, who.state.Step)
		}
	}
}

// TestPlantedBugs: the judge notices what whoever runs the core can do wrong.
func TestPlantedBugs(t *testing.T) {
	for _, planted := range []struct {
		bug  bug
		says string
	}{
		{timerLost, "waits at"},
		{staleState, "reminder"},
		{noOffset, "o'clock there"},
		{keptHot, "in the archive: false"},
		{neverPut, "in the archive: false"},
		{handOverOld, "after"},
		{deaf, "waits at"},
	} {
		w := runMonth(t, 600, 2, planted.bug)
		if w.judge.Found() == 0 || !strings.Contains(strings.Join(w.judge.Faults, "\n"), planted.says) {
			t.Errorf("%s: %d faults, %q", planted.bug, w.judge.Found(), w.judge.Faults)
			continue
		}
		t.Logf("%s: %d faults, such as %s", planted.bug, w.judge.Found(), w.judge.Faults[0])
	}
}
