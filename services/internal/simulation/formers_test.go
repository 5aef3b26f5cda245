package simulation

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/store"
)

// ContactsBehind and Formers: pkg/store/formers.go.

// formersOf are the contacts that turned out to be the given one, or one of those.
func (d *database) formersOf(contact uuid.UUID) (all []uuid.UUID) {
	for id, c := range d.contacts {
		if c.MergedInto == contact {
			all = append(append(all, id), d.formersOf(id)...)
		}
	}
	return all
}

func (d *database) contactsBehind(shard int) (list []uuid.UUID) {
	for id, c := range d.contacts {
		behind := slices.ContainsFunc(d.formersOf(id), func(f uuid.UUID) bool { return !d.sentOut[f] })
		if c.Shard == shard && behind {
			list = append(list, id)
		}
	}
	return list
}

func (d *database) formers(contacts []uuid.UUID, patience time.Duration) map[uuid.UUID]store.Former {
	all := map[uuid.UUID]store.Former{}
	for _, contact := range contacts {
		var waits store.Former
		for _, id := range d.formersOf(contact) {
			if d.sentOut[id] {
				continue
			}
			f := d.former(id, patience)
			d.sentOut[id] = !f.Coming && len(f.Channels) == 0
			waits.Coming = waits.Coming || f.Coming
			waits.Channels = append(waits.Channels, f.Channels...)
		}
		if waits.Coming || len(waits.Channels) > 0 {
			all[contact] = waits
		}
	}
	return all
}

func (d *database) former(id uuid.UUID, patience time.Duration) store.Former {
	f := store.Former{Coming: d.leases[store.ServiceDispatcher][d.contacts[id].Shard].checkpoint < d.lastEvent[id]}
	for line, rows := range d.lines {
		if line.Contact == id && slices.ContainsFunc(rows, func(row *delivery) bool { return row.open(d.w.now.Add(-patience)) }) {
			f.Channels = append(f.Channels, line.Channel)
		}
	}
	return f
}

// open reports whether a message of a former contact is waited for.
func (d *delivery) open(since time.Time) bool {
	unknown := d.State == store.DeliveryAmbiguous && !d.claims[len(d.claims)-1].at.After(since)
	return !d.final() && !unknown
}

// resumed reports whether a message is on its way again of which nothing was known for so
// long that nobody waited for it any more (seed 1621).
func (d *delivery) resumed(since time.Time) bool {
	last := len(d.claims) - 1
	return d.State == store.DeliverySending && last > 0 && d.claims[last].from == store.DeliveryAmbiguous && !d.claims[last-1].at.After(since)
}

// afterFormers is I5: nothing that is said to somebody after a merge goes while what was
// said before it, to who turned out to be them, is not settled.
func (d *database) afterFormers(row *delivery) {
	for offset := row.Key.Offset; offset > 0; offset-- {
		e := d.readEvents(row.Key.Shard, offset-1, 1)[0]
		if e.GetContactMerged() == nil || uuid.UUID(e.ContactId) != row.line.Contact {
			continue
		}
		from := uuid.UUID(e.GetContactMerged().GetFrom())
		for _, id := range append(d.formersOf(from), from) {
			d.afterFormer(row, id)
		}
	}
}

func (d *database) afterFormer(row *delivery, id uuid.UUID) {
	for _, e := range d.readEvents(d.contacts[id].Shard, 0, int(d.lastEvent[id])) {
		if e.GetMessageQueued() == nil || uuid.UUID(e.ContactId) != id || e.Channel != row.line.Channel {
			continue
		}
		key := store.DeliveryKey{Shard: int(e.Shard), Offset: e.Offset}
		other := d.deliveries[key]
		parked := d.deadKeys[deadKey{store.ServiceDispatcher, store.DeadParked, key.Shard, key.Offset}]
		since := d.w.now.Add(-2 * grace)
		if !parked && (other == nil || other.open(since) && !other.resumed(since)) {
			d.w.violate("I5 order", "delivery %d/%d is claimed while %d/%d of a former contact is not settled", row.Key.Shard, row.Key.Offset, key.Shard, key.Offset)
		}
	}
}

func (c client) ContactsBehind(_ context.Context, shard int) ([]uuid.UUID, error) {
	return statement(c, "contacts behind", func() ([]uuid.UUID, error) { return c.p.w.database.contactsBehind(shard), nil })
}

func (c client) Formers(_ context.Context, contacts []uuid.UUID, patience time.Duration) (map[uuid.UUID]store.Former, error) {
	return statement(c, "formers", func() (map[uuid.UUID]store.Former, error) {
		if c.p.w.options.Bug == formersIgnored {
			return nil, nil
		}
		return c.p.w.database.formers(contacts, patience), nil
	})
}
