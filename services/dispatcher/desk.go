package dispatcher

import (
	"container/heap"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/parleyhq/parley/pkg/store"
)

// Job is one message to send. Epoch is that of the shard's ownership under
// which it was taken up.
type Job struct {
	store.Delivery
	Epoch int64
}

// Limits are the rates and times that the Desk keeps to.
type Limits struct {
	// ChannelRate is the messages per second of one business number that this
	// replica may send (WIRE.md 3.3: 80 per number by default).
	ChannelRate float64
	// Shares are for channels that send less than that: which part of it, 0 to 1.
	Shares map[string]float64
	// PairEvery and PairBurst bound the messages to one contact: one every 6 s,
	// up to 45 at once (WIRE.md 3.3).
	PairEvery time.Duration
	PairBurst int
	// Grace is how long an ambiguous send waits for its receipt.
	Grace time.Duration
	// InFlight bounds the sends that are not yet recorded.
	InFlight int
}

// Desk decides who is sent to next: in order per contact, within the rates. It
// is not safe for concurrent use, and asks nobody for the time.
type Desk struct {
	limits   Limits
	lines    map[lineKey]*line
	channels map[string]*channel
	// busy holds the lines whose head is on its way, held those whose head is ambiguous.
	busy, held map[store.DeliveryKey]*line
	// pausedUntil stops every number, also those that have had no job yet.
	pausedUntil time.Time
}

// lineKey names a contact's line: messages to one person on one number.
type lineKey struct {
	channel string
	contact uuid.UUID
}

// line is what waits for one contact. The head is the only one that may be on
// its way: the next is not sent before the head is settled.
type line struct {
	key     lineKey
	jobs    []Job
	readyAt time.Time
	// pairFull is when the pair limit's bucket is full again.
	pairFull time.Time
	// deadline is when an ambiguous head may be sent again.
	deadline time.Time
	index    int // in the channel's heap, -1 if not there
}

// channel is one business number: its lines that wait to be sent to, by time.
type channel struct {
	lines       lineHeap
	bucket      *rate.Limiter
	pausedUntil time.Time
	failures    int
}

// NewDesk returns an empty desk.
func NewDesk(limits Limits) *Desk {
	return &Desk{
		limits: limits, lines: map[lineKey]*line{}, channels: map[string]*channel{},
		busy: map[store.DeliveryKey]*line{}, held: map[store.DeliveryKey]*line{},
	}
}

// SetChannelRate changes the messages per second of every number.
func (d *Desk) SetChannelRate(now time.Time, perSecond float64) {
	d.limits.ChannelRate = perSecond
	for name, c := range d.channels {
		c.bucket.SetLimitAt(now, rate.Limit(d.rateOf(name)))
		c.bucket.SetBurstAt(now, burst(d.rateOf(name)))
	}
}

func (d *Desk) rateOf(name string) float64 {
	if share, less := d.limits.Shares[name]; less {
		return d.limits.ChannelRate * share
	}
	return d.limits.ChannelRate
}

// burst allows a twentieth of a second's messages at once: enough not to lose
// rate to the clock's grain, too little to be seen in a second's window.
func burst(perSecond float64) int { return 1 + int(perSecond/20) }

// Add puts jobs at the end of their contacts' lines. A job that is ambiguous
// already is held from now on.
func (d *Desk) Add(now time.Time, jobs ...Job) {
	for _, job := range jobs {
		l := d.line(job)
		l.jobs = append(l.jobs, job)
		if len(l.jobs) == 1 {
			d.advance(now, l)
		}
	}
}

// Start takes up a job at once, if its contact's line is empty and the rates
// allow it. It reports whether the job is now on its way.
func (d *Desk) Start(now time.Time, job Job) bool {
	l := d.line(job)
	c := d.channels[job.Channel]
	if len(l.jobs) > 0 || len(c.lines) > 0 && !c.lines[0].readyAt.After(now) || !d.admit(now, c, l) {
		return false
	}
	l.jobs = append(l.jobs, job)
	d.busy[job.Key] = l
	return true
}

// Next takes up every job that may be sent now: first those whose grace period
// is over without a receipt, then the lines in the order in which they became ready.
func (d *Desk) Next(now time.Time) []Job {
	var jobs []Job
	for _, key := range d.Held() {
		l := d.held[key]
		if !now.Before(l.deadline) && d.admit(now, d.channels[l.key.channel], l) {
			delete(d.held, key)
			d.busy[key] = l
			jobs = append(jobs, l.jobs[0])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.channels)) {
		c := d.channels[name]
		for len(c.lines) > 0 && !c.lines[0].readyAt.After(now) && d.admit(now, c, c.lines[0]) {
			l := heap.Pop(&c.lines).(*line)
			d.busy[l.jobs[0].Key] = l
			jobs = append(jobs, l.jobs[0])
		}
	}
	return jobs
}

// admit takes a token of the number's rate and one of the pair's, if all
// limits allow a send now.
func (d *Desk) admit(now time.Time, c *channel, l *line) bool {
	if len(d.busy) >= d.limits.InFlight || now.Before(latest(c.pausedUntil, d.pausedUntil)) || now.Before(d.pairFree(l)) || !c.bucket.AllowN(now, 1) {
		return false
	}
	if l.pairFull.Before(now) {
		l.pairFull = now
	}
	l.pairFull = l.pairFull.Add(d.limits.PairEvery)
	return true
}

// pairFree is when the pair limit lets the next message through.
func (d *Desk) pairFree(l *line) time.Time {
	return l.pairFull.Add(-time.Duration(d.limits.PairBurst-1) * d.limits.PairEvery)
}

// Settle removes a job that is accepted or failed, and lets the contact's next
// one follow. A job that the desk does not have on its way or held is ignored.
func (d *Desk) Settle(now time.Time, key store.DeliveryKey) {
	l := d.take(key)
	if l == nil {
		return
	}
	if c := d.channels[l.key.channel]; c != nil {
		c.failures = 0
	}
	l.jobs = l.jobs[1:]
	l.readyAt = now
	d.advance(now, l)
}

// Hold keeps a job whose outcome is unknown until its receipt settles it or
// the grace period is over.
func (d *Desk) Hold(now time.Time, key store.DeliveryKey) {
	if l := d.take(key); l != nil {
		l.jobs[0].Attempts++
		l.jobs[0].State = store.DeliveryAmbiguous
		d.advance(now, l)
	}
}

// Retry puts a job back at the head of its line, to be sent again at a time.
func (d *Desk) Retry(now, at time.Time, key store.DeliveryKey) {
	if l := d.take(key); l != nil {
		l.jobs[0].Attempts++
		l.jobs[0].State = store.DeliveryQueued
		l.readyAt = at
		d.advance(now, l)
	}
}

// Return puts a job back that was taken up but not sent.
func (d *Desk) Return(at time.Time, key store.DeliveryKey) {
	l := d.take(key)
	if l == nil {
		return
	}
	if l.jobs[0].State == store.DeliveryAmbiguous {
		l.deadline = at
		d.held[key] = l
		return
	}
	l.readyAt = at
	d.advance(at, l)
}

// PauseChannel stops sending on a number until a time.
func (d *Desk) PauseChannel(name string, until time.Time) {
	if c := d.channels[name]; c != nil && until.After(c.pausedUntil) {
		c.pausedUntil = until
	}
}

// PauseAll stops sending on every number until a time.
func (d *Desk) PauseAll(until time.Time) { d.pausedUntil = latest(d.pausedUntil, until) }

// Failures counts a throttled send of a number and returns how many came in a
// row, this one included.
func (d *Desk) Failures(name string) int {
	c := d.channels[name]
	if c == nil {
		return 1
	}
	c.failures++
	return c.failures
}

// Held returns the jobs whose outcome is unknown, in order.
func (d *Desk) Held() []store.DeliveryKey {
	return slices.SortedFunc(maps.Keys(d.held), store.DeliveryKey.Compare)
}

// Drop forgets everything of a shard, and lines that have nothing to remember.
func (d *Desk) Drop(now time.Time, shard int) {
	for key, l := range d.lines {
		if len(l.jobs) > 0 && l.jobs[0].Key.Shard == shard {
			delete(d.busy, l.jobs[0].Key)
			delete(d.held, l.jobs[0].Key)
			d.unqueue(l)
			l.jobs = nil
		}
		if len(l.jobs) == 0 && !l.pairFull.After(now) {
			delete(d.lines, key)
		}
	}
}

// Sweep forgets lines that have nothing to remember.
func (d *Desk) Sweep(now time.Time) { d.Drop(now, -1) }

// Waiting counts the jobs that are queued, on their way or held.
func (d *Desk) Waiting() int {
	n := 0
	for _, l := range d.lines {
		n += len(l.jobs)
	}
	return n
}

// Wake returns when Next may have something to do; ok is false if nothing
// waits for time alone.
func (d *Desk) Wake(now time.Time) (at time.Time, ok bool) {
	earliest := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if len(d.busy) >= d.limits.InFlight {
		return at, false
	}
	for _, l := range d.held {
		c := d.channels[l.key.channel]
		earliest(latest(l.deadline, c.pausedUntil, d.pausedUntil, d.pairFree(l), tokenAt(c.bucket, now)))
	}
	for _, c := range d.channels {
		if len(c.lines) > 0 {
			earliest(latest(c.lines[0].readyAt, c.pausedUntil, d.pausedUntil, tokenAt(c.bucket, now)))
		}
	}
	return at, ok
}

// tokenAt is when the bucket has its next token. One without a rate never has:
// whoever gives it one wakes the desk.
func tokenAt(bucket *rate.Limiter, now time.Time) time.Time {
	const never = time.Hour
	missing := 1 - bucket.TokensAt(now)
	switch {
	case missing <= 0:
		return now
	case bucket.Limit() <= 0:
		return now.Add(never)
	}
	return now.Add(time.Duration(missing / float64(bucket.Limit()) * float64(time.Second)))
}

func latest(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// line finds or makes the line that a job belongs to, and its channel.
func (d *Desk) line(job Job) *line {
	if d.channels[job.Channel] == nil {
		d.channels[job.Channel] = &channel{bucket: rate.NewLimiter(rate.Limit(d.rateOf(job.Channel)), burst(d.rateOf(job.Channel)))}
	}
	key := lineKey{job.Channel, job.Contact}
	l := d.lines[key]
	if l == nil {
		l = &line{key: key, index: -1}
		d.lines[key] = l
	}
	return l
}

// take removes a line from the busy or the held ones.
func (d *Desk) take(key store.DeliveryKey) *line {
	l := d.busy[key]
	if l == nil {
		l = d.held[key]
	}
	delete(d.busy, key)
	delete(d.held, key)
	return l
}

// advance puts a line where its head belongs: to the held ones, or into its
// channel's queue.
func (d *Desk) advance(now time.Time, l *line) {
	if len(l.jobs) == 0 {
		return
	}
	if l.jobs[0].State == store.DeliveryAmbiguous {
		l.deadline = now.Add(d.limits.Grace)
		d.held[l.jobs[0].Key] = l
		return
	}
	l.readyAt = latest(l.readyAt, d.pairFree(l))
	heap.Push(&d.channels[l.key.channel].lines, l)
}

func (d *Desk) unqueue(l *line) {
	if l.index >= 0 {
		heap.Remove(&d.channels[l.key.channel].lines, l.index)
	}
}

// lineHeap orders a channel's waiting lines by time.
type lineHeap []*line

func (h lineHeap) Len() int { return len(h) }
func (h lineHeap) Less(i, j int) bool {
	if !h[i].readyAt.Equal(h[j].readyAt) {
		return h[i].readyAt.Before(h[j].readyAt)
	}
	return h[i].jobs[0].Key.Compare(h[j].jobs[0].Key) < 0
}

func (h lineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *lineHeap) Push(x any) {
	l := x.(*line)
	l.index = len(*h)
	*h = append(*h, l)
}

func (h *lineHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	l.index = -1
	*h = (*h)[:last]
	return l
}
