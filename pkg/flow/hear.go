package flow

import (
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Reasons of SessionCancelled and HandedOver.
const (
	// ReasonRestart: the person asked to begin again.
	ReasonRestart = "restart"
	// ReasonStop: the person asked to hear nothing more.
	ReasonStop = "stop"
	// ReasonAttempts: too many wrong answers.
	ReasonAttempts = "attempts"
	// ReasonLoop: the session came back to a step too often.
	ReasonLoop = "loop"
	// ReasonSwitch: another flow began.
	ReasonSwitch = "switch"
	// ReasonExpired: the person came back too late, and the flow begins again then.
	ReasonExpired = "expired"
	// ReasonTimeout: nobody answered in time.
	ReasonTimeout = "timeout"
	// ReasonCancelled: the flow ended like that.
	ReasonCancelled = "cancelled"
	// ReasonTap, ReasonEmpty, ReasonMigrated: why a step was left.
	ReasonTap      = "tap"
	ReasonEmpty    = "empty"
	ReasonMigrated = "migrated"
	// ReasonUndelivered: the question did not arrive.
	ReasonUndelivered = "undelivered"
	// ReasonStep, ReasonKeyword: what handed the conversation over.
	ReasonStep    = "step"
	ReasonKeyword = "keyword"
)

// hearActive reacts to a message while a session runs. In this order: an entry
// that interrupts, a keyword, a human's silence, a tap on an old button or a reply to
// an old question, and the answer.
func (t *turn) hearActive(m *parleyv1.IncomingMessage) {
	if f, e := t.interruption(); f != nil {
		t.emit(inputReceived(t.in))
		t.cancel(ReasonSwitch)
		t.begin(f, e)
		return
	}
	t.emit(inputReceived(t.in))
	if t.state.Status == Expired {
		t.emit(sessionResumed(t.state.Step))
	}
	if k := t.flow.keywordOf(m); k != nil && t.obeys(k) {
		return
	}
	if t.state.Status == Human {
		return
	}
	if r := t.step().request; r != nil {
		t.say(r.busy)
		return
	}
	if tp, ours := tapOf(m); ours && !t.isCurrent(tp) {
		t.stale(tp, m)
		return
	}
	if tp, old := t.repliesToOld(m); old {
		t.stale(tp, m)
		return
	}
	t.answer(m)
}

// repliesToOld reports whether a message answers to another question than the one
// that is asked now (a swipe): then it is as a tap on an old button. A reply to
// something that asked nothing, or that is not known, is an answer like any other.
func (t *turn) repliesToOld(m *parleyv1.IncomingMessage) (tp tap, old bool) {
	ours := m.GetRepliedTo()
	if ours.GetStep() == "" || m.GetTap() != "" || ours.GetStep() == t.state.Step {
		return tap{}, false
	}
	i, known := t.flow.index[ours.GetStep()]
	asked := known && t.flow.steps[i].expect != nil
	if ours.GetQueuedAtMs() < t.state.StartedAtMs {
		return tap{}, asked // of an earlier session: there is no way back to it
	}
	return tap{ref: t.state.Progress.Ref, step: ours.GetStep()}, asked || !known
}

// interruption is the flow that a message begins although another one runs. What
// is said to a human interrupts nothing.
func (t *turn) interruption() (*Flow, *entry) {
	if t.state.Status == Human {
		return nil, nil
	}
	f, e := t.live.begins(t.in, interrupting)
	if f == nil || f.name == t.state.Flow {
		return nil, nil
	}
	return f, e
}

// keywordOf finds the keyword that a message is; taps on our buttons are none.
func (f *Flow) keywordOf(m *parleyv1.IncomingMessage) *keyword {
	if len(f.keywords) == 0 || len(m.GetText()) > 4*NameCharactersMax || strings.HasPrefix(m.GetTap(), tapPrefix) {
		return nil
	}
	said := answerOf(m)
	if isLongerThan(said, f.keywordBytes) {
		return nil
	}
	return f.keywords[fold(said)]
}

// is reports whether the keyword has this name. A nil keyword has none.
func (k *keyword) is(name string) bool { return k != nil && k.name == name }

// obeys does what a keyword says; while a human has the conversation, only what
// takes it back or ends it.
func (t *turn) obeys(k *keyword) bool {
	switch {
	case k.is(keywordRestart):
		t.restart()
	case k.is(keywordStop):
		t.stop(k)
	case t.state.Status == Human:
		return false
	default:
		t.keyword(k)
	}
	return true
}

func (t *turn) stop(k *keyword) {
	t.emit(optedOut())
	t.cancel(ReasonStop)
	t.say(k.say)
}

func (t *turn) keyword(k *keyword) {
	t.emit(keywordUsed(k.name, t.state.Step))
	if k.language > 0 {
		t.emit(languageChanged(t.flow.languages[k.language-1]))
	}
	t.say(k.say)
	switch k.to.kind {
	case toNothing:
		if t.state.Status == Active {
			t.repeat()
		} else if k.say == nil {
			t.say(t.flow.completed.again)
		}
	case toHandover:
		t.emit(handedOver(t.state.Step, k.pool, ReasonKeyword))
	default:
		t.emit(stepLeft(t.state.Step, ReasonKeyword))
		t.leaveSubflows()
		t.from = 0 // and is no loop: the person asked for it
		t.goTo(k.to)
	}
}

// obeysAfterEnd reports whether a keyword still has something to say or do when
// there is no question any more.
func (f *Flow) obeysAfterEnd(k *keyword) bool {
	if k == nil {
		return false
	}
	return k.to.kind == toHandover || k.to.kind == toNothing && (k.say != nil || f.completed.again != nil)
}

// leaveSubflows ends all sub-flows, as a jump does.
func (t *turn) leaveSubflows() {
	for range t.state.Progress.Calls {
		t.emit(t.returned())
	}
}

// repeat says the present question again.
func (t *turn) repeat() {
	s := t.step()
	if p := t.state.Progress.Pending; p != nil {
		t.confirm(s, *p)
		return
	}
	t.prompt(s)
}

// isCurrent reports whether a tap belongs to the question that is asked now: of
// yes and no to something said back, to what was said back last.
func (t *turn) isCurrent(tp tap) bool {
	_, nonce, confirms := tp.confirmation()
	p := t.state.Progress.Pending
	return tp.ref == t.state.Progress.Ref && tp.step == t.state.Step && (!confirms || t.state.Progress.Resuming && nonce == t.resumeNonce() || p != nil && nonce == digest(plain(p.Value)))
}

// stale reacts to a tap on an old button. A tap of another session answers
// nothing; one of an earlier step of this session may go back to it.
func (t *turn) stale(tp tap, m *parleyv1.IncomingMessage) {
	policy := t.flow.staleTaps
	if _, known := t.flow.index[tp.step]; !known || tp.ref != t.state.Progress.Ref {
		tp.step = ""
	}
	if policy == jumpTap && !t.canJump(tp) {
		policy = repeatTap
	}
	t.emit(tapStale(tp.step, policy))
	switch policy {
	case repeatTap:
		t.repeat()
	case jumpTap:
		t.jump(t.flow.step(tp.step), m)
	}
}

// canJump reports whether a tap can lead back to its step. One of a sub-flow is not
// gone back to, because who called it may be another now; and one of an earlier
// version may need what this session never said.
func (t *turn) canJump(tp tap) bool {
	inSubflow := strings.Contains(tp.step, ".") || len(t.state.Progress.Calls) > 0
	return tp.step != "" && tp.step != t.state.Step && !inSubflow && len(t.flow.Lacks(t.state, tp.step)) == 0
}

// jump goes back to a step and takes the tap as its answer. Choices from a table
// are asked for again, because what was offered then may be gone, and so is what
// was to be confirmed.
func (t *turn) jump(s *step, m *parleyv1.IncomingMessage) {
	t.emit(stepLeft(t.state.Step, ReasonTap))
	t.from = 0
	tp, _ := tapOf(m)
	if _, _, confirms := tp.confirmation(); confirms || s.expect == nil || s.expect.dynamic != nil {
		t.goTo(target{kind: toStep, step: t.flow.index[s.name]})
		return
	}
	t.emit(stepEntered(s, t.loops(s)))
	t.from = s.position
	t.answer(m)
}
