package simulation

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// now is the contact that a contact turned out to be.
func (d *database) now(id uuid.UUID) uuid.UUID {
	for d.contacts[id].MergedInto != uuid.Nil {
		id = d.contacts[id].MergedInto
	}
	return id
}

// united are the contacts of linked people: those that turned out to be others, those
// others, and who was one contact from the first and came by two lanes.
func (w *world) united() map[uuid.UUID]bool {
	d, all := w.database, map[uuid.UUID]bool{}
	for id, c := range d.contacts {
		if c.MergedInto != uuid.Nil {
			all[id], all[c.MergedInto] = true, true
		}
	}
	for _, p := range w.linked {
		for key, o := range d.owners {
			if key.Value == p.Phone || key.Value == p.BSUID {
				all[o.Contact] = true
			}
		}
	}
	return all
}

// plainRows counts the sessions of contacts that are not united.
func (h *history) plainRows() (n int) {
	for key := range h.w.database.sessions {
		if !h.united[key.Contact] {
			n++
		}
	}
	return n
}

// mergedAreOne is I9: whoever was several contacts is one at the end, with one
// conversation, which is the fold of its events; what one lane brought took effect in its
// order.
func (h *history) mergedAreOne() {
	d := h.w.database
	for id, c := range d.contacts {
		if c.MergedInto != uuid.Nil && !d.takenOver[id] {
			h.w.violate("I9 one", "what contact %s had was never taken over", id)
		}
	}
	for key, row := range d.sessions {
		if !h.united[key.Contact] {
			continue
		}
		if d.now(key.Contact) != key.Contact {
			h.w.violate("I9 one", "session %d is still that of a contact who turned out to be another", row.ID)
		}
		state := flow.State{}
		for _, e := range h.events {
			if e.SessionId == row.ID {
				state = flow.Evolve(state, e)
			}
		}
		if !reflect.DeepEqual(state, row.State) {
			h.w.violate("I8 replay", "session %d folds to %+v, its row is %+v", row.ID, state, row.State)
		}
	}
	for _, p := range h.w.linked {
		h.linkedIsOne(p)
	}
}

func (h *history) linkedIsOne(p person) {
	d := h.w.database
	owners := map[uuid.UUID]bool{}
	for key, o := range d.owners {
		if key.Value == p.Phone || key.Value == p.BSUID {
			owners[o.Contact] = true
		}
	}
	if len(owners) != 1 {
		h.w.violate("I9 one", "%s is %d contacts", p.Name, len(owners))
	}
	for i, s := range p.script {
		for _, later := range p.script[i+1:] {
			a, b := h.inputs[s.id], h.inputs[later.id]
			sameLane := h.raw[s.id].GetLaneKey() == h.raw[later.id].GetLaneKey() // in one POST, one lends its id to the other
			waited := h.w.meta.acked[s.id] != 0 && h.w.meta.acked[s.id] < h.w.meta.posted[later.id]
			if a != nil && b != nil && sameLane && waited && a.Shard == b.Shard && a.Offset > b.Offset {
				h.w.violate("I4 order", "message %s took effect behind %s, which came later in the same lane", s.id, later.id)
			}
		}
	}
}

// countMerged counts the sessions of contacts that are united, each by its own events: one
// that was adopted goes on where the other one stood.
func (h *history) countMerged(want map[string]int64) {
	sessions := map[uint64][]*parleyv1.Event{}
	for _, e := range h.events {
		if e.SessionId != 0 && h.united[uuid.UUID(e.ContactId)] {
			sessions[e.SessionId] = append(sessions[e.SessionId], e)
		}
	}
	for _, events := range sessions {
		h.countStory(want, events[0].Channel, events)
	}
}

// stoodAt is the question at which an adopted session waits, and whether it has failed
// there before.
func stoodAt(e *parleyv1.SessionAdopted) (step string, failed map[string]bool) {
	var was struct {
		Status, Step string
		Failures     int
	}
	if err := json.Unmarshal(e.GetState(), &was); err != nil {
		panic(err)
	}
	if was.Status != flow.Active.String() {
		return "", map[string]bool{}
	}
	return was.Step, map[string]bool{was.Step: was.Failures > 0}
}

// linkedPerson shows by number, by user id, or by both, and in the end by both.
func linkedPerson(w *world, p person, n int) person {
	add := func(typ, text string) {
		p.script = append(p.script, said{fmt.Sprintf("wamid.in%d.%d", n, len(p.script)), typ, text})
	}
	p.once(w, add)
	p.once(w, add)
	p.Phone, p.BSUID = cmp.Or(p.Phone, fmt.Sprintf("4915%07d", n)), cmp.Or(p.BSUID, fmt.Sprintf("DE.%07d", n))
	p.script = slices.DeleteFunc(p.script, func(s said) bool { return s.text == poisonSend })
	for i := range p.script {
		as := p.Person
		switch {
		case i == 0:
			as.BSUID = ""
		case i == 1:
			as.Phone = ""
		case i < len(p.script)-2:
			switch w.rng.IntN(3) {
			case 0:
				as.BSUID = ""
			case 1:
				as.Phone = ""
			}
		}
		p.shows = append(p.shows, as)
	}
	w.linked = append(w.linked, p)
	return p
}
