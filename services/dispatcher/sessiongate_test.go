package dispatcher

import (
	"fmt"
	"testing"
	"time"

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
