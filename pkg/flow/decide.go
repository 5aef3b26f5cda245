package flow

import (
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// ReasonRestart is the reason of SessionCancelled when the person asked to begin
// again.
const ReasonRestart = "restart"

// Decide says what an input means for a session that is pinned to this flow
// version; if there is no session, or a cancelled one, it starts one. It changes
// nothing. The events have no header yet: [Turn] stamps them. InputReceived
// refers to in itself, so in must not change any more.
//
// A restart only cancels here: the new session may belong to another version.
//
// Decide panics if the session waits at a step that the flow does not have,
// because then it was pinned to something else.
func (f *Flow) Decide(s State, in *parleyv1.Input) []*parleyv1.Event {
	answer := answerOf(in.GetMessage())
	switch {
	case s.Status == None || s.Status == Cancelled:
		begun := f.begin()
		return append([]*parleyv1.Event{begun[0], inputReceived(in)}, begun[1:]...)
	case containsFold(f.restart, answer):
		return []*parleyv1.Event{inputReceived(in), sessionCancelled(ReasonRestart, s.Step)}
	case s.Status == Completed:
		return []*parleyv1.Event{inputReceived(in), f.queue(f.again, s.Answers)}
	}
	return append([]*parleyv1.Event{inputReceived(in)}, f.answer(s, answer)...)
}

// begin opens a session at the first step: SessionStarted comes first.
func (f *Flow) begin() []*parleyv1.Event {
	return append([]*parleyv1.Event{f.sessionStarted()}, f.enter(1, nil)...)
}

// enter goes to the step at a position; the position after the last is the end.
func (f *Flow) enter(position int, answers map[string]string) []*parleyv1.Event {
	if position > len(f.steps) {
		return []*parleyv1.Event{sessionCompleted(), f.queue(f.completed, answers)}
	}
	s := f.steps[position-1]
	return []*parleyv1.Event{stepEntered(s.name, position), f.queue(s.say, answers)}
}

// answer weighs an answer at the present step; it is "" if the message was of a
// type that carries none.
func (f *Flow) answer(s State, answer string) []*parleyv1.Event {
	position := f.position(s.Step)
	expect := f.steps[position-1].expect
	if answer == "" {
		return f.reject(s, ReasonType)
	}
	if reason := expect.kind.check(answer); reason != "" {
		return f.reject(s, reason)
	}
	accepted := answerAccepted(s.Step, expect.slot, answer)
	// The next text may show this answer, so it sees the state after accepting it.
	next := Evolve(s, accepted)
	return append([]*parleyv1.Event{accepted}, f.enter(position+1, next.Answers)...)
}

// reject keeps the session at its step. A message of the wrong type gets the
// prompt again, a value that failed gets the step's own words for that.
func (f *Flow) reject(s State, reason string) []*parleyv1.Event {
	at := f.steps[f.position(s.Step)-1]
	say := at.say
	if reason != ReasonType && at.expect.invalid != nil {
		say = at.expect.invalid
	}
	return []*parleyv1.Event{answerRejected(s.Step, reason, s.Failures+1), f.queue(say, s.Answers)}
}

func (f *Flow) queue(say template, answers map[string]string) *parleyv1.Event {
	return messageQueued(say.render(answers))
}
