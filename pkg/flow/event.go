package flow

import (
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// The events, without their headers.

func (f *Flow) sessionStarted() *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SessionStarted{SessionStarted: &parleyv1.SessionStarted{
		Flow: f.name, FlowVersion: f.version, Language: f.language,
	}}}
}

func inputReceived(in *parleyv1.Input) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{Input: in}}}
}

func stepEntered(step string, position int) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_StepEntered{StepEntered: &parleyv1.StepEntered{
		Step: step, Position: uint32(position),
	}}}
}

func answerAccepted(step, slot, value string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_AnswerAccepted{AnswerAccepted: &parleyv1.AnswerAccepted{
		Step: step, Slot: slot, Value: value,
	}}}
}

func answerRejected(step, reason string, failures uint32) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_AnswerRejected{AnswerRejected: &parleyv1.AnswerRejected{
		Step: step, Reason: reason, Failures: failures,
	}}}
}

func messageQueued(body string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_MessageQueued{MessageQueued: &parleyv1.MessageQueued{
		Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: body}},
	}}}
}

func sessionCompleted() *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SessionCompleted{SessionCompleted: &parleyv1.SessionCompleted{}}}
}

func sessionCancelled(reason, step string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SessionCancelled{SessionCancelled: &parleyv1.SessionCancelled{
		Reason: reason, Step: step,
	}}}
}
