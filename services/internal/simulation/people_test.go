package simulation

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// What the database refuses: a turn whose input says the one, a delivery whose
// text says the other.
const (
	poisonTurn = "poison of a turn"
	poisonSend = "poison of a send"
)

var channels = []string{"100001", "100002"}

// person is somebody who writes along a script.
type person struct {
	fake.Person
	channel string
	script  []said
	// patience is the longest that they wait between two messages.
	patience time.Duration
	// shows is how they show in each message; empty if always the same.
	shows []fake.Person
}

// said is one message of a person.
type said struct {
	id   string
	typ  string
	text string
}

func newPerson(w *world, n int) person {
	p := person{channel: channels[w.rng.IntN(len(channels))], patience: 6 * time.Second}
	p.Name = fmt.Sprintf("Person %d", n)
	kind := w.rng.IntN(3)
	if kind != 1 {
		p.Phone = fmt.Sprintf("4915%07d", n)
	}
	if kind != 0 {
		p.BSUID = fmt.Sprintf("DE.%07d", n)
	}
	add := func(typ, text string) {
		p.script = append(p.script, said{fmt.Sprintf("wamid.in%d.%d", n, len(p.script)), typ, text})
	}
	if n >= w.options.People+w.options.Noters {
		return linkedPerson(w, p, n)
	}
	if n >= w.options.People {
		p.patience = 12 * time.Second
		p.notes(w, add)
		return p
	}
	for range 1 + w.rng.IntN(2) {
		p.once(w, add)
	}
	if w.options.Poison && n == 0 {
		add("text", poisonTurn)
		add("text", "after the poison")
		add("text", "RESTART")
	}
	return p
}

// once is one way through the flow, with stumbles.
func (p *person) once(w *world, add func(typ, text string)) {
	often := func(most int, typ string, texts ...string) {
		for range w.rng.IntN(most + 1) {
			add(typ, texts[w.rng.IntN(len(texts))])
		}
	}
	add("text", []string{"hi", "Hello", "restart"}[w.rng.IntN(3)])
	often(1, "image", "", "look")
	name := []string{"Ada", " Grace Hopper ", "{name}", "Zoë 🙂"}[w.rng.IntN(4)]
	if w.options.Poison && w.rng.IntN(8) == 0 {
		name = poisonSend
	}
	add("text", name)
	often(2, "text", "not an address", "ada@", "RESTART")
	often(1, "image", "a photo")
	if w.rng.IntN(5) > 0 {
		add("text", "ada@example.org")
	}
	often(2, "text", "thanks", "?")
	often(1, "reaction", "👍")
	if w.rng.IntN(2) == 0 {
		add("text", "RESTART")
	}
}

// notes is what somebody writes who answers in several messages, with pauses that
// are sometimes longer than the quiet that ends an answer.
func (p *person) notes(w *world, add func(typ, text string)) {
	for range 1 + w.rng.IntN(3) {
		add("text", "NOTE")
		for n := range w.rng.IntN(7) {
			add("text", fmt.Sprintf("part %d", n))
		}
	}
	if w.rng.IntN(3) == 0 {
		add("text", "RESTART")
		add("text", "last")
	}
}

func (s said) item(p person, at time.Time) fake.Item {
	switch s.typ {
	case "image":
		return fake.Image(p.Person, s.id, at, s.text)
	case "reaction":
		return fake.Message(p.Person, s.id, at, "reaction", map[string]any{"message_id": "wamid.x", "emoji": s.text})
	}
	return fake.Text(p.Person, s.id, at, s.text)
}

// write plays the script. Mostly the next message follows when the one before
// was acknowledged; now and then two are under way at a time.
func (p person) write(w *world) {
	for i := 0; i < len(p.script); i++ {
		w.sleep(w.between(0, p.patience))
		batch := []update{p.update(w, i)}
		if i+1 < len(p.script) && w.chance(w.options.Rates.Double/2) {
			i++
			batch = append(batch, p.update(w, i))
			w.counts["two messages at once"]++
		}
		w.meta.submit(p.channel, batch...)
		if w.chance(w.options.Rates.Odd) {
			w.meta.submit(p.channel, w.meta.odd())
		}
		if w.chance(w.options.Rates.Double) {
			w.counts["two posts at once"]++
			continue
		}
		for w.meta.acked[p.script[i].id] == 0 {
			w.wait(500 * time.Millisecond)
		}
	}
	w.people--
}

func (p person) update(w *world, i int) update {
	s, at := p.script[i], w.now
	if len(p.shows) > 0 {
		p.Person = p.shows[i]
	}
	return update{id: s.id, item: func() fake.Item { return s.item(p, at) }}
}

// operate plays an operator who redrives parked contacts before their trouble is
// repaired: they stay parked.
func (w *world) operate() {
	for !w.calm {
		w.sleep(w.between(2*time.Second, 15*time.Second))
		if w.redrive() {
			w.counts["redrive in vain"]++
		}
	}
}

// redrive orders a redrive of every parked contact, as the console does, and
// reports whether there was one.
func (w *world) redrive() bool {
	ordered := map[store.SessionKey]bool{}
	for _, dl := range w.database.waiting() {
		c := w.database.contacts[dl.Contact.UUID]
		key := store.SessionKey{Channel: dl.Channel, Contact: c.ID}
		if ordered[key] || w.in.down() {
			continue
		}
		ordered[key] = true
		w.redrives++
		data, err := proto.Marshal(&parleyv1.Envelope{
			Id: fmt.Sprintf("redrive/%d", w.redrives), Kind: parleyv1.Kind_KIND_OPERATOR, Provider: "parley",
			Channel: dl.Channel, Portfolio: c.Portfolio, LaneKey: c.LaneKey, Field: store.OperatorRedrive,
		})
		if err != nil {
			panic(err)
		}
		subject := bus.SubjectIn(bus.ShardOf(c.Portfolio, c.LaneKey, w.options.Shards), dl.Channel, c.LaneKey)
		for range 1 + w.rng.IntN(2) {
			w.in.append(bus.Message{Subject: subject, Data: data})
		}
	}
	return len(ordered) > 0
}
