package backtest

import (
	"cmp"
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
	// Same counts the conversations that go the same way, Changed those that do not.
	Same    int `json:"same"`
	Changed int `json:"changed"`
	// Unknown counts those that go the same way up to where the version looks up rows
	// of a table which nobody looked up then.
	Unknown int `json:"unknown"`
	// Failed counts those that the version could not play.
	Failed int `json:"failed"`
	// Recorded and Replayed are what became of the conversations.
	Recorded Totals `json:"recorded"`
	Replayed Totals `json:"replayed"`
	// Steps are the funnels side by side, in the order of the new version. A step that
	// its file maps to another name (migrate) stands there.
	Steps []StepRow `json:"steps"`
	// Waiting says where people would still wait whose conversation had ended, or had
	// come to another step.
	Waiting []Waiting `json:"waiting"`
	// Divergences are the first few conversations that part, Causes all of them by
	// where they do.
	Divergences []Divergence `json:"divergences"`
	Causes      []Cause      `json:"causes"`

	version *candidate
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
	// Unbegun counts those that did not begin at all, Unknown those that cannot be
	// followed to their end.
	Unbegun int `json:"unbegun"`
	Unknown int `json:"unknown"`
}

// StepRow is one step in both funnels.
type StepRow struct {
	Step string `json:"step"`
	// Gone says that the version has no such step.
	Gone     bool   `json:"gone,omitempty"`
	Recorded Counts `json:"recorded"`
	Replayed Counts `json:"replayed"`
}

// Counts is what happened at a step, counted as the read models do: but a migration
// that changes no step is nobody's coming or going.
type Counts struct {
	Entered  int `json:"entered"`
	Answered int `json:"answered"`
	Rejected int `json:"rejected"`
	// Left counts the people who went on or ended without an answer.
	Left int `json:"left"`
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
	r := &Report{
		Flow: f.Name(), Steps: []StepRow{}, Waiting: []Waiting{}, Divergences: []Divergence{}, Causes: []Cause{},
		version: newCandidate(f), steps: map[string]*StepRow{}, waiting: map[string]int{}, causes: map[Cause]int{},
	}
	for _, step := range f.Steps() {
		r.step(step)
	}
	return r
}

// Add plays one recorded session through the version. Its events are all of the
// session's, in order; before them may stand the InputReceived that began it, if the
// session before keeps that.
func (r *Report) Add(session uint64, events []*parleyv1.Event) {
	was, ok := record(events, r.version.names)
	if !ok {
		return // its beginning is no longer kept
	}
	r.Conversations++
	r.count(was.events, r.version.names, func(s *StepRow) *Counts { return &s.Recorded })
	r.Recorded.add(was.played)
	now, err := r.version.replay(was)
	r.count(now.events, nil, func(s *StepRow) *Counts { return &s.Replayed })
	switch {
	case err != nil:
		r.Failed++
		r.Replayed.Unknown++
		r.part(session, was.turns, len(now.turns), err.Error())
		return
	case now.unknown:
		r.Replayed.Unknown++
	default:
		r.Replayed.add(now.played)
		r.wait(was, now)
	}
	r.compare(session, was, now)
}

// wait notes who would now wait at a step where they were not left.
func (r *Report) wait(was *recording, now *replay) {
	stays := was.state.Status == flow.Active && r.version.names.of(was.state.Step) == now.state.Step
	if now.state.Status == flow.Active && !stays {
		r.waiting[now.state.Step]++
	}
}

// compare finds the first turn that leads elsewhere. Of a conversation that cannot
// be followed, what was followed counts.
func (r *Report) compare(session uint64, was *recording, now *replay) {
	n := max(len(was.turns), len(now.turns))
	if now.unknown {
		n = len(now.turns)
	}
	for i := range n {
		if outcomeAt(was.turns, i) != outcomeAt(now.turns, i) {
			r.Changed++
			r.part(session, was.turns, i, outcomeAt(now.turns, i))
			return
		}
	}
	if now.unknown {
		r.Unknown++
		r.part(session, was.turns, n, "looks up "+now.rows.wanted+", and what it held then was not recorded")
		return
	}
	r.Same++
}

// over is the outcome of a turn that did not take place.
const over = "(over)"

func outcomeAt(turns []turn, i int) string {
	if i >= len(turns) {
		return over
	}
	return turns[i].outcome
}

// part notes where a conversation parts.
func (r *Report) part(session uint64, was []turn, at int, now string) {
	d := Divergence{Session: session, Turn: at + 1, Was: cmp.Or(outcomeAt(was, at), nothing), Now: cmp.Or(now, nothing)}
	if at < len(was) {
		d.Said = was[at].said
	}
	r.causes[Cause{Was: d.Was, Now: d.Now}]++
	if len(r.Divergences) < DivergencesMax {
		r.Divergences = append(r.Divergences, d)
	}
}

// nothing is the outcome of a turn that led nowhere.
const nothing = "(nothing)"

func (t *Totals) add(p played) {
	switch {
	case p.completed:
		t.Completed++
	case p.state.Status == flow.None:
		t.Unbegun++
	case p.state.Status == flow.Cancelled:
		t.Cancelled++
	case p.state.Status == flow.Human:
		t.Human++
	default:
		t.Active++
	}
}

func (r *Report) step(name string) *StepRow {
	if r.steps[name] == nil {
		r.steps[name] = &StepRow{Step: name, Gone: !r.version.has[name]}
		r.Steps = append(r.Steps, StepRow{Step: name})
	}
	return r.steps[name]
}

// count adds the events of one session to one side. moved is the step that a
// migration left: who comes back to it never went.
func (r *Report) count(events []*parleyv1.Event, names renames, side func(*StepRow) *Counts) {
	at := func(step string) *Counts { return side(r.step(names.of(step))) }
	moved := ""
	settle := func() {
		if moved != "" {
			at(moved).Left++
		}
		moved = ""
	}
	for _, e := range events {
		switch body := e.GetBody().(type) {
		case *parleyv1.Event_InputReceived:
			settle()
		case *parleyv1.Event_StepEntered:
			if step := names.of(body.StepEntered.GetStep()); step != moved {
				at(step).Entered++
			} else {
				moved = ""
			}
		case *parleyv1.Event_StepLeft:
			if body.StepLeft.GetReason() == flow.ReasonMigrated {
				moved = names.of(body.StepLeft.GetStep())
			} else {
				at(body.StepLeft.GetStep()).Left++
			}
		default:
			countAnswer(e, at)
		}
	}
	settle()
}

func countAnswer(e *parleyv1.Event, at func(step string) *Counts) {
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_AnswerAccepted:
		at(body.AnswerAccepted.GetStep()).Answered++
	case *parleyv1.Event_AnswerRejected:
		at(body.AnswerRejected.GetStep()).Rejected++
	case *parleyv1.Event_HandedOver:
		if step := body.HandedOver.GetStep(); step != "" && body.HandedOver.GetReason() != flow.ReasonStep {
			at(step).Left++
		}
	case *parleyv1.Event_SessionCancelled:
		if step := body.SessionCancelled.GetStep(); step != "" {
			at(step).Left++
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
		return cmp.Or(b.People-a.People, cmp.Compare(a.Was, b.Was), cmp.Compare(a.Now, b.Now))
	})
}
