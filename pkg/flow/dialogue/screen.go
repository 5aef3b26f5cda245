package dialogue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// screen holds the messages of the flow that can be answered by a tap, the oldest
// first.
type screen struct {
	all []*parleyv1.MessageQueued
	// past is how many of them belong to earlier questions.
	past int
}

// button is what can be tapped.
type button struct{ id, title string }

// event shows what a history brings to the screen.
func (s *screen) event(e *parleyv1.Event) {
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_MessageQueued:
		if m := body.MessageQueued; formOf(m) != nil || len(buttonsOf(m)) > 0 {
			s.all = append(s.all, m)
		}
	case *parleyv1.Event_StepEntered, *parleyv1.Event_SessionCompleted, *parleyv1.Event_SessionCancelled, *parleyv1.Event_HandedOver:
		s.past = len(s.all)
	}
}

// present is the last message of the question that is asked now; empty if it has
// none.
func (s *screen) present() []*parleyv1.MessageQueued {
	return s.all[max(s.past, len(s.all)-1):]
}

func buttonsOf(m *parleyv1.MessageQueued) []button {
	var all []button
	for _, b := range m.GetButtons().GetButtons() {
		all = append(all, button{b.GetId(), b.GetTitle()})
	}
	for _, section := range m.GetList().GetSections() {
		for _, row := range section.GetRows() {
			all = append(all, button{row.GetId(), row.GetTitle()})
		}
	}
	return all
}

// tap finds a button by its title, or by its number. A parser, which has no
// screen, takes any.
func (s *screen) tap(what says) (*parleyv1.IncomingMessage, error) {
	if s == nil {
		return nil, nil
	}
	shown, hint := s.present(), "; write (old) ["+what.text+"] to tap an earlier message"
	if what.kind == sayOld {
		shown, hint = s.all[:len(s.all)-len(shown)], ""
	}
	for _, m := range slices.Backward(shown) {
		all := buttonsOf(m)
		i := slices.IndexFunc(all, func(b button) bool { return b.title == what.text })
		if n, err := strconv.Atoi(what.text); i < 0 && err == nil && n >= 1 && n <= len(all) {
			i = n - 1
		}
		if i >= 0 {
			return &parleyv1.IncomingMessage{Type: "interactive", Text: all[i].title, Tap: all[i].id}, nil
		}
	}
	return nil, fmt.Errorf("there is no [%s] to tap: %s%s", what.text, titles(shown), hint)
}

func titles(shown []*parleyv1.MessageQueued) string {
	var all []string
	for _, m := range shown {
		for _, b := range buttonsOf(m) {
			all = append(all, "["+b.title+"]")
		}
	}
	if all == nil {
		return "no such message has a button"
	}
	return "the screen shows " + strings.Join(all, " ")
}

// token names the form that was sent last; empty if there was none.
func (s *screen) token() string {
	if s == nil {
		return ""
	}
	for _, m := range slices.Backward(s.all) {
		if form := formOf(m); form != nil {
			return form.GetToken()
		}
	}
	return ""
}

// formOf is the form that a message opens; nil if it opens none.
func formOf(m *parleyv1.MessageQueued) *parleyv1.Form {
	if form := m.GetForm(); form != nil {
		return form
	}
	for _, b := range m.GetTemplate().GetButtons() {
		if b.GetForm() != nil {
			return b.GetForm()
		}
	}
	return nil
}
