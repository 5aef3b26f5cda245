package flow

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// windowMs is how long after a message of the person free text may be sent (Meta's
	// customer service window of 24 h), less a margin for the way to the provider.
	windowMs = 24*hourMs - 10*minuteMs
	// archiveMs is how long a session that has ended stays among those that run.
	archiveMs = 24 * hourMs
	// pendingMin and pendingMax bound how long a timer waits for a question that was not
	// handed over: the longer, the longer the person has been silent.
	pendingMin, pendingMax = minuteMs, 30 * minuteMs

	minuteMs = int64(time.Minute / time.Millisecond)
	hourMs   = 60 * minuteMs
)

// reminder is said to who does not answer.
type reminder struct {
	// afterMs is how long the person is silent; 0 for one that chooses it (auto).
	afterMs int64
	auto    bool
	say     []bubble
	// template says that it may be said at any time: outside of the window
	// WhatsApp takes nothing else.
	template bool
}

// timeout ends the wait for an answer.
type timeout struct {
	afterMs int64
	to      target
}

// resumePolicy is what a message does to a session that has expired.
type resumePolicy string

const (
	resumeContinue resumePolicy = "continue"
	resumeRestart  resumePolicy = "restart"
	resumeAsk      resumePolicy = "ask"
)

// quietHours are those in which nobody is reminded, in minutes of the day.
type quietHours struct{ from, to int }

// plan is what a question that waits for its answer wants to be woken for. All
// times are Unix milliseconds; 0 is never.
type plan struct {
	// remind is the reminder that comes next, by its index, and when.
	remind                        int
	remindAt, timeoutAt, expireAt int64
	// chooseAt is when the time of a reminder is chosen, measuredAt when its effect is
	// measured no longer.
	chooseAt, measuredAt int64
}

// earliest is when the session must be woken.
func (p plan) earliest() int64 {
	var at int64
	for _, t := range []int64{p.remindAt, p.timeoutAt, p.expireAt, p.chooseAt, p.measuredAt} {
		if t > 0 && (at == 0 || t < at) {
			at = t
		}
	}
	return at
}

// planOf is what a step that was asked at a time wants, when so many reminders of
// it are done with. Reminders and expiry count from the last sign of life, a
// timeout from the question.
func (t *turn) planOf(s *step, askedMs int64, reminded uint32) plan {
	p := plan{remind: -1}
	switch {
	case s.timeout != nil:
		p.timeoutAt = askedMs + s.timeout.afterMs
	case s.request != nil:
		p.timeoutAt = askedMs + s.request.timeoutMs
	}
	silentMs := max(t.state.LastInteractionMs, askedMs)
	if t.flow.expireMs > 0 {
		p.expireAt = silentMs + t.flow.expireMs
	}
	p.measuredAt = t.state.Progress.Silence.measuredAt()
	for i := int(reminded); i < len(s.reminders) && p.remind < 0; i++ {
		r := s.reminders[i]
		if r.auto && t.choosesAt(silentMs, &p) {
			return p
		}
		afterMs := t.afterMs(r)
		at := t.loud(max(silentMs+afterMs, t.in.GetAtMs()))
		closed := at > t.state.LastInteractionMs+windowMs && !r.template
		if afterMs > 0 && !closed && before(at, p.expireAt) && before(at, p.timeoutAt) {
			p.remind, p.remindAt = i, at
		}
	}
	return p
}

// before reports whether a moment comes before a limit; 0 is none.
func before(at, limit int64) bool { return limit == 0 || at < limit }

// loud is the first moment from at on that is outside of the quiet hours, where the
// person is.
func (t *turn) loud(atMs int64) int64 {
	q := t.flow.quiet
	if q == nil {
		return atMs
	}
	zone := t.flow.zone
	if c := t.in.GetContact(); c != nil && c.UtcOffsetMinutes != nil {
		zone = time.FixedZone("", int(c.GetUtcOffsetMinutes())*60)
	}
	at := time.UnixMilli(atMs).In(zone)
	minute := at.Hour()*60 + at.Minute()
	if q.from <= q.to && (minute < q.from || minute >= q.to) || q.from > q.to && minute < q.from && minute >= q.to {
		return atMs
	}
	year, month, day := at.Date()
	end := time.Date(year, month, day, 0, q.to, 0, 0, zone)
	if !end.After(at) {
		end = time.Date(year, month, day+1, 0, q.to, 0, 0, zone)
	}
	return end.UnixMilli()
}

// keepTimer closes a turn: it sets the session's timer if that would go off too
// late, or has gone off. One that goes off too early is left: it costs less than to
// move it with every answer.
func (t *turn) keepTimer() {
	if len(t.events) == 0 || t.state.Awaits() != nil {
		return
	}
	at, now, set := t.wakeUp(), t.in.GetAtMs(), t.state.Progress.TimerMs
	if t.promptPending {
		at = now + min(max((now-t.state.LastInteractionMs)/8, pendingMin), pendingMax)
	}
	if at != set && (set <= now || at > 0 && at < set) {
		t.emit(timerSet(at, t.askedMs))
	}
}

// wakeUp is when the session must be woken; 0 if never.
func (t *turn) wakeUp() int64 {
	switch p := t.state.Progress; {
	case t.state.Status == Active:
		return t.planOf(t.step(), max(p.AskedMs, t.askedMs), p.Reminded).earliest()
	case t.state.Status == Expired, p.Archived:
		return 0
	case t.state.Status == Human:
		return cmp.Or(t.handBackAt(), t.in.GetAtMs()+archiveMs)
	}
	if at := t.state.quietSince() + archiveMs; t.in.GetTimerDue() != nil && at > t.in.GetAtMs() {
		return at // a timer is no reason to wait longer
	}
	return t.in.GetAtMs() + archiveMs
}

// wake reacts to a timer. One that the session did not ask for, or asked for at a
// step that it has left, does nothing.
func (t *turn) wake(due *parleyv1.TimerDue) {
	p := t.state.Progress
	if due.GetSessionRef() != p.Ref || due.GetWakeAtMs() == 0 || due.GetWakeAtMs() != t.state.WakeAt() {
		return
	}
	if due.GetWakeAtMs() == p.WakeAtMs {
		t.wakeFragments()
		return
	}
	t.emit(inputReceived(t.in))
	switch {
	case t.state.Status == Active && t.silenced():
		t.emit(sessionExpired(t.state.Step)) // nobody is reminded who asked to hear nothing
	case t.state.Status == Active:
		t.overdue(due)
	case t.state.Status == Human:
		t.mindHuman()
	case t.in.GetAtMs() >= t.state.quietSince()+archiveMs:
		t.emit(sessionArchived())
	}
}

// wakeFragments weighs the fragments of an answer: the person has been quiet.
func (t *turn) wakeFragments() {
	if t.state.Status != Active || t.silenced() {
		return
	}
	t.emit(inputReceived(t.in))
	said := joined(t.state.Progress.Fragments)
	t.weigh(t.step(), Pending{Text: said, Value: said})
}

func joined(fragments []string) string { return strings.Join(fragments, "\n") }

// overdue does what is due at the present question: it expires, times out, chooses when
// to remind, reminds.
// The clock of a question runs from when it was handed over to the provider.
func (t *turn) overdue(timer *parleyv1.TimerDue) {
	s, now, p, promptAtMs := t.step(), t.in.GetAtMs(), t.state.Progress, timer.GetPromptAtMs()
	if s.request != nil {
		promptAtMs = 0 // nobody has to see anything
	}
	if promptAtMs < 0 { // it lies in a queue: nobody can have answered
		t.askedMs, t.promptPending = now, true
		return
	}
	if promptAtMs > p.AskedMs {
		t.askedMs = promptAtMs
	}
	asked := max(p.AskedMs, t.askedMs)
	switch due := t.planOf(s, asked, p.Reminded); {
	case due.expireAt > 0 && due.expireAt <= now:
		t.emit(sessionExpired(s.name))
	case due.timeoutAt > 0 && due.timeoutAt <= now:
		t.timeOut(s)
	case due.chooseAt > 0 && due.chooseAt <= now:
		t.choose(s, max(t.state.LastInteractionMs, asked), timer.GetAdvice())
	case due.remindAt > 0 && due.remindAt <= now:
		t.remind(s, due, asked)
	case due.measuredAt > 0 && due.measuredAt <= now:
		t.endSilence(false)
	}
}

// timeOut goes on without an answer.
func (t *turn) timeOut(s *step) {
	t.emit(stepTimedOut(s.name))
	t.askedMs = 0
	if s.request != nil {
		t.callFailed(s, &parleyv1.CallAnswered{Result: callTimeout})
		return
	}
	switch s.timeout.to.kind {
	case toCancelled:
		t.cancel(ReasonTimeout)
	case toHandover:
		t.emit(handedOver(s.name, "", ReasonTimeout))
	default:
		t.emit(stepLeft(s.name, ReasonTimeout))
		t.from = s.position
		t.goTo(s.timeout.to)
	}
}

// remind says the reminder that is due. Of several that are overdue, after an
// outage, only the last is said.
func (t *turn) remind(s *step, p plan, askedMs int64) {
	for i := p.remind + 1; i < len(s.reminders); i++ {
		if next := t.planOf(s, askedMs, uint32(i)); next.remind == i && next.remindAt <= t.in.GetAtMs() {
			p = next
		}
	}
	r, number := s.reminders[p.remind], uint32(p.remind+1)
	if plan := t.state.Progress.Silence; r.auto && plan.Withheld {
		t.emit(reminderWithheld(s.name, number))
		return
	}
	t.emit(reminderQueued(s.name, number, t.reason(r, askedMs)))
	if waiting := t.state.Progress.Pending; waiting != nil {
		t.say(r.say)
		t.confirm(s, *waiting)
		return
	}
	t.sayWith(s, r.say)
}

// reason says why a reminder is said now.
func (t *turn) reason(r reminder, askedMs int64) string {
	afterMs := t.afterMs(r)
	due := max(t.state.LastInteractionMs, askedMs) + afterMs
	why := fmt.Sprintf("silent for %s", time.Duration(afterMs)*time.Millisecond)
	if t.loud(due) != due {
		why += ", put off to the end of the quiet hours"
	}
	if r.auto {
		why += ": " + t.state.Progress.Silence.Reason
	}
	return why
}

// hearExpired reacts to a message to a session that has expired: it goes on where
// it was, unless the flow wants to begin again, or the message begins another one.
func (t *turn) hearExpired(m *parleyv1.IncomingMessage) {
	f, e := t.live.begins(t.in, chosen)
	again := t.restarts(m)
	switch {
	case again != nil:
		t.begin(again, nil)
	case f != nil && f.name != t.state.Flow:
		t.begin(f, e)
	case t.flow.resume == resumeRestart:
		t.begin(t.newest(), nil)
	case t.flow.resume == resumeAsk && t.mayMeanAnything(m):
		t.emit(inputReceived(t.in))
		t.askResume()
	default:
		t.hearActive(m)
	}
}
