package backtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// begin plays the first turn. A message begins the flow at the entry that it fits;
// who begins again does so at the first step. The recording does not always say
// which of the two it was: then what comes closer to it is taken.
func (r *replay) begin(h heard) error {
	in := h.in
	if in == nil {
		in = r.stranger()
	}
	way, other := r.first, r.again
	if r.was.headless {
		way, other = other, way
	}
	if kind := r.was.started.GetSessionStarted().GetEntry(); kind != "" && kind != "default" {
		way, other = r.first, r.first
	}
	events, err := way(in)
	if r.likeness(events) < alike {
		if tried, failed := other(in); failed == nil && r.likeness(tried) > r.likeness(events) {
			events, err = tried, nil
		}
	}
	if err != nil {
		return err
	}
	r.add(h.in, events, outcomeOf(events, nil))
	r.over = r.state.Status == flow.None || r.state.Status == flow.Cancelled
	if ref := r.was.started.GetSessionStarted().GetRef(); ref != "" {
		r.state.Progress.Ref = ref
	}
	return nil
}

// alike is the likeness of a turn that cannot be told from the recorded one.
const alike = 1 + 1 + 2 + 4

// likeness says how much a first turn is like the recorded one; 0 is none at all.
func (r *replay) likeness(events []*parleyv1.Event) int {
	if len(events) == 0 {
		return 0
	}
	was, n := r.was.heard[0].events, 1
	if slices.Equal(passed(events, nil), passed(was, r.names)) {
		n++
	}
	if events[0].GetSessionStarted().GetLanguage() == was[0].GetSessionStarted().GetLanguage() {
		n += 2
	}
	if outcomeOf(events, nil) == r.was.turns[0].outcome {
		n += 4
	}
	return n
}

// passed are the steps that a turn went through.
func passed(events []*parleyv1.Event, names renames) []string {
	var steps []string
	for _, e := range events {
		if s := e.GetStepPassed(); s != nil {
			steps = append(steps, names.of(s.GetStep()))
		}
	}
	return steps
}

// first begins as somebody does who has no session.
func (r *replay) first(in *parleyv1.Input) ([]*parleyv1.Event, error) {
	events, _, err := flow.Complete(r.live, nil, flow.State{}, in, r.rows.find)
	return events, err
}

// again begins as somebody does who had a session, and said the word for that.
func (r *replay) again(in *parleyv1.Input) ([]*parleyv1.Event, error) {
	if r.restart == "" {
		return nil, nil
	}
	in = proto.CloneOf(in)
	in.Body = &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text", Text: r.restart}}
	if in.Contact != nil {
		in.Contact.OptedOut = false
	}
	before := flow.State{Flow: r.flow.Name(), FlowVersion: r.flow.Version(), Status: flow.Completed}
	events, _, err := flow.Complete(r.live, r.flow, before, in, r.rows.find)
	for i, e := range events {
		if e.GetSessionStarted() != nil {
			return events[i:], err
		}
	}
	return nil, err
}

// stranger stands for an input that is not kept: nothing is known but who spoke, and
// in which language the session began.
func (r *replay) stranger() *parleyv1.Input {
	in := &parleyv1.Input{
		Id: fmt.Sprint("session ", r.was.started.GetSessionId()), AtMs: r.was.started.GetAtMs(), Channel: r.was.started.GetChannel(),
		Contact: &parleyv1.ContactInfo{},
		Body:    &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text"}},
	}
	for _, h := range r.was.heard {
		if h.in.GetContact() != nil {
			in.Contact = proto.CloneOf(h.in.GetContact())
			break
		}
	}
	in.Contact.Language, in.Contact.OptedOut = r.was.started.GetSessionStarted().GetLanguage(), false
	return in
}

// refOf is how the engine names a session that an input began.
func refOf(inputID string) string {
	sum := sha256.Sum256([]byte(inputID))
	return hex.EncodeToString(sum[:5])
}
