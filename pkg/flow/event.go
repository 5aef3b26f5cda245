package flow

import (
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// The events, without their headers.

func (f *Flow) sessionStarted(language, ref string, entry entryKind, windowUntilMs int64) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SessionStarted{SessionStarted: &parleyv1.SessionStarted{
		Flow: f.name, FlowVersion: f.version, Language: language, Ref: ref, Entry: string(entry), WindowUntilMs: windowUntilMs,
	}}}
}

// The four events of nearly every turn are allocated as one piece each.

func inputReceived(in *parleyv1.Input) *parleyv1.Event {
	var e struct {
		event parleyv1.Event
		body  parleyv1.Event_InputReceived
		inner parleyv1.InputReceived
	}
	e.inner.Input = in
	e.body.InputReceived = &e.inner
	e.event.Body = &e.body
	return &e.event
}

func stepEntered(s *step, loop uint32) *parleyv1.Event {
	var e struct {
		event parleyv1.Event
		body  parleyv1.Event_StepEntered
		inner parleyv1.StepEntered
	}
	e.inner.Step, e.inner.Position, e.inner.Loop = s.name, uint32(s.position), loop
	e.body.StepEntered = &e.inner
	e.event.Body = &e.body
	return &e.event
}

// textQueued is a plain text.
func textQueued(body string, preview bool) *parleyv1.Event {
	var e struct {
		event   parleyv1.Event
		body    parleyv1.Event_MessageQueued
		inner   parleyv1.MessageQueued
		content parleyv1.MessageQueued_Text
		text    parleyv1.Text
	}
	e.text.Body, e.text.PreviewUrl = body, preview
	e.content.Text = &e.text
	e.inner.Content = &e.content
	e.body.MessageQueued = &e.inner
	e.event.Body = &e.body
	return &e.event
}

func stepPassed(s *step, loop uint32, branch string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_StepPassed{StepPassed: &parleyv1.StepPassed{
		Step: s.name, Position: uint32(s.position), Loop: loop, Branch: branch,
	}}}
}

func answerAccepted(step, slot string, a Pending) *parleyv1.Event {
	var e struct {
		event parleyv1.Event
		body  parleyv1.Event_AnswerAccepted
		inner parleyv1.AnswerAccepted
	}
	e.inner.Step, e.inner.Slot, e.inner.Value, e.inner.Json = step, slot, textOf(a), jsonUnlessText(a.Value)
	e.body.AnswerAccepted = &e.inner
	e.event.Body = &e.body
	return &e.event
}

func answerRejected(step, reason string, failures uint32) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_AnswerRejected{AnswerRejected: &parleyv1.AnswerRejected{
		Step: step, Reason: reason, Failures: failures,
	}}}
}

func sessionCompleted() *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SessionCompleted{SessionCompleted: &parleyv1.SessionCompleted{}}}
}

func sessionCancelled(reason, step string, completed, expired bool) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SessionCancelled{SessionCancelled: &parleyv1.SessionCancelled{
		Reason: reason, Step: step, Completed: completed, Expired: expired,
	}}}
}

func valueSet(step, slot string, value any) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_ValueSet{ValueSet: &parleyv1.ValueSet{
		Step: step, Slot: slot, Json: encodeValue(value),
	}}}
}

func languageChanged(language string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_LanguageChanged{LanguageChanged: &parleyv1.LanguageChanged{Language: language}}}
}

func variantAssigned(test, variant string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_VariantAssigned{VariantAssigned: &parleyv1.VariantAssigned{
		Test: test, Variant: variant,
	}}}
}

func goalReached(test, variant string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_GoalReached{GoalReached: &parleyv1.GoalReached{Test: test, Variant: variant}}}
}

func subflowCalled(subflow, step string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SubflowCalled{SubflowCalled: &parleyv1.SubflowCalled{
		Subflow: subflow, Step: step,
	}}}
}

func subflowReturned(subflow, step string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SubflowReturned{SubflowReturned: &parleyv1.SubflowReturned{
		Subflow: subflow, Step: step,
	}}}
}

func fragmentKept(step, text string, wakeAtMs, untilMs int64) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_FragmentKept{FragmentKept: &parleyv1.FragmentKept{
		Step: step, Text: text, WakeAtMs: wakeAtMs, UntilMs: untilMs,
	}}}
}

func confirmationAsked(step string, a Pending) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_ConfirmationAsked{ConfirmationAsked: &parleyv1.ConfirmationAsked{
		Step: step, Value: a.Text, Json: encodeValue(a.Value),
	}}}
}

func confirmationDenied(step string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_ConfirmationDenied{ConfirmationDenied: &parleyv1.ConfirmationDenied{Step: step}}}
}

func choicesOffered(step string, page int, offered []Choice) *parleyv1.Event {
	choices := make([]*parleyv1.Choice, len(offered))
	for i, c := range offered {
		choices[i] = &parleyv1.Choice{Title: c.Title, Description: c.Description, Value: c.Value}
	}
	return &parleyv1.Event{Body: &parleyv1.Event_ChoicesOffered{ChoicesOffered: &parleyv1.ChoicesOffered{
		Step: step, Page: uint32(page), Choices: choices,
	}}}
}

func lookupAsked(step string, l Lookup) *parleyv1.Event {
	asked := &parleyv1.LookupAsked{Step: step, Verb: l.Verb, Table: l.Table, Where: l.Where, Limit: l.Limit}
	if l.Answer != nil {
		asked.Answer, asked.Json = l.Answer.Text, encodeValue(l.Answer.Value)
	}
	return &parleyv1.Event{Body: &parleyv1.Event_LookupAsked{LookupAsked: asked}}
}

func lookupAnswered(step string, rows [][]byte) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_LookupAnswered{LookupAnswered: &parleyv1.LookupAnswered{Step: step, Rows: rows}}}
}

func keywordUsed(keyword, step string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_KeywordUsed{KeywordUsed: &parleyv1.KeywordUsed{Keyword: keyword, Step: step}}}
}

func tapStale(step string, policy tapPolicy) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_TapStale{TapStale: &parleyv1.TapStale{Step: step, Policy: string(policy)}}}
}

func handedOver(step, pool, reason string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_HandedOver{HandedOver: &parleyv1.HandedOver{
		Step: step, Pool: pool, Reason: reason, Hushes: true, Placed: true,
	}}}
}

func operatorActed(a *parleyv1.OperatorAction, refused string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_OperatorActed{OperatorActed: &parleyv1.OperatorActed{
		Verb: a.GetVerb(), By: a.GetBy(), Reason: a.GetReason(), Step: a.GetStep(), Slot: a.GetSlot(), Refused: refused,
	}}}
}

func givenBack(step, reason string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_GivenBack{GivenBack: &parleyv1.GivenBack{Step: step, Reason: reason}}}
}

func stepLeft(step, reason string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_StepLeft{StepLeft: &parleyv1.StepLeft{Step: step, Reason: reason}}}
}

func deliveryFailed(d *parleyv1.DeliveryFailure, earlier, reacted bool) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_DeliveryFailed{DeliveryFailed: &parleyv1.DeliveryFailed{
		Delivery: d.GetDelivery(), Step: d.GetStep(), Class: d.GetClass(), Code: d.GetCode(), Earlier: earlier, Reacted: reacted,
	}}}
}

func optedOut() *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_OptedOut{OptedOut: &parleyv1.OptedOut{Hushes: true}}}
}

func optedIn() *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_OptedIn{OptedIn: &parleyv1.OptedIn{}}}
}

func contactBlocked() *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_ContactBlocked{ContactBlocked: &parleyv1.ContactBlocked{}}}
}

func contactUnblocked() *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_ContactUnblocked{ContactUnblocked: &parleyv1.ContactUnblocked{}}}
}

func sessionMigrated(from, to uint32, fromStep, toStep string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SessionMigrated{SessionMigrated: &parleyv1.SessionMigrated{
		FromVersion: from, ToVersion: to, FromStep: fromStep, ToStep: toStep,
	}}}
}

func formDataKept(step, screen string, data []byte) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_FormDataKept{FormDataKept: &parleyv1.FormDataKept{
		Step: step, Screen: screen, Json: data,
	}}}
}

func formAnswered(step, key string, a FormAnswer, repeated bool) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_FormAnswered{FormAnswered: &parleyv1.FormAnswered{
		Step: step, Key: key, Screen: a.Screen, Json: a.JSON, Finished: a.Finished, Repeated: repeated,
	}}}
}

func timerSet(wakeAtMs, askedMs int64) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_TimerSet{TimerSet: &parleyv1.TimerSet{WakeAtMs: wakeAtMs, AskedMs: askedMs}}}
}

func reminderQueued(step string, number uint32, reason string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_ReminderQueued{ReminderQueued: &parleyv1.ReminderQueued{
		Step: step, Number: number, Reason: reason,
	}}}
}

func reminderPlanned(p *parleyv1.ReminderPlanned) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_ReminderPlanned{ReminderPlanned: p}}
}

func reminderWithheld(step string, number uint32) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_ReminderWithheld{ReminderWithheld: &parleyv1.ReminderWithheld{Step: step, Number: number}}}
}

func silenceEnded(s *parleyv1.SilenceEnded) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SilenceEnded{SilenceEnded: s}}
}

func stepTimedOut(step string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_StepTimedOut{StepTimedOut: &parleyv1.StepTimedOut{Step: step}}}
}

func sessionExpired(step string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SessionExpired{SessionExpired: &parleyv1.SessionExpired{Step: step}}}
}

func sessionResumed(step string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SessionResumed{SessionResumed: &parleyv1.SessionResumed{Step: step}}}
}

func resumeAsked(step string) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_ResumeAsked{ResumeAsked: &parleyv1.ResumeAsked{Step: step}}}
}

func resumeAnswered(step string, goesOn bool) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_ResumeAnswered{ResumeAnswered: &parleyv1.ResumeAnswered{Step: step, GoesOn: goesOn}}}
}

func sessionArchived() *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SessionArchived{SessionArchived: &parleyv1.SessionArchived{}}}
}
