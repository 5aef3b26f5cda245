package flow

import (
	"fmt"
	"hash/fnv"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// AutoFirst is the silence after which the time of a reminder is chosen. Who answers
	// sooner, as most do, costs nothing and is measured by nothing.
	AutoFirst = 10 * time.Minute
	// AutoDefault is when a reminder comes as long as nothing is known of a step.
	AutoDefault = 3 * time.Hour
	// SilenceMeasured is how long a silence counts: who comes back later came back on
	// their own. It is about what WhatsApp takes free text for.
	SilenceMeasured = 24 * time.Hour

	// Of a hundred people, so many are not reminded, and so many are at another time than
	// the best that is known: without them there would be nothing to learn from.
	withheldPercent, elsewherePercent = 10, 10
	// doublings is how far from AutoFirst the other times reach: to 10 h 40 m.
	doublings = 6
)

// Silence is a silence for which a reminder was planned.
type Silence struct {
	BeganMs  int64  `json:"began_ms"`
	AfterMs  int64  `json:"after_ms"`
	Withheld bool   `json:"withheld,omitempty"`
	Drawn    bool   `json:"drawn,omitempty"`
	Reason   string `json:"reason"`
	// ReachedMs is how long it was when the reminder was said or withheld.
	ReachedMs int64 `json:"reached_ms,omitempty"`
}

// measuredAt is when a silence is measured no longer; 0 if there is none.
func (s *Silence) measuredAt() int64 {
	if s == nil {
		return 0
	}
	return s.BeganMs + SilenceMeasured.Milliseconds()
}

// reached notes that the reminder's moment came.
func (s *Silence) reached(atMs int64) *Silence {
	if s == nil || s.ReachedMs > 0 {
		return s
	}
	next := *s
	next.ReachedMs = max(atMs-s.BeganMs, 1)
	return &next
}

// choosesAt reports whether the time of a reminder is still to be chosen, and plans
// when: at the first moment at which a choice is worth its turn.
func (t *turn) choosesAt(silentMs int64, p *plan) bool {
	at := silentMs + AutoFirst.Milliseconds()
	if t.state.Progress.Silence != nil || !before(at, p.expireAt) || !before(at, p.timeoutAt) ||
		t.in.GetAtMs() >= silentMs+SilenceMeasured.Milliseconds() {
		return false
	}
	p.chooseAt = at
	return true
}

// afterMs is how long a reminder waits; 0 if that was not chosen.
func (t *turn) afterMs(r reminder) int64 {
	if s := t.state.Progress.Silence; r.auto && s != nil {
		return s.AfterMs
	}
	return r.afterMs
}

// choose plans the reminder of a silence. The draw depends on the session, the step and
// the silence alone, so that the history can be decided again.
func (t *turn) choose(s *step, beganMs int64, advice *parleyv1.ReminderAdvice) {
	plan := &parleyv1.ReminderPlanned{Step: s.name, BeganMs: beganMs}
	if advice.GetStep() != s.name || advice.GetAfterMs() <= 0 {
		plan.AfterMs, plan.Reason = AutoDefault.Milliseconds(), "nothing is known of this step yet"
		t.emit(reminderPlanned(plan))
		return
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "remind\x00%s\x00%s\x00%d", t.state.Progress.Ref, s.name, beganMs)
	dice := mix(h.Sum64())
	draw := func(n uint64) int64 { d := dice % n; dice /= n; return int64(d) }
	plan.Drawn, plan.Reason = true, advice.GetReason()
	plan.Withheld = draw(100) < withheldPercent
	if draw(100) < elsewherePercent {
		plan.AfterMs = AutoFirst.Milliseconds() << draw(doublings)
		plan.AfterMs += plan.AfterMs * draw(1000) / 1000
		plan.Reason += "; tried at another time"
	} else {
		plan.AfterMs = advice.GetAfterMs() * (700 + draw(701)) / 1000
	}
	plan.AfterMs = max(plan.AfterMs, AutoFirst.Milliseconds()) / 1000 * 1000
	t.emit(reminderPlanned(plan))
}

// endSilence records how a silence ended for which a reminder was planned.
func (t *turn) endSilence(replied bool) {
	s := t.state.Progress.Silence
	t.emit(silenceEnded(&parleyv1.SilenceEnded{
		Step: t.state.Step, BeganMs: s.BeganMs, SilentMs: max(t.in.GetAtMs()-s.BeganMs, 0), Replied: replied,
		ReachedMs: s.ReachedMs, Withheld: s.Withheld, Drawn: s.Drawn,
	}))
}

// leavesQuestion reports whether an event takes a session away from its question.
func leavesQuestion(e *parleyv1.Event) bool {
	switch e.GetBody().(type) {
	case *parleyv1.Event_StepLeft, *parleyv1.Event_HandedOver, *parleyv1.Event_SessionCancelled, *parleyv1.Event_SessionExpired,
		*parleyv1.Event_SessionMigrated:
		return true
	}
	return false
}

// breaksSilence reports whether an event is a sign of life.
func breaksSilence(e *parleyv1.Event) bool {
	return e.GetInputReceived().GetInput().GetMessage() != nil
}

// cameBack reports whether who writes has come back: who only says that they want to
// hear nothing more has not.
func (t *turn) cameBack() bool {
	return !t.optedOut() && !t.flow.keywordOf(t.in.GetMessage()).is(keywordStop)
}
