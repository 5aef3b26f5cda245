package session

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// hopsMax is how often an update is passed on at most. Once is the rule; another time
// only for each two contacts that became one.
const hopsMax = 32

// Lanes is where updates go that another lane of the same person has to decide.
type Lanes struct {
	In     Publisher
	Shards int
}

// people is who is who, as it was read and as the batch leaves it. A contact's home is
// the lane in which it was first heard; all its updates are decided there.
type people struct {
	owners map[store.IdentityKey]uuid.UUID
	via    map[store.IdentityKey]uuid.UUID   // who had it before others turned out to be the same person
	before map[store.IdentityKey]uuid.UUID   // as it was read, of keys that the batch depends on
	keys   map[uuid.UUID][]store.IdentityKey // the other way round
	left   *store.Leaving                    // a contact that turned out to be another
	taken  []uuid.UUID                       // contacts that were taken over
	counts map[uuid.UUID]int                 // how many identities a contact had
	relied map[uuid.UUID]int                 // the same, of contacts that the batch writes
}

func newPeople(owners map[store.IdentityKey]store.Owner) *people {
	p := &people{
		owners: map[store.IdentityKey]uuid.UUID{}, via: map[store.IdentityKey]uuid.UUID{}, before: map[store.IdentityKey]uuid.UUID{}, keys: map[uuid.UUID][]store.IdentityKey{},
		counts: map[uuid.UUID]int{}, relied: map[uuid.UUID]int{},
	}
	for key, o := range owners {
		p.owners[key] = o.Contact
		p.keys[o.Contact] = append(p.keys[o.Contact], key)
		p.counts[o.Contact]++
		if o.Via != uuid.Nil {
			p.via[key] = o.Via
		}
	}
	return p
}

// give makes an identity a contact's, or nobody's.
func (p *people) give(key store.IdentityKey, to uuid.UUID) {
	p.hold(key)
	if was, owned := p.owners[key]; owned {
		p.keys[was] = slices.DeleteFunc(p.keys[was], func(k store.IdentityKey) bool { return k == key })
	}
	delete(p.owners, key)
	delete(p.via, key)
	if to != uuid.Nil {
		p.owners[key] = to
		p.keys[to] = append(p.keys[to], key)
	}
}

// hand makes an identity that of the contact that its owner turned out to be. Updates by it
// go the way that they went before, and one step further.
func (p *people) hand(key store.IdentityKey, to uuid.UUID) {
	via := cmp.Or(p.via[key], p.owners[key])
	p.give(key, to)
	p.via[key] = via
}

// hold makes the commit depend on whose the identity was.
func (p *people) hold(key store.IdentityKey) {
	if _, known := p.before[key]; !known {
		p.before[key] = p.owners[key]
	}
}

// of are the identities of a contact.
func (p *people) of(id uuid.UUID) []store.IdentityKey { return slices.Clone(p.keys[id]) }

// changes are what the commit has to write and to check.
func (p *people) changes() (c store.IdentityChanges) {
	for key, was := range p.before {
		if was != uuid.Nil || p.owners[key] != uuid.Nil {
			c.Claims = append(c.Claims, store.IdentityClaim{Key: key, From: was, To: p.owners[key], Via: p.via[key]})
		}
	}
	c.Left, c.TakenOver, c.Counts = p.left, p.taken, p.relied
	return c
}

// keys are the identities that the update names.
func (u update) keys() []store.IdentityKey {
	return store.IdentityKeys(u.envelope.GetPortfolio(), u.envelope.GetContact())
}

// whose finds the contact of an update: by what Parley itself wrote on it, else by the
// identity that decided its lane, so that what one lane brings goes one way; else by the
// surest that somebody has; else it is somebody new.
func (b *batch) whose(u update) store.Contact {
	if id, err := uuid.FromBytes(u.envelope.GetContactId()); err == nil {
		if c, known := b.known.Contacts[b.now(id)]; known {
			return c
		}
	}
	keys := u.keys()
	if i := slices.IndexFunc(keys, func(k store.IdentityKey) bool { return k.Value == u.envelope.GetLaneKey() }); i > 0 {
		key := keys[i]
		keys = slices.Insert(slices.Delete(keys, i, i+1), 0, key)
	}
	if u.renamed != nil { // the notice names the old number beside the new user id
		slices.Reverse(keys)
		keys = append(keys, store.IdentityKeys(u.envelope.GetPortfolio(), u.renamed)...) // known already if this was passed on
	}
	for _, key := range keys {
		c, known := b.known.Contacts[b.people.owners[key]]
		if !known || (u.renamed == nil && key.Kind == store.IdentityPhone && b.stranger(c, u.envelope.GetContact())) {
			continue
		}
		return b.continuing(c, u)
	}
	return b.newcomer(u)
}

// acquainted reports whether an update is of somebody who is known. What the business calls a person is no name if they have one of their own: it
// is said to them.
func (b *batch) acquainted(u update) bool {
	for _, key := range u.keys() {
		if c, known := b.known.Contacts[b.people.owners[key]]; known {
			if u.card && c.Identity.GetName() != "" {
				u.envelope.Contact.Name = ""
			}
			return true
		}
	}
	return false
}

// old reports whether a message of the past was heard when it was written.
func (b *batch) old(u update) bool {
	return slices.ContainsFunc(u.twins(), func(id uuid.UUID) bool { return b.known.Applied[id] })
}

// stranger reports whether somebody with the contact's phone is somebody else: a number
// that was given up is given to another person.
func (b *batch) stranger(c store.Contact, said *parleyv1.Identity) bool {
	mine, theirs := c.Identity.GetBsuid(), said.GetBsuid()
	return mine != "" && theirs != "" && mine != theirs && store.IsLID(mine) == store.IsLID(theirs)
}

// continuing is the contact that goes on if an update names two that turn out to be one
// person: the one in a conversation, else the one of the surer identity.
func (b *batch) continuing(c store.Contact, u update) store.Contact {
	if b.busy(c) {
		return c
	}
	for _, key := range u.named() {
		other, known := b.known.Contacts[b.people.owners[key]]
		if known && other.ID != c.ID && b.busy(other) && (u.renamed != nil || !b.stranger(other, c.Identity)) {
			return other
		}
	}
	return c
}

// busy reports whether a contact cannot be left: it is in a conversation, or updates of
// it wait for a redrive.
func (b *batch) busy(c store.Contact) bool {
	for key, s := range b.known.Sessions {
		if key.Contact == c.ID && (s.State.Status == flow.Active || s.State.Status == flow.Human) {
			return true
		}
	}
	return c.Parked
}

// newcomer is a contact that is not stored yet, or that has no identities. If somebody
// else was first heard in this lane, the id is another one.
func (b *batch) newcomer(u update) store.Contact {
	e := u.envelope
	id := store.ContactID(e.Portfolio, e.LaneKey)
	c, known := b.known.Contacts[id]
	if known && (len(u.keys()) == 0 || c.Parked) {
		return b.known.Contacts[b.now(id)]
	}
	if known {
		id = store.NextContactID(e.Portfolio, e.LaneKey, e.Channel, e.Id)
	}
	return store.Contact{
		ID: id, Portfolio: e.Portfolio, LaneKey: e.LaneKey, Shard: bus.ShardOf(e.Portfolio, e.LaneKey, b.service.lanes.Shards),
		Identity: &parleyv1.Identity{}, CreatedAt: time.UnixMilli(b.nowMs),
	}
}

// stop is the contact to whose lane an update goes next on the way to its own. The way
// begins at the contact that had the identity of its lane before any merge, and goes on as
// contacts turned out to be others. So it only grows, and at its end, and what comes after a
// merge does not overtake what is on its way.
func (b *batch) stop(u update, home store.Contact) store.Contact {
	at, known := b.known.Contacts[b.via(u)]
	if !known || b.now(at.ID) != home.ID {
		return home
	}
	for at.ID != home.ID && at.Shard == u.shard {
		at = b.known.Contacts[at.MergedInto]
	}
	return at
}

// via is the contact to whose lane an update was passed on, or has to be first.
func (b *batch) via(u update) uuid.UUID {
	if id, err := uuid.FromBytes(u.envelope.GetVia()); err == nil {
		return id
	}
	for _, key := range u.named() {
		if key.Value == u.envelope.GetLaneKey() {
			return b.people.via[key]
		}
	}
	return uuid.Nil
}

// forward passes the update on towards the contact's home. It is on disk there before this
// lane's checkpoint moves on; the inbox at home absorbs it if it comes twice.
func (b *batch) forward(u update, home, stop store.Contact) {
	if u.envelope.GetHops() >= hopsMax {
		b.deadLetter(u, store.DeadUnhandled, "passed on too often between the lanes of one person")
		b.applied(u)
		return
	}
	if _, known := b.known.Contacts[home.ID]; known {
		b.link(u, home)
	}
	e := proto.CloneOf(u.envelope)
	e.Hops++
	e.Via = stop.ID[:]
	data, err := proto.Marshal(e)
	if err != nil {
		b.failed = err
		return
	}
	b.forwards = append(b.forwards, bus.Message{Subject: bus.SubjectIn(stop.Shard, e.Channel, stop.LaneKey), Data: data})
}

// meet makes sure that the contact is known with all that the update says of it.
func (b *batch) meet(u update) {
	before, known := b.known.Contacts[u.contact]
	c := before
	if !known {
		c = b.whose(u)
	}
	c = b.link(u, c)
	if known && proto.Equal(c.Identity, before.Identity) && c.OptedOut == before.OptedOut && c.NoMarketing == before.NoMarketing && c.Blocked == before.Blocked && c.Language == before.Language {
		return
	}
	b.write(c)
}

// link makes the identities in the update the contact's. It is done where the update is
// seen first, before it is passed on: the next one in that lane may name one of them only.
// The contact's row is its home's to write.
func (b *batch) link(u update, c store.Contact) store.Contact {
	said := b.said(u, c)
	for _, key := range store.IdentityKeys(c.Portfolio, said) {
		b.claim(key, c, said)
	}
	b.retire(c, said, u.renamed.GetBsuid() != "")
	merged := proto.CloneOf(c.Identity)
	said.Lid = ""
	proto.Merge(merged, said)
	for _, key := range store.IdentityKeys(c.Portfolio, merged) {
		if b.people.owners[key] != c.ID {
			withhold(merged, key)
		}
	}
	c.Identity = merged
	return c
}

// said is what the update says of the contact now: after a change, the new ids only.
func (b *batch) said(u update, c store.Contact) *parleyv1.Identity {
	said := &parleyv1.Identity{}
	proto.Merge(said, u.envelope.GetContact())
	if u.renamed != nil {
		said = &parleyv1.Identity{Name: said.GetName(), Username: said.GetUsername()}
		proto.Merge(said, u.renamed)
	}
	if store.IsLID(said.Bsuid) && c.Identity.GetBsuid() != "" && !store.IsLID(c.Identity.GetBsuid()) {
		said.Lid, said.Bsuid = said.Bsuid, ""
	}
	return said
}

// claim makes an identity the contact's, if it is nobody's, or its owner gave it up. One
// of somebody who turns out to be the same person stays where it is until the two are one.
func (b *batch) claim(key store.IdentityKey, c store.Contact, said *parleyv1.Identity) {
	owner := b.people.owners[key]
	other, known := b.known.Contacts[owner]
	switch {
	case owner == c.ID:
	case owner == uuid.Nil || !known:
		b.people.give(key, c.ID)
	case b.changedHands(key, other, c, said):
		b.people.give(key, c.ID)
		b.strip(other, key)
	default:
		withhold(said, key)
	}
}

// strip takes from a contact what is another's now. Its row is written by the commit,
// whichever lane it has.
func (b *batch) strip(other store.Contact, key store.IdentityKey) {
	other = b.known.Contacts[other.ID]
	other.Identity = proto.CloneOf(other.Identity)
	withhold(other.Identity, key)
	b.known.Contacts[other.ID] = other
}

// withhold removes one identity.
func withhold(id *parleyv1.Identity, key store.IdentityKey) {
	for _, field := range []*string{&id.Phone, &id.Bsuid, &id.ParentBsuid, &id.Lid} {
		if *field == key.Value {
			*field = ""
		}
	}
}

// retire gives up what the contact had before what is said now: a number or a user id
// that was replaced is nobody's, and nothing is sent to it. A user id changes with the
// number (WIRE.md 2.1), so a new one without a number leaves none.
func (b *batch) retire(c store.Contact, said *parleyv1.Identity, newID bool) {
	now := store.IdentityKeys(c.Portfolio, said)
	for _, key := range b.people.of(c.ID) {
		replaced := slices.ContainsFunc(now, func(k store.IdentityKey) bool { return k.Kind == key.Kind })
		if !slices.Contains(now, key) && (replaced || (newID && key.Kind == store.IdentityPhone)) {
			b.people.give(key, uuid.Nil)
		}
	}
}

// candidates are the contacts that updates may be about, besides those found by their
// identities.
func (list updates) candidates() []uuid.UUID {
	ids := map[uuid.UUID]bool{}
	for _, part := range list {
		for _, u := range part {
			ids[u.contact] = true
			if id, err := uuid.FromBytes(u.envelope.GetVia()); err == nil {
				ids[id] = true
			}
			if id, err := uuid.FromBytes(u.input.GetOperatorAction().GetInto()); err == nil && id != uuid.Nil {
				ids[id] = true
			}
			ids[store.ContactID(u.envelope.GetPortfolio(), u.envelope.GetLaneKey())] = true
		}
	}
	return slices.Collect(maps.Keys(ids))
}

func (list updates) keys() (keys []store.IdentityKey) {
	seen := map[store.IdentityKey]bool{}
	for _, part := range list {
		for _, u := range part {
			for _, key := range u.named() {
				if !seen[key] {
					seen[key] = true
					keys = append(keys, key)
				}
			}
		}
	}
	return keys
}

// named are all identities in an update, those of before and those of now.
func (u update) named() []store.IdentityKey {
	return append(u.keys(), store.IdentityKeys(u.envelope.GetPortfolio(), u.renamed)...)
}
