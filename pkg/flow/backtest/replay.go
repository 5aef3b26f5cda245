package backtest

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// replay plays a recording through another version. An answer is for the question
// that it was given to: it waits until this version asks that, and is never given if
// it does not. Words that mean something at any step are said when they were said.
type replay struct {
	*candidate
	played
	was  *recording
	live *flow.Router
	rows rows
	// kept are answers to questions that this version has not asked yet, in order.
	kept []heard
	now  int64 // the time of the last turn
	// over says that the session has ended, and nothing more belongs to it.
	over bool
	// unknown says that the version wants to see rows that were not recorded.
	unknown bool
}

// candidate is the version that is tried.
type candidate struct {
	flow  *flow.Flow
	names renames
	// restart is a word that begins the flow again; "" if there is none.
	restart string
	has     map[string]bool // steps
	routers map[string]*flow.Router
}

func newCandidate(f *flow.Flow) *candidate {
	c := &candidate{flow: f, names: renamesOf(f), has: map[string]bool{}, routers: map[string]*flow.Router{}}
	for _, step := range f.Steps() {
		c.has[step] = true
	}
	for _, k := range f.Describe().Keywords {
		if k.Name == flow.ReasonRestart && len(k.Words) > 0 {
			c.restart = k.Words[0]
		}
	}
	return c
}

// on is what is live on a channel: the version alone.
func (c *candidate) on(channel string) *flow.Router {
	if c.routers[channel] == nil {
		c.routers[channel] = flow.NewRouter(channel, c.flow.Name(), flow.Release{Flow: c.flow})
	}
	return c.routers[channel]
}

// replay plays a recording. The error is a fault of the version.
func (c *candidate) replay(was *recording) (r *replay, err error) {
	r = &replay{candidate: c, was: was, live: c.on(was.started.GetChannel()), rows: rowsOf(was.heard)}
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the engine gave up: %v", cause)
		}
	}()
	err = r.begin(was.heard[0])
	for i := 1; i < len(was.heard) && err == nil && !r.over; i++ {
		r.rows.turn = i
		if err = r.hear(was.heard[i]); err == nil {
			err = r.catchUp()
		}
	}
	if err == nil && r.state.WakeAt() != was.state.WakeAt() {
		if err = r.wake(); err == nil {
			err = r.catchUp()
		}
	}
	if errors.Is(err, errUnknownRows) {
		r.unknown, err = true, nil
	}
	return r, err
}

// hear plays one input that came after the first.
func (r *replay) hear(h heard) error {
	if err := r.wakeBefore(h); err != nil || r.over {
		return err
	}
	r.now = max(r.now, h.in.GetAtMs())
	here := placeOf(r.state, nil)
	switch {
	case h.in.GetTimerDue() != nil:
		if h.wakeAt == 0 || h.wakeAt != r.state.WakeAt() {
			return nil // it was due in a silence that this version did not wait for
		}
		return r.play(r.timer(h.in))
	case h.in.GetMigration() != nil:
		return r.migrate(h)
	case switched(h.events):
		r.add(h.in, h.events, outcomeOf(h.events, r.names))
		r.over = true
		return nil
	case h.at == here || isCommand(h.events):
		return r.play(r.adapted(h))
	case h.at.status == flow.Active:
		r.kept = append(r.kept, h)
	}
	r.add(h.in, nil, "") // it was said to a human, after the end, or to another question
	return nil
}

// switched reports whether an input began another flow: whatever this one says to it,
// it is over.
func switched(events []*parleyv1.Event) bool {
	return slices.ContainsFunc(events, func(e *parleyv1.Event) bool {
		return e.GetSessionCancelled().GetReason() == flow.ReasonSwitch
	})
}

// isCommand reports whether an input meant the same at any step when it was recorded.
func isCommand(events []*parleyv1.Event) bool {
	for _, e := range events {
		switch body := e.GetBody().(type) {
		case *parleyv1.Event_KeywordUsed, *parleyv1.Event_OptedOut, *parleyv1.Event_TapStale:
			return true
		case *parleyv1.Event_SessionCancelled:
			reason := body.SessionCancelled.GetReason()
			return reason == flow.ReasonRestart || reason == flow.ReasonStop
		}
	}
	return false
}

// catchUp gives the answers that were kept for the questions that are asked now.
func (r *replay) catchUp() error {
	for !r.over {
		i := slices.IndexFunc(r.kept, func(h heard) bool { return h.at == placeOf(r.state, nil) })
		if i < 0 {
			return nil
		}
		h := r.kept[i]
		r.kept = slices.Delete(r.kept, i, i+1)
		if h.in.GetAtMs() < r.now {
			h.in = proto.CloneOf(h.in)
			h.in.AtMs = r.now
		}
		if err := r.play(r.adapted(h)); err != nil {
			return err
		}
	}
	return nil
}

// wakesMax bounds the timers that go off before one input: reminders, and what an
// answer that is given late sets.
const wakesMax = 100

// wakeBefore lets timers go off before an input, unless the recorded session had the
// same one: then it went off when it is recorded.
func (r *replay) wakeBefore(h heard) error {
	for range wakesMax {
		at := r.state.WakeAt()
		if at == 0 || at == h.wakeAt || at > h.in.GetAtMs() || r.over {
			return nil
		}
		if err := r.wake(); err != nil {
			return err
		}
		if err := r.catchUp(); err != nil {
			return err
		}
	}
	return nil
}

// wake lets the timer go off that the session wants.
func (r *replay) wake() error {
	at := r.state.WakeAt()
	if at == 0 || r.over {
		return nil
	}
	r.now = max(r.now, at)
	in := flow.TimerInput(fmt.Sprint("timer ", at), at, "", 0)
	for _, h := range r.was.heard {
		if h.in.GetContact() != nil && h.in.GetAtMs() <= at {
			in.Contact, in.Channel = h.in.GetContact(), h.in.GetChannel()
		}
	}
	return r.play(r.timer(in))
}

// timer is a timer of this session.
func (r *replay) timer(of *parleyv1.Input) *parleyv1.Input {
	in := flow.TimerInput(of.GetId(), of.GetAtMs(), r.state.Progress.Ref, r.state.WakeAt())
	in.Contact, in.Channel = of.GetContact(), of.GetChannel()
	in.GetTimerDue().Advice = of.GetTimerDue().GetAdvice()
	return in
}

// play runs a turn, up to where it begins another session: what that one looks up is
// none of this one's business.
func (r *replay) play(in *parleyv1.Input) error {
	events, _, err := flow.Complete(r.live, r.flow, r.state, in, r.rows.find)
	if errors.Is(err, errUnknownRows) {
		events, _ = flow.Turn(r.live, r.flow, r.state, in)
	}
	begins := slices.IndexFunc(events, func(e *parleyv1.Event) bool { return e.GetSessionStarted() != nil })
	if err != nil && begins < 0 {
		return err
	}
	outcome := ""
	if begins == 0 {
		outcome = "begins again"
	}
	if begins >= 0 {
		events, r.over = events[:begins], true
	}
	r.add(in, events, joined(outcome, outcomeOf(events, nil)))
	r.over = r.over || r.state.Status == flow.Cancelled
	return nil
}

// migrate does what an operator did: the person goes on at another step, if they
// stand at the same one, and this version has the other.
func (r *replay) migrate(h heard) error {
	for _, e := range h.events {
		m := e.GetSessionMigrated()
		if m == nil || r.state.Status != flow.Active || r.state.Step != r.names.of(m.GetFromStep()) {
			continue
		}
		to := r.names.of(m.GetToStep())
		if !r.has[to] {
			continue
		}
		version := r.flow.Version()
		return r.play(&parleyv1.Input{
			Id: h.in.GetId(), AtMs: h.in.GetAtMs(), Contact: h.in.GetContact(), Channel: h.in.GetChannel(),
			Body: &parleyv1.Input_Migration{Migration: &parleyv1.Migration{
				Flow: r.flow.Name(), FromVersion: version, ToVersion: version, Steps: map[string]string{r.state.Step: to},
			}},
		})
	}
	return nil
}
