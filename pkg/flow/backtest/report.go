package backtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// DivergencesMax is how many changed conversations a report names.
const DivergencesMax = 50

// Report compares a version with what was recorded.
type Report struct {
	Flow          string `json:"flow"`
	Conversations int    `json:"conversations"`
	// Same counts the conversations that go the same way.
	Same    int `json:"same"`
	Changed int `json:"changed"`
	// Failed counts those that the new version could not play.
	Failed int `json:"failed"`
	// Recorded and Replayed are what became of the conversations.
	Recorded Totals `json:"recorded"`
	Replayed Totals `json:"replayed"`
	// Steps are the funnels side by side, in the order of the new version.
	Steps []StepRow `json:"steps"`
	// Waiting says where people would still wait whose conversation had ended.
	Waiting []Waiting `json:"waiting"`
	// Divergences are the first few changed conversations, Causes all of them by
	// where they part.
	Divergences []Divergence `json:"divergences"`
	Causes      []Cause      `json:"causes"`

	steps   map[string]*StepRow
	waiting map[string]int
	causes  map[Cause]int
}

// Totals is what became of conversations.
type Totals struct {
	Completed int `json:"completed"`
	Cancelled int `json:"cancelled"`
	Human     int `json:"human"`
	Active    int `json:"active"`
}

// StepRow is one step in both funnels.
type StepRow struct {
	Step     string `json:"step"`
	Recorded Counts `json:"recorded"`
	Replayed Counts `json:"replayed"`
}

// Counts is what happened at a step.
type Counts struct {
	Entered  int `json:"entered"`
	Answered int `json:"answered"`
	Rejected int `json:"rejected"`
	Left     int `json:"left"`
}

// Waiting is a step at which people would now still wait.
type Waiting struct {
	Step   string `json:"step"`
	People int    `json:"people"`
}

// Divergence is where a conversation first goes another way.
type Divergence struct {
	Session uint64 `json:"session"`
	// Turn counts the person's inputs from 1.
	Turn int    `json:"turn"`
	Said string `json:"said"`
	Was  string `json:"was"`
	Now  string `json:"now"`
}

// Cause is a way in which conversations part, and how many do.
type Cause struct {
	Was    string `json:"was"`
	Now    string `json:"now"`
	People int    `json:"people"`
}

// New makes an empty report about a version.
func New(f *flow.Flow) *Report {
	r := &Report{Flow: f.Name(), steps: map[string]*StepRow{}, waiting: map[string]int{}, causes: map[Cause]int{}}
	for _, step := range f.Steps() {
		r.step(step)
	}
	return r
}

// Add plays one recorded session through the version. Its events are all of the
// session's, in order.
func (r *Report) Add(f *flow.Flow, session uint64, events []*parleyv1.Event) {
	if len(events) == 0 || events[0].GetSessionStarted() == nil {
		return // its beginning is no longer kept
	}
	r.Conversations++
	was := recorded(events)
	r.count(was, func(s *StepRow) *Counts { return &s.Recorded })
	r.Recorded.add(was.state)
	now, err := replayed(events, f)
	if err != nil {
		r.Failed++
		r.part(Divergence{Session: session, Turn: len(now.turns) + 1, Was: outcomeAt(was, len(now.turns)), Now: err.Error()})
		return
	}
	r.count(now, func(s *StepRow) *Counts { return &s.Replayed })
	r.Replayed.add(now.state)
	if was.state.Status != flow.Active && now.state.Status == flow.Active {
		r.waiting[now.state.Step]++
	}
	r.compare(session, was, now)
}

func (r *Report) compare(session uint64, was, now played) {
	for i := range max(len(was.turns), len(now.turns)) {
		if a, b := outcomeAt(was, i), outcomeAt(now, i); a != b {
			r.Changed++
			said := ""
			if i < len(was.turns) {
				said = was.turns[i].said
			}
			r.part(Divergence{Session: session, Turn: i + 1, Said: said, Was: a, Now: b})
			return
		}
	}
	r.Same++
}

func outcomeAt(p played, i int) string {
	if i >= len(p.turns) {
		return "(over)"
	}
	return p.turns[i].outcome
}

func (r *Report) part(d Divergence) {
	r.causes[Cause{Was: d.Was, Now: d.Now}]++
	if len(r.Divergences) < DivergencesMax {
		r.Divergences = append(r.Divergences, d)
	}
}

func (t *Totals) add(s flow.State) {
	switch s.Status {
	case flow.Completed:
		t.Completed++
	case flow.Cancelled:
		t.Cancelled++
	case flow.Human:
		t.Human++
	default:
		t.Active++
	}
}

func (r *Report) step(name string) *StepRow {
	if r.steps[name] == nil {
		r.steps[name] = &StepRow{Step: name}
		r.Steps = append(r.Steps, StepRow{Step: name})
	}
	return r.steps[name]
}

func (r *Report) count(p played, side func(*StepRow) *Counts) {
	for _, e := range p.events {
		switch body := e.GetBody().(type) {
		case *parleyv1.Event_StepEntered:
			side(r.step(body.StepEntered.GetStep())).Entered++
		case *parleyv1.Event_AnswerAccepted:
			side(r.step(body.AnswerAccepted.GetStep())).Answered++
		case *parleyv1.Event_AnswerRejected:
			side(r.step(body.AnswerRejected.GetStep())).Rejected++
		case *parleyv1.Event_StepLeft:
			side(r.step(body.StepLeft.GetStep())).Left++
		case *parleyv1.Event_SessionCancelled:
			if step := body.SessionCancelled.GetStep(); step != "" {
				side(r.step(step)).Left++
			}
		}
	}
}

// Finish puts the counts into the report's lists, the most frequent first.
func (r *Report) Finish() {
	for i := range r.Steps {
		r.Steps[i] = *r.steps[r.Steps[i].Step]
	}
	for _, step := range slices.Sorted(maps.Keys(r.waiting)) {
		r.Waiting = append(r.Waiting, Waiting{step, r.waiting[step]})
	}
	slices.SortStableFunc(r.Waiting, func(a, b Waiting) int { return b.People - a.People })
	for cause, people := range r.causes {
		cause.People = people
		r.Causes = append(r.Causes, cause)
	}
	slices.SortFunc(r.Causes, func(a, b Cause) int {
		return cmp.Or(b.People-a.People, cmp.Compare(fmt.Sprint(a.Was, a.Now), fmt.Sprint(b.Was, b.Now)))
	})
}
