package session

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// The window runs from the provider's time of the last message, and outlives a restart
// of the conversation.
func TestWindowIsKept(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	d.say(ada, "wamid.2", "RESTART")
	var said int64
	queued := 0
	for _, e := range d.events(ada) {
		if in := e.GetInputReceived().GetInput(); in != nil {
			said = in.GetProviderAtMs()
		}
		if m := e.GetMessageQueued(); m != nil {
			queued++
			if m.GetWindowUntilMs() != said+window.Milliseconds() {
				t.Errorf("the window ends at %d, the person wrote at %d", m.GetWindowUntilMs(), said)
			}
		}
	}
	if queued < 2 || said == 0 {
		t.Fatalf("%d messages, said at %d", queued, said)
	}
}

// A failure takes effect once, however often it is told; one of a person without a
// session is nobody's.
func TestFailureOnce(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	for range 3 {
		d.fail(ada.Phone, "p1.0.1")
		d.fail(bob.Phone, "p1.0.2")
	}
	d.restart()
	d.fail(ada.Phone, "p1.0.1")
	failed := slices.DeleteFunc(d.events(ada), func(e *parleyv1.Event) bool { return e.GetDeliveryFailed() == nil })
	if len(failed) != 1 || failed[0].GetDeliveryFailed().GetDelivery() != "p1.0.1" {
		t.Errorf("recorded %v", failed)
	}
	if strings.Contains(d.log.String(), "parked") {
		t.Error(d.log.String())
	}
}

// fail tells the contact's session that a delivery failed.
func (d *desk) fail(phone, delivery string) {
	d.t.Helper()
	id := "failed/" + delivery
	raw, err := protojson.Marshal(flow.FailureInput(id, d.time.UnixMilli(), &parleyv1.DeliveryFailure{
		Delivery: delivery, Class: "permanent", QueuedAtMs: d.time.Add(time.Minute).UnixMilli(),
	}))
	if err != nil {
		d.t.Fatal(err)
	}
	d.put(&parleyv1.Envelope{
		Id: id, Kind: parleyv1.Kind_KIND_FAILURE, Provider: "parley", Channel: channel, Portfolio: channel, LaneKey: phone, Raw: raw,
	})
	d.run(100)
}
