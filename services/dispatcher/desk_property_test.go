package dispatcher

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// people is the world of TestDeskProperties: three contacts on each of two
// numbers, in three shards.
const people = 3

// clerk drives a Desk through random histories and keeps a plain model of it.
type clerk struct {
	t      *rapid.T
	desk   *Desk
	limits Limits
	now    time.Time
	offset uint64
	// open holds each line's unsettled jobs in order, away what is on its way,
	// held until when an ambiguous head must wait, early when a retry may come.
	open        map[lineKey][]Job
	away        map[store.DeliveryKey]bool
	held, early map[store.DeliveryKey]time.Time
	// rests are until when a number has no room, by the provider.
	rests map[string]time.Time
	// files are the files that were accepted, by line, and until when others wait for them.
	files     map[store.DeliveryKey]lineKey
	fileUntil map[lineKey]time.Time
	// behind are the contacts that wait for others who turned out to be them.
	behind      map[uuid.UUID]store.Former
	shut        map[scope]*shutter
	byChannel   map[string][]time.Time
	byLine      map[lineKey][]time.Time
	rateMax     float64
	added, done int
}

func newClerk(t *rapid.T) *clerk {
	limits := Limits{
		ChannelRate: rapid.SampledFrom([]float64{0.5, 3, 40, 1000}).Draw(t, "rate"), PairEvery: 6 * second,
		PairBurst: rapid.IntRange(1, 4).Draw(t, "pair burst"), Grace: grace, InFlight: rapid.IntRange(1, 5).Draw(t, "in flight"),
		InFlightPerChannel: rapid.IntRange(1, 5).Draw(t, "in flight per number"),
	}
	return &clerk{
		t: t, desk: NewDesk(limits), limits: limits, now: start, rateMax: limits.ChannelRate,
		open: map[lineKey][]Job{}, away: map[store.DeliveryKey]bool{}, held: map[store.DeliveryKey]time.Time{},
		early: map[store.DeliveryKey]time.Time{}, shut: map[scope]*shutter{},
		behind: map[uuid.UUID]store.Former{}, rests: map[string]time.Time{}, files: map[store.DeliveryKey]lineKey{}, fileUntil: map[lineKey]time.Time{}, byChannel: map[string][]time.Time{}, byLine: map[lineKey][]time.Time{},
	}
}

// newJob is the next event of a random contact.
func (c *clerk) newJob() Job {
	c.offset++
	c.added++
	who := rapid.IntRange(0, people-1).Draw(c.t, "who")
	j := on(rapid.SampledFrom([]string{"n1", "n2"}).Draw(c.t, "number"), job(fmt.Sprint(who), who, c.offset))
	if rapid.IntRange(0, 3).Draw(c.t, "file") == 0 {
		j.Content = withFile
	}
	return j
}

// shutter is the model of a gate that is shut: nothing passes before its time, and
// then one at a time, until one that passed was answered.
type shutter struct {
	until  time.Time
	passed map[store.DeliveryKey]bool
}

func scopesOf(j Job) []scope {
	return []scope{{scopeNumber, j.Channel}, {scopeAccount, ""}, {scopeApp, ""}}
}

func (s *shutter) pass(c *clerk, key store.DeliveryKey) {
	if s == nil {
		return
	}
	if c.now.Before(s.until) {
		c.t.Fatalf("%v goes %s too early through a gate that is shut", key, s.until.Sub(c.now))
	}
	for other := range s.passed {
		if c.away[other] {
			c.t.Fatalf("%v goes while %v tries", key, other)
		}
	}
	s.passed[key] = true
}

// refuse gives a job on its way an outcome that shuts a gate, or is no answer at all.
func (c *clerk) refuse(t *rapid.T) {
	key := pick(t, c.away)
	j := c.head(key)
	refused := &meta.SendError{Status: 400, Code: 1, Class: rapid.SampledFrom([]meta.Class{
		meta.RetryNumber, meta.StopNumber, meta.RetryAccount, meta.StopAccount, meta.RetryApp, meta.Ambiguous,
	}).Draw(t, "class")}
	of, shuts := scopesOf(j)[0], refused.Class != meta.Ambiguous
	switch refused.Class {
	case meta.RetryAccount, meta.StopAccount:
		of = scope{scopeAccount, ""}
	case meta.RetryApp:
		of = scope{scopeApp, ""}
	}
	outcome{job: j, err: refused, at: c.now}.apply(c.desk, c.now)
	delete(c.away, key)
	if !shuts {
		c.held[key] = c.now.Add(c.limits.Grace)
		return
	}
	until := c.now.Add(pauses[refused.Class].first)
	c.early[key] = until
	if s := c.shut[of]; s != nil {
		until = latest(until, s.until)
	}
	c.shut[of] = &shutter{until, map[store.DeliveryKey]bool{}}
}

// head is the job of a line's head.
func (c *clerk) head(key store.DeliveryKey) Job {
	for _, queue := range c.open {
		if len(queue) > 0 && queue[0].Key == key {
			return queue[0]
		}
	}
	c.t.Fatalf("%v is at the head of no line", key)
	return Job{}
}

func lineOf(j Job) lineKey { return lineKey{j.Channel, j.Contact} }

func (c *clerk) add(*rapid.T) {
	j := c.newJob()
	c.open[lineOf(j)] = append(c.open[lineOf(j)], j)
	c.desk.Add(c.now, j)
}

func (c *clerk) start(*rapid.T) {
	j := c.newJob()
	c.open[lineOf(j)] = append(c.open[lineOf(j)], j)
	if c.desk.Start(c.now, j) {
		c.sent(j)
	} else {
		c.desk.Add(c.now, j)
	}
}

func (c *clerk) next(*rapid.T) {
	for _, j := range c.desk.Next(c.now) {
		c.sent(j)
	}
	// Woken in vain is allowed once, for a rate's rounding: never again and again.
	if at, ok := c.desk.Wake(c.now); ok && !at.After(c.now) {
		c.t.Fatalf("wakes at once although Next has taken everything: it spins")
	}
}

// sent checks that the job may go now, and remembers when it went.
func (c *clerk) sent(j Job) {
	line := lineOf(j)
	switch queue := c.open[line]; {
	case len(queue) == 0 || queue[0].Key != j.Key:
		c.t.Fatalf("%v goes out of order, or though it is settled: %v", j.Key, queue)
	case c.away[j.Key]:
		c.t.Fatalf("%v goes twice at a time", j.Key)
	case c.now.Before(c.rests[j.Channel]):
		c.t.Fatalf("%v goes although its number rests", j.Key)
	case c.now.Before(c.fileUntil[line]):
		c.t.Fatalf("%v overtakes a file", j.Key)
	case c.behind[j.Contact].Coming || slices.Contains(c.behind[j.Contact].Channels, j.Channel):
		c.t.Fatalf("%v overtakes what was said to a former contact", j.Key)
	case c.now.Before(c.held[j.Key]) || c.now.Before(c.early[j.Key]):
		c.t.Fatalf("%v goes too early", j.Key)
	}
	for _, of := range scopesOf(j) {
		c.shut[of].pass(c, j.Key)
	}
	c.away[j.Key] = true
	delete(c.held, j.Key)
	if len(c.away) > c.limits.InFlight || c.desk.channels[j.Channel].inFlight > c.limits.InFlightPerChannel {
		c.t.Fatalf("%d are on their way, %d of this number", len(c.away), c.desk.channels[j.Channel].inFlight)
	}
	c.byChannel[j.Channel] = append(c.byChannel[j.Channel], c.now)
	c.byLine[line] = append(c.byLine[line], c.now)
	c.withinRates(j.Channel, line)
}

// withinRates: over any window that ends now, a pair passes at most its burst and
// its pace; a number at most its rate in any second, and one more for a rate that
// is no whole number.
func (c *clerk) withinRates(channel string, line lineKey) {
	n := 0
	for _, at := range slices.Backward(c.byChannel[channel]) {
		if c.now.Sub(at) >= time.Second {
			break
		}
		n++
	}
	if float64(n) > math.Ceil(c.rateMax) {
		c.t.Fatalf("%d messages of one number in a second", n)
	}
	for i, at := range c.byLine[line] {
		n, window := len(c.byLine[line])-i, c.now.Sub(at)
		if n > c.limits.PairBurst+int(window/c.limits.PairEvery) {
			c.t.Fatalf("%d messages to one contact in %s", n, window)
		}
	}
}

// pick draws one of the keys, or skips the action.
func pick[V any](t *rapid.T, from map[store.DeliveryKey]V) store.DeliveryKey {
	if len(from) == 0 {
		t.Skip("none")
	}
	return rapid.SampledFrom(slices.SortedFunc(maps.Keys(from), store.DeliveryKey.Compare)).Draw(t, "key")
}

func (c *clerk) settled(key store.DeliveryKey) {
	if j := c.head(key); c.away[key] {
		outcome{job: j, at: c.now}.apply(c.desk, c.now)
		if j.Content != nil {
			c.files[key], c.fileUntil[lineOf(j)] = lineOf(j), c.now.Add(c.desk.fileWait(j.Channel))
		}
		for _, of := range scopesOf(j) {
			if s := c.shut[of]; s != nil && s.passed[key] {
				delete(c.shut, of)
			}
		}
	} else {
		c.desk.Settle(c.now, key)
	}
	delete(c.away, key)
	delete(c.held, key)
	for line, queue := range c.open {
		if len(queue) > 0 && queue[0].Key == key {
			c.open[line] = queue[1:]
			c.done++
		}
	}
}

func (c *clerk) settle(t *rapid.T)  { c.settled(pick(t, c.away)) }
func (c *clerk) receipt(t *rapid.T) { c.settled(pick(t, c.held)) }

// merge has a contact wait for the messages of another one, for less of them, or no more.
func (c *clerk) merge(t *rapid.T) {
	contact := store.ContactID("p", fmt.Sprint(rapid.IntRange(0, people-1).Draw(t, "who")))
	f := rapid.SampledFrom([]store.Former{{}, {Coming: true}, {Channels: []string{"n1"}}, {Channels: []string{"n1", "n2"}}}).Draw(t, "former")
	c.behind[contact] = f
	c.desk.SetBehind(c.now, contact, f)
}

// arrive tells of a receipt of a file, the line's last one or an older one.
func (c *clerk) arrive(t *rapid.T) {
	key := pick(t, c.files)
	line := c.files[key]
	c.desk.Arrived(c.now, key)
	delete(c.files, key)
	for other, of := range c.files {
		if of == line && other.Offset > key.Offset {
			return // the line waits for another one by now
		}
	}
	delete(c.fileUntil, line)
}

func (c *clerk) hold(t *rapid.T) {
	key := pick(t, c.away)
	c.desk.Hold(c.now, key)
	delete(c.away, key)
	c.held[key] = c.now.Add(c.limits.Grace)
}

func (c *clerk) retry(t *rapid.T) {
	key := pick(t, c.away)
	at := c.now.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "wait")) * second)
	c.desk.Retry(c.now, at, key)
	delete(c.away, key)
	c.early[key] = at
}

func (c *clerk) giveBack(t *rapid.T) {
	key := pick(t, c.away)
	at := c.now.Add(recordRetry)
	c.desk.Return(at, key)
	delete(c.away, key)
	c.early[key] = at
	if c.desk.held[key] != nil {
		c.held[key] = at
	}
}

func (c *clerk) rate(t *rapid.T) {
	perSecond := rapid.SampledFrom([]float64{0.5, 3, 40, 1000}).Draw(t, "rate")
	c.rateMax = max(c.rateMax, perSecond)
	c.desk.SetFacts(c.now, map[string]Facts{"n1": {Rate: perSecond}, "n2": {Rate: perSecond}})
}

func (c *clerk) rest(t *rapid.T) {
	number := rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "number")
	until := c.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "rest")) * second)
	c.rests[number] = latest(c.rests[number], until)
	c.desk.Rest(c.now, until, number)
}

// retake loses a shard and takes it again, as after a commit in doubt: what
// was on its way is ambiguous then.
func (c *clerk) retake(t *rapid.T) {
	shard := rapid.IntRange(0, people-1).Draw(t, "shard")
	c.desk.Drop(c.now, shard)
	var again []Job
	for _, line := range slices.SortedFunc(maps.Keys(c.open), func(a, b lineKey) int { return slices.Compare(a.contact[:], b.contact[:]) }) {
		for i, j := range c.open[line] {
			if j.Key.Shard != shard {
				continue
			}
			if _, ambiguous := c.held[j.Key]; ambiguous || c.away[j.Key] {
				j.State = store.DeliveryAmbiguous
				c.held[j.Key] = c.now.Add(c.limits.Grace)
			}
			for _, s := range c.shut {
				delete(s.passed, j.Key) // what it meant to try is unknown
			}
			delete(c.away, j.Key)
			delete(c.early, j.Key)
			c.open[line][i] = j
			again = append(again, j)
		}
	}
	slices.SortFunc(again, func(a, b Job) int { return a.Key.Compare(b.Key) })
	c.desk.Add(c.now, again...)
}

func (c *clerk) pass(t *rapid.T) {
	c.now = c.now.Add(time.Duration(rapid.Int64Range(1, int64(8*second)).Draw(t, "time")))
	c.desk.Sweep(c.now)
}

// sleep goes to the time that the desk names. Until then there is nothing to
// do, whenever one looks.
func (c *clerk) sleep(*rapid.T) {
	at, ok := c.desk.Wake(c.now)
	if !ok || !at.After(c.now) {
		return
	}
	const looks = 16
	for step := at.Sub(c.now) / looks; step > 0 && c.now.Add(step).Before(at); c.now = c.now.Add(step) {
		if jobs := c.desk.Next(c.now); len(jobs) > 0 {
			c.t.Fatalf("%s before it wakes, %v can go", at.Sub(c.now), jobs[0].Key)
		}
	}
	c.now = at
}

func (c *clerk) check(*rapid.T) {
	if want := c.added - c.done; c.desk.Waiting() != want {
		c.t.Fatalf("%d jobs are on the desk, want %d", c.desk.Waiting(), want)
	}
}

// finish lets everything succeed: every job that was ever added must get done,
// by nothing but the desk's own wake-ups.
func (c *clerk) finish() {
	for contact := range c.behind {
		delete(c.behind, contact)
		c.desk.SetBehind(c.now, contact, store.Former{})
	}
	for rounds := 0; c.done < c.added; rounds++ {
		if rounds > 20*c.added+100 {
			c.t.Fatalf("stalled: %d of %d jobs are done", c.done, c.added)
		}
		for _, key := range slices.SortedFunc(maps.Keys(c.away), store.DeliveryKey.Compare) {
			c.settled(key)
		}
		c.next(c.t)
		if len(c.away) > 0 {
			continue
		}
		at, ok := c.desk.Wake(c.now)
		if c.done < c.added && !ok {
			c.t.Fatalf("asleep for ever with %d jobs to do", c.added-c.done)
		}
		if ok {
			c.now = at
		}
	}
}

// TestDeskProperties: over random histories of additions, outcomes, losses of
// shards, refusals and rates, order and rates hold, nothing is lost, nothing
// stalls and nothing spins.
func TestDeskProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClerk(t)
		t.Repeat(map[string]func(*rapid.T){
			"add": c.add, "start": c.start, "next": c.next, "settle": c.settle, "receipt": c.receipt, "hold": c.hold,
			"retry": c.retry, "give back": c.giveBack, "refuse": c.refuse, "rate": c.rate, "rest": c.rest, "retake": c.retake, "arrive": c.arrive, "merge": c.merge,
			"pass": c.pass, "sleep": c.sleep, "": c.check,
			"start more": c.start, "settle more": c.settle, // the common case deserves more than its share
		})
		c.finish()
	})
}
