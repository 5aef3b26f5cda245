package session

import (
	"cmp"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// urgency says how soon the messages of a turn go, and which campaign they belong
// to, by what caused the turn: somebody who wrote waits for the answer; who is
// reminded, or written to first, does not.
func urgency(in *parleyv1.Input, events []*parleyv1.Event) (priority parleyv1.Priority, campaign string) {
	switch {
	case in.GetStart() != nil:
		return parleyv1.Priority_PRIORITY_BULK, cmp.Or(in.GetStart().GetCampaign(), in.GetStart().GetFlow())
	case in.GetMigration() != nil:
		return parleyv1.Priority_PRIORITY_BULK, "migration of " + in.GetMigration().GetFlow()
	case in.GetTimerDue() != nil && !weighs(events):
		return parleyv1.Priority_PRIORITY_REMINDER, ""
	}
	return parleyv1.Priority_PRIORITY_UNSPECIFIED, ""
}

// weighs reports whether the turn reacts to an answer: a timer also ends the wait
// for further fragments of one.
func weighs(events []*parleyv1.Event) bool {
	for _, e := range events {
		switch e.GetBody().(type) {
		case *parleyv1.Event_AnswerAccepted, *parleyv1.Event_AnswerRejected, *parleyv1.Event_ConfirmationAsked, *parleyv1.Event_LookupAsked:
			return true
		}
	}
	return false
}
