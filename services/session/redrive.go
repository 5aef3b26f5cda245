package session

import (
	"slices"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
)

// waiting returns, decoded and in order, the updates that a redrive will try.
func (b *batch) waiting(u update) []update {
	if !u.redrive {
		return nil
	}
	letters := b.known.Parked[u.contact]
	list := make([]update, len(letters))
	for i, letter := range letters {
		list[i] = decodeOne(lane.Message{Shard: u.shard, Pos: letter.Position, Data: letter.Data})
		list[i].contact = u.contact
	}
	return list
}

// redrive gives a parked contact's updates their effect, in order, and unparks
// the contact. The first that still fails stays parked, with all after it.
func (b *batch) redrive(u update) {
	if !b.known.Contacts[u.contact].Parked {
		return
	}
	letters := b.known.Parked[u.contact]
	for i, w := range b.waiting(u) {
		if b.known.Applied[w.inbox] {
			b.resolve(letters[i])
			continue
		}
		b.meet(w)
		if err := b.effect(w); err != nil {
			b.service.log.Error().Err(err).Int("shard", u.shard).Str("contact", u.contact.String()).Msg("contact stays parked")
			b.known.Parked[u.contact] = letters[i:]
			return
		}
		b.resolve(letters[i])
	}
	delete(b.known.Parked, u.contact)
	c := b.known.Contacts[u.contact]
	c.Parked = false
	b.write(c)
	b.service.log.Info().Int("shard", u.shard).Str("contact", u.contact.String()).Int("updates", len(letters)).Msg("contact redriven")
}

// resolve marks a letter as done; one of this very batch is not even written.
func (b *batch) resolve(letter store.DeadLetter) {
	if letter.ID != 0 {
		b.turn.Redriven = append(b.turn.Redriven, letter.ID)
		return
	}
	b.turn.DeadLetters = slices.DeleteFunc(b.turn.DeadLetters, func(d store.DeadLetter) bool {
		return d.Kind == store.DeadParked && d.Position == letter.Position
	})
}
