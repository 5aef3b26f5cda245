package dispatcher

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/services/internal/platform"
)

// start is the time at which every virtual clock begins.
var start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return start.Add(d) }

const (
	second = time.Second
	grace  = 20 * second
)

// roomy lets everything through at once.
func roomy() Limits {
	return Limits{ChannelRate: 1e6, PairEvery: 6 * second, PairBurst: 45, Grace: grace, InFlight: 100, InFlightPerChannel: 100}
}

// newDesk is a desk whose numbers have been silent for a while.
func newDesk(limits Limits) *Desk {
	d := NewDesk(limits)
	d.rested(start)
	return d
}

// rested gives the numbers of the tests their whole burst.
func (d *Desk) rested(now time.Time) {
	for _, name := range []string{"n1", "n2"} {
		d.channel(now.Add(-time.Hour), name)
	}
}

// job is a message to a contact, who is named by one letter.
func job(contact string, shard int, offset uint64) Job {
	return Job{Delivery: store.Delivery{
		Key: store.DeliveryKey{Shard: shard, Offset: offset}, Channel: "n1",
		Contact: store.ContactID("p", contact), State: store.DeliveryQueued, QueuedAt: start,
	}}
}

func on(channel string, j Job) Job        { j.Channel = channel; return j }
func in(state string, j Job) Job          { j.State = state; return j }
func key(offset uint64) store.DeliveryKey { return store.DeliveryKey{Shard: 1, Offset: offset} }

// offsets shows jobs by their offsets: "1 2 5".
func offsets(jobs []Job) string {
	var list []string
	for _, j := range jobs {
		list = append(list, fmt.Sprint(j.Key.Offset))
	}
	return strings.Join(list, " ")
}

func wantNext(t *testing.T, d *Desk, at time.Duration, want string) {
	t.Helper()
	if got := offsets(d.Next(after(at))); got != want {
		t.Fatalf("at %s next is %q, want %q", at, got, want)
	}
}

func wantWake(t *testing.T, d *Desk, at, want time.Duration) {
	t.Helper()
	wake, ok := d.Wake(after(at))
	if !ok || !wake.Equal(after(want)) {
		t.Fatalf("at %s wakes at %s (%t), want %s", at, wake.Sub(start), ok, want)
	}
}

func wantNoWake(t *testing.T, d *Desk, at time.Duration) {
	t.Helper()
	if wake, ok := d.Wake(after(at)); ok {
		t.Fatalf("at %s wakes at %s, but nothing waits for time", at, wake.Sub(start))
	}
}

// PEERS C22: the bubbles of a turn go in order; the next waits for the one before.
func TestDeskOrder(t *testing.T) {
	d := newDesk(roomy())
	d.Add(start, job("a", 1, 1), job("b", 1, 2), job("a", 1, 3), job("b", 1, 4), job("a", 1, 5))
	wantNext(t, d, 0, "1 2")
	wantNext(t, d, second, "")
	wantNoWake(t, d, second)
	d.Settle(after(second), key(2))
	wantNext(t, d, second, "4")
	d.Retry(after(second), after(3*second), key(1))
	wantNext(t, d, second, "")
	wantWake(t, d, second, 3*second)
	wantNext(t, d, 3*second, "1")
	d.Settle(after(3*second), key(1))
	wantNext(t, d, 3*second, "3")
	d.Settle(after(4*second), key(3))
	d.Settle(after(4*second), key(4))
	wantNext(t, d, 4*second, "5")
	d.Settle(after(4*second), key(5))
	if d.Waiting() != 0 {
		t.Errorf("%d jobs are left", d.Waiting())
	}
}

// The same person on two numbers is two lines.
func TestDeskLinesPerNumber(t *testing.T) {
	d := newDesk(roomy())
	d.Add(start, job("a", 1, 1), on("n2", job("a", 1, 2)))
	wantNext(t, d, 0, "1 2")
}

func TestDeskStart(t *testing.T) {
	d := newDesk(roomy())
	if !d.Start(start, job("a", 1, 1)) {
		t.Fatal("an idle desk does not start")
	}
	if d.Start(start, job("a", 1, 2)) {
		t.Fatal("starts a second message of one contact")
	}
	d.Add(start, job("a", 1, 2), job("b", 1, 3))
	if d.Start(start, job("c", 1, 4)) {
		t.Fatal("starts before one that waits already")
	}
	wantNext(t, d, 0, "3")
	d.Settle(start, key(1))
	wantNext(t, d, 0, "2")
}

// A provider that takes its time does not slow a number down: what is sent meanwhile is
// on its way, too.
func TestDeskSlowAnswers(t *testing.T) {
	const answer, seconds = 1500 * time.Millisecond, 6
	d := newDesk(Config{SendRate: 1000, PairRate: 10, Grace: grace}.limits())
	d.SetRates(start, after(time.Hour), map[string]float64{"n1": 1000})
	for n := range uint64(1000 * seconds) {
		d.Add(start, job(fmt.Sprint("a", n), 1, n))
	}
	var away []Job
	done := 0
	for at := time.Duration(0); at < seconds*second; at += 5 * time.Millisecond {
		for done < len(away) && at >= away[done].QueuedAt.Sub(start)+answer {
			d.Settle(after(at), away[done].Key)
			done++
		}
		for _, j := range d.Next(after(at)) {
			j.QueuedAt = after(at)
			away = append(away, j)
		}
	}
	if len(away) < 900*seconds {
		t.Errorf("%d messages in %d s at 1,000/s", len(away), seconds)
	}
}

func TestDeskChannelRate(t *testing.T) {
	limits := roomy()
	limits.ChannelRate = 10 // a burst of 1
	d := newDesk(limits)
	for n := range uint64(5) {
		d.Add(start, job(fmt.Sprint("a", n), 1, n), on("n2", job(fmt.Sprint("b", n), 1, 100+n)))
	}
	wantNext(t, d, 0, "0 100") // numbers do not share their rates
	wantNext(t, d, 0, "")
	wantWake(t, d, 0, 105*time.Millisecond)
	wantNext(t, d, 104*time.Millisecond, "")
	wantNext(t, d, 105*time.Millisecond, "1 101")
	d.SetFacts(after(105*time.Millisecond), map[string]Facts{"n1": {Rate: 100}}) // a burst of 3, which must fill first
	wantNext(t, d, 115*time.Millisecond, "")
	wantNext(t, d, 116*time.Millisecond, "2")
	wantNext(t, d, 145*time.Millisecond, "3 4")
	wantNext(t, d, 210*time.Millisecond, "102") // the other number keeps its own
}

// In any second, wherever it begins, the provider sees no more than the rate, even if
// the first messages take as long to it as any may and the last no time, and hardly
// less if there is enough to send. Below one a second that holds for the time in
// which one is allowed.
func TestBucketWindow(t *testing.T) {
	for _, perSecond := range []float64{0.2, 1, 7, 20, 80, 250, 1000} {
		var b bucket
		b.set(start, perSecond)
		span, window := 5*second, second
		if perSecond < 1 {
			span, window = 100*second, time.Duration(float64(second)/perSecond)
		}
		var seen []time.Time
		for now := start; now.Before(after(span)); now = now.Add(span / 20_000) {
			if now.Sub(start) > span*2/5 && now.Sub(start) < span*3/5 {
				continue // silence fills the burst
			}
			for b.ready(now) {
				b.take(now)
				seen = append(seen, now)
			}
		}
		first := 0
		for i, at := range seen {
			for at.Sub(seen[first]) >= window+way {
				first++
			}
			if n := float64(i - first + 1); n > perSecond*window.Seconds() {
				t.Fatalf("rate %g: %g within %s", perSecond, n, window)
			}
		}
		if least := span.Seconds() * 4 / 5 * perSecond * 0.9; float64(len(seen)) < least {
			t.Errorf("rate %g: %d in %s, want %g at least", perSecond, len(seen), span, least)
		}
	}
}

// A channel with a rate of its own keeps its share of that, also after the share changes.
func TestDeskShare(t *testing.T) {
	c := Config{SendRate: 10, SessionRate: 60, Gateway: platform.Gateway{SessionKeys: []string{"n2=key"}}, PairRate: 10, Grace: grace}
	d := NewDesk(c.limits())
	d.SetFacts(start, c.facts())
	d.SetRates(start, after(time.Hour), map[string]float64{"n1": 1000, "n2": 1000}) // never more than the rate
	for n := range uint64(5) {
		d.Add(start, job(fmt.Sprint("a", n), 1, n), on("n2", job(fmt.Sprint("b", n), 1, 100+n)))
	}
	wantNext(t, d, 0, "0 100")
	wantNext(t, d, 105*time.Millisecond, "1")
	wantNext(t, d, 1049*time.Millisecond, "2")
	wantNext(t, d, 1050*time.Millisecond, "101")
	d.SetRates(after(1050*time.Millisecond), after(time.Hour), map[string]float64{"n1": 5, "n2": 0.5})
	wantNext(t, d, 1300*time.Millisecond, "3")
	wantNext(t, d, 1600*time.Millisecond, "4")
	wantNext(t, d, 2100*time.Millisecond, "102")
	wantNext(t, d, 4149*time.Millisecond, "")
	wantNext(t, d, 4150*time.Millisecond, "103")
}

// One message every 6 s, up to 45 at once: WIRE 3.3.
func TestDeskPairLimit(t *testing.T) {
	limits := Config{SendRate: 1e6, PairRate: 10, Grace: grace}.limits()
	limits.Shared = false
	d := newDesk(limits)
	for n := range uint64(50) {
		d.Add(start, job("a", 1, n))
	}
	sent := uint64(0)
	for ; sent < 45; sent++ {
		wantNext(t, d, 0, fmt.Sprint(sent))
		d.Settle(start, key(sent))
	}
	for at := 6 * second; sent < 50; at += 6 * second {
		wantNext(t, d, at-6*second, "")
		wantWake(t, d, at-6*second, at)
		wantNext(t, d, at-1, "")
		wantNext(t, d, at, fmt.Sprint(sent))
		d.Settle(after(at), key(sent))
		sent++
	}
	// Another contact does not wait for this one, and silence earns the burst back.
	d.Add(after(30*second), job("b", 1, 100))
	wantNext(t, d, 30*second, "100")
	for n := range uint64(45) {
		d.Add(after(time.Hour), job("a", 1, 200+n))
		wantNext(t, d, time.Hour, fmt.Sprint(200+n))
		d.Settle(after(time.Hour), key(200+n))
	}
}

// A message that could go at once is held to the pair limit as well.
func TestDeskStartKeepsPairLimit(t *testing.T) {
	limits := roomy()
	limits.PairBurst = 1
	d := newDesk(limits)
	if !d.Start(start, job("a", 1, 1)) {
		t.Fatal("an idle desk does not start")
	}
	d.Settle(start, key(1))
	if d.Start(after(6*second-1), job("a", 1, 2)) {
		t.Fatal("starts before the pair limit allows")
	}
	if !d.Start(after(6*second), job("a", 1, 2)) {
		t.Fatal("does not start when the pair limit allows")
	}
}

// The pair limit remembers across a loss of the shard, and a sweep keeps it.
func TestDeskPairLimitRemembers(t *testing.T) {
	limits := roomy()
	limits.PairBurst = 1
	d := newDesk(limits)
	d.Add(start, job("a", 1, 1))
	wantNext(t, d, 0, "1")
	d.Drop(start, 1)
	d.Sweep(start)
	d.Add(after(second), job("a", 1, 2))
	wantNext(t, d, second, "")
	wantWake(t, d, second, 6*second)
	d.Drop(after(second), 1)
	d.Sweep(after(6 * second))
	if len(d.lines) != 0 {
		t.Errorf("%d lines are kept that have nothing to remember", len(d.lines))
	}
}

func TestDeskInFlight(t *testing.T) {
	limits := roomy()
	limits.InFlight = 2
	d := newDesk(limits)
	d.Add(start, job("a", 1, 1), job("b", 1, 2), job("c", 1, 3))
	wantNext(t, d, 0, "1 2")
	wantNoWake(t, d, 0) // only an outcome makes room
	d.Hold(start, key(1))
	wantNext(t, d, 0, "3") // what is held is not on its way
	d.Settle(start, key(2))
	wantNext(t, d, grace, "1")
}

// PEERS C9, C33: what may have been sent is not sent again before its receipt
// had the grace period to come.
func TestDeskGrace(t *testing.T) {
	d := newDesk(roomy())
	d.Add(start, job("a", 1, 1), job("a", 1, 2), in(store.DeliveryAmbiguous, job("b", 1, 3)))
	wantNext(t, d, 0, "1")
	d.Hold(after(second), key(1))
	wantNext(t, d, second, "")
	wantWake(t, d, second, grace)
	wantNext(t, d, grace-1, "")
	wantNext(t, d, grace, "3")
	if d.busy[key(3)].jobs[0].Attempts != 0 {
		t.Error("a job that was ambiguous when it came has no attempt of ours")
	}
	d.Settle(after(grace), key(1)) // the receipt comes
	wantNext(t, d, grace, "2")
	d.Hold(after(grace), key(3))
	wantNext(t, d, 2*grace-1, "")
	wantNext(t, d, 2*grace, "3")
	if got := d.busy[key(3)].jobs[0].Attempts; got != 1 {
		t.Errorf("%d attempts, want 1", got)
	}
}

func TestDeskReturn(t *testing.T) {
	d := newDesk(roomy())
	d.Add(start, job("a", 1, 1), in(store.DeliveryAmbiguous, job("b", 1, 2)))
	wantNext(t, d, grace, "2 1")
	d.Return(after(grace+second), key(1))
	d.Return(after(grace+second), key(2))
	wantNext(t, d, grace, "")
	wantWake(t, d, grace, grace+second)
	wantNext(t, d, grace+second, "2 1")
	if d.busy[key(1)].jobs[0].Attempts+d.busy[key(2)].jobs[0].Attempts != 0 {
		t.Error("what was not sent counts as an attempt")
	}
}

func TestDeskDrop(t *testing.T) {
	d := newDesk(roomy())
	d.Add(start, job("a", 1, 1), job("a", 1, 2), in(store.DeliveryAmbiguous, job("b", 1, 3)), job("c", 1, 4), job("z", 2, 9))
	wantNext(t, d, 0, "1 4 9")
	d.Add(start, job("d", 1, 5))
	d.Drop(start, 1)
	if d.Waiting() != 1 || len(d.held) != 0 {
		t.Errorf("%d jobs and %d held ones are left, want the other shard's one", d.Waiting(), len(d.held))
	}
	wantNext(t, d, time.Hour, "")
	// Outcomes of what was dropped come late: they are nobody's.
	d.Settle(start, key(1))
	d.Hold(start, key(4))
	d.Retry(start, start, key(4))
	d.Return(start, key(4))
	if d.Waiting() != 1 {
		t.Errorf("%d jobs", d.Waiting())
	}
}

// A replica without a share has a rate of zero: it must neither send nor spin.
func TestDeskWithoutRate(t *testing.T) {
	d := newDesk(roomy())
	d.SetRates(start, after(time.Hour), map[string]float64{})
	d.Add(start, job("a", 1, 1), job("b", 1, 2))
	for range 3 {
		wantNext(t, d, 0, "")
	}
	if at, ok := d.Wake(start); ok && !at.After(start) {
		t.Error("wakes at once, for ever")
	}
	d.SetRates(start, after(time.Hour), map[string]float64{"n1": 1})
	if at, ok := d.Wake(start); !ok || at.After(after(second)) {
		t.Errorf("a rate does not wake it: %s %t", at.Sub(start), ok)
	}
}
