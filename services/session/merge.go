package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Two contacts that turn out to be one are merged in two commits:
//
//	1 leave      in the lane of the one that goes, if it is in a conversation: its
//	             identities go to the other one. From here on that lane passes all of it on.
//	2 take over  in the lane of the other one, before whatever it hears next: the
//	             conversations, bookings and leads become its own.
//
// The update that showed it is decided after both. It is behind the first commit in its
// stream, and passed on from there, so a crash in between repeats what is missing.

// unite reports whether an update shows that two contacts are one. Then one of them
// leaves with this commit, of which the update is no part.
func (b *batch) unite(u update) bool {
	if !u.personal() || b.known.Applied[u.inbox] {
		return false
	}
	c := b.whose(u)
	if _, known := b.known.Contacts[c.ID]; !known {
		return false
	}
	other, found := b.double(u, c)
	switch {
	case !found:
		return false
	case !b.busy(other): // also into a parked one: what comes next waits there as well
		b.leave(other, c, u.shard)
	case c.Parked: // it leaves when it is redriven
		return false
	case c.Shard == u.shard || !b.busy(c):
		b.leave(c, other, u.shard)
	default: // the lane of c decides
		return false
	}
	return true
}

// double is another contact that the update shows to be c, or an operator knows to be.
func (b *batch) double(u update, c store.Contact) (other store.Contact, found bool) {
	if a := u.input.GetOperatorAction(); a.GetVerb() == flow.ActMerge {
		id, _ := uuid.FromBytes(a.GetInto())
		other, found = b.known.Contacts[b.now(id)]
		return other, found && other.ID != c.ID && other.Portfolio == c.Portfolio
	}
	said := b.said(u, c)
	keys := store.IdentityKeys(c.Portfolio, said)
	if u.renamed != nil {
		keys = append(keys, u.keys()...)
	}
	for _, key := range keys {
		other, known := b.known.Contacts[b.people.owners[key]]
		if known && other.ID != c.ID && !b.changedHands(key, other, c, said) {
			return other, true
		}
	}
	return store.Contact{}, false
}

// changedHands reports whether an identity of another contact shows nothing: it is a
// phone, and they have user ids that differ.
func (b *batch) changedHands(key store.IdentityKey, other, c store.Contact, said *parleyv1.Identity) bool {
	return key.Kind == store.IdentityPhone && (b.stranger(other, said) || b.stranger(other, c.Identity))
}

// leave gives the identities of a contact to another one. If its lane is not the one that
// decides, it must be in no conversation when that is committed.
func (b *batch) leave(from, into store.Contact, shard int) {
	b.rely(from.ID)
	b.rely(into.ID)
	for _, key := range b.people.of(from.ID) {
		b.people.hand(key, into.ID)
	}
	b.people.left = &store.Leaving{From: from.ID, Into: into.ID, Idle: from.Shard != shard}
	b.service.log.Info().Int("shard", shard).Str("contact", from.ID.String()).Str("into", into.ID.String()).Msg("contact merged")
}

// now is the contact that a contact is today.
func (b *batch) now(id uuid.UUID) uuid.UUID {
	for b.known.Contacts[id].MergedInto != uuid.Nil {
		id = b.known.Contacts[id].MergedInto
	}
	return id
}

// adoption is a session of a contact that left, and what becomes of it.
type adoption struct {
	was     store.Session
	merging flow.Merging
}

// takeOver makes all that contacts had who turned out to be this one its own.
func (b *batch) takeOver(u update) error {
	for _, from := range b.arrivals(u.contact) {
		plan, err := b.adoptions(u, from)
		if err != nil {
			return err
		}
		events := []*parleyv1.Event{{Body: &parleyv1.Event_ContactMerged{ContactMerged: &parleyv1.ContactMerged{From: from[:]}}}}
		ended, err := b.mergeResources(from, u.contact)
		if err != nil {
			b.failed = err
			return err
		}
		events = append(events, ended...)
		for _, e := range events {
			e.AtMs = b.nowMs
		}
		b.append(u, 0, events)
		for _, a := range plan {
			b.adopt(u, a)
		}
		b.people.taken = append(b.people.taken, from)
	}
	delete(b.known.Arrived, u.contact)
	return nil
}

// arrivals are the contacts that a contact has to take over, first those that one of them
// has not taken over itself.
func (b *batch) arrivals(contact uuid.UUID) (all []uuid.UUID) {
	for _, from := range b.known.Arrived[contact] {
		all = append(append(all, b.arrivals(from)...), from)
	}
	return all
}

// adoptions decides what becomes of the sessions of a contact that left.
func (b *batch) adoptions(u update, from uuid.UUID) (plan []adoption, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the flow engine panicked at a merge: %v", p)
		}
	}()
	c := b.known.Contacts[u.contact]
	for key, was := range b.known.Sessions {
		if key.Contact != from || was.State.Status == flow.None {
			continue
		}
		in := &parleyv1.Input{
			Id: "merge/" + from.String(), AtMs: b.nowMs, Channel: key.Channel,
			Contact: &parleyv1.ContactInfo{OptedOut: c.OptedOut, Blocked: c.Blocked},
		}
		own := b.known.Sessions[store.SessionKey{Channel: key.Channel, Contact: u.contact}].State
		plan = append(plan, adoption{was, flow.Merge(own, flow.Other{Session: was.ID, Contact: from[:], State: was.State}, b.pinned, in)})
	}
	slices.SortFunc(plan, func(x, y adoption) int { return strings.Compare(x.was.Key.Channel, y.was.Key.Channel) })
	return plan, nil
}

// pinned is the version of a session; nil if it cannot be loaded.
func (b *batch) pinned(s flow.State) *flow.Flow {
	return b.service.flows.flows[flowKey{s.Flow, s.FlowVersion}]
}

// adopt writes what becomes of a session of a contact that left, and of the contact's own
// on that channel. The one that does not go on is history at once.
func (b *batch) adopt(u update, a adoption) {
	key := store.SessionKey{Channel: a.was.Key.Channel, Contact: u.contact}
	u.envelope = &parleyv1.Envelope{Channel: key.Channel} // the update came in on another one, perhaps
	own := b.known.Sessions[key]
	before := own.State
	own.State = a.merging.OwnState
	b.append(u, own.ID, a.merging.Own)
	adopted := store.Session{Key: key, Shard: u.shard, State: a.merging.AdoptedState}
	adopted.ID = b.append(u, 0, a.merging.Adopted)
	b.turn.Adopted = append(b.turn.Adopted, a.was)
	delete(b.known.Sessions, a.was.Key)
	stays, goes := own, adopted
	if a.merging.AdoptedGoesOn {
		stays, goes = adopted, own
	}
	if goes.State.Status != flow.None {
		b.turn.Replaced = append(b.turn.Replaced, goes)
	}
	b.keep(stays, before)
	b.wind(key) // the timer names the session that it is of
}
