package dispatcher

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
)

const (
	reply = iota
	reminder
	bulk
)

// of gives a job a priority and a campaign.
func of(priority int, campaign string, j Job) Job {
	j.Priority, j.Campaign = priority, campaign
	return j
}

// slow sends ten a second, one by one.
func slow() Limits {
	limits := roomy()
	limits.ChannelRate = 10
	return limits
}

// order sends one after another for a while, all accepted, and says in which order
// the jobs' letters came: r, m, or the campaign of bulk.
func order(d *Desk, from time.Time, n int) (letters string) {
	for now := from; len(letters) < n; {
		for _, j := range d.Next(now) {
			letters += j.Campaign
			outcome{job: j, at: now}.apply(d, now)
		}
		at, ok := d.Wake(now)
		if !ok {
			break
		}
		now = at
	}
	return letters
}

// A reply goes before what nobody waits for, a reminder before bulk; but every tenth
// message is the one that has waited longest.
func TestQueuePriorities(t *testing.T) {
	d := newDesk(slow())
	for n := range uint64(100) {
		d.Add(start, of(bulk, "b", job(fmt.Sprint("b", n), 1, n+1)))
	}
	if got := order(d, start, 3); got != "bbb" {
		t.Fatalf("bulk alone: %s", got)
	}
	now := after(second)
	for n := range uint64(20) {
		d.Add(now, of(reply, "r", job(fmt.Sprint("r", n), 1, 200+n)), of(reminder, "m", job(fmt.Sprint("m", n), 1, 300+n)))
	}
	if got, want := order(d, now, 40), "rrrrrrbrrrrrrrrrbrrrrrmmmmbmmmmmmmmmbmmm"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A campaign of 100,000 leaves a reply its turn: it is the next to go.
func TestQueueReplyBesideCampaign(t *testing.T) {
	d := newDesk(slow())
	for n := range uint64(100_000) {
		d.Add(start, of(bulk, "b", job(fmt.Sprint("b", n), 1, n+1)))
	}
	order(d, start, 50)
	now := after(5 * second)
	d.Add(now, of(reply, "r", job("a", 1, 200_000)))
	if got := order(d, now, 2); got != "rb" {
		t.Errorf("%s, want the reply first", got)
	}
}

// Two campaigns take turns, however unlike they are; a third that comes takes part.
func TestQueueCampaigns(t *testing.T) {
	d := newDesk(slow())
	add := func(name string, first, n uint64) {
		for i := range n {
			d.Add(start, of(bulk, name, job(fmt.Sprint(name, i), 1, first+i)))
		}
	}
	add("x", 1, 1000)
	add("y", 2001, 8)
	if got := order(d, start, 9); got != "xyxyxyxyx" {
		t.Errorf("%s", got)
	}
	add("z", 3001, 2)
	if got := order(d, after(2*second), 12); got != "xyzxyzxyxyxx" && got != "xzyxzyxyxyxx" {
		t.Errorf("%s", got)
	}
}

// Who has 50 messages waiting does not hold up who has one.
func TestQueuePeople(t *testing.T) {
	d := newDesk(slow())
	for n := range uint64(40) {
		d.Add(start, of(reply, "a", job("a", 1, n+1)))
	}
	d.Add(start, of(reply, "b", job("b", 1, 100)), of(reply, "c", job("c", 1, 101)))
	if got := order(d, start, 5); got != "abcaa" {
		t.Errorf("%s", got)
	}
}

// A message that could go at once does not pass those that wait for longer, and not
// the tenth.
func TestQueueStart(t *testing.T) {
	d := newDesk(slow())
	d.Add(start, of(bulk, "b", job("b", 1, 1)), of(bulk, "b", job("c", 1, 2)))
	wantNext(t, d, 0, "1")
	for n := range uint64(8) {
		at := after(time.Duration(n+1) * 105 * time.Millisecond)
		if d.Start(at, of(bulk, "b", job("d", 1, 500))) {
			t.Fatal("bulk passes bulk")
		}
		if !d.Start(at, of(reply, "r", job(fmt.Sprint("r", n), 1, 100+n))) {
			t.Fatalf("reply %d waits behind bulk", n)
		}
	}
	if d.Start(after(945*time.Millisecond), of(reply, "r", job("x", 1, 200))) {
		t.Fatal("the tenth is not left to what waits")
	}
	wantNext(t, d, 945*time.Millisecond, "2")
}

// TestQueueProperties: whatever comes and goes, the most urgent goes first, every
// tenth is the oldest, and so nothing waits for ever: what has k older ones before
// it goes within 10 (k + 1) messages.
func TestQueueProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		now, offset, taken := start, uint64(0), 0
		waiting := map[*line]int{} // by when each has to be gone
		add := func(t *rapid.T) {
			offset++
			l := &line{jobs: []Job{of(rapid.IntRange(0, priorities-1).Draw(t, "priority"), rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "campaign"), job("a", 1, offset))}}
			l.readyAt = now
			q.push(now, l)
			waiting[l] = taken + oldestEvery*(len(waiting)+1)
		}
		take := func(t *rapid.T) {
			l := q.next(now)
			if l == nil {
				if len(waiting) > 0 {
					t.Fatalf("%d wait and none is next", len(waiting))
				}
				return
			}
			for other := range waiting {
				if q.turn%oldestEvery == oldestEvery-1 && other.before(l) {
					t.Fatal("the tenth is not the oldest")
				}
				if q.turn%oldestEvery != oldestEvery-1 && other.jobs[0].Priority < l.jobs[0].Priority {
					t.Fatal("one that is less urgent goes first")
				}
			}
			q.take(l)
			taken++
			if taken > waiting[l] {
				t.Fatalf("it waited for %d messages too many", taken-waiting[l])
			}
			delete(waiting, l)
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": add, "add more": add, "take": take, "pass": func(*rapid.T) { now = now.Add(time.Millisecond) },
			"drop": func(t *rapid.T) {
				for l := range waiting {
					l.unqueue()
					delete(waiting, l)
					break
				}
			},
		})
		for len(waiting) > 0 {
			take(t)
		}
	})
}

// What was queued as bulk is bulk for the next owner of the shard as well.
func TestPriorityIsStored(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	offer := queued("a", 1)
	offer.Event.GetMessageQueued().Priority, offer.Event.GetMessageQueued().Campaign = 7, "spring" // of a later version
	o.apply(offer)
	o.wantLaunched("1")
	o.retake()
	o.pass(grace)
	o.cycle()
	if j := o.wantLaunched("1")[0]; j.Priority != priorities-1 || j.Campaign != "spring" || len(j.Content) == 0 {
		t.Errorf("%+v", j)
	}
}

// What waits as bulk stays in the database: the desk knows only that it is there. What
// it says is read before it is claimed; if that fails, nothing is lost.
func TestBulkIsLight(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	var messages []lane.Message
	for n := range uint64(3) {
		m := queued("a", n+1)
		m.Event.GetMessageQueued().Priority = bulk
		messages = append(messages, m)
	}
	o.apply(messages...)
	first := o.wantLaunched("1")[0]
	for _, l := range o.desk.lines {
		for _, j := range l.jobs[1:] {
			if j.Content != nil {
				t.Errorf("%v is kept with its content", j.Key)
			}
		}
	}
	o.Finish(first, "wamid.1", nil)
	o.cycle()
	errDown := errors.New("database down")
	o.store.before = func(call string) error {
		if call == "contents" {
			return errDown
		}
		return nil
	}
	if err := o.Cycle(t.Context()); !errors.Is(err, errDown) {
		t.Fatalf("cycle: %v", err)
	}
	db.wantState(2, store.DeliveryQueued)
	o.store.before = nil
	o.pass(recordRetry)
	o.cycle()
	if j := o.wantLaunched("2")[0]; string(j.Content) != string(first.Content) {
		t.Errorf("it says %q, want %q", j.Content, first.Content)
	}
}

// BenchmarkCampaign says what one waiting person of a campaign costs in memory.
func BenchmarkCampaign(b *testing.B) {
	for range b.N {
		d := newDesk(roomy())
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		const people = 100_000
		for n := range uint64(people) {
			d.Add(start, of(bulk, "b", job(fmt.Sprint(n), 1, n+1)))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/people, "B/person")
		runtime.KeepAlive(d)
	}
}
