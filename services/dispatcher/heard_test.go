package dispatcher

import (
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/lane"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// What comes in takes from what may go out, up to half; when it stops, all is there
// again after a while. A rate that counts only what goes out is not touched.
func TestHeard(t *testing.T) {
	limits := roomy()
	limits.ChannelRate = 100
	d := newDesk(limits)
	d.SetFacts(start, map[string]Facts{"n2": {OutOnly: true}})
	perSecond := func(at time.Duration, came int) (n1, n2 time.Duration) {
		d.Heard(after(at), "n1", came)
		d.Heard(after(at), "n2", came)
		d.SetRates(after(at), after(time.Hour), map[string]float64{"n1": 100, "n2": 100})
		return d.channels["n1"].bucket.every, d.channels["n2"].bucket.every
	}
	for _, c := range []struct {
		at   time.Duration
		came int
		want float64
	}{
		{second, 30, 70}, {2 * second, 500, 50}, {2*second + heardEvery/2, 0, 50}, {3 * second, 10, 50}, {60 * second, 0, 50}, {61 * second, 0, 50},
	} {
		n1, n2 := perSecond(c.at, c.came)
		if n1 != pace(c.want) || n2 != pace(100) {
			t.Errorf("at %s: paces %s and %s, want %s and %s", c.at, n1, n2, pace(c.want), pace(100))
		}
	}
	for at := 62 * second; at < 90*second; at += heardEvery {
		perSecond(at, 0)
	}
	if n1, _ := perSecond(90*second, 0); n1 != pace(100) {
		t.Errorf("after silence: pace %s, want %s", n1, pace(100))
	}
}

// People's messages are counted where the events of their shards are followed.
func TestHeardInEvents(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	message := &parleyv1.Input{Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{}}}
	timer := &parleyv1.Input{Body: &parleyv1.Input_TimerDue{TimerDue: &parleyv1.TimerDue{}}}
	var events []lane.Message
	for i, in := range []*parleyv1.Input{message, timer, message, message} {
		e := queued("a", uint64(i+1))
		if i == 3 { // as after an outage
			e.Event.AtMs -= heardAge.Milliseconds()
		}
		e.Event.Body = &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{Input: in}}
		events = append(events, e)
	}
	o.apply(events...)
	if got := o.desk.channels["n1"].heard.count; got != 2 {
		t.Errorf("%d were heard, want 2", got)
	}
}
