package flow

import (
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// windowMargin is how long before its end the window counts as closed: a message
	// may have to wait on its way.
	windowMargin = 10 * minuteMs
	// neverHeard is a window that was never open.
	neverHeard = 1
)

// pureTemplate reports whether the message is a template, and not one that has a
// template for when the window is closed.
func (b bubble) pureTemplate() bool {
	return b.template != nil && b.body == nil && b.media == nil && b.location == nil && b.contact == nil
}

// fallbackOf is the template that is sent instead of a message; nil if there is none.
func fallbackOf(b bubble) *template {
	if b.pureTemplate() {
		return nil
	}
	return b.template
}

// windowUntil is until when free text may be sent: Meta takes it for 24 h after the
// person's last message, and templates at any time (WIRE.md 3.4, 131047). 0 is unknown.
func (t *turn) windowUntil() int64 {
	return max(t.in.GetContact().GetWindowUntilMs(), t.state.Progress.WindowUntilMs)
}

// windowAtStart is what a new session knows of the window. Whom the business writes to
// first has never opened one.
func (t *turn) windowAtStart() int64 {
	until := t.in.GetContact().GetWindowUntilMs()
	if until == 0 && t.in.GetStart() != nil {
		return neverHeard
	}
	return until
}

// dress gives a message what the sender must know besides its content. It becomes its
// template at once if the window was open and is closed; whether a channel has windows
// at all, only the sender knows. One without a template stays as it is: the sender fails
// it before the call, and the session hears of it. The template that a start brings is
// said in place of the first message. A template opens the form of the message that it
// stands for.
func (t *turn) dress(m *parleyv1.MessageQueued) {
	m.Step = t.speaker()
	if t.quotes {
		m.ReplyTo = t.messageID()
	}
	form := m.GetForm()
	if t.opening != nil {
		m.Content, t.opening = &parleyv1.MessageQueued_Template{Template: opens(proto.CloneOf(t.opening), form)}, nil
	}
	if m.GetTemplate() != nil || m.GetTyping() != nil {
		return
	}
	m.WindowUntilMs = t.windowUntil()
	switch {
	case t.fallback == nil:
	case m.WindowUntilMs > neverHeard && t.in.GetAtMs() >= m.WindowUntilMs-windowMargin:
		m.Content, m.WindowUntilMs = &parleyv1.MessageQueued_Template{Template: opens(t.template(t.fallback), form)}, 0
	default:
		m.Fallback = opens(t.template(t.fallback), form)
	}
}

// opens gives the button of a template the form that it opens. What the form looks like
// was approved with the template.
func opens(tm *parleyv1.Template, form *parleyv1.Form) *parleyv1.Template {
	for _, b := range tm.GetButtons() {
		if b.GetKind() == formButton && form != nil {
			b.Form = &parleyv1.Form{FormId: form.GetFormId(), Token: form.GetToken(), Data: form.GetData(), Received: form.GetReceived()}
		}
	}
	return tm
}
