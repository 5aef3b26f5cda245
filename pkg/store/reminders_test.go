package store

import (
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/insight"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// silent are the events of people who were silent at a step, on a day: so many of each
// kind, a quarter of an hour or a day long.
func silent(day time.Time, step string, replied, never, returned, forNothing, withheldBack, withheldNot int) []*parleyv1.Event {
	const quarter, hour, long = 900_000, 3_600_000, 86_400_000
	kinds := []struct {
		n int
		e *parleyv1.SilenceEnded
	}{
		{replied, &parleyv1.SilenceEnded{SilentMs: quarter, Replied: true}},
		{never, &parleyv1.SilenceEnded{SilentMs: long}},
		{returned, &parleyv1.SilenceEnded{SilentMs: 2 * hour, Replied: true, ReachedMs: hour, Drawn: true}},
		{forNothing, &parleyv1.SilenceEnded{SilentMs: long, ReachedMs: hour, Drawn: true}},
		{withheldBack, &parleyv1.SilenceEnded{SilentMs: 2 * hour, Replied: true, ReachedMs: hour, Withheld: true, Drawn: true}},
		{withheldNot, &parleyv1.SilenceEnded{SilentMs: long, ReachedMs: hour, Withheld: true, Drawn: true}},
	}
	var events []*parleyv1.Event
	for _, kind := range kinds {
		kind.e.Step, kind.e.BeganMs = step, day.UnixMilli()
		for range kind.n {
			events = append(events, &parleyv1.Event{
				Flow: "lead", FlowVersion: version, Channel: "a", Language: "en", SessionStartedAtMs: sunday.UnixMilli(),
				Body: &parleyv1.Event_SilenceEnded{SilenceEnded: kind.e},
			})
		}
	}
	return events
}

// TestSilences counts silences of two shards and two days, advises by those of one day,
// and gives the advice to the timers of who stands there.
func TestSilences(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceProjector, 2)
	lease := addCounts(t, s, leases[0], silent(sunday, "one", 3, 4, 5, 6, 7, 8))
	addCounts(t, s, leases[1], silent(sunday, "one", 1, 0, 0, 0, 0, 0))
	lease = addCounts(t, s, lease, silent(sunday.AddDate(0, 0, 1), "one", 100, 0, 0, 0, 0, 0))
	addCounts(t, s, lease, silent(sunday, "two", 60, 0, 0, 0, 0, 0))
	all, err := s.Silences(t.Context(), sunday, sunday)
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	var n insight.SilenceCounts
	for _, bucket := range all[FlowStep{"lead", "one"}] {
		n.Replied += bucket.Replied
		n.Cut += bucket.Cut
		n.Reminded += bucket.Reminded
		n.Returned += bucket.Returned
		n.Withheld += bucket.Withheld
		n.WithheldReturned += bucket.WithheldReturned
	}
	if want := (insight.SilenceCounts{Replied: 3 + 1 + 7, Cut: 4 + 5 + 6 + 8, Reminded: 11, Returned: 5, Withheld: 15, WithheldReturned: 7}); n != want {
		t.Errorf("%+v, want %+v", n, want)
	}
}

// TestAdvice writes advice and changes it; the timer of who stands at the step has it.
func TestAdvice(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	part := armed(lease, "ann", "a1", 0)
	part.Sessions[0].State.Flow, part.Sessions[0].State.Step = "lead", "one"
	appendTurns(t, s, part)
	check := func(step string, advice insight.Advice) {
		t.Helper()
		due := dueTimers(t, s, 10, 0)
		if len(due) != 1 || due[0].Step != step || due[0].Advice != advice {
			t.Errorf("%+v, want %q %+v", due, step, advice)
		}
	}
	advise := func(step string, advice insight.Advice) {
		t.Helper()
		if err := s.Advise(t.Context(), map[FlowStep]insight.Advice{{"lead", step}: advice}); err != nil {
			t.Fatal(err)
		}
	}
	check("", insight.Advice{})
	advise("two", insight.Advice{After: time.Hour, Reason: "other step"})
	check("", insight.Advice{})
	advise("one", insight.Advice{After: time.Hour, Reason: "first"})
	check("one", insight.Advice{After: time.Hour, Reason: "first"})
	advise("one", insight.Advice{After: time.Minute, Reason: "second"})
	check("one", insight.Advice{After: time.Minute, Reason: "second"})
	if err := s.Advise(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestFunnelReminders shows what reminders do beside the step, in the days asked for.
func TestFunnelReminders(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceProjector, 1)[0]
	lease = addCounts(t, s, lease, conversations(t))
	lease = addCounts(t, s, lease, silent(sunday, "name", 1, 1, 70, 30, 10, 90))
	addCounts(t, s, lease, silent(sunday.AddDate(0, 0, 3), "name", 0, 0, 100, 0, 0, 0))
	if err := s.Advise(t.Context(), map[FlowStep]insight.Advice{{"lead", "name"}: {After: time.Hour, Reason: "known"}}); err != nil {
		t.Fatal(err)
	}
	funnel, err := s.Funnel(t.Context(), FunnelFilter{Flow: "lead", To: sunday.Format(time.DateOnly)})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range funnel.Steps {
		r := step.Reminders
		if step.Step != "name" {
			if r != nil {
				t.Errorf("%s: %+v", step.Step, r)
			}
			continue
		}
		if r == nil || r.Reminded != 100 || r.Returned != 70 || r.Withheld != 100 || r.WithheldReturned != 10 || r.AfterMs != 3_600_000 || r.Reason != "known" {
			t.Fatalf("%+v", r)
		}
		if r.Uplift == nil || *r.Uplift < 0.59 || *r.Uplift > 0.61 || *r.Low < 0.4 || *r.High > 0.75 {
			t.Errorf("uplift %v, %v to %v", *r.Uplift, *r.Low, *r.High)
		}
	}
}
