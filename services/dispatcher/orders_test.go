package dispatcher

import (
	"context"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

func offer(contact string, offset uint64) lane.Message {
	m := queued(contact, offset)
	m.Event.GetMessageQueued().Content = &parleyv1.MessageQueued_Template{Template: &parleyv1.Template{Name: "offer", Language: "en"}}
	return m
}

// unsure is an office with a template whose outcome is unknown, behind its grace period.
func unsure(t *testing.T, db *database) *office {
	t.Helper()
	o := open(t, db)
	o.apply(offer("a", 1), queued("a", 2))
	o.Finish(o.wantLaunched("1")[0], "", refused(meta.Ambiguous, 0, 0))
	o.cycle()
	o.cycle()
	o.wantLaunched("")
	o.pass(time.Hour)
	return o
}

// DESIGN 7: a template whose outcome is unknown is not sent again by itself, and holds
// up nobody.
func TestAmbiguousTemplateIsKept(t *testing.T) {
	db := newDatabase(t)
	o := unsure(t, db)
	o.cycle()
	o.cycle()
	o.wantLaunched("2")
	db.wantState(1, store.DeliveryAmbiguous)
	o.retake()
	o.pass(time.Hour)
	o.cycle()
	o.cycle()
	db.wantState(1, store.DeliveryAmbiguous)
	newPost(t, db).receive(receipt{"delivered", store.DeliveryID(shard, 1), "wamid.1"})
	db.wantState(1, store.DeliveryAccepted)
}

// Nor is one of a campaign, after whoever sent it died: what waits of bulk is not in
// memory, what was being sent must be.
func TestInterruptedCampaignIsKept(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	message := queued("a", 1)
	m := message.Event.GetMessageQueued()
	m.Content = &parleyv1.MessageQueued_Template{Template: &parleyv1.Template{Name: "offer", Language: "en"}}
	m.Priority = parleyv1.Priority_PRIORITY_BULK
	o.apply(message)
	o.cycle()
	o.wantLaunched("1")
	o.retake()
	o.pass(time.Hour)
	o.cycle()
	o.cycle()
	o.wantLaunched("")
	db.wantState(1, store.DeliveryAmbiguous)
}

// PEERS 1.8: 837 copies of one message. A provider that takes messages and never answers,
// with receipts that never come, gets each a few times, and then an operator decides;
// what waits behind it goes.
func TestUnknownIsNotResentForEver(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.apply(queued("a", 1), queued("a", 2))
	for n := range unknownMost {
		if n == 1 {
			o.retake() // whoever comes next counts on
		}
		o.pass(time.Hour)
		o.cycle()
		o.Finish(o.wantLaunched("1")[0], "", refused(meta.Ambiguous, 0, 0))
		o.cycle()
	}
	o.pass(time.Hour)
	o.cycle()
	o.cycle()
	o.wantLaunched("2")
	if r := db.row(1); r.State != store.DeliveryAmbiguous || r.Attempts != unknownMost || r.Ambiguous != unknownMost {
		t.Errorf("%+v", r)
	}
}

// An operator has it sent again: once, however often the order is seen, also by a new
// owner of the shard.
func TestOperatorResends(t *testing.T) {
	db := newDatabase(t)
	o := unsure(t, db)
	o.cycle()
	o.cycle()
	o.Finish(o.wantLaunched("2")[0], "wamid.2", nil)
	o.cycle()
	taken := map[store.DeliveryKey]int64{}
	orders := func() {
		t.Helper()
		if err := o.takeOrders(context.Background(), db.OrderedDeliveries, taken); err != nil {
			t.Fatal(err)
		}
	}
	orders()
	o.cycle()
	o.wantLaunched("")
	key := store.DeliveryKey{Shard: shard, Offset: 1}
	if ok, err := db.OrderResend(t.Context(), key); err != nil || !ok {
		t.Fatal(ok, err)
	}
	orders()
	orders()
	o.cycle()
	job := o.wantLaunched("1")[0]
	orders()
	o.cycle()
	o.wantLaunched("")
	o.Finish(job, "wamid.1", nil)
	o.cycle()
	if r := db.row(1); r.State != store.DeliveryAccepted || r.Attempts != 2 || r.Ambiguous != 1 || len(taken) != 0 {
		t.Errorf("%+v, taken %v", r, taken)
	}
	if ok, err := db.OrderResend(t.Context(), key); err != nil || ok {
		t.Errorf("what is settled can be ordered: %v", err)
	}
}

// An operator gives it up: the session is told. A receipt that comes later is believed.
func TestOperatorDrops(t *testing.T) {
	db := newDatabase(t)
	db.meet("a")
	o := unsure(t, db)
	key := store.DeliveryKey{Shard: shard, Offset: 1}
	if ok, err := db.DropDelivery(t.Context(), key); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if r := db.row(1); r.State != store.DeliveryFailed || r.Class != "dropped" || r.SettledBy != "operator" {
		t.Errorf("%+v", r)
	}
	if got := newTeller(t, o).tell(); got != "failed/p1.1.1" {
		t.Errorf("told %q", got)
	}
	o.cycle()
	o.cycle()
	o.wantLaunched("2")
	newPost(t, db).receive(receipt{"delivered", store.DeliveryID(shard, 1), "wamid.1"})
	db.wantState(1, store.DeliveryAccepted)
}
