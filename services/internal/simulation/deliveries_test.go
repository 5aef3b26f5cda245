package simulation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/store"
)

// delivery is a row of deliveries, and what the run remembers of it for the
// checkers: they judge claims by the state that the row was in.
type delivery struct {
	store.Delivery
	wamid, receipt string
	rank           int
	settledBy      string
	// ambiguousAt is when the row became ambiguous.
	ambiguousAt time.Time
	claims      []claim
	// line is whom the message is for, by its event.
	line store.SessionKey
}

// claim is one intent to send.
type claim struct {
	attempt int
	at      time.Time
	// from is the state before; ambiguous counts how long it had been that.
	from      string
	ambiguous time.Duration
}

func (d *delivery) final() bool {
	return d.State == store.DeliveryAccepted || d.State == store.DeliveryFailed
}

type orphanKey struct{ wamid, receipt string }

type orphan struct {
	rank int
	at   time.Time
}

// AddDeliveries, AdvanceDeliveries ...: pkg/store/deliveries.go.

func (d *database) addDeliveries(fences []store.Fence, list []store.Delivery) ([]int, error) {
	for _, row := range list {
		if strings.Contains(string(row.Content), poisonSend) {
			return nil, fmt.Errorf("add deliveries: %w", errRefused)
		}
	}
	held := d.held(store.ServiceDispatcher, fences)
	for _, row := range list {
		if slices.Contains(held, row.Key.Shard) && d.deliveries[row.Key] != nil {
			return nil, fmt.Errorf("add deliveries: %w", errDuplicate)
		}
	}
	d.move(store.ServiceDispatcher, fences, held)
	for _, row := range list {
		if !slices.Contains(held, row.Key.Shard) {
			continue
		}
		added := &delivery{Delivery: row}
		d.deliveries[row.Key] = added
		added.line = d.lineOf(row.Key)
		d.lines[added.line] = append(d.lines[added.line], added)
		if row.State == store.DeliverySending {
			added.State = store.DeliveryQueued
			d.claim(added, 1)
		}
	}
	return held, nil
}

// lineOf is the person and the number of a MessageQueued event.
func (d *database) lineOf(key store.DeliveryKey) store.SessionKey {
	e := d.readEvents(key.Shard, key.Offset-1, 1)[0]
	return store.SessionKey{Channel: e.Channel, Contact: uuid.UUID(e.ContactId)}
}

// claim puts an intent on record. No message may be sent before the one before
// it, to the same person, is settled, nor again before the grace period is over.
func (d *database) claim(row *delivery, attempt int) {
	c := claim{attempt: attempt, at: d.w.now, from: row.State}
	if row.State == store.DeliveryAmbiguous {
		c.ambiguous = d.w.now.Sub(row.ambiguousAt)
	}
	row.claims = append(row.claims, c)
	row.State, row.Attempts = store.DeliverySending, attempt
	d.w.note("delivery %d/%d %s -> sending, attempt %d", row.Key.Shard, row.Key.Offset, c.from, attempt)
	if c.from == store.DeliveryAmbiguous && c.ambiguous < grace {
		d.w.violate("I5 grace", "delivery %d/%d was ambiguous for %s only", row.Key.Shard, row.Key.Offset, c.ambiguous)
	}
	for _, other := range d.lines[row.line] {
		if other.Key.Offset < row.Key.Offset && !other.final() && !other.kept() {
			d.w.violate("I5 order", "delivery %d/%d is claimed while %d/%d is %s", row.Key.Shard, row.Key.Offset,
				other.Key.Shard, other.Key.Offset, other.State)
		}
	}
	if len(d.formersOf(row.line.Contact)) > 0 {
		d.afterFormers(row)
	}
}

// kept reports whether a delivery had an unknown outcome so often that it waits for an
// operator, and nothing for it.
func (r *delivery) kept() bool { return r.State == store.DeliveryAmbiguous && r.Unknown >= 3 }

func (d *database) setState(row *delivery, state string) {
	if state == store.DeliveryAmbiguous && row.State != state {
		row.ambiguousAt = d.w.now
		d.w.counts["ambiguous send"]++
		row.Unknown++
	}
	if row.State != state {
		d.w.note("delivery %d/%d %s -> %s", row.Key.Shard, row.Key.Offset, row.State, state)
	}
	row.State = state
}

func (d *database) openDeliveries(shard int, epoch int64) []store.Delivery {
	var open []store.Delivery
	for _, row := range d.sorted() {
		if row.Key.Shard != shard {
			continue
		}
		interrupted := row.State == store.DeliverySending && d.owns(shard, epoch)
		if interrupted {
			d.setState(row, store.DeliveryAmbiguous)
			d.w.counts["interrupted send"]++
		}
		if !row.final() {
			delivery := light(row.Delivery)
			delivery.Interrupted = interrupted
			open = append(open, delivery)
		}
	}
	return open
}

// light is a delivery as it is opened: bulk that waits without its content.
func light(d store.Delivery) store.Delivery {
	if d.Priority == 2 && d.State == store.DeliveryQueued {
		d.Content = nil
	}
	return d
}

func (d *database) owns(shard int, epoch int64) bool {
	return d.leases[store.ServiceDispatcher][shard].epoch == epoch || d.w.options.Bug == noEpoch
}

func (d *database) sorted() []*delivery {
	rows := make([]*delivery, 0, len(d.deliveries))
	for _, row := range d.deliveries {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b *delivery) int { return a.Key.Compare(b.Key) })
	return rows
}

func (d *database) advance(results []store.SendResult, intents []store.Intent) []store.DeliveryKey {
	// One statement sees one snapshot: claims do not see the results beside them.
	var granted []store.DeliveryKey
	for _, r := range results {
		if row := d.deliveries[r.Key]; row != nil && d.takesResult(row, r) {
			d.setState(row, r.State)
			if row.wamid == "" {
				row.wamid = r.WAMID
			}
			if row.final() {
				row.settledBy = "response"
			}
		}
	}
	for _, intent := range intents {
		row := d.deliveries[intent.Key]
		if row == nil || !d.owns(intent.Key.Shard, intent.Epoch) {
			continue
		}
		fresh := (row.State == store.DeliveryQueued || row.State == store.DeliveryAmbiguous) && row.Attempts == intent.Attempts
		again := row.State == store.DeliverySending && row.Attempts == intent.Attempts+1
		if fresh {
			d.claim(row, intent.Attempts+1)
		}
		if fresh || again {
			granted = append(granted, intent.Key)
		}
	}
	return granted
}

// takesResult reports whether a result is news: of the last attempt, or the
// proof that an earlier one was accepted.
func (d *database) takesResult(row *delivery, r store.SendResult) bool {
	underWay := row.State == store.DeliverySending || row.State == store.DeliveryAmbiguous
	if d.w.options.Bug == staleResults {
		return underWay
	}
	return underWay && row.Attempts == r.Attempts+1 || r.State == store.DeliveryAccepted && !row.final()
}

func (d *database) settled(keys []store.DeliveryKey) []store.DeliveryKey {
	return slices.DeleteFunc(slices.Clone(keys), func(k store.DeliveryKey) bool {
		row := d.deliveries[k]
		return row == nil || !row.final()
	})
}

func (d *database) received(keys []store.DeliveryKey) []store.DeliveryKey {
	return slices.DeleteFunc(slices.Clone(keys), func(k store.DeliveryKey) bool {
		row := d.deliveries[k]
		return row == nil || row.rank == 0
	})
}

// ApplyReceipts, FindDeliveries, AdoptOrphans: pkg/store/receipts.go.

func (d *database) applyReceipts(fences []store.Fence, receipts []store.Receipt) []int {
	held := d.held(store.ServiceReceipts, fences)
	d.move(store.ServiceReceipts, fences, held)
	for _, r := range receipts {
		if !slices.Contains(held, r.Lane) {
			continue
		}
		if row := d.deliveries[r.Key]; row != nil {
			d.receive(row, r)
		} else if key := (orphanKey{r.WAMID, r.Name}); d.w.options.Bug != orphansDropped {
			if _, known := d.orphans[key]; !known {
				d.orphans[key] = orphan{rank: r.Rank, at: d.w.now}
				d.w.counts["orphan receipt"]++
			}
		}
	}
	return held
}

func (d *database) receive(row *delivery, r store.Receipt) {
	if r.Rank > row.rank || d.w.options.Bug == rankLowered {
		row.receipt, row.rank = r.Name, r.Rank
	}
	if row.wamid == "" {
		row.wamid = r.WAMID
	}
	if !row.final() {
		row.settledBy = "receipt"
		d.w.counts["settled by receipt"]++
	}
	d.setState(row, store.DeliveryAccepted)
}

func (d *database) find(wamids []string) map[string]store.DeliveryKey {
	found := map[string]store.DeliveryKey{}
	for _, row := range d.deliveries {
		if row.wamid != "" && slices.Contains(wamids, row.wamid) {
			found[row.wamid] = row.Key
		}
	}
	return found
}

func (d *database) adopt() {
	for _, row := range d.deliveries {
		before := row.rank
		for key, o := range d.orphans {
			if row.wamid == key.wamid && o.rank > row.rank {
				row.receipt, row.rank = key.receipt, o.rank
			}
		}
		if row.rank != before {
			d.w.counts["orphan adopted"]++
		}
	}
}

func (d *database) forgetOrphans() {
	for key, o := range d.orphans {
		for _, row := range d.deliveries {
			if row.wamid == key.wamid && row.rank >= o.rank {
				delete(d.orphans, key)
			}
		}
	}
}

func (c client) OpenDeliveries(_ context.Context, shard int, epoch int64) ([]store.Delivery, error) {
	return statement(c, "open deliveries", func() ([]store.Delivery, error) {
		return c.p.w.database.openDeliveries(shard, epoch), nil
	})
}

func (c client) AddDeliveries(_ context.Context, fences []store.Fence, list []store.Delivery) ([]int, error) {
	return statement(c, "add deliveries", func() ([]int, error) { return c.p.w.database.addDeliveries(fences, list) })
}

func (c client) AdvanceDeliveries(_ context.Context, results []store.SendResult, intents []store.Intent) ([]store.DeliveryKey, error) {
	granted, err := statement(c, "advance deliveries", func() ([]store.DeliveryKey, error) {
		return c.p.w.database.advance(results, intents), nil
	})
	if err != nil && c.p.w.options.Bug == claimAssumed {
		for _, intent := range intents {
			granted = append(granted, intent.Key)
		}
		return granted, nil
	}
	return granted, err
}

func (c client) DeliveryContents(_ context.Context, keys []store.DeliveryKey) (map[store.DeliveryKey][]byte, error) {
	return statement(c, "delivery contents", func() (map[store.DeliveryKey][]byte, error) {
		contents := map[store.DeliveryKey][]byte{}
		for _, key := range keys {
			contents[key] = c.p.w.database.deliveries[key].Content
		}
		return contents, nil
	})
}

func (c client) SettledDeliveries(_ context.Context, keys []store.DeliveryKey) ([]store.DeliveryKey, error) {
	return statement(c, "settled deliveries", func() ([]store.DeliveryKey, error) { return c.p.w.database.settled(keys), nil })
}

// RecentSends forgets: the pair limit is Meta's to keep here.
func (c client) RecentSends(context.Context, int, time.Duration) ([]store.RecentSend, error) {
	return nil, nil
}

func (c client) ReceivedDeliveries(_ context.Context, keys []store.DeliveryKey) ([]store.DeliveryKey, error) {
	return statement(c, "received deliveries", func() ([]store.DeliveryKey, error) { return c.p.w.database.received(keys), nil })
}

func (c client) ApplyReceipts(_ context.Context, fences []store.Fence, receipts []store.Receipt) ([]int, error) {
	return statement(c, "apply receipts", func() ([]int, error) { return c.p.w.database.applyReceipts(fences, receipts), nil })
}

func (c client) FindDeliveries(_ context.Context, wamids []string) (map[string]store.DeliveryKey, error) {
	return statement(c, "find deliveries", func() (map[string]store.DeliveryKey, error) { return c.p.w.database.find(wamids), nil })
}

// adoptOrphans is two statements, as in pkg/store/receipts.go.
func (c client) adoptOrphans() error {
	d := c.p.w.database
	if _, err := statement(c, "adopt orphans", func() (bool, error) { d.adopt(); return true, nil }); err != nil {
		return err
	}
	_, err := statement(c, "forget orphans", func() (bool, error) { d.forgetOrphans(); return true, nil })
	return err
}

// ExchangeSendShares: pkg/store/shares.go.
func (c client) ExchangeSendShares(_ context.Context, owner string, decide func(time.Time, []store.SendShare) []store.SendShare) error {
	d := c.p.w.database
	_, err := statement(c, "exchange shares", func() (bool, error) {
		own := decide(d.w.now, slices.Clone(d.shares))
		d.shares = slices.DeleteFunc(d.shares, func(s store.SendShare) bool {
			return s.Owner == owner && slices.ContainsFunc(own, func(o store.SendShare) bool { return o.Channel == s.Channel })
		})
		d.shares = append(d.shares, own...)
		return true, nil
	})
	return err
}
