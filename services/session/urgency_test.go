package session

import (
	"testing"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

func TestUrgency(t *testing.T) {
	timer := &parleyv1.Input{Body: &parleyv1.Input_TimerDue{TimerDue: &parleyv1.TimerDue{}}}
	for name, c := range map[string]struct {
		in       *parleyv1.Input
		events   []*parleyv1.Event
		priority parleyv1.Priority
		campaign string
	}{
		"a message": {&parleyv1.Input{Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{}}}, nil, parleyv1.Priority_PRIORITY_UNSPECIFIED, ""},
		"a form":    {&parleyv1.Input{Body: &parleyv1.Input_FormExchange{FormExchange: &parleyv1.FormExchange{}}}, nil, parleyv1.Priority_PRIORITY_UNSPECIFIED, ""},
		"a start": {
			&parleyv1.Input{Body: &parleyv1.Input_Start{Start: &parleyv1.StartRequest{Flow: "offer"}}}, nil, parleyv1.Priority_PRIORITY_BULK, "offer",
		},
		"a migration": {
			&parleyv1.Input{Body: &parleyv1.Input_Migration{Migration: &parleyv1.Migration{Flow: "lead"}}}, nil, parleyv1.Priority_PRIORITY_BULK, "migration of lead",
		},
		"a timer": {timer, []*parleyv1.Event{{Body: &parleyv1.Event_StepEntered{}}}, parleyv1.Priority_PRIORITY_REMINDER, ""},
		"the end of an answer's fragments": {
			timer, []*parleyv1.Event{{Body: &parleyv1.Event_InputReceived{}}, {Body: &parleyv1.Event_AnswerRejected{}}}, parleyv1.Priority_PRIORITY_UNSPECIFIED, "",
		},
	} {
		if priority, campaign := urgency(c.in, c.events); priority != c.priority || campaign != c.campaign {
			t.Errorf("%s: %s %q", name, priority, campaign)
		}
	}
}
