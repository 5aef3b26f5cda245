package backtest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/dialogue"
	"github.com/parleyhq/parley/pkg/flow/hours"
	"github.com/parleyhq/parley/pkg/insight"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// demos is where the demo flows, their tables and their dialogues are.
var demos = filepath.Join("..", "..", "..", "deploy", "flows")

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func compile(t testing.TB, source string) *flow.Flow {
	t.Helper()
	f, err := flow.Parse([]byte(source))
	if err != nil {
		t.Fatalf("parse:\n%v", err)
	}
	return f.WithVersion(1)
}

// demoWorld has all demo flows.
func demoWorld(t testing.TB) dialogue.World {
	t.Helper()
	w := dialogue.World{Hours: map[string]*hours.Rules{}, Zone: time.LoadLocation}
	for _, file := range glob(t, "*.yaml") {
		w.Flows = append(w.Flows, compile(t, string(read(t, file))))
	}
	for _, file := range glob(t, "slots/*.yaml") {
		rules, err := hours.Parse(read(t, file), time.LoadLocation)
		if err != nil {
			t.Fatal(err)
		}
		w.Hours[rules.Service] = rules
	}
	return w
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(demos, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return files
}

// sessions are the conversations of the demo flows' dialogues, by flow.
func sessions(t testing.TB, w dialogue.World) map[string][][]*parleyv1.Event {
	t.Helper()
	all := map[string][][]*parleyv1.Event{}
	for _, file := range glob(t, "tests/*.txt") {
		dialogues, err := dialogue.Parse(string(read(t, file)))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, d := range dialogues {
			for _, s := range split(w.Run(d).Events) {
				name := s[len(s)-1].GetFlow()
				all[name] = append(all[name], s)
			}
		}
	}
	return all
}

// split cuts one person's events into sessions, and stamps the channel as the
// session service does. Before a session stands what began it, if the session before
// keeps that.
func split(events []*parleyv1.Event) [][]*parleyv1.Event {
	var all [][]*parleyv1.Event
	channel := ""
	for i, e := range events {
		if in := e.GetInputReceived().GetInput(); in != nil {
			channel = in.GetChannel()
		} else if i+1 < len(events) && e.GetSessionStarted() != nil && events[i+1].GetInputReceived() != nil {
			channel = events[i+1].GetInputReceived().GetInput().GetChannel()
		}
		e.Channel = channel
		switch {
		case e.GetSessionStarted() == nil && len(all) > 0:
			all[len(all)-1] = append(all[len(all)-1], e)
		case i >= 2 && events[i-1].GetSessionCancelled() != nil && events[i-2].GetInputReceived() != nil:
			all = append(all, []*parleyv1.Event{events[i-2], e})
		default:
			all = append(all, []*parleyv1.Event{e})
		}
	}
	return all
}

// tried plays conversations through a version.
func tried(f *flow.Flow, all ...[]*parleyv1.Event) *Report {
	r := New(f)
	for i, events := range all {
		r.Add(uint64(i+1), events)
	}
	r.Finish()
	return r
}

// checkSame: the conversations of a version with itself go the same way.
func checkSame(t interface {
	Helper()
	Errorf(string, ...any)
}, r *Report,
) {
	t.Helper()
	if r.Same != r.Conversations || r.Changed+r.Unknown+r.Failed != 0 || len(r.Waiting)+len(r.Divergences)+len(r.Causes) != 0 {
		t.Errorf("%s with itself: %d of %d the same, %+v, waiting %+v", r.Flow, r.Same, r.Conversations, r.Divergences, r.Waiting)
	}
	if r.Recorded != r.Replayed {
		t.Errorf("%s with itself ends otherwise: recorded %+v, replayed %+v", r.Flow, r.Recorded, r.Replayed)
	}
	for _, s := range r.Steps {
		if s.Recorded != s.Replayed {
			t.Errorf("%s with itself: %s recorded %+v, replayed %+v", r.Flow, s.Step, s.Recorded, s.Replayed)
		}
	}
}

// TestDemosWithThemselves plays the conversations of all dialogues of the demo flows
// through the same flows.
func TestDemosWithThemselves(t *testing.T) {
	w := demoWorld(t)
	all := sessions(t, w)
	for _, f := range w.Flows {
		t.Run(f.Name(), func(t *testing.T) {
			r := tried(f, all[f.Name()]...)
			if r.Conversations != len(all[f.Name()]) || r.Conversations < 5 {
				t.Fatalf("%d conversations of %d", r.Conversations, len(all[f.Name()]))
			}
			checkSame(t, r)
			checkInsight(t, r, all[f.Name()])
		})
	}
}

// checkInsight: the recorded funnel is the one that the read models show.
func checkInsight(t *testing.T, r *Report, all [][]*parleyv1.Event) {
	t.Helper()
	counts := insight.NewCounts()
	for _, events := range all {
		for _, e := range events[slices.IndexFunc(events, func(e *parleyv1.Event) bool { return e.GetSessionStarted() != nil }):] {
			counts.Add(e)
		}
	}
	steps := map[string]Counts{}
	for _, row := range counts.SortedSteps() {
		n := steps[row.Key.Step]
		n.Entered += int(row.Counts.Entered)
		n.Answered += int(row.Counts.Answered)
		n.Rejected += int(row.Counts.Rejections)
		n.Left += int(row.Counts.Departed)
		steps[row.Key.Step] = n
	}
	for _, s := range r.Steps {
		if s.Recorded != steps[s.Step] {
			t.Errorf("%s: recorded %+v, the read models have %+v", s.Step, s.Recorded, steps[s.Step])
		}
	}
	var completed, cancelled int
	for _, row := range counts.SortedTotals() {
		completed, cancelled = completed+int(row.Counts.Completed), cancelled+int(row.Counts.Cancelled)
	}
	if completed != r.Recorded.Completed || cancelled != r.Recorded.Cancelled {
		t.Errorf("recorded %+v, the read models have %d completed, %d cancelled", r.Recorded, completed, cancelled)
	}
}
