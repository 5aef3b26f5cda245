package session

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/leads"
	"github.com/parleyhq/parley/pkg/store"
)

// pools are the pools of a batch: as they were read when the first of its turns needed
// them, and as its turns left them. What others commit meanwhile makes the commit fail
// with a conflict.
type pools struct {
	known    map[string]*leads.Pool // nil for one that does not exist
	asked    map[poolKey]bool       // whose open leads were read
	channels map[string]string      // of new leads
}

type poolKey struct {
	pool    string
	contact uuid.UUID
}

func newPools() *pools {
	return &pools{known: map[string]*leads.Pool{}, asked: map[poolKey]bool{}, channels: map[string]string{}}
}

func (p *pools) begin() {
	for _, pool := range p.known {
		if pool != nil {
			pool.Begin()
		}
	}
}

func (p *pools) undo() {
	for _, pool := range p.known {
		if pool != nil {
			pool.Undo()
		}
	}
}

func (p *pools) changes() (c store.LeadChanges) {
	c.Channels = p.channels
	for _, name := range slices.Sorted(maps.Keys(p.known)) {
		if pool := p.known[name]; pool != nil && len(pool.Changed) > 0 {
			c.Pools = append(c.Pools, pool)
		}
	}
	return c
}

// lead does what a turn wants done with a lead.
func (b *batch) lead(u update, l flow.Lookup) ([][]byte, error) {
	name := l.Where["pool"]
	if name == "" {
		var err error
		if name, err = b.poolOf(l.Where["lead"]); err != nil {
			return nil, err
		}
	}
	pool, err := b.loadPool(name, u.contact)
	if err != nil {
		return nil, err
	}
	if pool == nil {
		return [][]byte{flow.Outcome{Result: flow.ResultNone, Pool: name}.Row()}, nil
	}
	id := store.LeadID(u.envelope.Channel, u.envelope.Id, name).String()
	b.pools.channels[id] = u.envelope.Channel
	return [][]byte{pool.Do(leads.Order{
		Verb: l.Verb, Where: l.Where, Contact: u.contact.String(), At: time.UnixMilli(b.nowMs), ID: id,
	}).Row()}, nil
}

// poolOf is the pool of a lead, which may be one of this very batch.
func (b *batch) poolOf(lead string) (string, error) {
	for name, pool := range b.pools.known {
		if pool != nil && pool.Leads[lead] != nil {
			return name, nil
		}
	}
	return b.service.store.PoolOfLead(b.ctx, lead)
}

// loadPool reads a pool, unless it is known, and the open leads that the person has in it.
func (b *batch) loadPool(name string, contact uuid.UUID) (*leads.Pool, error) {
	key := poolKey{name, contact}
	pool, known := b.pools.known[name]
	switch {
	case name == "" || known && (pool == nil || b.pools.asked[key]):
		return pool, nil
	case known:
		own, err := b.service.store.OpenLeads(b.ctx, name, contact)
		if err != nil {
			return nil, err
		}
		store.Know(pool, own...)
	default:
		var err error
		if pool, err = b.service.store.LoadPool(b.ctx, name, contact); err != nil {
			return nil, err
		}
		b.pools.known[name] = pool
	}
	b.pools.asked[key] = true
	return pool, nil
}
