package backtest

import (
	"fmt"
	"maps"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// turn is what one input led to.
type turn struct {
	// said is what the person did, without its content: "text", "tap", "image".
	said string
	// outcome is where it led: "email rejected email", "name accepted, then email".
	outcome string
}

// played is one conversation in one version.
type played struct {
	turns  []turn
	events []*parleyv1.Event
	state  flow.State
}

// recorded is a conversation as it was: a session's events, cut into its turns.
func recorded(events []*parleyv1.Event) played {
	p := played{events: events}
	var now []*parleyv1.Event
	for i, e := range events {
		opens := e.GetInputReceived() != nil && i > 0 && !(i == 1 && events[0].GetSessionStarted() != nil)
		if opens && len(now) > 0 {
			p.turns = append(p.turns, turnOf(now))
			now = nil
		}
		now = append(now, e)
		p.state = flow.Evolve(p.state, e)
	}
	if len(now) > 0 {
		p.turns = append(p.turns, turnOf(now))
	}
	return p
}

// turnOf says what the events of one turn amount to.
func turnOf(events []*parleyv1.Event) turn {
	var t turn
	var parts []string
	for _, e := range events {
		switch body := e.GetBody().(type) {
		case *parleyv1.Event_InputReceived:
			t.said = kindOf(body.InputReceived.GetInput())
		case *parleyv1.Event_AnswerAccepted:
			parts = append(parts, body.AnswerAccepted.GetStep()+" accepted")
		case *parleyv1.Event_AnswerRejected:
			parts = append(parts, fmt.Sprintf("%s rejected (%s)", body.AnswerRejected.GetStep(), body.AnswerRejected.GetReason()))
		case *parleyv1.Event_StepEntered:
			parts = append(parts, "asks "+body.StepEntered.GetStep())
		case *parleyv1.Event_StepPassed:
			if body.StepPassed.GetBranch() != "" {
				parts = append(parts, body.StepPassed.GetStep()+" takes "+body.StepPassed.GetBranch())
			}
		case *parleyv1.Event_SessionCompleted:
			parts = append(parts, "completed")
		case *parleyv1.Event_SessionCancelled:
			parts = append(parts, "cancelled ("+body.SessionCancelled.GetReason()+")")
		case *parleyv1.Event_HandedOver:
			parts = append(parts, "handed over")
		}
	}
	t.outcome = strings.Join(parts, ", ")
	return t
}

func kindOf(in *parleyv1.Input) string {
	switch {
	case in.GetTimerDue() != nil:
		return "silence"
	case in.GetMessage().GetTap() != "":
		return "tap"
	case in.GetMessage() != nil:
		return in.GetMessage().GetType()
	}
	return "order"
}

// replayed plays a conversation's inputs through another version.
func replayed(events []*parleyv1.Event, f *flow.Flow) (p played, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the engine gave up: %v", cause)
		}
	}()
	rows := lookups(events)
	for _, in := range inputs(events) {
		before := len(p.events)
		turnEvents, next, err := flow.Complete(f, f, p.state, p.adapted(in), rows)
		if err != nil {
			return p, err
		}
		p.events, p.state = append(p.events, turnEvents...), next
		if len(p.events) > before {
			p.turns = append(p.turns, turnOf(turnEvents))
		}
		if next.Status == flow.Cancelled {
			break // what followed was another session
		}
	}
	return p, nil
}

// inputs are the recorded inputs. A session that a restart began has none of its
// own for its first turn; a silent one takes its place.
func inputs(events []*parleyv1.Event) []*parleyv1.Input {
	var all []*parleyv1.Input
	if len(events) > 1 && events[0].GetSessionStarted() != nil && events[1].GetInputReceived() == nil {
		all = append(all, &parleyv1.Input{
			Id: fmt.Sprint(events[0].GetSessionId()), AtMs: events[0].GetAtMs(),
			Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text"}},
		})
	}
	for _, e := range events {
		in := e.GetInputReceived().GetInput()
		if in.GetMessage() != nil || in.GetTimerDue() != nil || in.GetStart() != nil || in.GetFormExchange() != nil {
			all = append(all, in)
		}
	}
	return all
}

// adapted makes an input fit the version that it is played to: a tap becomes what
// its button said, a timer is due when this session wants it, and a form comes
// back for the form that was sent.
func (p *played) adapted(in *parleyv1.Input) *parleyv1.Input {
	in = proto.CloneOf(in)
	if m := in.GetMessage(); m != nil && strings.HasPrefix(m.GetTap(), "p1.") {
		m.Tap = ""
	}
	if f := in.GetMessage().GetForm(); f != nil {
		f.Token = ""
	}
	if due := in.GetTimerDue(); due != nil {
		due.SessionRef, due.WakeAtMs = p.state.Progress.Ref, p.state.WakeAt()
	}
	return in
}

// lookups answers with the rows that the conversation saw: of the same table with
// the same filters, else of the same table, else none.
func lookups(events []*parleyv1.Event) func(flow.Lookup) ([][]byte, error) {
	type seen struct {
		asked *parleyv1.LookupAsked
		rows  [][]byte
	}
	var all []seen
	var asked *parleyv1.LookupAsked
	for _, e := range events {
		if a := e.GetLookupAsked(); a != nil {
			asked = a
		}
		if a := e.GetLookupAnswered(); a != nil && asked != nil {
			all = append(all, seen{asked, a.GetRows()})
		}
	}
	return func(l flow.Lookup) ([][]byte, error) {
		var rows [][]byte
		for _, s := range all {
			if s.asked.GetTable() != l.Table {
				continue
			}
			if maps.Equal(s.asked.GetWhere(), l.Where) {
				return s.rows, nil
			}
			rows = s.rows
		}
		return rows, nil
	}
}
