package sandbox

import (
	"errors"
	"sync"
	"time"
)

// maxPhones is how many phones are remembered; the one unused for longest goes first.
const maxPhones = 1000

// errOutboxFull says that a phone has too many messages waiting to be accepted.
var errOutboxFull = errors.New("too many messages of this phone wait to be accepted")

// book holds the phones. Every change is published on the feed while the lock is
// held, so that the feed tells it in the order in which it happened.
type book struct {
	feed *feed

	mu     sync.Mutex
	phones map[string]*phone
	count  uint64 // numbers bubbles, exchanges and uses
}

func newBook(f *feed) *book {
	return &book{feed: f, phones: map[string]*phone{}}
}

func (b *book) next() uint64 {
	b.count++
	return b.count
}

// open finds a phone or adds it. The id must be a valid identity.
func (b *book) open(id, history string) *phone {
	p := b.phones[id]
	if p == nil {
		if len(b.phones) == maxPhones {
			b.dropOldest()
		}
		p = blank(id, history)
		b.phones[id] = p
	}
	p.used = b.next()
	return p
}

func blank(id, history string) *phone {
	person, _ := personOf(id)
	return &phone{id: id, person: person, history: history}
}

// dropOldest forgets the phone that was unused for longest, and its messages that wait.
func (b *book) dropOldest() {
	var oldest *phone
	for _, p := range b.phones {
		if oldest == nil || p.used < oldest.used {
			oldest = p
		}
	}
	for _, w := range oldest.outbox {
		w.abandoned = true
	}
	oldest.outbox = nil
	delete(b.phones, oldest.id)
}

// create adds the phone of somebody new.
func (b *book) create(id, business string) PhoneView {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open(id, "new").view(business)
}

// view reads a phone. It remembers nothing about a phone that it does not know.
func (b *book) view(id, business string) PhoneView {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.phones[id]
	if p == nil {
		p = blank(id, "unknown")
	}
	return p.view(business)
}

// say puts a person's message on their phone and its webhook into their outbox.
// The error is errOutboxFull.
func (b *book) say(id, wamid string, d draft, at time.Time, body []byte) (Bubble, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.open(id, "unknown")
	if len(p.outbox) == maxOutbox {
		return Bubble{}, errOutboxFull
	}
	bubble := &Bubble{
		ID: b.next(), WAMID: wamid, Phone: id, Direction: "out", At: at, State: StateWaiting,
		Type: d.typ, Text: d.text, Content: encode(d.content), Context: d.context,
	}
	x := &Exchange{ID: b.next(), Phone: id, Kind: "webhook", Title: "message " + d.typ, At: at, Request: body}
	p.addBubble(bubble)
	p.addExchange(x)
	p.outbox = append(p.outbox, &webhook{body: body, bubble: bubble, exchange: x})
	b.feed.publish("bubble", id, bubble)
	b.feed.publish("exchange", id, x)
	return *bubble, nil
}

// hear puts a message of the business on a phone. request is what the Graph API got.
func (b *book) hear(id string, heard *Bubble, request []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.open(id, "unknown")
	heard.ID, heard.Phone, heard.Direction = b.next(), id, "in"
	p.addBubble(heard)
	b.feed.publish("bubble", id, heard)
	b.called(p, heard.Type, heard.At, request)
}

// mark records that the business read what a phone wrote, or is "typing" an answer.
func (b *book) mark(id, what string, at time.Time, request []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.open(id, "unknown")
	if what == "typing" {
		b.feed.publish("typing", id, Typing{Phone: id, At: at})
	}
	b.called(p, what, at, request)
}

// called records a call of the Graph API. The lock must be held.
func (b *book) called(p *phone, what string, at time.Time, request []byte) {
	x := &Exchange{
		ID: b.next(), Phone: p.id, Kind: "graph", Title: "send " + what, At: at, Request: request,
		Attempts: 1, Status: 200,
	}
	p.addExchange(x)
	b.feed.publish("exchange", p.id, x)
}

// heard copies what the business said on a phone after a bubble, oldest first.
func (b *book) heard(id string, after uint64) []*Bubble {
	b.mu.Lock()
	defer b.mu.Unlock()
	heard := []*Bubble{}
	if p := b.phones[id]; p != nil {
		for _, bubble := range p.bubbles {
			if bubble.ID > after && bubble.Direction == "in" {
				c := *bubble
				heard = append(heard, &c)
			}
		}
	}
	return heard
}

// receipt records a receipt that is about to be posted. It does not bring back a
// phone that was dropped.
func (b *book) receipt(id, status string, at time.Time, body []byte) *webhook {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := &Exchange{ID: b.next(), Phone: id, Kind: "webhook", Title: "receipt " + status, At: at, Request: body}
	if p := b.phones[id]; p != nil {
		p.addExchange(x)
		b.feed.publish("exchange", id, x)
	}
	return &webhook{body: body, exchange: x}
}

// attempted records the outcome of one POST. done says that there must not be
// another: it was accepted, or its phone was dropped.
func (b *book) attempted(w *webhook, o outcome) (done bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := w.exchange
	x.Attempts++
	x.Status, x.Millis, x.Problem = o.status, o.took.Milliseconds(), o.problem
	b.feed.publish("exchange", x.Phone, x)
	if w.bubble != nil {
		w.bubble.State = StateRetrying
		if o.accepted() {
			w.bubble.State = StateAccepted
		}
		b.feed.publish("bubble", x.Phone, w.bubble)
	}
	return o.accepted() || w.abandoned
}

// idle finds the phones whose outbox nobody is posting. Whoever asks must post
// them, from first on.
func (b *book) idle() []*phone {
	b.mu.Lock()
	defer b.mu.Unlock()
	var idle []*phone
	for _, p := range b.phones {
		if len(p.outbox) > 0 && !p.posting {
			p.posting = true
			idle = append(idle, p)
		}
	}
	return idle
}

// first is the message of a phone that is to be posted now. Nil ends the posting:
// the outbox is empty.
func (b *book) first(p *phone) *webhook {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p.outbox) == 0 {
		p.posting = false
		return nil
	}
	return p.outbox[0]
}

// posted takes the first message out of a phone's outbox.
func (b *book) posted(p *phone) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p.outbox) > 0 { // it is empty if the phone was dropped meanwhile
		p.outbox = p.outbox[1:]
	}
}
