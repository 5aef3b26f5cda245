package flow

import (
	"maps"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Evolve folds one event into the state and returns the new one; s itself stays
// as it is. It accepts every event ever stored: an event of a kind that it does
// not know changes nothing but Version.
func Evolve(s State, e *parleyv1.Event) State {
	next, _ := evolve(s, e)
	return next
}

// evolve also reports whether it knows the kind of event, so that a test can see
// to it that each new kind is thought about here.
func evolve(s State, e *parleyv1.Event) (next State, known bool) {
	s.Version++
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_SessionStarted:
		return started(body.SessionStarted, e.GetAtMs()), true
	case *parleyv1.Event_InputReceived:
		s.LastInteractionMs = e.GetAtMs()
	case *parleyv1.Event_StepEntered:
		s.Step, s.Failures = body.StepEntered.GetStep(), 0
	case *parleyv1.Event_AnswerAccepted:
		s.Answers = with(s.Answers, body.AnswerAccepted)
	case *parleyv1.Event_AnswerRejected:
		s.Failures = body.AnswerRejected.GetFailures()
	case *parleyv1.Event_MessageQueued:
		// What was said is in the event; no decision depends on it.
	case *parleyv1.Event_SessionCompleted:
		s.Status, s.Step, s.Failures = Completed, "", 0
	case *parleyv1.Event_SessionCancelled:
		s.Status, s.Step, s.Failures = Cancelled, "", 0
	default:
		return s, false
	}
	return s, true
}

// started is a new session: nothing is carried over from an earlier one.
func started(e *parleyv1.SessionStarted, atMs int64) State {
	return State{
		Flow:              e.GetFlow(),
		FlowVersion:       e.GetFlowVersion(),
		Status:            Active,
		Language:          e.GetLanguage(),
		Version:           1,
		Answers:           map[string]string{},
		StartedAtMs:       atMs,
		LastInteractionMs: atMs,
	}
}

// with returns the answers with one more. The map is copied, because older
// states share it.
func with(answers map[string]string, e *parleyv1.AnswerAccepted) map[string]string {
	if e.GetSlot() == "" {
		return answers
	}
	more := make(map[string]string, len(answers)+1)
	maps.Copy(more, answers)
	more[e.GetSlot()] = e.GetValue()
	return more
}
