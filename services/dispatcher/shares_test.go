package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/store"
)

// TestSharesProperties: replicas come, go, stop for a while, lose answers and have
// other clocks; messages come to any of them; some take longer to the provider than
// others, as long as they may. In no second does the provider see more than the rate.
func TestSharesProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCity(t)
		t.Repeat(map[string]func(*rapid.T){
			"ask": c.ask, "ask again": c.ask, "send": c.send, "send more": c.send, "queue": c.queue, "pass": c.pass, "pass on": c.pass,
			"boot": c.boot, "crash": c.crash, "leave": c.leave, "": func(*rapid.T) { c.withinRate() },
		})
	})
}

// city is several replicas that send on one number, and what the provider sees.
type city struct {
	t        *rapid.T
	rate     float64
	now      time.Time
	replicas []*replica
	table    []store.SendShare
	seen     []time.Time
	offset   uint64
	owners   int
}

// replica has a desk, and a clock that is off by something.
type replica struct {
	desk  *Desk
	owner string
	clock time.Duration
}

func newCity(t *rapid.T) *city {
	c := &city{t: t, now: start, rate: rapid.SampledFrom([]float64{0.2, 1, 3, 20, 80}).Draw(t, "rate")}
	c.boot(t)
	return c
}

func (c *city) boot(t *rapid.T) {
	if len(c.replicas) == 4 {
		t.Skip("enough")
	}
	c.owners++
	limits := roomy()
	limits.ChannelRate, limits.Shared, limits.InFlight, limits.InFlightPerChannel = c.rate, true, 1e6, 1e6
	clock := time.Duration(rapid.IntRange(-3600, 3600).Draw(t, "clock")) * second
	c.replicas = append(c.replicas, &replica{desk: NewDesk(limits), owner: fmt.Sprint("r", c.owners), clock: clock})
}

func (c *city) pick(t *rapid.T) *replica {
	if len(c.replicas) == 0 {
		t.Skip("none")
	}
	return rapid.SampledFrom(c.replicas).Draw(t, "replica")
}

// ask is Exchange: the request takes a while each way, and what it has decided may
// not come back.
func (c *city) ask(t *rapid.T) {
	r := c.pick(t)
	asked := c.now.Add(r.clock)
	c.deliver(t, 400)
	r.desk.channel(c.now.Add(r.clock), "n1")
	wants := r.desk.wants(c.now.Add(r.clock))
	own := claims(c.now, r.owner, wants, c.table)
	c.put(own)
	c.deliver(t, 400)
	rates, here := map[string]float64{}, c.now.Add(r.clock)
	switch {
	case here.Sub(asked) > shareAnswer, rapid.IntRange(0, 5).Draw(t, "lost") == 0:
		c.now = latest(c.now, asked.Add(shareAnswer-r.clock)) // it waits no longer for the answer
		here = c.now.Add(r.clock)
	default:
		rates["n1"] = rateOf(own[0].Units, c.rate)
	}
	r.desk.SetRates(here, asked.Add(shareTime), rates)
}

// deliver lets some time pass, in which everybody sends what they may.
func (c *city) deliver(t *rapid.T, most int) {
	c.now = c.now.Add(time.Duration(rapid.IntRange(0, most).Draw(t, "ms")) * time.Millisecond)
	for _, r := range c.replicas {
		c.sendAll(r)
	}
}

func (c *city) put(own []store.SendShare) {
	for _, s := range own {
		c.table = slices.DeleteFunc(c.table, func(old store.SendShare) bool { return old.Channel == s.Channel && old.Owner == s.Owner })
		c.table = append(c.table, s)
	}
	units := 0
	for _, s := range c.table {
		units += used(c.now, s, 0)
	}
	if units > unitsOf(c.rate) {
		c.t.Fatalf("%d units are given, there are %d", units, unitsOf(c.rate))
	}
}

func (c *city) queue(t *rapid.T) {
	r := c.pick(t)
	for range rapid.IntRange(1, 60).Draw(t, "messages") {
		c.offset++
		r.desk.Add(c.now.Add(r.clock), job(fmt.Sprint(c.offset), 1, c.offset))
	}
}

func (c *city) send(t *rapid.T) { c.sendAll(c.pick(t)) }

func (c *city) sendAll(r *replica) {
	for _, j := range r.desk.Next(c.now.Add(r.clock)) {
		c.seen = append(c.seen, c.now)
		r.desk.Settle(c.now.Add(r.clock), j.Key)
	}
}

func (c *city) pass(t *rapid.T) {
	step := rapid.SampledFrom([]time.Duration{time.Millisecond, 13 * time.Millisecond, 100 * time.Millisecond, second, 6 * second}).Draw(t, "time")
	c.now = c.now.Add(step)
}

func (c *city) crash(t *rapid.T) {
	gone := c.pick(t)
	c.replicas = slices.DeleteFunc(c.replicas, func(r *replica) bool { return r == gone })
}

func (c *city) leave(t *rapid.T) {
	r := c.pick(t)
	r.desk.SetRates(c.now.Add(r.clock), c.now.Add(r.clock), map[string]float64{})
	c.put(claims(c.now, r.owner, unwanted(r.desk.wants(c.now.Add(r.clock))), c.table))
	c.replicas = slices.DeleteFunc(c.replicas, func(other *replica) bool { return other == r })
}

func (c *city) withinRate() {
	window := time.Duration(max(1, 1/c.rate) * float64(second))
	first := 0
	for i, at := range c.seen {
		for at.Sub(c.seen[first]) >= window+way {
			first++
		}
		if n := float64(i - first + 1); n > c.rate*window.Seconds() {
			c.t.Fatalf("%g messages within %s at %g a second", n, window, c.rate)
		}
	}
}

// The parts of all are the whole, whatever the weights; the odd one changes hands.
func TestFairShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.IntRange(1, 1000).Draw(t, "units")
		var rivals []store.SendShare
		for i := range rapid.IntRange(1, 6).Draw(t, "replicas") {
			rivals = append(rivals, store.SendShare{Owner: fmt.Sprint(i), Weight: rapid.Float64Range(1, crowdMost).Draw(t, "weight")})
		}
		sum, wanted := 0, false
		for _, r := range slices.Clone(rivals) {
			sum += fair(units, r.Owner, rivals, start)
			wanted = wanted || r.Weight > 1 || units >= len(rivals)
		}
		if wanted && sum != units || !wanted && sum != 0 {
			t.Fatalf("%d of %d units for %+v", sum, units, rivals)
		}
	})
	turns := map[int]bool{}
	for turn := range 20 {
		rivals := []store.SendShare{{Owner: "a", Weight: 2}, {Owner: "b", Weight: 2}}
		turns[fair(1, "a", rivals, after(time.Duration(turn)*turnTime))] = true
	}
	if !turns[0] || !turns[1] {
		t.Errorf("of one unit a has always the same: %v", turns)
	}
}

// A replica that has all of a number's people gets most of its rate, though another
// has half of the shards; when it has nothing to send any more, they share evenly.
func TestSharesFollowDemand(t *testing.T) {
	db := newDatabase(t)
	limits := Limits{ChannelRate: 80, PairEvery: 6 * second, PairBurst: 45, Grace: grace, InFlight: 1000, InFlightPerChannel: 1000, Shared: true}
	now := time.Now()
	clock := func() time.Time { return now }
	open := func(shard int) *Service {
		s := New(db.Store, limits, func(Job) {}, clock, zerolog.Nop())
		s.epochs[shard] = 1
		return s
	}
	a, b := open(0), open(1)
	for n := range uint64(200) {
		a.desk.Add(now, job(fmt.Sprint(n), 0, n+1))
	}
	exchange := func(s *Service, owner string) float64 {
		t.Helper()
		if err := s.Exchange(t.Context(), db.Store, owner); err != nil {
			t.Fatal(err)
		}
		return s.desk.granted["n1"]
	}
	if got := exchange(a, "a"); got != 80 {
		t.Errorf("alone it has %g", got)
	}
	if got := exchange(b, "b"); got != 0 {
		t.Errorf("b has %g at once, a still has all", got)
	}
	if got := exchange(a, "a"); got < 70 || got > 72 {
		t.Errorf("a has %g, want eight ninths", got)
	}
	if got := exchange(b, "b"); got != 0 {
		t.Errorf("b has %g before a's messages are past", got)
	}
	if _, err := db.conn.Exec(t.Context(), `UPDATE send_shares SET cooling_until = now()`); err != nil {
		t.Fatal(err)
	}
	if got := exchange(b, "b"); got < 8 || got > 10 {
		t.Errorf("b has %g, want a ninth", got)
	}
	a.epochs = map[int]int64{} // it loses its shards
	if got := exchange(a, "a"); got != 0 {
		t.Errorf("a has %g without a shard", got)
	}
}

// Without an answer in time a replica uses nothing, also not what it had.
func TestSharesWithoutAnswer(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	if err := o.Exchange(t.Context(), db.Store, "a"); err != nil {
		t.Fatal(err)
	}
	o.apply(queued("a", 1))
	if err := o.Exchange(t.Context(), db.Store, "a"); err != nil {
		t.Fatal(err)
	}
	o.pass(minute)
	if !o.desk.lapsed(o.clock()) {
		t.Error("a claim does not end")
	}
	for name, broken := range map[string]shareStore{
		"an error": failing{db.Store, func() error { return errors.New("down") }},
		"too late": failing{db.Store, func() error { o.pass(shareAnswer + 1); return nil }},
	} {
		if err := o.Exchange(t.Context(), db.Store, "a"); err != nil || o.desk.granted["n1"] == 0 {
			t.Fatalf("%g, %v", o.desk.granted["n1"], err)
		}
		_ = o.Exchange(t.Context(), broken, "a")
		if o.desk.granted["n1"] != 0 {
			t.Errorf("%s: it goes on with %g", name, o.desk.granted["n1"])
		}
	}
}

// failing is a store that fails, or takes its time, after it has done the work.
type failing struct {
	*store.Store
	after func() error
}

func (f failing) ExchangeSendShares(ctx context.Context, owner string, decide func(time.Time, []store.SendShare) []store.SendShare) error {
	return errors.Join(f.Store.ExchangeSendShares(ctx, owner, decide), f.after())
}

// However many come to a number, and while demand moves, each may soon send on it: when
// what rests already has rested, then the part of the one before it, then its own.
func TestSharesReachNewcomers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := want{channel: "n1", rate: rapid.SampledFrom([]float64{80, 1000, 5000}).Draw(t, "rate")}
		c := city{t: t, rate: w.rate, now: start}
		owners := []string{"a"}
		came, sends, weights := map[string]time.Time{"a": start}, map[string]bool{}, map[string]float64{}
		for range rapid.IntRange(8, 60).Draw(t, "rounds") {
			if len(owners) < 4 && rapid.IntRange(0, 5).Draw(t, "boots") == 0 {
				owners = append(owners, fmt.Sprint("r", len(owners)))
				came[owners[len(owners)-1]] = c.now
			}
			for _, owner := range owners {
				w.weight = min(max(1, weights[owner]+rapid.Float64Range(-1, 1).Draw(t, "more")), crowdMost)
				weights[owner] = w.weight
				own := w.claim(c.now, owner, c.table)
				c.put([]store.SendShare{own})
				sends[owner] = sends[owner] || own.Units > 0
				if late := c.now.Sub(came[owner]); !sends[owner] && late > 3*restOf(w.rate)+3*sharesEvery {
					t.Fatalf("%s has nothing %s after it came: %+v", owner, late, c.table)
				}
			}
			c.now = c.now.Add(sharesEvery)
		}
	})
}
