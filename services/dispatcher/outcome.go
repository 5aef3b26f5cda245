package dispatcher

import (
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
	accountWait = 2 * time.Minute
	stopWait    = 10 * time.Minute
)

func (o outcome) policy() *meta.SendError {
	var refused *meta.SendError
	if errors.As(o.err, &refused) {
		return refused
	}
	return &meta.SendError{Class: meta.Ambiguous, Err: o.err}
}

// gone reports whether a message that may be retried has had its chances.
func (o outcome) gone(now time.Time, refused *meta.SendError) bool {
	tooOften := refused.Class == meta.Retry && refused.Code != 0 && o.job.Attempts+1 >= fewAttempts
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
	case refused.Class == meta.Permanent, o.gone(now, refused):
		return store.DeliveryFailed
	}
	return store.DeliveryQueued
}

// result is what the store keeps of the outcome.
func (o outcome) result(now time.Time) store.SendResult {
	r := store.SendResult{Key: o.job.Key, Attempts: o.job.Attempts, State: o.state(now), WAMID: o.wamid}
	if o.err == nil {
		return r
	}
	refused := o.policy()
	r.ErrorClass, r.ErrorCode = refused.Class.String(), refused.Code
	if refused.Class == meta.Ambiguous {
		r.Cause = cause(refused)
	}
	return r
}

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

// apply moves the contact's line on, and slows down what the error names.
func (o outcome) apply(d *Desk, now time.Time) {
	key := o.job.Key
	switch o.state(o.at) {
	case store.DeliveryAccepted, store.DeliveryFailed:
		d.Settle(now, key)
		return
	case store.DeliveryAmbiguous:
		d.Hold(now, key)
		return
	}
	refused := o.policy()
	at := now.Add(max(growing(retryMin, o.job.Attempts, retryMax), refused.RetryAfter))
	switch refused.Class {
	case meta.RetryNumber:
		at = now.Add(max(growing(retryMin, d.Failures(o.job.Channel)-1, retryMax), refused.RetryAfter))
		d.PauseChannel(o.job.Channel, at)
	case meta.RetryPair:
		at = now.Add(max(pairWait(o.job.Attempts), refused.RetryAfter))
	case meta.RetryAccount:
		at = now.Add(max(accountWait, refused.RetryAfter))
		d.PauseAll(at)
	case meta.StopNumber:
		at = now.Add(stopWait)
		d.PauseChannel(o.job.Channel, at)
	case meta.StopAccount:
		at = now.Add(stopWait)
		d.PauseAll(at)
	}
	d.Retry(now, at, key)
}

// growing doubles a wait with every attempt.
func growing(first time.Duration, attempts int, most time.Duration) time.Duration {
	return min(first<<min(attempts, 16), most)
}

// pairWait is 4^attempts seconds, as Meta asks for after error 131056.
func pairWait(attempts int) time.Duration {
	return min(time.Second<<(2*min(attempts, 8)), time.Hour)
}

// report says once what an operator should know.
func (o outcome) report(log zerolog.Logger) {
	if o.err == nil {
		return
	}
	refused := o.policy()
	event := log.Warn()
	if refused.Class == meta.StopNumber || refused.Class == meta.StopAccount {
		event = log.Error()
	}
	event.Int("shard", o.job.Key.Shard).Uint64("offset", o.job.Key.Offset).Str("channel", o.job.Channel).
		Str("class", refused.Class.String()).Int("code", refused.Code).Int("attempt", o.job.Attempts+1).Msg("send not accepted")
}
