package insight

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// asking is a flow of one question, whose reminder comes after some time.
const asking = `name: asking
language: en
entry: [{default: true}]
steps:
  - {name: day, say: Which day?, expect: {type: text, save: day}, remind: [{after: AFTER, say: Still there?}]}
completed: {say: Thanks., again: Done.}
`

// population is how people behave who are asked: some come by themselves, at their own
// pace, and a reminder brings some of those who are still silent.
type population struct {
	name string
	// never is the share that does not come by itself, median and sigma are the log-normal
	// delay of the others.
	never, sigma float64
	median       time.Duration
	// brings is the share of those still silent whom a reminder at some time brings.
	brings func(hours float64) float64
	// wins is what auto is worth more than three hours, at least. Where three hours are as
	// good as any time, or the best, it costs what is spent on looking: one in ten is not
	// reminded, and one in ten at another time.
	wins float64
}

var populations = []population{
	{"soon forgotten", 0.45, 2, 5 * time.Minute, func(h float64) float64 { return 0.05 + 0.5*math.Exp(-h/2) }, 0.1},
	{"at the desk again", 0.5, 1.5, 10 * time.Minute, func(h float64) float64 { return 0.1 + 0.4*math.Exp(-(h-7)*(h-7)/8) }, 0.1},
	{"slow by themselves", 0.2, 1, 50 * time.Minute, func(float64) float64 { return 0.3 }, -0.01},
	{"best after three hours", 0.45, 1.5, 15 * time.Minute, func(h float64) float64 { return 0.1 + 0.3*math.Exp(-(h-3.5)*(h-3.5)/4) }, -0.06},
}

// waverer is what somebody will do, whatever is done to them: the same in each trial.
type waverer struct {
	alone    time.Duration // when they come by themselves; a year is never
	yields   float64       // a reminder brings them if it brings more than that share
	reaction time.Duration
}

func (p population) waverer(n int) waverer {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	one := waverer{alone: 365 * 24 * time.Hour, yields: r.Float64(), reaction: time.Duration(r.ExpFloat64() * float64(10*time.Minute))}
	delay := time.Duration(float64(p.median) * math.Exp(p.sigma*r.NormFloat64()))
	if r.Float64() >= p.never {
		one.alone = delay
	}
	return one
}

// result is what came of people who were silent for ten minutes.
type result struct{ silent, returned, reminded, needless int }

// value is what [Silences.Advise] says it wins: returns, less the needless reminders.
func (r result) value() float64 {
	return (float64(r.returned) - annoyance*float64(r.needless)) / float64(r.silent)
}

func (r result) String() string {
	part := func(n int) float64 { return 100 * float64(n) / float64(r.silent) }
	return fmt.Sprintf("%5.1f %% back, %5.1f %% reminded, %5.1f %% needlessly, value %5.1f", part(r.returned), part(r.reminded), part(r.needless), 100*r.value())
}

const (
	trialDays, peopleADay = 30, 500
	settled               = 10 // days until what was learnt counts
)

// trial lets a month of people meet a flow, with the real engine, and its timers, counts
// and advice.
type trial struct {
	t      *testing.T
	f      *flow.Flow
	people population
	days   [trialDays + 2]Silences // by the day on which they began
	result result
	// won is how many more came back than would have, of so many whose reminder was drawn:
	// what the withheld ones are to estimate.
	won, drawn int
}

func runTrial(t *testing.T, people population, after string) (*trial, Silences) {
	f, err := flow.Parse([]byte(strings.ReplaceAll(asking, "AFTER", after)))
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{t: t, f: f.WithVersion(1), people: people}
	for day := range trialDays {
		if day == settled {
			tr.result = result{}
		}
		advice := tr.adviceOn(day)
		for n := range peopleADay {
			tr.meet(day, day*peopleADay+n, advice)
		}
	}
	var all Silences
	for _, day := range tr.days {
		for b, n := range day {
			all.Add(b, n)
		}
	}
	return tr, all
}

// adviceOn is the advice that the projector has written by a day.
func (tr *trial) adviceOn(day int) *parleyv1.ReminderAdvice {
	var known Silences
	for d := range max(day-1, 0) {
		for b, n := range tr.days[d] {
			known.Add(b, n)
		}
	}
	if known == (Silences{}) {
		return nil
	}
	a := known.Advise()
	return &parleyv1.ReminderAdvice{Step: "day", AfterMs: a.After.Milliseconds(), Reason: a.Reason}
}

// meet is one person's question, to their answer or the end of the day.
func (tr *trial) meet(day, n int, advice *parleyv1.ReminderAdvice) {
	who := tr.people.waverer(n)
	asked := int64(day)*dayMs + int64(n%peopleADay)*60_000
	_, s := flow.Turn(tr.f, nil, flow.State{}, tr.says(n, asked, "hi"))
	back, reminded, drawn := who.alone, false, false
	for s.Status == flow.Active {
		var in *parleyv1.Input
		if wake := s.WakeAt(); asked+back.Milliseconds() <= wake {
			in = tr.says(n, asked+back.Milliseconds(), "friday")
		} else {
			in = flow.TimerInput(fmt.Sprint("t", n, wake), wake, s.Progress.Ref, wake)
			in.GetTimerDue().Advice = advice
		}
		var events []*parleyv1.Event
		events, s = flow.Turn(tr.f, tr.f, s, in)
		for _, e := range events {
			tr.count(e)
			if e.GetReminderQueued() != nil {
				reminded = true
				drawn = s.Progress.Silence != nil && s.Progress.Silence.Drawn
				after := time.Duration(in.GetAtMs()-asked) * time.Millisecond
				if who.yields < tr.people.brings(after.Hours()) {
					back = min(back, after+who.reaction)
				}
			}
		}
	}
	if drawn {
		tr.drawn++
		if s.Status == flow.Completed && who.alone >= horizon {
			tr.won++
		}
	}
	if who.alone < flow.AutoFirst {
		return
	}
	tr.result.silent++
	if s.Status == flow.Completed {
		tr.result.returned++
	}
	if reminded {
		tr.result.reminded++
		if who.alone < horizon {
			tr.result.needless++
		}
	}
}

func (tr *trial) says(n int, atMs int64, text string) *parleyv1.Input {
	return &parleyv1.Input{Id: fmt.Sprint("p", n, text), AtMs: atMs, Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text", Text: text}}}
}

func (tr *trial) count(e *parleyv1.Event) {
	counts := NewCounts()
	counts.Add(e)
	for _, row := range counts.SortedSilences() {
		tr.days[row.Key.Day].Add(row.Key.Bucket, row.Counts)
	}
}

// TestAutoBeatsFixed lets people of known behaviour be reminded after three hours, and
// when the reminder chooses, with what it costs to withhold some and to try other times.
func TestAutoBeatsFixed(t *testing.T) {
	for _, people := range populations {
		t.Run(people.name, func(t *testing.T) {
			t.Parallel()
			fixed, _ := runTrial(t, people, "3h")
			auto, known := runTrial(t, people, "auto")
			uplift, low, high, _ := Uplift(known.total())
			t.Logf("3h:   %s", fixed.result)
			t.Logf("auto: %s", auto.result)
			t.Logf("advice at the end: %+v; measured uplift %.1f points (%.1f to %.1f)", known.Advise(), 100*uplift, 100*low, 100*high)
			if least := fixed.result.value() + people.wins; auto.result.value() < least {
				t.Errorf("auto is worth %.3f, want %.3f", auto.result.value(), least)
			}
			if truth := float64(auto.won) / float64(auto.drawn); truth < low || truth > high {
				t.Errorf("the uplift is %.3f, measured as %.3f to %.3f", truth, low, high)
			}
		})
	}
}
