package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// policies say, for every class, what becomes of the message, and when the
// message itself, another person on the same number, and another number go on.
var policies = map[meta.Class]struct {
	state             string
	own, number, rest time.Duration
}{
	meta.Permanent:     {store.DeliveryFailed, never, 0, 0},
	meta.RetryNumber:   {store.DeliveryQueued, second, second, 0},
	meta.RetryPair:     {store.DeliveryQueued, second, 0, 0},
	meta.RetryAccount:  {store.DeliveryQueued, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute},
	meta.RetryApp:      {store.DeliveryQueued, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute},
	meta.RestNumber:    {store.DeliveryQueued, 2 * time.Hour, 2 * time.Hour, 0},
	meta.StopNumber:    {store.DeliveryQueued, 10 * time.Minute, 10 * time.Minute, 0},
	meta.StopAccount:   {store.DeliveryQueued, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute},
	meta.ParkTemplate:  {store.DeliveryFailed, never, 0, 0},
	meta.StopTemplates: {store.DeliveryFailed, never, 0, 0},
	meta.ParkForm:      {store.DeliveryFailed, never, 0, 0},
	meta.Retry:         {store.DeliveryQueued, second, 0, 0},
	meta.Ambiguous:     {store.DeliveryAmbiguous, grace, 0, 0},
}

const never = -1 * second

// classes are all there are, the last of them Ambiguous.
func classes() (list []meta.Class) {
	for c := meta.Permanent; c <= meta.Ambiguous; c++ {
		list = append(list, c)
	}
	return list
}

// departures follows a desk's wake-ups for some hours and says when each job goes.
// Every one is accepted.
func departures(d *Desk) map[uint64]time.Duration {
	times := map[uint64]time.Duration{}
	for now := start; now.Before(after(5 * time.Hour)); {
		for _, j := range d.Next(now) {
			times[j.Key.Offset] = now.Sub(start)
			outcome{job: j, at: now}.apply(d, now)
		}
		at, ok := d.Wake(now)
		if !ok {
			break
		}
		now = at
	}
	return times
}

func TestOutcomePolicy(t *testing.T) {
	for _, class := range classes() {
		t.Run(class.String(), func(t *testing.T) {
			want, known := policies[class]
			if !known {
				t.Fatal("no policy for this class")
			}
			d := newDesk(roomy())
			d.Add(start, job("a", 1, 1), on("n2", job("z", 1, 9)))
			sent := d.Next(start)
			d.Settle(start, key(9))
			o := outcome{job: sent[0], err: refused(class, 1, 400)}
			if got := o.state(start); got != want.state {
				t.Errorf("state %s, want %s", got, want.state)
			}
			o.apply(d, start)
			d.Add(start, job("b", 1, 2), on("n2", job("c", 1, 3)))
			got := departures(d)
			if own, goes := got[1]; goes != (want.own != never) || goes && own != want.own {
				t.Errorf("the message itself goes at %s (%t), want %s", own, goes, want.own)
			}
			if got[2] != want.number || got[3] != want.rest {
				t.Errorf("another person goes at %s, another number at %s; want %s, %s", got[2], got[3], want.number, want.rest)
			}
		})
	}
}

// What the provider asks to wait is the least that is waited.
func TestOutcomeRetryAfter(t *testing.T) {
	for class, policy := range policies {
		if policy.state != store.DeliveryQueued {
			continue
		}
		d := newDesk(roomy())
		d.Add(start, job("a", 1, 1))
		sent := d.Next(start)
		outcome{job: sent[0], err: &meta.SendError{Class: class, RetryAfter: 30 * time.Minute}}.apply(d, start)
		want := max(30*time.Minute, policy.own)
		if got := departures(d)[1]; got != want {
			t.Errorf("%s: goes at %s, want %s", class, got, want)
		}
	}
}

// The waits grow: 131056 by 4^X s (WIRE 3.4), the others by doubling, all up to
// a limit.
func TestOutcomeWaitsGrow(t *testing.T) {
	for attempts, want := range []time.Duration{second, 4 * second, 16 * second, 64 * second, 256 * second, 1024 * second, time.Hour} {
		if got := pairWait(attempts); got != want {
			t.Errorf("pair: %d attempts wait %s, want %s", attempts, got, want)
		}
	}
	for attempts, want := range map[int]time.Duration{0: second, 1: 2 * second, 8: 256 * second, 9: retryMax, 1000: retryMax} {
		if got := growing(retryMin, attempts, retryMax); got != want {
			t.Errorf("%d attempts wait %s, want %s", attempts, got, want)
		}
	}
	if got := pairWait(1000); got != time.Hour {
		t.Errorf("pair: %s", got)
	}
}

func TestOutcomeGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		class    meta.Class
		code     int
		attempts int
		age      time.Duration
		status   int
		want     string
	}{
		"a code, few attempts":            {meta.Retry, 131000, fewAttempts - 2, 0, 0, store.DeliveryQueued},
		"a code, too many attempts":       {meta.Retry, 131000, fewAttempts - 1, 0, 0, store.DeliveryFailed},
		"an upload that fails, often":     {meta.Retry, 0, fewAttempts - 2, 0, 500, store.DeliveryQueued},
		"an upload that fails, too often": {meta.Retry, 0, fewAttempts - 1, 0, 500, store.DeliveryFailed},
		"no answer at all":                {meta.Retry, 0, 1000, 0, 0, store.DeliveryQueued},
		"no answer for a day":             {meta.Retry, 0, 1000, ageMax + 1, 0, store.DeliveryFailed},
		"throttled often":                 {meta.RetryNumber, 130429, 1000, ageMax, 0, store.DeliveryQueued},
		"throttled for a day":             {meta.RetryNumber, 130429, 1, ageMax + 1, 0, store.DeliveryFailed},
		"stopped for a day":               {meta.StopAccount, 190, 1, ageMax + 1, 0, store.DeliveryFailed},
		"ambiguous is never given up":     {meta.Ambiguous, 0, 1000, 10 * ageMax, 0, store.DeliveryAmbiguous},
		"permanent fails the first time":  {meta.Permanent, 131047, 0, 0, 0, store.DeliveryFailed},
	} {
		j := job("a", 1, 1)
		j.Attempts = c.attempts
		if got := (outcome{job: j, err: refused(c.class, c.code, c.status)}).state(after(c.age)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// RELIABILITY I5: no ambiguous send without a recorded cause.
func TestOutcomeCause(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"timeout":           {&meta.SendError{Class: meta.Ambiguous, Err: fmt.Errorf("post: %w", context.DeadlineExceeded)}, "timeout"},
		"cancelled":         {&meta.SendError{Class: meta.Ambiguous, Err: context.Canceled}, "timeout"},
		"connection lost":   {&meta.SendError{Class: meta.Ambiguous, Err: errors.New("EOF")}, "cut"},
		"an answer of rags": {&meta.SendError{Class: meta.Ambiguous, Status: 200, Err: context.DeadlineExceeded}, "answer"},
		"a foreign error":   {errors.New("unheard of"), "cut"},
		"a refusal":         {&meta.SendError{Class: meta.Permanent, Status: 400}, ""},
		"success":           {nil, ""},
	} {
		if got := (outcome{job: job("a", 1, 1), err: c.err}).result(start).Cause; got != c.want {
			t.Errorf("%s: cause %q, want %q", name, got, c.want)
		}
	}
}

// Every class reaches its state in the database, with its code and class.
func TestOutcomesAreRecorded(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	for i, class := range classes() {
		offset := uint64(i + 1)
		message := queued(class.String(), offset)
		message.Event.Channel = class.String()
		o.SetFacts(map[string]Facts{class.String(): {Account: class.String(), App: class.String()}})
		o.apply(message)
		o.Finish(o.wantOne(offset), "", refused(class, 1000+i, 400))
		o.cycle()
		r := db.row(offset)
		if r.State != policies[class].state || r.Class != class.String() || r.Code != 1000+i {
			t.Errorf("%s: %+v", class, r)
		}
		if (r.SettledBy == "response") != (r.State == store.DeliveryFailed) {
			t.Errorf("%s: settled by %q", class, r.SettledBy)
		}
	}
}

// wantOne waits for the launch of one delivery, whatever else is launched.
func (o *office) wantOne(offset uint64) Job {
	o.db.t.Helper()
	o.cycle()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, j := range o.launched {
		if j.Key.Offset == offset {
			o.launched = nil
			return j
		}
	}
	o.db.t.Fatalf("delivery %d is not launched: %q", offset, offsets(o.launched))
	return Job{}
}

// The operator is told what happened, without a word about whom it happened to.
func TestReportNamesNobody(t *testing.T) {
	var log strings.Builder
	j := job("a", 1, 1)
	j.Content = []byte("canary text 15559990000")
	for _, class := range classes() {
		outcome{job: j, err: refused(class, 7, 400)}.report(zerolog.New(&log))
	}
	outcome{job: j}.report(zerolog.New(&log))
	if strings.Count(log.String(), "send not accepted") != len(classes()) || strings.Contains(log.String(), "canary") || strings.Contains(log.String(), "1555") {
		t.Errorf("log: %s", log.String())
	}
}
