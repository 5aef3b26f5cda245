package flow

import (
	"fmt"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// mayMeanAnything reports whether what is written to an expired session leaves open
// whether the person goes on: a keyword says what it wants, a tap on a button of the
// question and a form answer it.
func (t *turn) mayMeanAnything(m *parleyv1.IncomingMessage) bool {
	tp, ours := tapOf(m)
	return t.step().expect != nil && t.flow.keywordOf(m) == nil && (!ours || !t.isCurrent(tp))
}

// askResume asks who came back whether to go on or to begin anew.
func (t *turn) askResume() {
	s := t.step()
	t.emit(sessionResumed(s.name))
	t.emit(resumeAsked(s.name))
	nonce := "-" + t.resumeNonce()
	t.buttons(bubble{}, t.own("resume"), []*parleyv1.Button{
		{Id: t.tapID(s.name, tapYes+nonce), Title: t.own("go_on")}, {Id: t.tapID(s.name, tapNo+nonce), Title: t.own("start_over")},
	})
}

// resumeNonce tells the buttons of this return from those of an earlier one.
func (t *turn) resumeNonce() string { return digest(fmt.Sprint("resume ", t.state.Progress.AskedMs)) }

// resumes takes the answer of who was asked whether to go on. Everything but a word for
// it is an answer to the question: then it reports false, and the session goes on.
func (t *turn) resumes(s *step, m *parleyv1.IncomingMessage) bool {
	word := fold(answerOf(m))
	yes, no := word == fold(t.own("go_on")), word == fold(t.own("start_over"))
	if tp, ours := parseTap(m.GetTap()); ours {
		choice, _, confirms := tp.confirmation()
		yes, no = confirms && choice == tapYes, confirms && choice == tapNo
	}
	t.emit(resumeAnswered(s.name, !no))
	switch {
	case yes:
		t.prompt(s)
	case no:
		t.restart()
	}
	return yes || no
}
