package dispatcher

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/store"
)

// Job is one message to send. Epoch is that of the shard's ownership under
// which it was taken up.
type Job struct {
	store.Delivery
	Epoch int64
	// WindowUntil is until when free text was known to be welcome when it was queued;
	// zero if that was not known, or the job was read from the store.
	WindowUntil time.Time
	// Refusal says why the job must not be sent any more; empty if it may.
	Refusal string
}

// Limits are the rates and times that the Desk keeps to.
type Limits struct {
	// ChannelRate is the messages per second of one business number, over all
	// replicas, unless its Facts say another (WIRE.md 3.3: 80 by default).
	ChannelRate float64
	// PairEvery and PairBurst bound the messages to one contact: one every 6 s,
	// up to 45 at once (WIRE.md 3.3).
	PairEvery time.Duration
	PairBurst int
	// Grace is how long an ambiguous send waits for its receipt.
	Grace time.Duration
	// InFlight bounds the sends that are not yet recorded, InFlightPerChannel those
	// of one number: one that answers slowly leaves room for the others.
	InFlight, InFlightPerChannel int
	// Shared says that there may be other replicas: the desk sends nothing before it is
	// told its part of the rates.
	Shared bool
	// Jitter, from 0 to 1, spreads what would otherwise happen at the same time
	// everywhere; nil for none.
	Jitter func() float64
}

// Facts are what is known of a number.
type Facts struct {
	// Account and App name who is stopped together with it (WIRE.md 3.4). Numbers
	// whose account is not known share one.
	Account, App string
	// Rate is its messages per second; 0 for that of the Limits.
	Rate float64
	// OutOnly says that incoming messages do not count towards it.
	OutOnly bool
}

// Desk decides who is sent to next: in order per contact, within the rates, replies
// first. It is not safe for concurrent use, and asks nobody for the time.
type Desk struct {
	limits Limits
	// granted is the part of each number's rate that is this replica's, until
	// grantedUntil. Nil is all of every rate: there are no other replicas.
	granted      map[string]float64
	grantedUntil time.Time
	facts        map[string]Facts
	lines        map[lineKey]*line
	channels     map[string]*channel
	gates        map[scope]*gate
	parked       map[parked]parking
	// busy holds the lines whose head is on its way, held those whose head is ambiguous.
	busy, held map[store.DeliveryKey]*line
	// files holds the lines in which a file was accepted a moment ago.
	files map[store.DeliveryKey]*line
	// closed are the channels that cannot send until they are opened.
	closed map[string]bool
	// behind are contacts whose messages go after those of others that turned out to be them.
	behind map[uuid.UUID]store.Former
}

// scope is what a gate is for: a number, an account, or an app.
type scope struct{ kind, name string }

// Kinds of a scope.
const (
	scopeNumber  = "number"
	scopeAccount = "account"
	scopeApp     = "app"
)

// channel is one business number: what waits, and what holds it back.
type channel struct {
	queue
	facts    Facts
	bucket   bucket
	heard    heard
	inFlight int
	closed   bool
	// silent says that what followed a file waited for its receipt in vain.
	silent bool
	// rest is until when the provider has no room for more of the number.
	rest time.Time
	// number, account and app are its gates.
	number, account, app *gate
}

// NewDesk returns an empty desk.
func NewDesk(limits Limits) *Desk {
	d := &Desk{
		limits: limits, facts: map[string]Facts{}, lines: map[lineKey]*line{}, channels: map[string]*channel{},
		gates: map[scope]*gate{}, parked: map[parked]parking{},
		busy: map[store.DeliveryKey]*line{}, held: map[store.DeliveryKey]*line{}, files: map[store.DeliveryKey]*line{},
		behind: map[uuid.UUID]store.Former{},
	}
	if limits.Shared {
		d.granted = map[string]float64{}
	}
	return d
}

// SetFacts changes what is known of the numbers.
func (d *Desk) SetFacts(now time.Time, facts map[string]Facts) {
	d.facts = facts
	for name, c := range d.channels {
		if now := facts[name]; now.Account != c.facts.Account || now.App != c.facts.App {
			d.move(name, c)
		}
		c.facts = facts[name]
	}
	d.setPace(now)
}

// move gives a number other gates. What is on its way tries none of the old ones.
func (d *Desk) move(name string, c *channel) {
	for key, l := range d.busy {
		if l.key.channel == name {
			c.leave(key)
		}
	}
	d.join(name, c)
}

func (d *Desk) setPace(now time.Time) {
	for name, c := range d.channels {
		rate := d.rate(name)
		if d.granted != nil {
			rate = min(rate, d.granted[name])
		}
		if c.heard.measure(now); !c.facts.OutOnly {
			rate = c.heard.left(rate)
		}
		c.bucket.set(now, rate)
	}
}

// SetClosed says which channels cannot send for now, whatever the time. For one that
// opens again what it was told before does not count any more.
func (d *Desk) SetClosed(channels map[string]bool) {
	d.closed = channels
	for name, c := range d.channels {
		if c.closed && !channels[name] {
			*c.number = gate{}
		}
		c.closed = channels[name]
	}
}

// Rest lets nothing more of a number go until a time: the provider said, with a message
// that it took, that it was the last for now.
func (d *Desk) Rest(now, until time.Time, channel string) {
	c := d.channel(now, channel)
	c.rest = latest(c.rest, until)
}

// join gives a number its facts and its gates.
func (d *Desk) join(name string, c *channel) {
	c.facts = d.facts[name]
	c.number, c.account, c.app = d.gate(scopeNumber, name), d.gate(scopeAccount, c.facts.Account), d.gate(scopeApp, c.facts.App)
}

func (d *Desk) gate(kind, name string) *gate {
	of := scope{kind, name}
	if d.gates[of] == nil {
		d.gates[of] = &gate{}
	}
	return d.gates[of]
}

// Add puts jobs at the end of their contacts' lines. A job that is ambiguous
// already is held from now on.
func (d *Desk) Add(now time.Time, jobs ...Job) {
	for _, job := range jobs {
		l := d.line(now, job)
		l.jobs = append(l.jobs, job)
		if len(l.jobs) == 1 {
			d.advance(now, l)
		}
	}
}

// Start takes up a job at once, if its contact's line is empty, it would be the
// next, and the rates allow it. It reports whether the job is now on its way.
func (d *Desk) Start(now time.Time, job Job) bool {
	l, c := d.line(now, job), d.channel(now, job.Channel)
	if len(l.jobs) > 0 || d.waits(l) || !c.passes(now, job.Priority) || !d.admits(now, c) || now.Before(d.free(l)) {
		return false
	}
	l.jobs = append(l.jobs, job)
	c.turn++
	d.depart(now, c, l)
	return true
}

// Next takes up every job that may be sent now: first those whose grace period
// is over without a receipt, then whose turn it is.
func (d *Desk) Next(now time.Time) []Job {
	var jobs []Job
	for _, key := range d.Held() {
		l := d.held[key]
		c := d.channels[l.key.channel]
		if !now.Before(l.deadline) && kept(l.jobs[0]) {
			d.Settle(now, key) // it stays ambiguous in the store; the line moves on
			continue
		}
		if now.Before(l.deadline) || now.Before(d.pairFree(l)) || d.waits(l) || !d.admits(now, c) {
			continue
		}
		delete(d.held, key)
		d.depart(now, c, l)
		jobs = append(jobs, l.jobs[0])
	}
	for _, name := range slices.Sorted(maps.Keys(d.channels)) {
		c := d.channels[name]
		for d.admits(now, c) {
			l := c.next(now)
			if l == nil {
				break
			}
			c.take(l)
			d.depart(now, c, l)
			jobs = append(jobs, l.jobs[0])
		}
	}
	return jobs
}

// admits reports whether a number may send now.
func (d *Desk) admits(now time.Time, c *channel) bool {
	return !d.full(c) && !c.closed && !d.lapsed(now) && !now.Before(c.rest) && c.bucket.ready(now) && c.number.open(now) && c.account.open(now) && c.app.open(now)
}

// full reports whether too many sends are on their way.
func (d *Desk) full(c *channel) bool {
	return len(d.busy) >= d.limits.InFlight || c.inFlight >= d.limits.InFlightPerChannel
}

// depart sends a line's head on its way.
func (d *Desk) depart(now time.Time, c *channel, l *line) {
	key := l.jobs[0].Key
	if !l.fileUntil.IsZero() { // what waited for it goes without
		c.silent, l.fileUntil = true, time.Time{}
	}
	c.bucket.take(now)
	l.pairFull = latest(l.pairFull, now).Add(d.limits.PairEvery)
	for _, g := range c.gates() {
		g.enter(key)
	}
	c.inFlight++
	d.busy[key] = l
}

func (c *channel) gates() [3]*gate { return [...]*gate{c.number, c.account, c.app} }

// leave notes at the gates that a send is over.
func (c *channel) leave(key store.DeliveryKey) {
	for _, g := range c.gates() {
		g.leave(key)
	}
}

// pairFree is when the pair limit lets the next message through.
func (d *Desk) pairFree(l *line) time.Time {
	return l.pairFull.Add(-time.Duration(d.limits.PairBurst-1) * d.limits.PairEvery)
}

// pairMemory is how long a send can count for its pair.
func (d *Desk) pairMemory() time.Duration {
	return time.Duration(d.limits.PairBurst) * d.limits.PairEvery
}

// Remember counts what a former owner sent, the oldest first, for the limit of each pair.
func (d *Desk) Remember(now time.Time, sent []store.RecentSend) {
	full := map[lineKey]time.Time{}
	for _, r := range sent {
		key := lineKey{r.Channel, r.Contact}
		full[key] = latest(full[key], now.Add(-r.Ago)).Add(d.limits.PairEvery)
	}
	for key, at := range full {
		l := d.lineOf(now, key)
		l.pairFull = latest(l.pairFull, at)
	}
}

// Settle removes a job that is accepted or failed, and lets the contact's next
// one follow. A job that the desk does not have on its way or held is ignored.
func (d *Desk) Settle(now time.Time, key store.DeliveryKey) {
	l := d.take(key)
	if l == nil {
		return
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
		l.jobs[0].Unknown++
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
	if l.readyAt = latest(at, d.pairFree(l)); !d.waits(l) {
		d.channels[l.key.channel].later.add(l)
	}
}

// Held returns the jobs whose outcome is unknown, in order.
func (d *Desk) Held() []store.DeliveryKey {
	return slices.SortedFunc(maps.Keys(d.held), store.DeliveryKey.Compare)
}

// Drop forgets everything of a shard, and lines that have nothing to remember.
func (d *Desk) Drop(now time.Time, shard int) {
	for key, l := range d.lines {
		if len(l.jobs) > 0 && l.jobs[0].Key.Shard == shard {
			d.take(l.jobs[0].Key)
			l.unqueue()
			l.jobs = nil
		}
		if len(l.jobs) == 0 && !l.pairFull.After(now) && !l.fileUntil.After(now) {
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
	earliest := func(c *channel, ready time.Time) {
		free, timed := d.wake(now, c)
		if t := latest(now, ready, free); timed && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	for _, l := range d.held {
		if d.waits(l) && !now.Before(l.deadline) {
			continue
		}
		earliest(d.channels[l.key.channel], latest(l.deadline, d.pairFree(l)))
	}
	for _, c := range d.channels {
		if l := c.next(now); l != nil {
			earliest(c, l.readyAt)
		} else if len(c.later) > 0 {
			earliest(c, c.later[0].readyAt)
		}
	}
	return at, ok
}

// wake is when a number may send; ok is false if that is not a matter of time.
func (d *Desk) wake(now time.Time, c *channel) (at time.Time, ok bool) {
	if d.full(c) || c.closed || d.lapsed(now) {
		return time.Time{}, false
	}
	at = latest(c.bucket.wake(now), c.rest)
	for _, g := range c.gates() {
		free, timed := g.wake()
		if !timed {
			return time.Time{}, false
		}
		at = latest(at, free)
	}
	return at, true
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
func (d *Desk) line(now time.Time, job Job) *line {
	return d.lineOf(now, lineKey{job.Channel, job.Contact})
}

func (d *Desk) lineOf(now time.Time, key lineKey) *line {
	d.channel(now, key.channel)
	l := d.lines[key]
	if l == nil {
		l = &line{key: key}
		d.lines[key] = l
	}
	return l
}

// channel finds or makes a number. A new one starts without a burst: another
// replica may have sent in the last second.
func (d *Desk) channel(now time.Time, name string) *channel {
	c := d.channels[name]
	if c == nil {
		c = &channel{closed: d.closed[name], heard: heard{since: now}}
		d.join(name, c)
		d.channels[name] = c
		d.setPace(now)
	}
	return c
}

// take removes a line from the busy or the held ones.
func (d *Desk) take(key store.DeliveryKey) *line {
	l := d.busy[key]
	if l == nil {
		l = d.held[key]
		delete(d.held, key)
		return l
	}
	delete(d.busy, key)
	c := d.channels[l.key.channel]
	c.inFlight--
	c.leave(key)
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
	if l.readyAt = latest(now, l.readyAt, d.free(l)); !d.waits(l) {
		d.channels[l.key.channel].push(now, l)
	}
}
