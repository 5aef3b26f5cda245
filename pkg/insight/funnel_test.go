package insight

import (
	"fmt"
	"maps"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const definition = `name: lead
language: en
keywords: {restart: [RESTART]}
steps:
  - {name: name, say: Your name?, expect: {type: text}}
  - {name: email, say: Your email?, expect: {type: email, invalid: No email.}}
  - {name: city, say: Your city?, expect: {type: text}}
completed: {say: Thanks, again: Bye}
`

// monday is when all sessions of the table start.
var monday = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func lead(t interface{ Fatalf(string, ...any) }, version uint32) *flow.Flow {
	f, err := flow.Parse([]byte(definition))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return f.WithVersion(version)
}

// person is somebody in conversation with flows.
type person struct {
	channel string
	state   flow.State
	turns   int
}

// say runs one turn and returns its events.
func (p *person) say(live, pinned *flow.Flow, at time.Time, text string) []*parleyv1.Event {
	p.turns++
	events, next := flow.Turn(live, pinned, p.state, &parleyv1.Input{
		Id: fmt.Sprint(p.turns), AtMs: at.UnixMilli(),
		Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text", Text: text}},
	})
	p.state = next
	for _, e := range events {
		e.Channel = p.channel
	}
	return events
}

func TestCounts(t *testing.T) {
	for _, c := range []struct {
		name  string
		says  []string
		total TotalCounts
		steps map[string]StepCounts
	}{
		{"arrives", []string{"hi"}, TotalCounts{Started: 1}, map[string]StepCounts{"name": {Position: 1, Entered: 1}}},
		{"answers", []string{"hi", "Ann"}, TotalCounts{Started: 1}, map[string]StepCounts{
			"name": {Position: 1, Entered: 1, Answered: 1}, "email": {Position: 2, Entered: 1},
		}},
		{"fails twice", []string{"hi", "Ann", "x", "y"}, TotalCounts{Started: 1}, map[string]StepCounts{
			"name": {Position: 1, Entered: 1, Answered: 1}, "email": {Position: 2, Entered: 1, Failed: 1, Rejections: 2},
		}},
		{"fails and recovers", []string{"hi", "Ann", "x", "a@b.de"}, TotalCounts{Started: 1}, map[string]StepCounts{
			"name": {Position: 1, Entered: 1, Answered: 1}, "email": {Position: 2, Entered: 1, Answered: 1, Failed: 1, Rejections: 1},
			"city": {Position: 3, Entered: 1},
		}},
		{"completes", []string{"hi", "Ann", "a@b.de", "Bonn", "more"}, TotalCounts{Started: 1, Completed: 1}, map[string]StepCounts{
			"name": {Position: 1, Entered: 1, Answered: 1}, "email": {Position: 2, Entered: 1, Answered: 1}, "city": {Position: 3, Entered: 1, Answered: 1},
		}},
		{"begins again", []string{"hi", "Ann", "RESTART"}, TotalCounts{Started: 2, Cancelled: 1}, map[string]StepCounts{
			"name": {Position: 1, Entered: 2, Answered: 1}, "email": {Position: 2, Entered: 1, Departed: 1},
		}},
		{"begins again after the end", []string{"hi", "Ann", "a@b.de", "Bonn", "RESTART"}, TotalCounts{Started: 2, Completed: 1}, map[string]StepCounts{
			"name": {Position: 1, Entered: 2, Answered: 1}, "email": {Position: 2, Entered: 1, Answered: 1}, "city": {Position: 3, Entered: 1, Answered: 1},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := lead(t, 1)
			counts := NewCounts()
			p := person{channel: "c"}
			for _, text := range c.says {
				for _, e := range p.say(f, f, monday, text) {
					counts.Add(e)
				}
			}
			cohort := Cohort{Flow: "lead", Version: 1, Channel: "c", Language: "en", Day: 20780}
			if want := map[Cohort]TotalCounts{cohort: c.total}; !maps.Equal(counts.totals, want) {
				t.Errorf("totals %+v, want %+v", counts.totals, want)
			}
			want := map[StepKey]StepCounts{}
			for step, n := range c.steps {
				want[StepKey{cohort, step}] = n
			}
			if !maps.Equal(counts.steps, want) {
				t.Errorf("steps %+v, want %+v", counts.steps, want)
			}
		})
	}
}

// TestCohortDay keeps a session in the day on which it started, by UTC, whenever it goes on.
func TestCohortDay(t *testing.T) {
	f := lead(t, 1)
	for at, day := range map[time.Time]int64{
		monday: 20780, monday.Add(24*time.Hour - time.Millisecond): 20780, monday.Add(-time.Millisecond): 20779, time.UnixMilli(0): 0,
	} {
		counts := NewCounts()
		p := person{}
		for i, text := range []string{"hi", "Ann", "x"} {
			for _, e := range p.say(f, f, at.Add(time.Duration(i)*48*time.Hour), text) {
				counts.Add(e)
			}
		}
		for _, row := range counts.SortedSteps() {
			if row.Key.Day != day {
				t.Errorf("started at %v: %s counts for day %d, want %d", at, row.Key.Step, row.Key.Day, day)
			}
		}
	}
}

// TestCountsProperties plays random conversations of several people with two versions of a flow.
func TestCountsProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		events, people := randomEvents(r)
		whole := NewCounts()
		for _, e := range events {
			whole.Add(e)
			checkSteps(r, whole)
		}
		checkPeople(r, whole, people)
		if batches := inBatches(r, events); !reflect.DeepEqual(batches, whole) {
			r.Fatalf("in batches\n%+v\nas a whole\n%+v", batches, whole)
		}
	})
}

func randomEvents(r *rapid.T) ([]*parleyv1.Event, []*person) {
	versions := []*flow.Flow{lead(r, 1), lead(r, 2)}
	people := make([]*person, rapid.IntRange(1, 4).Draw(r, "people"))
	for i := range people {
		people[i] = &person{channel: rapid.SampledFrom([]string{"a", "b"}).Draw(r, "channel")}
	}
	var events []*parleyv1.Event
	at := monday
	for range rapid.IntRange(1, 40).Draw(r, "turns") {
		p := rapid.SampledFrom(people).Draw(r, "person")
		text := rapid.SampledFrom([]string{"Ann", "a@b.de", "RESTART", "", "no email"}).Draw(r, "text")
		at = at.Add(time.Duration(rapid.Int64Range(0, int64(12*time.Hour)).Draw(r, "pause")))
		pinned := versions[max(p.state.FlowVersion, 1)-1]
		events = append(events, p.say(rapid.SampledFrom(versions).Draw(r, "live"), pinned, at, text)...)
	}
	return events, people
}

// checkSteps: nobody leaves a step who did not enter it, and nobody fails without a rejection.
func checkSteps(r interface{ Fatalf(string, ...any) }, c *Counts) {
	for key, n := range c.steps {
		if waiting := n.Entered - n.Answered - n.Departed; waiting < 0 || n.Failed > n.Rejections || n.Failed > n.Entered || n.Position == 0 {
			r.Fatalf("%v: %+v", key, n)
		}
	}
}

// checkPeople compares what the counts say with where everybody stands.
func checkPeople(r *rapid.T, c *Counts, people []*person) {
	waiting := map[StepKey]int64{}
	for key, n := range c.steps {
		if left := n.Entered - n.Answered - n.Departed; left > 0 {
			waiting[key] = left
		}
	}
	open := map[Cohort]int64{}
	for cohort, n := range c.totals {
		if left := n.Started - n.Completed - n.Cancelled; left > 0 {
			open[cohort] = left
		}
	}
	stand, started := map[StepKey]int64{}, map[Cohort]int64{}
	for _, p := range people {
		if p.state.Status == flow.Active {
			cohort := Cohort{p.state.Flow, p.state.FlowVersion, p.channel, p.state.Language, p.state.StartedAtMs / dayMs}
			stand[StepKey{cohort, p.state.Step}]++
			started[cohort]++
		}
	}
	if !maps.Equal(waiting, stand) || !maps.Equal(open, started) {
		r.Fatalf("counted as waiting\n%v\n%v\nwaiting are\n%v\n%v", waiting, open, stand, started)
	}
}

// inBatches folds the events in runs of random length and adds the counts up, as the read models do.
func inBatches(r *rapid.T, events []*parleyv1.Event) *Counts {
	sum := NewCounts()
	for len(events) > 0 {
		n := rapid.IntRange(1, len(events)).Draw(r, "batch")
		batch := NewCounts()
		for _, e := range events[:n] {
			batch.Add(e)
		}
		events = events[n:]
		for _, row := range batch.SortedSteps() {
			sum.step(row.Key.Cohort, row.Key.Step, func(c *StepCounts) {
				c.Position = max(c.Position, row.Counts.Position)
				c.Entered += row.Counts.Entered
				c.Answered += row.Counts.Answered
				c.Failed += row.Counts.Failed
				c.Rejections += row.Counts.Rejections
				c.Departed += row.Counts.Departed
			})
		}
		for _, row := range batch.SortedTotals() {
			sum.total(row.Key, func(c *TotalCounts) {
				c.Started += row.Counts.Started
				c.Completed += row.Counts.Completed
				c.Cancelled += row.Counts.Cancelled
				c.Expired += row.Counts.Expired
			})
		}
	}
	return sum
}

// TestSortedIsCanonical: the same counts come out in the same order, whatever order they were made in.
func TestSortedIsCanonical(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		events, _ := randomEvents(r)
		there, back := NewCounts(), NewCounts()
		for i := range events {
			there.Add(events[i])
			back.Add(events[len(events)-1-i])
		}
		steps, totals := there.SortedSteps(), there.SortedTotals()
		if !reflect.DeepEqual(steps, back.SortedSteps()) || !reflect.DeepEqual(totals, back.SortedTotals()) {
			r.Fatalf("forwards %+v %+v\nbackwards %+v %+v", steps, totals, back.SortedSteps(), back.SortedTotals())
		}
		for i := 1; i < len(steps); i++ {
			if a, b := steps[i-1].Key, steps[i].Key; a.Cohort.compare(b.Cohort) > 0 || a.Cohort == b.Cohort && a.Step >= b.Step {
				r.Fatalf("%+v comes before %+v", a, b)
			}
		}
	})
}

// TestUnknownEvents: what the read models do not count changes nothing.
func TestUnknownEvents(t *testing.T) {
	counts := NewCounts()
	for _, e := range []*parleyv1.Event{
		{},
		{Flow: "lead", Body: &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{}}},
		{Flow: "lead", Body: &parleyv1.Event_MessageQueued{MessageQueued: &parleyv1.MessageQueued{}}},
		{Flow: "lead", Body: &parleyv1.Event_SessionCancelled{SessionCancelled: &parleyv1.SessionCancelled{Reason: flow.ReasonRestart, Completed: true}}},
	} {
		counts.Add(e)
	}
	if len(counts.SortedSteps())+len(counts.SortedTotals()) != 0 {
		t.Errorf("counted %+v", counts)
	}
}
