package patience

import (
	"fmt"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// status is what became of a session, as the events say it.
type status string

const (
	none    status = ""
	active  status = "active"
	human   status = "human"
	ended   status = "ended"
	expired status = "expired"
)

// sight is what the judge has seen of a person's session.
type sight struct {
	zone   *time.Location
	status status
	step   string // the question that waits
	// heard is when the person wrote last, asked when the question was said, or handed over
	// to WhatsApp, and since when something ended.
	heard, asked, since time.Time
	reminded            uint32
	plan                *parleyv1.ReminderPlanned
	completed, archived bool
}

// silentSince is the last sign of life at the question.
func (s *sight) silentSince() time.Time {
	if s.asked.After(s.heard) {
		return s.asked
	}
	return s.heard
}

// Judge folds events, and holds them against what people may expect. It reads nothing
// but events, and what the caller tells of hand-overs, timers and rows.
type Judge struct {
	people map[int]*sight
	// Faults are what was found, the first of them.
	Faults []string
	found  int
	// Counts says how often each kind of event came.
	Counts map[string]int
}

const faultsMax = 20

// NewJudge returns a judge who has seen nothing.
func NewJudge() *Judge { return &Judge{people: map[int]*sight{}, Counts: map[string]int{}} }

// Found is the number of faults.
func (j *Judge) Found() int { return j.found }

func (j *Judge) fault(p *Person, at time.Time, format string, args ...any) {
	if j.found++; len(j.Faults) < faultsMax {
		j.Faults = append(j.Faults, fmt.Sprintf("person %d, %s: %s", p.Number, at.Format("2 Jan 15:04:05"), fmt.Sprintf(format, args...)))
	}
}

func (j *Judge) sight(p *Person) *sight {
	s := j.people[p.Number]
	if s == nil {
		s = &sight{zone: p.Zone}
		j.people[p.Number] = s
	}
	return s
}

// Turn judges the events of one turn.
func (j *Judge) Turn(p *Person, events []*parleyv1.Event) {
	s := j.sight(p)
	for i, e := range events {
		at := time.UnixMilli(e.GetAtMs()).UTC()
		j.clock(p, s, at, e)
		j.fold(p, s, at, e)
		if r := e.GetReminderQueued(); r != nil {
			j.reminder(p, s, at, r, events[i+1:])
			s.reminded = r.GetNumber()
		}
	}
}

// fold follows the session, whatever is right or wrong about it.
func (j *Judge) fold(p *Person, s *sight, at time.Time, e *parleyv1.Event) {
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_SessionStarted:
		j.Counts["started"]++
		*s = sight{zone: p.Zone, status: active, heard: at}
	case *parleyv1.Event_InputReceived:
		if body.InputReceived.GetInput().GetMessage() != nil {
			s.heard, s.archived, s.plan = at, false, nil
		}
	case *parleyv1.Event_StepEntered:
		s.step, s.asked, s.reminded, s.plan = body.StepEntered.GetStep(), at, 0, nil
	case *parleyv1.Event_AnswerAccepted, *parleyv1.Event_StepLeft:
		s.step, s.plan = "", nil
	case *parleyv1.Event_TimerSet:
		if asked := time.UnixMilli(body.TimerSet.GetAskedMs()); asked.After(s.asked) {
			s.asked = asked
		}
	case *parleyv1.Event_ReminderPlanned:
		s.plan = body.ReminderPlanned
	case *parleyv1.Event_ReminderWithheld:
		s.reminded = body.ReminderWithheld.GetNumber()
		j.Counts["withheld"]++
	case *parleyv1.Event_HandedOver:
		s.status, s.step = human, ""
	case *parleyv1.Event_GivenBack:
		if s.status = active; s.completed {
			s.status = ended
		}
	case *parleyv1.Event_SessionResumed:
		s.status, s.asked, s.reminded = active, at, 0
	case *parleyv1.Event_SessionExpired:
		s.status, s.since = expired, at
	case *parleyv1.Event_SessionCompleted, *parleyv1.Event_SessionCancelled:
		s.status, s.step, s.since = ended, "", at
		s.completed = s.completed || e.GetSessionCompleted() != nil
	case *parleyv1.Event_SessionArchived:
		s.archived = true
	}
}

// clock judges what comes because time has passed, before it is folded.
func (j *Judge) clock(p *Person, s *sight, at time.Time, e *parleyv1.Event) {
	silent := at.Sub(s.silentSince())
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_SessionExpired:
		j.Counts["expired"]++
		if s.status != active || silent < expireAfter {
			j.fault(p, at, "expired at %s (%s) after %s", body.SessionExpired.GetStep(), s.status, silent)
		}
	case *parleyv1.Event_StepTimedOut:
		j.Counts["timed out"]++
		if limit := questions[s.step].timeout; s.step != body.StepTimedOut.GetStep() || limit == 0 || at.Sub(s.asked) < limit {
			j.fault(p, at, "timed out at %q after %s, waiting at %q", body.StepTimedOut.GetStep(), at.Sub(s.asked), s.step)
		}
	case *parleyv1.Event_SessionArchived:
		j.Counts["archived"]++
		if s.status != ended || at.Sub(s.since) < archived {
			j.fault(p, at, "archived (%s) %s after the end", s.status, at.Sub(s.since))
		}
	case *parleyv1.Event_SessionResumed:
		j.Counts["resumed"]++
		if s.status != expired {
			j.fault(p, at, "resumed, but was %s", s.status)
		}
	}
}

// reminder judges a reminder: for the question that waits, not too soon, not at night, in
// its turn, and of the right kind for the window.
func (j *Judge) reminder(p *Person, s *sight, at time.Time, r *parleyv1.ReminderQueued, rest []*parleyv1.Event) {
	j.Counts["reminded"]++
	all := questions[s.step].reminders
	if s.status != active || s.step != r.GetStep() || int(r.GetNumber()) > len(all) || r.GetNumber() <= s.reminded {
		j.fault(p, at, "reminder %d of %q, but %s at %q with %d done", r.GetNumber(), r.GetStep(), s.status, s.step, s.reminded)
		return
	}
	one := all[r.GetNumber()-1]
	least := one.after
	if one.auto {
		least = max(least, time.Duration(s.plan.GetAfterMs())*time.Millisecond)
	}
	if silent := at.Sub(s.silentSince()); silent < least || one.auto && (s.plan == nil || s.plan.GetWithheld()) {
		j.fault(p, at, "reminder %d of %s after %s, by the plan %v", r.GetNumber(), s.step, silent, s.plan)
	}
	if hour := at.In(s.zone).Hour(); hour >= quietFrom || hour < quietTo {
		j.fault(p, at, "reminder %d of %s at %s o'clock there", r.GetNumber(), s.step, at.In(s.zone).Format("15:04"))
	}
	said := 0
	for _, e := range rest {
		m := e.GetMessageQueued()
		if m == nil {
			continue
		}
		said++
		if isTemplate := m.GetTemplate() != nil; isTemplate != one.template || !isTemplate && at.Sub(s.heard) > window {
			j.fault(p, at, "reminder %d of %s, %s after the last message, is a template: %v", r.GetNumber(), s.step, at.Sub(s.heard), isTemplate)
		}
	}
	if said != 1 {
		j.fault(p, at, "reminder %d of %s says %d things", r.GetNumber(), s.step, said)
	}
}

// HandedOver tells when the question of a person was handed over to WhatsApp.
func (j *Judge) HandedOver(p *Person, at time.Time) {
	if s := j.sight(p); s.status == active && at.After(s.asked) {
		s.asked = at
	}
}

// Row is where a person's session stands, as the store has it.
type Row struct {
	// Hot is whether it is among those that run.
	Hot bool
	// WakeAt is its timer; zero if it has none.
	WakeAt time.Time
}

// Look judges a session's row and timer at a time; late is by how much the clock of the
// timers may be behind.
func (j *Judge) Look(p *Person, now time.Time, row Row, late time.Duration) {
	s := j.sight(p)
	wait := now.Sub(s.silentSince())
	switch {
	case s.status == active && row.WakeAt.IsZero():
		j.fault(p, now, "waits at %q and has no timer", s.step)
	case s.status == active && wait > expireAfter+late:
		j.fault(p, now, "waits at %q for %s", s.step, wait)
	case s.status == active && row.WakeAt.After(j.deadline(s).Add(late)):
		j.fault(p, now, "waits at %q since %s and wakes at %s", s.step, s.silentSince().Format(time.DateTime), row.WakeAt.Format(time.DateTime))
	case s.status == active && !row.Hot:
		j.fault(p, now, "waits at %q in the archive", s.step)
	case s.status == expired && (row.Hot || !row.WakeAt.IsZero()):
		j.fault(p, now, "has expired, and is in the archive: %v, wakes at %s", !row.Hot, row.WakeAt)
	case s.status == ended && s.archived != !row.Hot:
		j.fault(p, now, "has ended, archived %v, and is in the archive: %v", s.archived, !row.Hot)
	case s.status == ended && !s.archived && now.Sub(s.lastSign()) > archived+late:
		j.fault(p, now, "ended %s ago and is not archived", now.Sub(s.since))
	}
}

// lastSign is the end of a session, or what was written after it.
func (s *sight) lastSign() time.Time {
	if s.heard.After(s.since) {
		return s.heard
	}
	return s.since
}

// deadline is when the wait at a question ends at the latest.
func (j *Judge) deadline(s *sight) time.Time {
	latest := s.silentSince().Add(expireAfter)
	if limit := questions[s.step].timeout; limit > 0 && s.asked.Add(limit).Before(latest) {
		latest = s.asked.Add(limit)
	}
	return latest
}

// Waiting is the step at which a person's question waits; empty if none does.
func (j *Judge) Waiting(p *Person) string { return j.sight(p).step }
