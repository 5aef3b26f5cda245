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
	return &phone{id: id, person: person, history: history, outboxes: map[*line]*outbox{}}
}

// dropOldest forgets the phone that was unused for longest, and its messages that wait.
func (b *book) dropOldest() {
	var oldest *phone
	for _, p := range b.phones {
		if oldest == nil || p.used < oldest.used {
			oldest = p
		}
	}
	for _, o := range oldest.outboxes {
		for _, w := range o.webhooks {
			w.abandoned = true
		}
		o.webhooks = nil
	}
	delete(b.phones, oldest.id)
}

// create adds the phone of somebody new.
func (b *book) create(id string) PhoneView {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open(id, "new").view()
}

// view reads a phone. It remembers nothing about a phone that it does not know.
func (b *book) view(id string) PhoneView {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.phones[id]
	if p == nil {
		p = blank(id, "unknown")
	}
	return p.view()
}

// say puts a person's message on their phone and its webhook into the outbox of the
// line. The error is errOutboxFull.
func (b *book) say(id string, l *line, d draft, at time.Time) (Bubble, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.open(id, "unknown")
	if p.outboxes[l] == nil {
		p.outboxes[l] = &outbox{}
	}
	o := p.outboxes[l]
	if len(o.webhooks) == maxOutbox {
		return Bubble{}, errOutboxFull
	}
	name, body := l.write(id, d, at)
	bubble := &Bubble{
		ID: b.next(), WAMID: name, Phone: id, Provider: l.provider, Direction: "out", At: at, State: StateWaiting,
		Type: d.typ, Text: d.text, Content: encode(d.content), Context: d.context,
	}
	x := &Exchange{ID: b.next(), Phone: id, Provider: l.provider, Kind: "webhook", Title: "message " + d.typ, At: at, Request: body}
	p.addBubble(bubble)
	p.addExchange(x)
	o.webhooks = append(o.webhooks, &webhook{line: l, body: body, bubble: bubble, exchange: x})
	b.feed.publish("bubble", id, bubble)
	b.feed.publish("exchange", id, x)
	return *bubble, nil
}

// hear puts a message of the business on a phone. request is what the provider got.
func (b *book) hear(id string, l *line, heard *Bubble, request []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.open(id, "unknown")
	heard.ID, heard.Phone, heard.Provider, heard.Direction = b.next(), id, l.provider, "in"
	p.addBubble(heard)
	b.feed.publish("bubble", id, heard)
	b.called(p, l, heard.Type, heard.At, request)
}

// mark records that the business read what a phone wrote, or is "typing" an answer.
func (b *book) mark(id string, l *line, what string, at time.Time, request []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.open(id, "unknown")
	if what == "typing" {
		b.feed.publish("typing", id, Typing{Phone: id, Provider: l.provider, At: at})
	}
	b.called(p, l, what, at, request)
}

// called records a call of a provider. The lock must be held.
func (b *book) called(p *phone, l *line, what string, at time.Time, request []byte) {
	x := &Exchange{
		ID: b.next(), Phone: p.id, Provider: l.provider, Kind: "call", Title: "send " + what, At: at, Request: request,
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
func (b *book) receipt(id string, l *line, status string, at time.Time, body []byte) *webhook {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := &Exchange{ID: b.next(), Phone: id, Provider: l.provider, Kind: "webhook", Title: "receipt " + status, At: at, Request: body}
	if p := b.phones[id]; p != nil {
		p.addExchange(x)
		b.feed.publish("exchange", id, x)
	}
	return &webhook{line: l, body: body, exchange: x}
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

// idle finds the outboxes that nobody is posting. Whoever asks must post them, from
// first on.
func (b *book) idle() []*outbox {
	b.mu.Lock()
	defer b.mu.Unlock()
	var idle []*outbox
	for _, p := range b.phones {
		for _, o := range p.outboxes {
			if len(o.webhooks) > 0 && !o.posting {
				o.posting = true
				idle = append(idle, o)
			}
		}
	}
	return idle
}

// first is the message of an outbox that is to be posted now. Nil ends the posting:
// the outbox is empty.
func (b *book) first(o *outbox) *webhook {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(o.webhooks) == 0 {
		o.posting = false
		return nil
	}
	return o.webhooks[0]
}

// posted takes the first message out of an outbox.
func (b *book) posted(o *outbox) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(o.webhooks) > 0 { // it is empty if the phone was dropped meanwhile
		o.webhooks = o.webhooks[1:]
	}
}
