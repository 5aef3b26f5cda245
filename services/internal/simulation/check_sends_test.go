package simulation

import (
	"maps"
	"slices"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// acceptsOf are the provider's accepts of each delivery, in order.
func (h *history) acceptsOf() map[string][]accept {
	accepts := map[string][]accept{}
	for _, a := range h.w.provider.accepts {
		accepts[a.delivery] = append(accepts[a.delivery], a)
	}
	return accepts
}

// queued are the MessageQueued events, in order.
func (h *history) queued() []*parleyv1.Event {
	return slices.DeleteFunc(slices.Clone(h.events), func(e *parleyv1.Event) bool { return e.GetMessageQueued() == nil })
}

// sendsAreSettled is I5: each queued message has a delivery in a final state
// that says the truth, and was accepted at most once, except where the wait for
// a receipt was in vain.
func (h *history) sendsAreSettled() {
	accepts := h.acceptsOf()
	for _, e := range h.queued() {
		key := store.DeliveryKey{Shard: int(e.Shard), Offset: e.Offset}
		id := store.DeliveryID(key.Shard, key.Offset)
		row := h.w.database.deliveries[key]
		if row == nil {
			if !h.w.database.deadKeys[deadKey{store.ServiceDispatcher, store.DeadParked, key.Shard, key.Offset}] {
				h.w.violate("I5 sends", "message %s has no delivery", id)
			}
			continue
		}
		h.settled(row, e, accepts[id])
		delete(accepts, id)
	}
	for _, id := range slices.Sorted(maps.Keys(accepts)) {
		h.w.violate("I5 sends", "message %s was sent and never queued", id)
	}
}

func (h *history) settled(row *delivery, e *parleyv1.Event, accepts []accept) {
	id := store.DeliveryID(row.Key.Shard, row.Key.Offset)
	for _, a := range accepts {
		q := e.GetMessageQueued()
		if a.body != q.GetText().GetBody() || a.channel != e.Channel || a.to != q.Phone && a.to != q.Bsuid {
			h.w.violate("I5 sends", "message %s went out with another text, number or recipient", id)
		}
	}
	for _, a := range accepts {
		if !row.resent(a.attempt) {
			h.w.violate("I5 sends", "message %s was accepted in attempt %d, and sent again without waiting", id, a.attempt)
		}
	}
	switch {
	case !row.final() && !row.kept():
		h.w.violate("I5 sends", "message %s is %s at the end", id, row.State)
	case len(accepts) == 0 && row.State == store.DeliveryAccepted:
		h.w.violate("I5 sends", "message %s is said to be accepted, and was not", id)
	case len(accepts) > 0 && row.State == store.DeliveryFailed && !row.waited(accepts[0].attempt):
		h.w.violate("I5 sends", "message %s is said to have failed, and was accepted", id)
	case len(accepts) > 1 && !row.waited(accepts[0].attempt):
		h.w.violate("I5 sends", "message %s was accepted %d times", id, len(accepts))
	case len(accepts) > 1:
		h.w.counts["excused double send"]++
	}
}

// next is the first claim after an attempt.
func (d *delivery) next(attempt int) (claim, bool) {
	for _, c := range d.claims {
		if c.attempt > attempt {
			return c, true
		}
	}
	return claim{}, false
}

// waited reports whether there was another attempt after the given one, and the
// outcome of that had been unknown for the whole grace period.
func (d *delivery) waited(attempt int) bool {
	c, ok := d.next(attempt)
	return ok && c.from == store.DeliveryAmbiguous && c.ambiguous >= grace
}

// resent reports whether whatever followed the attempt had waited for it.
func (d *delivery) resent(attempt int) bool {
	_, ok := d.next(attempt)
	return !ok || d.waited(attempt)
}

// sendsAreInOrder is I5: a person gets the messages in the order in which they
// were queued. A message whose outcome was unknown for the whole grace period
// may come late, from a sender that woke up.
func (h *history) sendsAreInOrder() {
	accepts := h.acceptsOf()
	last := map[store.SessionKey]int{}
	for _, e := range h.queued() {
		key := store.DeliveryKey{Shard: int(e.Shard), Offset: e.Offset}
		list := accepts[store.DeliveryID(key.Shard, key.Offset)]
		if len(list) == 0 {
			continue
		}
		line := h.w.database.lineOf(key)
		row := h.w.database.deliveries[key]
		if row != nil && list[0].happenedAt < last[line] {
			h.w.violate("I5 order", "message %d/%d was accepted after its successor", key.Shard, key.Offset)
		}
		if row != nil && !row.waited(list[0].attempt) {
			last[line] = max(last[line], list[0].happenedAt)
		}
	}
}

// receiptsAreMonotonic: a delivery shows the highest receipt that was
// acknowledged, whatever came after it, if it can be told whose it was.
func (h *history) receiptsAreMonotonic() {
	ranks := map[string]int{"sent": 1, "failed": 2, "delivered": 3, "read": 4}
	best := map[string]int{}
	for _, r := range h.w.provider.receipts {
		shard, offset, _ := store.ParseDeliveryID(r.delivery)
		row := h.w.database.deliveries[store.DeliveryKey{Shard: shard, Offset: offset}]
		if h.w.meta.acked[r.id] == 0 || row == nil || r.bare && row.wamid != r.wamid {
			continue
		}
		best[r.delivery] = max(best[r.delivery], ranks[r.status])
	}
	for _, row := range h.w.database.sorted() {
		if id := store.DeliveryID(row.Key.Shard, row.Key.Offset); row.rank != best[id] {
			h.w.violate("I5 receipts", "message %s shows receipt %q of rank %d, the best that came has %d", id, row.receipt, row.rank, best[id])
		}
	}
}
