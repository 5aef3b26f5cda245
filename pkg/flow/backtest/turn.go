package backtest

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// turn is what one input led to.
type turn struct {
	// said is what the person did, without its content: "text", "tap", "image".
	said string
	// outcome is where it led: "email rejected (email)", "name accepted, asks email".
	// It is empty if it led nowhere.
	outcome string
}

// kindOf is what an input is, without its content.
func kindOf(in *parleyv1.Input) string {
	m := in.GetMessage()
	switch {
	case in.GetStart() != nil:
		return "start by the API"
	case in.GetOperatorAction() != nil:
		return "operator: " + in.GetOperatorAction().GetVerb()
	case in.GetFormExchange() != nil:
		return "form draft"
	case m.GetForm() != nil:
		return "form"
	case m.GetTap() != "":
		return "tap"
	}
	return m.GetType()
}

// renames are the steps that have another name in the version that is tried, by the
// names of before.
type renames map[string]string

// renamesOf are those that the flow's file says, of steps that it no longer has.
func renamesOf(f *flow.Flow) renames {
	names := renames{}
	for from, to := range f.Migrations() {
		names[from] = to
	}
	for _, step := range f.Steps() {
		delete(names, step)
	}
	return names
}

func (r renames) of(step string) string { return cmp.Or(r[step], step) }

// outcomeOf says what the events of one turn amount to, with the steps by their
// names in the version that is tried.
func outcomeOf(events []*parleyv1.Event, names renames) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	branching := "" // the step at which the way was chosen
	for _, e := range events {
		switch body := e.GetBody().(type) {
		case *parleyv1.Event_StepPassed:
			step := names.of(body.StepPassed.GetStep())
			if branching != "" {
				add("%s goes to %s", branching, step)
			}
			if branching = ""; body.StepPassed.GetBranch() != "" {
				branching = step
			}
		case *parleyv1.Event_StepEntered:
			branching = ""
			add("asks %s", names.of(body.StepEntered.GetStep()))
		default:
			if part := partOf(e, names); part != "" {
				parts = append(parts, part)
			}
		}
	}
	return strings.Join(parts, ", ")
}

// partOf says what one event amounts to; "" if it is no part of the way.
func partOf(e *parleyv1.Event, names renames) string {
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_AnswerAccepted:
		return names.of(body.AnswerAccepted.GetStep()) + " accepted"
	case *parleyv1.Event_AnswerRejected:
		return fmt.Sprintf("%s rejected (%s)", names.of(body.AnswerRejected.GetStep()), body.AnswerRejected.GetReason())
	case *parleyv1.Event_ConfirmationAsked:
		return names.of(body.ConfirmationAsked.GetStep()) + " said back"
	case *parleyv1.Event_ConfirmationDenied:
		return names.of(body.ConfirmationDenied.GetStep()) + " denied"
	case *parleyv1.Event_StepLeft:
		return fmt.Sprintf("leaves %s (%s)", names.of(body.StepLeft.GetStep()), body.StepLeft.GetReason())
	case *parleyv1.Event_LanguageChanged:
		return "speaks " + body.LanguageChanged.GetLanguage()
	case *parleyv1.Event_SessionCompleted:
		return "completed"
	case *parleyv1.Event_SessionCancelled:
		return "cancelled (" + body.SessionCancelled.GetReason() + ")"
	case *parleyv1.Event_SlotBooked:
		return "books"
	case *parleyv1.Event_SlotHeld:
		return "holds"
	case *parleyv1.Event_SlotTaken:
		return names.of(body.SlotTaken.GetStep()) + " finds it taken"
	case *parleyv1.Event_BookingMoved:
		return "moves the booking"
	case *parleyv1.Event_BookingCancelled:
		return "cancels the booking"
	case *parleyv1.Event_LeadAssigned:
		return "assigned in " + body.LeadAssigned.GetPool()
	case *parleyv1.Event_LeadQueued:
		return "waits in " + body.LeadQueued.GetPool()
	case *parleyv1.Event_GivenBack:
		return strings.TrimSpace("given back " + names.of(body.GivenBack.GetStep()))
	case *parleyv1.Event_HandedOver:
		return strings.TrimSpace("handed over " + body.HandedOver.GetPool())
	}
	return ""
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}
