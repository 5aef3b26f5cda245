package flow

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// sitting is a person who answers now and then, and a session whose timers go off
// on time, late, twice, or never for a while.
type sitting struct {
	*rapid.T
	f      *Flow
	state  State
	now    int64
	offset *int32
	inputs int
	heard  int64 // when the person wrote last
}

// TestPatience checks, for any history, what a person may expect of reminders and
// of the end of a wait.
func TestPatience(t *testing.T) {
	f := load(t, "patience").WithVersion(1)
	rapid.Check(t, func(t *rapid.T) {
		s := &sitting{T: t, f: f, now: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC).UnixMilli()}
		if rapid.Bool().Draw(t, "abroad") {
			minutes := rapid.Int32Range(-12*60, 14*60).Draw(t, "offset")
			s.offset = &minutes
		}
		s.write("hi")
		for range rapid.IntRange(1, 25).Draw(t, "acts") {
			s.act()
		}
	})
}

func (s *sitting) act() {
	switch rapid.IntRange(0, 5).Draw(s.T, "act") {
	case 0, 1:
		s.now += rapid.Int64Range(0, 30*hourMs).Draw(s.T, "pause")
		s.write(rapid.SampledFrom([]string{"4 december", "yes", "Cut", "what?", "restart", "book"}).Draw(s.T, "text"))
	case 2: // an outage: nothing goes off
		s.now += rapid.Int64Range(0, 50*hourMs).Draw(s.T, "outage")
	default:
		s.timer()
	}
}

func (s *sitting) write(text string) {
	s.now += 1000
	s.heard = s.now
	s.play(message("", "text", text), false)
}

// timer lets the session's timer go off, when it is due or later.
func (s *sitting) timer() {
	at := s.state.WakeAt()
	if at == 0 {
		return
	}
	s.now = max(s.now, at)
	in := TimerInput("", 0, s.state.Progress.Ref, at)
	in.GetTimerDue().PromptAtMs = rapid.SampledFrom([]int64{0, 0, s.now - minuteMs, -1}).Draw(s.T, "prompt")
	s.play(in, true)
	if late := TimerInput("", 0, s.state.Progress.Ref, at); s.state.WakeAt() != at {
		before := s.state
		s.play(late, true)
		if s.state.Version != before.Version {
			s.Fatalf("a timer that went off does so again")
		}
	}
}

func (s *sitting) play(in *parleyv1.Input, silent bool) {
	s.inputs++
	in.Id, in.AtMs, in.Contact = fmt.Sprint("i", s.inputs), s.now, &parleyv1.ContactInfo{UtcOffsetMinutes: s.offset}
	was := s.state
	events, next := Turn(s.f, s.f, s.state, in)
	for _, e := range events {
		if r := e.GetReminderQueued(); r != nil {
			s.reminded(was, r, events)
		}
	}
	if s.state = next; silent && next.LastInteractionMs != was.LastInteractionMs {
		s.Fatalf("a timer counts as a sign of life")
	}
	s.waits()
}

// reminded checks a reminder: it is for the question that waits, late enough, not at
// night, and free text only while WhatsApp takes it.
func (s *sitting) reminded(was State, r *parleyv1.ReminderQueued, events []*parleyv1.Event) {
	of := s.f.step(r.GetStep())
	one := of.reminders[r.GetNumber()-1]
	zone := s.f.zone
	if s.offset != nil {
		zone = time.FixedZone("", int(*s.offset)*60)
	}
	hour := time.UnixMilli(s.now).In(zone).Hour()
	silence := s.now - max(s.heard, was.Progress.AskedMs)
	switch {
	case was.Step != of.name, was.Status != Active:
		s.Fatalf("reminded of %s at %s", of.name, was.Step)
	case r.GetNumber() <= was.Progress.Reminded:
		s.Fatalf("reminded twice of %s", of.name)
	case silence < one.afterMs:
		s.Fatalf("reminded of %s after %d ms of silence", of.name, silence)
	case hour >= 21 || hour < 8:
		s.Fatalf("reminded of %s at %d o'clock", of.name, hour)
	case !one.template && s.now > s.heard+24*hourMs:
		s.Fatalf("free text outside of the window")
	case len(events) < 3:
		s.Fatalf("a reminder without a word: %v", events)
	}
}

// waits checks that every session has a timer which needs one, and not too late.
func (s *sitting) waits() {
	at, p := s.state.WakeAt(), s.state.Progress
	switch s.state.Status {
	case Active:
		of := s.f.step(s.state.Step)
		latest := max(s.heard, p.AskedMs) + s.f.expireMs
		if of.timeout != nil {
			latest = min(latest, p.AskedMs+of.timeout.afterMs)
		}
		if at == 0 || at > max(latest, s.now+pendingMax) {
			s.Fatalf("the session at %s wakes at %d, not by %d", s.state.Step, at, latest)
		}
	case Expired:
		if at != 0 {
			s.Fatalf("an expired session wants to be woken")
		}
	case Completed, Cancelled:
		if (at == 0) != p.Archived {
			s.Fatalf("a session that ended: archived %v, wakes at %d", p.Archived, at)
		}
	}
}
