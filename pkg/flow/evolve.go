package flow

import (
	"maps"
	"slices"

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
	case *parleyv1.Event_SessionAdopted:
		return s.adopted(body.SessionAdopted), true
	case *parleyv1.Event_InputReceived:
		s = s.heard(body.InputReceived.GetInput(), e.GetAtMs())
	case *parleyv1.Event_StepEntered:
		s = s.at(body.StepEntered.GetStep(), body.StepEntered.GetLoop(), e.GetAtMs())
	case *parleyv1.Event_StepPassed:
		s.Progress = s.Progress.looped(body.StepPassed.GetStep(), body.StepPassed.GetLoop())
	case *parleyv1.Event_AnswerAccepted:
		a := body.AnswerAccepted
		s.Answers = with(s.Answers, a.GetSlot(), accepted(a))
		s.Progress = s.Progress.answered()
	case *parleyv1.Event_AnswerRejected:
		s.Failures = body.AnswerRejected.GetFailures()
		s.Progress = s.Progress.answered()
	case *parleyv1.Event_MessageQueued:
		// What was said is in the event; that a human said it counts.
		if body.MessageQueued.GetAuthor() != "" && s.Status == Human {
			s.Progress.HumanMs = e.GetAtMs()
		}
	case *parleyv1.Event_SessionCompleted:
		s = s.ended(Completed)
		s.Progress.EndedAtMs = e.GetAtMs()
	case *parleyv1.Event_SessionCancelled:
		s = s.ended(Cancelled)
	case *parleyv1.Event_SessionExpired:
		s.Status, s.Progress.TimerMs = Expired, 0
	case *parleyv1.Event_SessionResumed:
		s.Status, s.Progress.AskedMs, s.Progress.Reminded = Active, e.GetAtMs(), 0
	case *parleyv1.Event_HandedOver:
		s = s.handedOver(body.HandedOver, e.GetAtMs()).hushed(body.HandedOver.GetHushes(), e.GetAtMs())
	case *parleyv1.Event_OptedOut, *parleyv1.Event_ContactBlocked:
		s = s.hushed(e.GetContactBlocked() != nil || e.GetOptedOut().GetHushes(), e.GetAtMs())
	case *parleyv1.Event_GivenBack:
		s = s.givenBack(e.GetAtMs())
	case *parleyv1.Event_ValueSet:
		s.Answers = with(s.Answers, body.ValueSet.GetSlot(), decodeValue(body.ValueSet.GetJson()))
	case *parleyv1.Event_LanguageChanged:
		if s.Progress.FirstLanguage == "" {
			s.Progress.FirstLanguage = s.Language
		}
		s.Language = body.LanguageChanged.GetLanguage()
	case *parleyv1.Event_SessionMigrated:
		s.FlowVersion, s.Step = body.SessionMigrated.GetToVersion(), body.SessionMigrated.GetToStep()
	case *parleyv1.Event_KeywordUsed, *parleyv1.Event_TapStale, *parleyv1.Event_OptedIn,
		*parleyv1.Event_StepLeft, *parleyv1.Event_SlotBooked, *parleyv1.Event_SlotTaken, *parleyv1.Event_SlotHeld,
		*parleyv1.Event_SlotReleased, *parleyv1.Event_BookingMoved, *parleyv1.Event_BookingCancelled, *parleyv1.Event_LeadAssigned,
		*parleyv1.Event_LeadQueued, *parleyv1.Event_LeadClosed, *parleyv1.Event_StepTimedOut,
		*parleyv1.Event_OperatorActed, *parleyv1.Event_AccountNoticed, *parleyv1.Event_ContactUnblocked, *parleyv1.Event_ContactMerged, *parleyv1.Event_StartRefused:
		// Facts for the history, the read models and the contact.
	default:
		s.Progress, known = s.Progress.evolve(e)
		return s, known
	}
	return s, true
}

// evolve folds the events that concern nothing but the engine's own part.
func (p Progress) evolve(e *parleyv1.Event) (next Progress, known bool) {
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_DeliveryFailed:
		p.Undelivered = p.Undelivered || body.DeliveryFailed.GetReacted()
	case *parleyv1.Event_VariantAssigned:
		p.Variants = with(p.Variants, body.VariantAssigned.GetTest(), body.VariantAssigned.GetVariant())
	case *parleyv1.Event_GoalReached:
		p.Goals = with(p.Goals, body.GoalReached.GetTest(), true)
	case *parleyv1.Event_SubflowCalled:
		p.Calls = append(slices.Clip(p.Calls), body.SubflowCalled.GetStep())
	case *parleyv1.Event_SubflowReturned:
		p.Calls = butLast(p.Calls)
	case *parleyv1.Event_FragmentKept:
		p.Fragments = append(slices.Clip(p.Fragments), body.FragmentKept.GetText())
		p.WakeAtMs, p.UntilMs = body.FragmentKept.GetWakeAtMs(), body.FragmentKept.GetUntilMs()
	case *parleyv1.Event_ConfirmationAsked:
		asked := body.ConfirmationAsked
		p.Pending = &Pending{Text: asked.GetValue(), Value: decodeValue(asked.GetJson())}
	case *parleyv1.Event_ConfirmationDenied:
		p.Pending = nil
	case *parleyv1.Event_ChoicesOffered:
		p = p.offered(body.ChoicesOffered)
	case *parleyv1.Event_LookupAsked:
		p.Lookup = asked(body.LookupAsked)
	case *parleyv1.Event_LookupAnswered:
		p.Lookup = nil
	case *parleyv1.Event_TimerSet:
		p.TimerMs = body.TimerSet.GetWakeAtMs()
		p.AskedMs = max(p.AskedMs, body.TimerSet.GetAskedMs())
	case *parleyv1.Event_ResumeAsked:
		p.Resuming = true
	case *parleyv1.Event_ResumeAnswered:
		p.Resuming = false
	case *parleyv1.Event_ReminderPlanned:
		plan := body.ReminderPlanned
		p.Silence = &Silence{
			BeganMs: plan.GetBeganMs(), AfterMs: plan.GetAfterMs(), Withheld: plan.GetWithheld(), Drawn: plan.GetDrawn(), Reason: plan.GetReason(),
		}
	case *parleyv1.Event_ReminderQueued:
		p.Reminded, p.Silence = body.ReminderQueued.GetNumber(), p.Silence.reached(e.GetAtMs())
	case *parleyv1.Event_ReminderWithheld:
		p.Reminded, p.Silence = body.ReminderWithheld.GetNumber(), p.Silence.reached(e.GetAtMs())
	case *parleyv1.Event_SilenceEnded:
		p.Silence = nil
	case *parleyv1.Event_SessionArchived:
		p.Archived, p.TimerMs = true, 0
	case *parleyv1.Event_CallQueued:
		p.Call, p.Called = body.CallQueued.GetRef(), p.Called+1
	case *parleyv1.Event_CallAnswered:
		p.Call = ""
	case *parleyv1.Event_FormDataKept:
		data, _ := decodeValue(body.FormDataKept.GetJson()).(map[string]any)
		form := maps.Clone(p.Form)
		for key, value := range data {
			form = with(form, key, value)
		}
		p.Form = form
	case *parleyv1.Event_FormAnswered:
		p.Lookup = nil
		p.FormAnswers = remembered(p.FormAnswers, body.FormAnswered)
	default:
		return p, false
	}
	return p, true
}

// butLast drops the last call; none at all is nil.
func butLast(calls []string) []string {
	if len(calls) <= 1 {
		return nil
	}
	return slices.Clip(calls[:len(calls)-1])
}

// started is a new session: nothing is carried over from an earlier one.
func started(e *parleyv1.SessionStarted, atMs int64) State {
	return State{
		Flow:              e.GetFlow(),
		FlowVersion:       e.GetFlowVersion(),
		Status:            Active,
		Language:          e.GetLanguage(),
		Version:           1,
		Answers:           map[string]any{},
		StartedAtMs:       atMs,
		LastInteractionMs: atMs,
		Progress:          Progress{Ref: e.GetRef(), WindowUntilMs: e.GetWindowUntilMs()},
	}
}

// heard is what an input changes whatever it means. Only a person interacts: timers and
// operators do not.
func (s State) heard(in *parleyv1.Input, atMs int64) State {
	if in.GetMessage() != nil {
		s.LastInteractionMs = atMs
		s.Progress.Undelivered = false
		s.Progress.Archived = false
		s.Progress.Campaign = nil
	}
	if start := in.GetStart(); start.GetCampaign() != "" {
		s.Progress.Campaign = &CampaignLine{Name: start.GetCampaign(), Line: start.GetLine()}
	}
	if in.GetEcho() != nil && s.Status == Human {
		s.Progress.HumanMs = atMs
	}
	s.Progress.WindowUntilMs = max(s.Progress.WindowUntilMs, in.GetContact().GetWindowUntilMs())
	return s
}

// at stands at a step that was entered: what belonged to the last one ends.
func (s State) at(step string, loop uint32, atMs int64) State {
	s.Step, s.Failures = step, 0
	s.Progress = s.Progress.left().looped(step, loop)
	s.Progress.AskedMs = atMs
	return s
}

// ended keeps of a session what is asked for after its end.
func (s State) ended(status Status) State {
	s.Status, s.Step, s.Failures = status, "", 0
	s.Progress = s.Progress.left()
	s.Progress.Calls, s.Progress.Loops = nil, nil
	return s
}

// handedOver leaves the conversation to a human. That the flow was completed before
// is not forgotten.
func (s State) handedOver(e *parleyv1.HandedOver, atMs int64) State {
	var endedAtMs int64
	if s.completed() {
		endedAtMs = s.endedAt()
	}
	calls, loops := s.Progress.Calls, s.Progress.Loops
	s = s.ended(Human)
	s.Step, s.Progress.EndedAtMs = e.GetStep(), endedAtMs
	if e.GetPlaced() {
		s.Progress.Calls, s.Progress.Loops, s.Progress.HumanMs = calls, loops, atMs
	}
	return s
}

// givenBack leaves the conversation to the bot again: at its step, which is asked
// anew, or behind the end of the flow.
func (s State) givenBack(atMs int64) State {
	s.Progress.HumanMs = 0
	if s.Progress.EndedAtMs > 0 {
		s.Status, s.Step = Completed, ""
		return s
	}
	s.Status, s.Progress.AskedMs = Active, atMs
	return s
}

// hushed remembers when the bot was told to be silent.
func (s State) hushed(hushes bool, atMs int64) State {
	if hushes {
		s.Progress.HushedMs = atMs
	}
	return s
}

// left forgets what belonged to the present step.
func (p Progress) left() Progress {
	return Progress{
		Ref: p.Ref, FirstLanguage: p.FirstLanguage, Calls: p.Calls, Loops: p.Loops, Variants: p.Variants, Goals: p.Goals, Called: p.Called,
		TimerMs: p.TimerMs, Undelivered: p.Undelivered, WindowUntilMs: p.WindowUntilMs, HushedMs: p.HushedMs, Campaign: p.Campaign,
	}
}

// answered forgets the parts of an answer that was weighed.
func (p Progress) answered() Progress {
	p.Pending, p.Fragments, p.WakeAtMs, p.UntilMs = nil, nil, 0, 0
	return p
}

func (p Progress) looped(step string, loop uint32) Progress {
	if loop > 0 {
		p.Loops = with(p.Loops, step, loop)
	}
	return p
}

func (p Progress) offered(e *parleyv1.ChoicesOffered) Progress {
	p.Page = e.GetPage()
	if len(e.GetChoices()) > 0 {
		p.Offered = make([]Choice, len(e.GetChoices()))
		for i, c := range e.GetChoices() {
			p.Offered[i] = Choice{Title: c.GetTitle(), Description: c.GetDescription(), Value: c.GetValue()}
		}
	}
	return p
}

func asked(e *parleyv1.LookupAsked) *Lookup {
	l := &Lookup{Verb: e.GetVerb(), Table: e.GetTable(), Where: e.GetWhere(), Limit: e.GetLimit()}
	if l.Verb != "" && l.Verb != VerbFree {
		l.Step = e.GetStep()
	}
	if len(e.GetJson()) > 0 {
		l.Answer = &Pending{Text: e.GetAnswer(), Value: decodeValue(e.GetJson())}
	}
	return l
}

// accepted is the value of an answer: the text itself unless it has a type.
func accepted(e *parleyv1.AnswerAccepted) any {
	if len(e.GetJson()) == 0 {
		return e.GetValue()
	}
	return decodeValue(e.GetJson())
}

// with returns the map with one more entry. It is copied, because older states
// share it. An empty key is no entry.
func with[V any](m map[string]V, key string, value V) map[string]V {
	if key == "" {
		return m
	}
	more := make(map[string]V, len(m)+1)
	maps.Copy(more, m)
	more[key] = value
	return more
}
