package dispatcher

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// Only a state that says so, and that somebody confirmed lately, closes a channel.
func TestSessionGate(t *testing.T) {
	now := time.Now()
	seen := func(age time.Duration) *time.Time { at := now.Add(-age); return &at }
	g := sessionGate{now: func() time.Time { return now }}
	closed := g.closed([]store.SessionHealth{
		{Channel: "down", State: "disconnected", SeenAt: seen(time.Minute)},
		{Channel: "up", State: "connected", SeenAt: seen(time.Minute)},
		{Channel: "old", State: "disconnected", SeenAt: seen(3 * time.Minute)},
		{Channel: "unknown", State: "unknown", SeenAt: seen(0)},
		{Channel: "person", State: "need_scan", SeenAt: seen(0)},
		{Channel: "never", State: "disconnected"},
	})
	if got := fmt.Sprint(closed); got != "map[down:true person:true]" {
		t.Errorf("closed: %s", got)
	}
}

// What is queued for a closed channel waits without waking anybody, other channels
// are sent to, and a channel that opens again has no pause left from before.
func TestDeskClosed(t *testing.T) {
	now := time.Now()
	d := NewDesk(Limits{ChannelRate: 100, PairEvery: time.Second, PairBurst: 45, InFlight: 10, InFlightPerChannel: 10, Grace: time.Second})
	at := func(channel string, offset uint64) Job {
		return Job{Delivery: store.Delivery{Key: store.DeliveryKey{Shard: 1, Offset: offset}, Channel: channel, State: store.DeliveryQueued}}
	}
	d.SetClosed(map[string]bool{"shop": true})
	held := at("shop", 1)
	held.State, held.Contact[0] = store.DeliveryAmbiguous, 1
	d.Add(now, held, at("shop", 2), at("shop", 3))
	d.channels["shop"].number.shut(now, pause{time.Hour, time.Hour}, &meta.SendError{}, 0)
	now = now.Add(time.Minute)
	if d.Start(now, at("shop", 4)) || len(d.Next(now)) > 0 {
		t.Fatal("a closed channel is sent to")
	}
	if _, ok := d.Wake(now); ok {
		t.Error("a closed channel keeps the sender awake")
	}
	d.Add(now, at("help", 5))
	if jobs := d.Next(now); len(jobs) != 1 || jobs[0].Channel != "help" {
		t.Errorf("of another channel: %v", jobs)
	}
	d.SetClosed(nil)
	if jobs := d.Next(now); len(jobs) != 2 || jobs[0].Key.Offset != 1 || jobs[1].Key.Offset != 2 {
		t.Errorf("after it opened: %v", jobs)
	}
}

// closer drives a desk whose channels are closed and opened meanwhile.
type closer struct {
	*clerk
	closed map[string]bool
}

// sends does what may send, and checks that nothing of a closed channel went.
func (c closer) sends(do func(*rapid.T)) func(*rapid.T) {
	return func(t *rapid.T) {
		before := maps.Clone(c.away)
		do(t)
		for key := range c.away {
			if j := c.head(key); !before[key] && c.closed[j.Channel] {
				c.t.Fatalf("%v goes although %s is closed", key, j.Channel)
			}
		}
	}
}

func (c closer) close(t *rapid.T) {
	now := map[string]bool{}
	for _, name := range []string{"n1", "n2"} {
		if rapid.Bool().Draw(t, name) {
			now[name] = true
		} else if c.closed[name] {
			delete(c.shut, scope{scopeNumber, name}) // what it was told before does not count any more
		}
	}
	clear(c.closed)
	maps.Copy(c.closed, now)
	c.desk.SetClosed(now)
}

// Over random histories nothing goes to a closed channel, the others are not held up,
// nothing spins, and when all are open again nothing was lost.
func TestDeskClosedProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := closer{newClerk(t), map[string]bool{}}
		t.Repeat(map[string]func(*rapid.T){
			"add": c.add, "start": c.sends(c.start), "next": c.sends(c.next), "settle": c.settle, "receipt": c.receipt, "hold": c.hold,
			"retry": c.retry, "give back": c.giveBack, "refuse": c.refuse, "pass": c.pass, "sleep": c.sleep, "close": c.close, "": c.check,
		})
		for name := range c.closed {
			delete(c.shut, scope{scopeNumber, name})
		}
		c.desk.SetClosed(nil)
		c.finish()
	})
}
