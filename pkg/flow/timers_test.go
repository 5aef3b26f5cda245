package flow

import (
	"fmt"
	"strings"
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
	plan   *parleyv1.ReminderPlanned
}

// TestPatience checks, for any history, what a person may expect of reminders and
// of the end of a wait.
func TestPatience(t *testing.T) {
	for _, name := range []string{"patience", "auto"} {
		t.Run(name, func(t *testing.T) { checkPatience(t, load(t, name).WithVersion(1)) })
	}
}

func checkPatience(t *testing.T, f *Flow) {
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
		s.write(rapid.SampledFrom([]string{"4 december", "yes", "Cut", "what?", "restart", "book", "stop", "agent"}).Draw(s.T, "text"))
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
	if rapid.Bool().Draw(s.T, "advised") {
		in.GetTimerDue().Advice = &parleyv1.ReminderAdvice{
			Step: rapid.SampledFrom([]string{s.state.Step, "kind"}).Draw(s.T, "of"), AfterMs: rapid.Int64Range(0, 23*hourMs).Draw(s.T, "after"), Reason: "known",
		}
	}
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
		s.measured(was, e, in.GetMessage() != nil)
	}
	if (s.plan != nil) != (next.Progress.Silence != nil) {
		s.Fatalf("planned %v, and the state has %+v", s.plan, next.Progress.Silence)
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
	case silence < one.afterMs, one.auto && silence < s.plan.GetAfterMs():
		s.Fatalf("reminded of %s after %d ms of silence", of.name, silence)
	case one.auto && s.plan.GetWithheld():
		s.Fatalf("reminded of %s: it was to be withheld", of.name)
	case hour >= 21 || hour < 8:
		s.Fatalf("reminded of %s at %d o'clock", of.name, hour)
	case !one.template && s.now > s.heard+24*hourMs:
		s.Fatalf("free text outside of the window")
	case len(events) < 3:
		s.Fatalf("a reminder without a word: %v", events)
	}
}

// measured checks that every plan of a reminder ends in one measured silence.
func (s *sitting) measured(was State, e *parleyv1.Event, heard bool) {
	silence := s.now - max(s.heard, was.Progress.AskedMs)
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_ReminderPlanned:
		if s.plan != nil || heard || silence < AutoFirst.Milliseconds() || body.ReminderPlanned.GetAfterMs() < AutoFirst.Milliseconds() {
			s.Fatalf("planned after %d ms: %v, after %v", silence, e, s.plan)
		}
		s.plan = body.ReminderPlanned
	case *parleyv1.Event_ReminderWithheld:
		if !s.plan.GetWithheld() || silence < s.plan.GetAfterMs() {
			s.Fatalf("withheld after %d ms, planned %v", silence, s.plan)
		}
	case *parleyv1.Event_SilenceEnded:
		ended := body.SilenceEnded
		if s.plan == nil || ended.GetStep() != s.plan.GetStep() || ended.GetReplied() && !heard || ended.GetReachedMs() > ended.GetSilentMs() ||
			ended.GetBeganMs() != s.plan.GetBeganMs() || ended.GetWithheld() != s.plan.GetWithheld() || ended.GetDrawn() != s.plan.GetDrawn() {
			s.Fatalf("ended %v, planned %v", e, s.plan)
		}
		s.plan = nil
	case *parleyv1.Event_SessionStarted:
		if s.plan != nil {
			s.Fatalf("the silence at %s was never measured", s.plan.GetStep())
		}
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

// TestDraw checks the shares of those who are not reminded, and of those who are at
// another time than the best that is known.
func TestDraw(t *testing.T) {
	f := load(t, "auto").WithVersion(1)
	advice := &parleyv1.ReminderAdvice{Step: "day", AfterMs: hourMs, Reason: "known"}
	const people = 20_000
	withheld, near, elsewhere := 0, 0, 0
	for n := range people {
		in := message(fmt.Sprint("person ", n), "text", "hi")
		_, s := Turn(f, nil, State{}, in)
		due := TimerInput(fmt.Sprint("timer ", n), s.WakeAt(), s.Progress.Ref, s.WakeAt())
		due.GetTimerDue().Advice = advice
		events, _ := Turn(f, f, s, due)
		plan := events[1].GetReminderPlanned()
		if again, _ := Turn(f, f, s, due); again[1].GetReminderPlanned().GetAfterMs() != plan.GetAfterMs() {
			t.Fatal("drawn again, it is another time")
		}
		if plan.GetWithheld() {
			withheld++
		}
		if after := plan.GetAfterMs(); strings.HasSuffix(plan.GetReason(), "another time") {
			elsewhere++
			if after < AutoFirst.Milliseconds() || after > 11*hourMs {
				t.Fatalf("after %d ms", after)
			}
		} else if near++; after < hourMs*7/10-1000 || after > hourMs*14/10 {
			t.Fatalf("after %d ms", after)
		}
	}
	for name, share := range map[string]struct{ n, percent int }{"withheld": {withheld, withheldPercent}, "elsewhere": {elsewhere, elsewherePercent}} {
		if got := 100 * float64(share.n) / people; got < float64(share.percent)-1 || got > float64(share.percent)+1 {
			t.Errorf("%s: %.1f %%, want %d", name, got, share.percent)
		}
	}
}
