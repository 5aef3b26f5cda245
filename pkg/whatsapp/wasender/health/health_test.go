package health

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
)

var (
	start  = time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)
	policy = func() Policy { p := DefaultPolicy(); p.CanAct = true; return p }()
)

// told is an input a while after the one before it.
type told struct {
	after time.Duration
	Input
}

// Each history ends with a tick, whose action and alarm are compared.
func TestStep(t *testing.T) {
	say := func(after time.Duration, status wasender.Status) told {
		return told{after, Input{Kind: Said, Status: status}}
	}
	tick := func(after time.Duration) told { return told{after, Input{Kind: Tick, Random: 0.5}} }
	sent := func(after time.Duration, n int) told { return told{after, Input{Kind: Sent, Count: n}} }
	heard := func(after time.Duration) told { return told{after, Input{Kind: Heard}} }
	order := func(a Action) told { return told{time.Second, Input{Kind: Ordered, Order: a, Random: 0.5}} }
	without := policy
	without.CanAct = false
	impatient := policy
	impatient.TriesMost = 1
	for name, test := range map[string]struct {
		policy  Policy
		history []told
		action  Action
		alarm   Alarm
		state   wasender.Status
	}{
		"nothing known":                   {policy, []told{tick(time.Hour)}, Nothing, Quiet, ""},
		"connected":                       {policy, []told{say(0, "connected"), tick(time.Hour)}, Nothing, Quiet, "connected"},
		"dropped, may come back":          {policy, []told{say(0, "connected"), say(1, "disconnected"), tick(4 * time.Second)}, Nothing, Quiet, "disconnected"},
		"dropped":                         {policy, []told{say(0, "connected"), say(1, "disconnected"), tick(5 * time.Second)}, Connect, Quiet, "disconnected"},
		"dropped, tried, waits":           {policy, []told{say(0, "disconnected"), tick(5 * time.Second), {0, Input{Kind: Tried, Status: "connecting"}}, say(1, "disconnected"), tick(10 * time.Second)}, Nothing, Quiet, "disconnected"},
		"dropped, tried, again":           {policy, []told{say(0, "disconnected"), tick(5 * time.Second), {0, Input{Kind: Tried, Status: "connecting"}}, say(1, "disconnected"), tick(15 * time.Second)}, Connect, Quiet, "disconnected"},
		"dropped, no token":               {without, []told{say(0, "disconnected"), tick(5 * time.Second)}, Nothing, NoAccountToken, "disconnected"},
		"token refused":                   {policy, []told{say(0, "disconnected"), tick(5 * time.Second), {0, Input{Kind: TryRefused}}, tick(time.Second)}, Nothing, TokenRefused, "disconnected"},
		"try under way":                   {policy, []told{say(0, "disconnected"), tick(5 * time.Second), tick(29 * time.Second)}, Nothing, Quiet, "disconnected"},
		"try of one who died":             {policy, []told{say(0, "disconnected"), tick(5 * time.Second), {time.Second, Input{Kind: Resumed}}, tick(time.Second)}, Nothing, Quiet, "disconnected"},
		"given up":                        {impatient, []told{say(0, "disconnected"), tick(5 * time.Second), {0, Input{Kind: Tried}}, tick(time.Hour)}, Nothing, GaveUp, "disconnected"},
		"given up, ordered":               {impatient, []told{say(0, "disconnected"), tick(5 * time.Second), {0, Input{Kind: Tried}}, tick(time.Hour), order(Restart)}, Connect, GaveUp, "disconnected"},
		"unanswered tries do not count":   {impatient, []told{say(0, "disconnected"), tick(5 * time.Second), {0, Input{Kind: TryFailed}}, tick(time.Hour)}, Connect, GaveUp, "disconnected"},
		"connecting":                      {policy, []told{say(0, "connecting"), tick(59 * time.Second)}, Nothing, Quiet, "connecting"},
		"connecting for long":             {policy, []told{say(0, "connecting"), tick(time.Minute)}, Connect, Down, "connecting"},
		"a state that nobody knows":       {policy, []told{say(0, "initializing"), tick(time.Minute)}, Connect, Down, "initializing"},
		"need scan":                       {policy, []told{say(0, "need_scan"), tick(time.Hour)}, Nothing, Scan, "need_scan"},
		"need passkey":                    {policy, []told{say(0, "need_passkey"), tick(time.Hour)}, Nothing, Passkey, "need_passkey"},
		"logged out":                      {policy, []told{say(0, "logged_out"), tick(time.Hour)}, Nothing, LoggedOut, "logged_out"},
		"expired":                         {policy, []told{say(0, "expired"), tick(time.Hour)}, Nothing, Expired, "expired"},
		"a code that nobody scanned":      {policy, []told{say(0, "need_scan"), say(time.Minute, "disconnected"), tick(time.Hour)}, Nothing, Scan, "disconnected"},
		"scanned":                         {policy, []told{say(0, "need_scan"), say(time.Minute, "connected"), say(1, "disconnected"), tick(time.Hour)}, Connect, Down, "disconnected"},
		"a person orders":                 {policy, []told{say(0, "logged_out"), order(Connect)}, Connect, LoggedOut, "logged_out"},
		"stopped":                         {policy, []told{say(0, "connected"), order(Disconnect), {1, Input{Kind: Tried}}, say(1, "connected"), say(1, "disconnected"), tick(time.Hour)}, Nothing, Stopped, "disconnected"},
		"stopped and started elsewhere":   {policy, []told{say(0, "connected"), order(Disconnect), {1, Input{Kind: Tried}}, say(time.Minute, "connected"), tick(time.Hour)}, Nothing, Quiet, "connected"},
		"restart of a connected one":      {policy, []told{say(0, "connected"), order(Restart)}, Restart, Quiet, "connected"},
		"order while trying":              {policy, []told{say(0, "connected"), order(Restart), order(Restart)}, Nothing, Quiet, "connected"},
		"order without token":             {without, []told{say(0, "connected"), order(Restart)}, Nothing, Quiet, "connected"},
		"does not answer":                 {policy, []told{say(0, "connected"), {1, Input{Kind: Unanswered}}, {1, Input{Kind: Unanswered}}, {1, Input{Kind: Unanswered}}, tick(time.Hour)}, Nothing, NoAnswer, Unknown},
		"answers again":                   {policy, []told{{1, Input{Kind: Unanswered}}, {1, Input{Kind: Unanswered}}, {1, Input{Kind: Unanswered}}, say(1, "connected"), tick(0)}, Nothing, Quiet, "connected"},
		"key refused":                     {policy, []told{say(0, "connected"), {1, Input{Kind: Refused}}, tick(time.Hour)}, Nothing, KeyRefused, Unknown},
		"key refused, then silence":       {policy, []told{{1, Input{Kind: Refused}}, {1, Input{Kind: Unanswered}}, tick(time.Hour)}, Nothing, KeyRefused, Unknown},
		"deaf":                            {policy, []told{say(0, "connected"), sent(0, 1), heard(1), sent(1, 3), tick(10 * time.Minute)}, Restart, Deaf, "connected"},
		"deaf, restarted once":            {policy, []told{say(0, "connected"), sent(0, 1), heard(1), sent(1, 3), tick(10 * time.Minute), {1, Input{Kind: Tried}}, tick(time.Hour)}, Nothing, Deaf, "connected"},
		"deaf, heard again":               {policy, []told{say(0, "connected"), sent(0, 1), heard(1), sent(1, 3), tick(10 * time.Minute), heard(time.Second), tick(time.Hour)}, Nothing, Quiet, "connected"},
		"sends never had an echo":         {policy, []told{say(0, "connected"), sent(0, 50), tick(time.Hour)}, Nothing, Quiet, "connected"},
		"two sends prove nothing":         {policy, []told{say(0, "connected"), sent(0, 1), heard(1), sent(1, 2), tick(time.Hour)}, Nothing, Quiet, "connected"},
		"stable: the tries are forgotten": {impatient, []told{say(0, "disconnected"), tick(5 * time.Second), {0, Input{Kind: Tried, Status: "connected"}}, tick(time.Hour), say(1, "disconnected"), tick(5 * time.Second)}, Connect, GaveUp, "disconnected"},
	} {
		t.Run(name, func(t *testing.T) {
			h, action, now := Health{}, Nothing, start
			for _, in := range test.history {
				now = now.Add(in.after)
				in.At = now
				h, action = Step(reread(t, h), in.Input, test.policy)
			}
			if action != test.action || h.Alarm != test.alarm || h.State != test.state {
				t.Errorf("%q, alarm %q, state %q; want %q, %q, %q", action, h.Alarm, h.State, test.action, test.alarm, test.state)
			}
			if (h.Alarm == Quiet) != (h.Alarm.Advice() == "") {
				t.Errorf("advice of %q is %q", h.Alarm, h.Alarm.Advice())
			}
		})
	}
}

// What was missed is known from the drop to the return, or from the first message
// without an echo, until somebody has asked about it; what comes before that is one time.
func TestMissed(t *testing.T) {
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	h := Health{}
	for _, step := range []struct {
		in       Input
		owes     bool
		from, to int
	}{
		{Input{Kind: Said, Status: "connected", At: at(0)}, false, 0, 0},
		{Input{Kind: Said, Status: "disconnected", At: at(1)}, false, 0, 0},
		{Input{Kind: Said, Status: "connecting", At: at(2)}, false, 0, 0},
		{Input{Kind: Said, Status: "connected", At: at(3)}, true, 1, 3},
		{Input{Kind: Said, Status: "disconnected", At: at(4)}, true, 1, 3},
		{Input{Kind: Said, Status: "connected", At: at(5)}, true, 1, 5},
		{Input{Kind: Asked, Until: at(3), At: at(6)}, true, 1, 5},
		{Input{Kind: Asked, Until: at(5), At: at(6)}, false, 1, 5},
		{Input{Kind: Sent, Count: 1, At: at(7)}, false, 1, 5},
		{Input{Kind: Heard, At: at(8)}, false, 1, 5},
		{Input{Kind: Sent, Count: 3, At: at(9)}, false, 1, 5},
		{Input{Kind: Tick, At: at(20)}, false, 1, 5},
		{Input{Kind: Heard, At: at(30)}, true, 9, 30},
	} {
		h, _ = Step(reread(t, h), step.in, policy)
		if h.Owes() != step.owes || step.to > 0 && (!h.MissedFrom.Equal(at(step.from)) || !h.MissedTo.Equal(at(step.to))) {
			t.Errorf("after %+v: owes %t, missed %s to %s", step.in, h.Owes(), h.MissedFrom, h.MissedTo)
		}
	}
}

// reread is what another watcher reads of a health.
func reread(t interface{ Fatal(...any) }, h Health) Health {
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var again Health
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	return again
}

// Whatever happens to a session: no action without the token, while a person must
// act, after an operator's disconnect, while another is under way, or before the wait
// is over; and what stays as it is for a day is connected or has an alarm.
func TestStepProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policy
		p.CanAct = rapid.Float64().Draw(t, "token") < 0.8
		w := &watched{t: t, p: p, now: start}
		for range rapid.IntRange(1, 80).Draw(t, "inputs") {
			w.now = w.now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Minute)).Draw(t, "after")))
			w.step(drawInput(t))
		}
		if w.h.State == "" {
			w.step(Input{Kind: Said, Status: wasender.Disconnected})
		}
		for range 24 * 60 { // nothing else happens
			w.now = w.now.Add(time.Minute)
			w.step(Input{Kind: Tick, Random: 0.5})
		}
		if w.h.State != wasender.Connected && w.h.State != Unknown && w.h.Alarm == Quiet {
			t.Fatalf("%s for a day without an alarm", w.h.State)
		}
		if w.h.State == Unknown && w.h.Alarm == Quiet {
			t.Fatal("nobody knows the state, and nobody is told")
		}
	})
}

type watched struct {
	t   *rapid.T
	p   Policy
	h   Health
	now time.Time
}

func (w *watched) step(in Input) {
	in.At = w.now
	before := reread(w.t, w.h)
	var action Action
	w.h, action = Step(before, in, w.p)
	if action == Nothing {
		return
	}
	byItself := in.Kind == Tick
	switch {
	case in.Kind != Tick && in.Kind != Ordered:
		w.t.Fatalf("%q after an input of kind %d", action, in.Kind)
	case !w.p.CanAct:
		w.t.Fatalf("%q without the token", action)
	case before.Trying.After(w.now):
		w.t.Fatalf("%q while a try is under way", action)
	case !w.h.Trying.After(w.now) || !w.h.NotBefore.After(w.now):
		w.t.Fatalf("%q, and the next may follow at once", action)
	case byItself && before.NotBefore.After(w.now):
		w.t.Fatalf("%q, %s before the wait is over", action, before.NotBefore.Sub(w.now))
	case byItself && (before.Person != "" || before.Off || before.State.NeedsPerson()):
		w.t.Fatalf("%q although a person must act (%s, off %t)", action, before.State, before.Off)
	case byItself && before.Tries >= w.p.TriesMost:
		w.t.Fatalf("%q after %d tries", action, before.Tries)
	case action == Restart && before.State != wasender.Connected:
		w.t.Fatalf("restart of a session that is %s", before.State)
	}
}

func drawInput(t *rapid.T) Input {
	in := Input{
		Kind:   rapid.SampledFrom([]Kind{Tick, Tick, Tick, Said, Said, Said, Heard, Sent, Unanswered, Refused, Ordered, Tried, TryFailed, TryRefused, Resumed}).Draw(t, "kind"),
		Random: rapid.Float64Range(0, 1).Draw(t, "random"),
	}
	statuses := []wasender.Status{"connecting", "connected", "connected", "disconnected", "disconnected", "need_scan", "need_passkey", "logged_out", "expired", "new word"}
	switch in.Kind {
	case Said:
		in.Status = rapid.SampledFrom(statuses).Draw(t, "status")
	case Tried:
		in.Status = rapid.SampledFrom(append(statuses, "")).Draw(t, "status")
	case Sent:
		in.Count = rapid.IntRange(1, 5).Draw(t, "count")
	case Ordered:
		in.Order = rapid.SampledFrom([]Action{Connect, Restart, Disconnect}).Draw(t, "order")
	}
	return in
}
