package dispatcher

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// outcome is what came of one attempt to send: the provider's id, or an error
// that carries its policy.
type outcome struct {
	job   Job
	wamid string
	err   error
	// at is when it came in: what is recorded and what the desk does must not
	// judge the job's age at two different times.
	at time.Time
}

// Policy of the sender. The waits grow by the number of attempts or failures.
const (
	// ageMax ends the retries: beyond 24 h the provider refuses free text anyway.
	ageMax = 24 * time.Hour
	// fewAttempts bounds the retries of errors that often do not go away.
	fewAttempts = 6
	retryMin    = time.Second
	retryMax    = 5 * time.Minute
	// jitterMost is the part of a wait that jitter may add.
	jitterMost = 0.25
	// circuitAfter is how many sends in a row without an answer shut a number's gate.
	circuitAfter = 5
)

// pauses say how long the gate of a number, an account or an app is shut.
var (
	pauses = map[meta.Class]pause{
		meta.RetryNumber:  {retryMin, retryMax},
		meta.RestNumber:   {2 * time.Hour, 8 * time.Hour},
		meta.StopNumber:   {10 * time.Minute, 10 * time.Minute},
		meta.RetryAccount: {2 * time.Minute, 30 * time.Minute},
		meta.RetryApp:     {2 * time.Minute, 30 * time.Minute},
		meta.StopAccount:  {10 * time.Minute, 10 * time.Minute},
	}
	circuitPause = pause{retryMin, time.Minute}
)

func (o outcome) policy() *meta.SendError {
	var refused *meta.SendError
	if errors.As(o.err, &refused) {
		return refused
	}
	return &meta.SendError{Class: meta.Ambiguous, Err: o.err}
}

// gone reports whether a message that may be retried has had its chances. Who has no
// connection waits for it; what is answered, and be it the upload of a file, does not
// get better for ever.
func (o outcome) gone(now time.Time, refused *meta.SendError) bool {
	tooOften := refused.Class == meta.Retry && refused.Status+refused.Code != 0 && o.job.Attempts+1 >= fewAttempts
	return tooOften || now.Sub(o.job.QueuedAt) > ageMax
}

// state is the delivery's state after the attempt.
func (o outcome) state(now time.Time) string {
	if o.err == nil {
		return store.DeliveryAccepted
	}
	refused := o.policy()
	switch {
	case refused.Class == meta.Ambiguous:
		return store.DeliveryAmbiguous
	case final(refused.Class), o.gone(now, refused):
		return store.DeliveryFailed
	}
	return store.DeliveryQueued
}

// final reports whether a message that was refused so will never go.
func final(class meta.Class) bool {
	switch class {
	case meta.Permanent, meta.ParkTemplate, meta.StopTemplates, meta.ParkForm:
		return true
	}
	return false
}

// result is what the store keeps of the outcome.
func (o outcome) result(now time.Time) store.SendResult {
	r := store.SendResult{Key: o.job.Key, Attempts: o.job.Attempts, State: o.state(now), WAMID: o.wamid}
	if o.err == nil {
		return r
	}
	refused := o.policy()
	r.ErrorClass, r.ErrorCode = cmp.Or(o.job.Refusal, refused.Class.String()), refused.Code
	if refused.Class == meta.Ambiguous {
		r.Cause = cause(refused)
	}
	return r
}

// causeRestart is why nobody knows what became of the sends of a former owner: of a
// process that died, or lost its shard.
const causeRestart = "restart"

// cause names why nobody knows what became of the send.
func cause(refused *meta.SendError) string {
	switch {
	case refused.Status != 0:
		return "answer"
	case errors.Is(refused, context.DeadlineExceeded), errors.Is(refused, context.Canceled):
		return "timeout"
	}
	return "cut"
}

// apply slows down what the outcome names, and moves the contact's line on.
func (o outcome) apply(d *Desk, now time.Time) {
	var again time.Time
	if o.err == nil {
		d.answered(o.job)
	} else {
		again = d.react(now, o.job, o.policy())
	}
	switch o.state(o.at) {
	case store.DeliveryAccepted:
		if hasFile(o.job) {
			d.follow(now, o.job.Key)
		}
		d.Settle(now, o.job.Key)
	case store.DeliveryFailed:
		d.Settle(now, o.job.Key)
	case store.DeliveryAmbiguous:
		d.Hold(now, o.job.Key)
		d.sent(o.job)
	default:
		d.Retry(now, again, o.job.Key)
	}
}

// growing doubles a wait with every attempt.
func growing(first time.Duration, attempts int, most time.Duration) time.Duration {
	return min(first<<min(attempts, 16), most)
}

// pairWait is 4^attempts seconds, as Meta asks for after error 131056.
func pairWait(attempts int) time.Duration {
	return min(time.Second<<(2*min(attempts, 8)), time.Hour)
}

// report says what an operator may want to know.
func (o outcome) report(log zerolog.Logger) {
	if o.err == nil {
		return
	}
	refused := o.policy()
	log.Warn().Int("shard", o.job.Key.Shard).Uint64("offset", o.job.Key.Offset).Str("channel", o.job.Channel).
		Str("class", refused.Class.String()).Int("code", refused.Code).Int("attempt", o.job.Attempts+1).Msg("send not accepted")
}
