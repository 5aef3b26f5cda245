package backtest

import (
	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// played is one conversation in one version.
type played struct {
	// turns are one for each input of the person, with the silence after it.
	turns     []turn
	events    []*parleyv1.Event
	state     flow.State
	completed bool
}

// recording is a session as it was, up to its end: what comes after a session was
// cancelled was said to nobody.
type recording struct {
	played
	started *parleyv1.Event
	heard   []heard
	// headless says that the session began in the turn that ended another one, which
	// keeps the input of that turn.
	headless bool
}

// heard is one input of a recording.
type heard struct {
	// in is nil if it is not known what began the session.
	in *parleyv1.Input
	// events came of it.
	events []*parleyv1.Event
	// at is where the session stood, wakeAt when it wanted to be woken; both before the
	// input.
	at     place
	wakeAt int64
}

// place is where a session stands: at a question, or at none.
type place struct {
	status flow.Status
	step   string
}

// placeOf is where a session stands. One that has expired stands at its question
// still: the person may come back to it.
func placeOf(s flow.State, names renames) place {
	if s.Status == flow.Expired {
		s.Status = flow.Active
	}
	return place{s.Status, names.of(s.Step)}
}

// record cuts a session's events into its turns. The first event may be the input
// that began the session, where the session before keeps it. ok is false if the
// session's beginning is missing.
func record(events []*parleyv1.Event, names renames) (r *recording, ok bool) {
	r = &recording{}
	var opening *parleyv1.Input
	if len(events) > 1 && events[1].GetSessionStarted() != nil {
		opening, events = events[0].GetInputReceived().GetInput(), events[1:]
	}
	if len(events) == 0 || events[0].GetSessionStarted() == nil {
		return nil, false
	}
	r.started = events[0]
	if ref := r.started.GetSessionStarted().GetRef(); ref != "" && ref != refOf(opening.GetId()) {
		opening = nil // it began another session
	}
	r.headless = len(events) < 2 || events[1].GetInputReceived() == nil
	for len(events) > 0 && r.state.Status != flow.Cancelled {
		n := turnLength(events)
		h := heard{in: opening, events: events[:n:n], at: placeOf(r.state, names), wakeAt: r.state.WakeAt()}
		if len(r.heard) > 0 || !r.headless {
			h.in = inputOf(h.events)
		}
		r.heard = append(r.heard, h)
		r.add(h.in, h.events, outcomeOf(h.events, names))
		events = events[n:]
	}
	return r, true
}

// turnLength is how many events belong to the first turn: they begin with the
// input, or with SessionStarted and the input.
func turnLength(events []*parleyv1.Event) int {
	for i := 1; i < len(events); i++ {
		if events[i].GetInputReceived() != nil && !(i == 1 && events[0].GetSessionStarted() != nil) {
			return i
		}
	}
	return len(events)
}

func inputOf(events []*parleyv1.Event) *parleyv1.Input {
	for _, e := range events[:min(2, len(events))] {
		if in := e.GetInputReceived().GetInput(); in != nil {
			return in
		}
	}
	return nil
}

// add folds a turn. A silence belongs to what the person said before it, so that it
// makes no difference whether a version waits for more of an answer; a migration is
// nobody's turn.
func (p *played) add(in *parleyv1.Input, events []*parleyv1.Event, outcome string) {
	for _, e := range events {
		p.state = flow.Evolve(p.state, e)
		p.completed = p.completed || e.GetSessionCompleted() != nil
	}
	p.events = append(p.events, events...)
	switch {
	case in.GetMigration() != nil:
	case in.GetTimerDue() != nil && len(p.turns) > 0:
		last := &p.turns[len(p.turns)-1]
		last.outcome = joined(last.outcome, outcome)
	default:
		p.turns = append(p.turns, turn{said: kindOf(in), outcome: outcome})
	}
}
