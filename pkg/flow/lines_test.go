package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// How a dialogue file writes events and states.

func (d *dialogue) stateLine() string {
	s := d.state
	line := fmt.Sprintf("state   %s failures=%d answers={%s}", s.CurrentState(), s.Failures, values(s.Answers))
	p := s.Progress
	if s.Status == Human {
		line += " human"
	}
	if p.FirstLanguage != "" {
		line += " language=" + s.Language
	}
	if len(p.Calls) > 0 {
		line += " calls=" + strings.Join(p.Calls, ">")
	}
	if p.Page > 0 {
		line += fmt.Sprintf(" page=%d", p.Page)
	}
	if p.WakeAtMs != 0 {
		line += fmt.Sprintf(" wake=+%dms", p.WakeAtMs-d.now)
	}
	return line
}

func timerLine(e *parleyv1.Event) string {
	at := e.GetTimerSet().WakeAtMs
	if at == 0 {
		return "never"
	}
	line := "in " + (time.Duration(at-e.AtMs) * time.Millisecond).String()
	if asked := e.GetTimerSet().AskedMs; asked > 0 {
		line += " asked " + (time.Duration(asked-e.AtMs) * time.Millisecond).String()
	}
	return line
}

func values(of map[string]any) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, name+"="+valueLine(of[name]))
	}
	return strings.Join(all, " ")
}

func valueLine(value any) string {
	if text, ok := value.(string); ok {
		return fmt.Sprintf("%q", text)
	}
	return string(encodeValue(value))
}

func label(flow string, version uint32) string { return fmt.Sprintf("%s/%d", flow, version) }

func lineOf(e *parleyv1.Event) string {
	if m := e.GetMessageQueued(); m != nil {
		return messageLine(m)
	}
	name, details := eventLine(e)
	return strings.TrimRight("event   "+name+" "+details, " ")
}

func eventLine(e *parleyv1.Event) (name, details string) {
	switch b := e.GetBody().(type) {
	case *parleyv1.Event_SessionStarted:
		entry := b.SessionStarted.Entry
		if entry == string(byDefault) {
			entry = ""
		}
		return "SessionStarted", label(b.SessionStarted.Flow, b.SessionStarted.FlowVersion) + " " + b.SessionStarted.Language + " " + entry
	case *parleyv1.Event_InputReceived:
		in := b.InputReceived.Input
		return "InputReceived", in.Id + " " + kindOfInput(in)
	case *parleyv1.Event_StepEntered:
		return "StepEntered", b.StepEntered.Step + loopLine(b.StepEntered.Loop)
	case *parleyv1.Event_StepPassed:
		return "StepPassed", strings.TrimRight(b.StepPassed.Step+" "+b.StepPassed.Branch, " ") + loopLine(b.StepPassed.Loop)
	case *parleyv1.Event_TimerSet:
		return "TimerSet", timerLine(e)
	case *parleyv1.Event_ReminderQueued:
		r := b.ReminderQueued
		return "ReminderQueued", fmt.Sprintf("%s %d %s", r.Step, r.Number, r.Reason)
	case *parleyv1.Event_ResumeAsked:
		return "ResumeAsked", b.ResumeAsked.Step
	case *parleyv1.Event_ResumeAnswered:
		return "ResumeAnswered", fmt.Sprintf("%s goes_on=%v", b.ResumeAnswered.Step, b.ResumeAnswered.GoesOn)
	case *parleyv1.Event_ReminderPlanned:
		r := b.ReminderPlanned
		return "ReminderPlanned", fmt.Sprintf("%s after %s withheld=%v drawn=%v %s", r.Step, time.Duration(r.AfterMs)*time.Millisecond, r.Withheld, r.Drawn, r.Reason)
	case *parleyv1.Event_ReminderWithheld:
		return "ReminderWithheld", fmt.Sprintf("%s %d", b.ReminderWithheld.Step, b.ReminderWithheld.Number)
	case *parleyv1.Event_SilenceEnded:
		s := b.SilenceEnded
		return "SilenceEnded", fmt.Sprintf("%s after %s replied=%v reached=%s", s.Step, time.Duration(s.SilentMs)*time.Millisecond, s.Replied, time.Duration(s.ReachedMs)*time.Millisecond)
	case *parleyv1.Event_StepTimedOut:
		return "StepTimedOut", b.StepTimedOut.Step
	case *parleyv1.Event_SessionExpired:
		return "SessionExpired", b.SessionExpired.Step
	case *parleyv1.Event_SessionResumed:
		return "SessionResumed", b.SessionResumed.Step
	case *parleyv1.Event_SessionArchived:
		return "SessionArchived", ""
	case *parleyv1.Event_StepLeft:
		return "StepLeft", b.StepLeft.Step + " " + b.StepLeft.Reason
	case *parleyv1.Event_AnswerAccepted:
		a := b.AnswerAccepted
		line := fmt.Sprintf("%s %s=%q", a.Step, a.Slot, a.Value)
		if len(a.Json) > 0 {
			line += " " + string(a.Json)
		}
		return "AnswerAccepted", line
	case *parleyv1.Event_AnswerRejected:
		return "AnswerRejected", fmt.Sprintf("%s %s failures=%d", b.AnswerRejected.Step, b.AnswerRejected.Reason, b.AnswerRejected.Failures)
	case *parleyv1.Event_SessionCompleted:
		return "SessionCompleted", ""
	case *parleyv1.Event_SessionCancelled:
		return "SessionCancelled", fmt.Sprintf("%s step=%s", b.SessionCancelled.Reason, b.SessionCancelled.Step)
	}
	return rarerLine(e)
}

// rarerLine writes the events that only richer flows have.
func rarerLine(e *parleyv1.Event) (name, details string) {
	switch b := e.GetBody().(type) {
	case *parleyv1.Event_OperatorActed:
		a := b.OperatorActed
		line := fmt.Sprintf("%s by %q", a.Verb, a.By)
		if a.Refused != "" {
			line += ": refused: " + a.Refused
		}
		return "OperatorActed", line
	case *parleyv1.Event_GivenBack:
		return "GivenBack", b.GivenBack.Step + " " + b.GivenBack.Reason
	case *parleyv1.Event_ValueSet:
		return "ValueSet", fmt.Sprintf("%s %s=%s", b.ValueSet.Step, b.ValueSet.Slot, b.ValueSet.Json)
	case *parleyv1.Event_LanguageChanged:
		return "LanguageChanged", b.LanguageChanged.Language
	case *parleyv1.Event_VariantAssigned:
		return "VariantAssigned", b.VariantAssigned.Test + " " + b.VariantAssigned.Variant
	case *parleyv1.Event_GoalReached:
		return "GoalReached", b.GoalReached.Test + " " + b.GoalReached.Variant
	case *parleyv1.Event_SubflowCalled:
		return "SubflowCalled", b.SubflowCalled.Subflow + " step=" + b.SubflowCalled.Step
	case *parleyv1.Event_SubflowReturned:
		return "SubflowReturned", b.SubflowReturned.Subflow + " step=" + b.SubflowReturned.Step
	case *parleyv1.Event_FragmentKept:
		f := b.FragmentKept
		return "FragmentKept", fmt.Sprintf("%s %q wake=+%dms until=+%dms", f.Step, f.Text, f.WakeAtMs-e.AtMs, f.UntilMs-e.AtMs)
	case *parleyv1.Event_ConfirmationAsked:
		return "ConfirmationAsked", fmt.Sprintf("%s %q %s", b.ConfirmationAsked.Step, b.ConfirmationAsked.Value, b.ConfirmationAsked.Json)
	case *parleyv1.Event_ConfirmationDenied:
		return "ConfirmationDenied", b.ConfirmationDenied.Step
	case *parleyv1.Event_ChoicesOffered:
		return "ChoicesOffered", fmt.Sprintf("%s page=%d choices=%d", b.ChoicesOffered.Step, b.ChoicesOffered.Page, len(b.ChoicesOffered.Choices))
	case *parleyv1.Event_LookupAsked:
		l := b.LookupAsked
		line := fmt.Sprintf("%s %s where=%s limit=%d", l.Step, l.Table, encodeValue(l.Where), l.Limit)
		if len(l.Json) > 0 {
			line += fmt.Sprintf(" answer=%s", l.Json)
		}
		return "LookupAsked", strings.TrimSpace(l.Verb + " " + line)
	case *parleyv1.Event_LookupAnswered:
		return "LookupAnswered", fmt.Sprintf("%s rows=%d", b.LookupAnswered.Step, len(b.LookupAnswered.Rows))
	case *parleyv1.Event_KeywordUsed:
		return "KeywordUsed", b.KeywordUsed.Keyword + " step=" + b.KeywordUsed.Step
	case *parleyv1.Event_TapStale:
		return "TapStale", fmt.Sprintf("%s step=%s", b.TapStale.Policy, b.TapStale.Step)
	case *parleyv1.Event_HandedOver:
		return "HandedOver", fmt.Sprintf("%s step=%s pool=%s", b.HandedOver.Reason, b.HandedOver.Step, b.HandedOver.Pool)
	case *parleyv1.Event_OptedOut:
		return "OptedOut", ""
	case *parleyv1.Event_OptedIn:
		return "OptedIn", ""
	case *parleyv1.Event_ContactMerged:
		return "ContactMerged", ""
	case *parleyv1.Event_SessionAdopted:
		return "SessionAdopted", fmt.Sprint(b.SessionAdopted.Session)
	case *parleyv1.Event_ContactBlocked:
		return "ContactBlocked", ""
	case *parleyv1.Event_ContactUnblocked:
		return "ContactUnblocked", ""
	case *parleyv1.Event_SessionMigrated:
		m := b.SessionMigrated
		return "SessionMigrated", fmt.Sprintf("%d>%d %s>%s", m.FromVersion, m.ToVersion, m.FromStep, m.ToStep)
	case *parleyv1.Event_DeliveryFailed:
		failed := e.GetDeliveryFailed()
		return "DeliveryFailed", fmt.Sprintf("%s %s %d earlier=%t reacted=%t", failed.GetStep(), failed.GetClass(), failed.GetCode(), failed.GetEarlier(), failed.GetReacted())
	case *parleyv1.Event_FormDataKept:
		return "FormDataKept", fmt.Sprintf("%s %s %s", b.FormDataKept.Step, b.FormDataKept.Screen, b.FormDataKept.Json)
	case *parleyv1.Event_CallQueued:
		q := b.CallQueued
		return "CallQueued", fmt.Sprintf("%s %s %s %s %s until=%d", q.Step, q.Ref, q.Method, q.Url, q.Body, q.UntilMs)
	case *parleyv1.Event_CallAnswered:
		a := b.CallAnswered
		return "CallAnswered", fmt.Sprintf("%s %s %s %d %s", a.Step, a.Ref, a.Result, a.Status, a.Reason)
	case *parleyv1.Event_FormAnswered:
		a := b.FormAnswered
		return "FormAnswered", fmt.Sprintf("%s screen=%s finished=%t repeated=%t %s", a.Step, a.Screen, a.Finished, a.Repeated, a.Json)
	}
	return resourceLine(e)
}

// resourceLine writes what becomes of slots and leads.
func resourceLine(e *parleyv1.Event) (name, details string) {
	switch b := e.GetBody().(type) {
	case *parleyv1.Event_SlotBooked:
		return "SlotBooked", fmt.Sprintf("%s %s %s places=%d", b.SlotBooked.Step, b.SlotBooked.Booking, bookableLine(b.SlotBooked.Slot), b.SlotBooked.Places)
	case *parleyv1.Event_SlotTaken:
		return "SlotTaken", fmt.Sprintf("%s %s %s", b.SlotTaken.Step, b.SlotTaken.Verb, b.SlotTaken.Slot)
	case *parleyv1.Event_SlotHeld:
		return "SlotHeld", fmt.Sprintf("%s %s %s places=%d until=%d", b.SlotHeld.Step, b.SlotHeld.Booking, bookableLine(b.SlotHeld.Slot), b.SlotHeld.Places, b.SlotHeld.UntilMs)
	case *parleyv1.Event_SlotReleased:
		return "SlotReleased", fmt.Sprintf("%s %s", b.SlotReleased.Booking, bookableLine(b.SlotReleased.Slot))
	case *parleyv1.Event_BookingMoved:
		return "BookingMoved", fmt.Sprintf("%s %s %s > %s", b.BookingMoved.Step, b.BookingMoved.Booking, bookableLine(b.BookingMoved.From), bookableLine(b.BookingMoved.To))
	case *parleyv1.Event_BookingCancelled:
		return "BookingCancelled", fmt.Sprintf("%s %s %s", b.BookingCancelled.Step, b.BookingCancelled.Booking, bookableLine(b.BookingCancelled.Slot))
	case *parleyv1.Event_LeadAssigned:
		l := b.LeadAssigned
		return "LeadAssigned", fmt.Sprintf("%s %s pool=%s agent=%s from=%s %s", l.Step, l.Lead, l.Pool, l.Agent, l.From, l.Reason)
	case *parleyv1.Event_LeadQueued:
		l := b.LeadQueued
		return "LeadQueued", fmt.Sprintf("%s %s pool=%s from=%s %s", l.Step, l.Lead, l.Pool, l.From, l.Reason)
	case *parleyv1.Event_LeadClosed:
		return "LeadClosed", fmt.Sprintf("%s pool=%s agent=%s", b.LeadClosed.Lead, b.LeadClosed.Pool, b.LeadClosed.Agent)
	}
	return fmt.Sprintf("%T", e.GetBody()), ""
}

func bookableLine(b *parleyv1.Bookable) string {
	return fmt.Sprintf("%s(%s %s %s %s)", b.GetId(), b.GetService(), b.GetCalendar(), b.GetDay(), b.GetTime())
}

func loopLine(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" loop=%d", n)
}

func kindOfInput(in *parleyv1.Input) string {
	switch in.GetBody().(type) {
	case *parleyv1.Input_TimerDue:
		return "timer"
	case *parleyv1.Input_Start:
		return "start"
	case *parleyv1.Input_Migration:
		return "migration"
	case *parleyv1.Input_DeliveryFailure:
		return "failure"
	case *parleyv1.Input_FormExchange:
		return "exchange"
	case *parleyv1.Input_ResourceOrder:
		return "order"
	case *parleyv1.Input_CallResult:
		return "call"
	case *parleyv1.Input_OperatorAction:
		return "operator"
	case *parleyv1.Input_Echo:
		return "echo"
	}
	return in.GetMessage().GetType()
}

// messageLine writes a message as its reader sees it: choices stand in brackets.
func messageLine(m *parleyv1.MessageQueued) string {
	line := contentLine(m)
	if m.GetReplyTo() != "" {
		line += " to " + m.GetReplyTo()
	}
	if m.GetFallback() != nil {
		line += " or " + templateLine(m.GetFallback())
	}
	return line
}

func contentLine(m *parleyv1.MessageQueued) string {
	switch c := m.GetContent().(type) {
	case *parleyv1.MessageQueued_Text:
		line := fmt.Sprintf("say     %q", c.Text.GetBody())
		if c.Text.GetPreviewUrl() {
			line += " preview"
		}
		return line
	case *parleyv1.MessageQueued_Buttons:
		line := fmt.Sprintf("buttons %s%q%s", headerLine(c.Buttons.GetHeader()), c.Buttons.GetBody(), footerLine(c.Buttons.GetFooter()))
		for _, b := range c.Buttons.GetButtons() {
			line += " [" + b.GetTitle() + "]"
		}
		return line
	case *parleyv1.MessageQueued_List:
		return listLine(c.List)
	case *parleyv1.MessageQueued_Link:
		return fmt.Sprintf("link    %s%q%s [%s] %s", headerLine(c.Link.GetHeader()), c.Link.GetBody(), footerLine(c.Link.GetFooter()), c.Link.GetTitle(), c.Link.GetUrl())
	case *parleyv1.MessageQueued_Share:
		return fmt.Sprintf("share   %q [%s]", c.Share.GetBody(), c.Share.GetWhat())
	case *parleyv1.MessageQueued_Form:
		f := c.Form
		return fmt.Sprintf("form    %s%q%s [%s] id=%s screen=%s data=%s", headerLine(f.GetHeader()), f.GetBody(), footerLine(f.GetFooter()), f.GetTitle(), f.GetFormId(), f.GetScreen(), f.GetData())
	case *parleyv1.MessageQueued_Media:
		return "media   " + mediaLine(c.Media)
	case *parleyv1.MessageQueued_Location:
		return fmt.Sprintf("place   %g,%g %q %q", c.Location.GetLatitude(), c.Location.GetLongitude(), c.Location.GetName(), c.Location.GetAddress())
	case *parleyv1.MessageQueued_Contact:
		return fmt.Sprintf("card    %q %s %s %q", c.Contact.GetName(), c.Contact.GetPhone(), c.Contact.GetEmail(), c.Contact.GetOrganization())
	case *parleyv1.MessageQueued_Template:
		return templateLine(c.Template)
	case *parleyv1.MessageQueued_Reaction:
		return "react   " + c.Reaction.GetEmoji() + " to " + c.Reaction.GetMessageId()
	case *parleyv1.MessageQueued_Typing:
		return "typing  for " + c.Typing.GetMessageId()
	}
	return fmt.Sprintf("%T", m.GetContent())
}

func listLine(l *parleyv1.List) string {
	header := ""
	if l.GetHeader() != "" {
		header = fmt.Sprintf("%q / ", l.GetHeader())
	}
	line := fmt.Sprintf("list    %s%q%s (%s)", header, l.GetBody(), footerLine(l.GetFooter()), l.GetButton())
	for _, s := range l.GetSections() {
		for _, r := range s.GetRows() {
			line += " [" + r.GetTitle()
			if r.GetDescription() != "" {
				line += " | " + r.GetDescription()
			}
			line += "]"
		}
	}
	return line
}

func headerLine(h *parleyv1.Header) string {
	switch {
	case h == nil:
		return ""
	case h.GetMedia() != nil:
		return mediaLine(h.GetMedia()) + " / "
	}
	return fmt.Sprintf("%q / ", h.GetText())
}

func footerLine(footer string) string {
	if footer == "" {
		return ""
	}
	return fmt.Sprintf(" / %q", footer)
}

func mediaLine(m *parleyv1.Media) string {
	line := m.GetKind() + " " + m.GetId() + m.GetLink()
	if m.GetCaption() != "" {
		line += fmt.Sprintf(" %q", m.GetCaption())
	}
	if m.GetFilename() != "" {
		line += " " + m.GetFilename()
	}
	return line
}

func templateLine(m *parleyv1.Template) string {
	line := fmt.Sprintf("template %s %s %s", m.GetName(), m.GetLanguage(), headerLine(m.GetHeader()))
	for _, p := range m.GetBody() {
		if p.GetName() != "" {
			line += p.GetName() + "="
		}
		line += fmt.Sprintf("%q ", p.GetText())
	}
	for _, b := range m.GetButtons() {
		line += fmt.Sprintf("[%d %s %q] ", b.GetIndex(), b.GetKind(), b.GetText())
		if form := b.GetForm(); form != nil {
			line += fmt.Sprintf("form %s %s %s ", form.GetFormId(), form.GetToken(), form.GetData())
		}
	}
	return strings.TrimRight(line, " ")
}
