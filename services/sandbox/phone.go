package sandbox

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// Limits of what one phone keeps; the oldest goes first.
const (
	maxBubbles      = 500
	maxExchanges    = 100
	maxOutbox       = 100      // messages on one line that wait to be accepted
	maxRequestBytes = 16 << 10 // of an exchange's JSON; what is larger is not kept
	maxContentBytes = 32 << 10 // of a bubble's JSON: the longest list that WhatsApp takes fits
	maxTypeBytes    = 40
)

// States of a person's own bubble.
const (
	StateWaiting  = "waiting"  // not accepted yet
	StateRetrying = "retrying" // refused or unreachable at least once, not accepted yet
	StateAccepted = "accepted" // Parley answered 200
)

// Bubble is one message on a phone, seen from its person: "out" is what they
// wrote, "in" is what they got.
type Bubble struct {
	ID        uint64          `json:"id"`
	WAMID     string          `json:"wamid"`
	Phone     string          `json:"phone"`
	Provider  faults.Provider `json:"provider"`          // of the line that it goes or came over
	Direction string          `json:"direction"`         // "in" or "out"
	Type      string          `json:"type"`              // WhatsApp's: "text", "interactive", "reaction" ...
	Text      string          `json:"text"`              // what can be read of it at a glance; may be empty
	Content   json.RawMessage `json:"content,omitempty"` // what stood under the type's name; left out if too large
	Context   string          `json:"context,omitempty"` // wamid of the message that it answers
	At        time.Time       `json:"at"`
	State     string          `json:"state,omitempty"` // of an "out" bubble
}

// Typing says that the business is writing an answer.
type Typing struct {
	Phone    string          `json:"phone"`
	Provider faults.Provider `json:"provider"`
	At       time.Time       `json:"at"`
}

// Exchange is one HTTP request between Parley and the sandbox, about one phone.
type Exchange struct {
	ID       uint64          `json:"id"`
	Phone    string          `json:"phone"`
	Provider faults.Provider `json:"provider"`
	Kind     string          `json:"kind"`  // "webhook" (to Parley) or "call" (from Parley)
	Title    string          `json:"title"` // "message text", "receipt read", "send text"
	At       time.Time       `json:"at"`
	Request  json.RawMessage `json:"request"`
	Attempts int             `json:"attempts"` // so far
	Status   int             `json:"status"`   // HTTP status of the last attempt; 0 if there was no answer
	Millis   int64           `json:"millis"`   // duration of the last attempt
	Problem  string          `json:"problem,omitempty"`
}

// PhoneView is a phone as the page shows it.
type PhoneView struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"` // "phone" or "bsuid"
	Name     string `json:"name"`
	Business string `json:"business"` // the number at Meta that the person writes to
	Lines    []Line `json:"lines"`    // all that the person can write to, Meta's first
	// History says where the bubbles begin: "new" (the person was made up here),
	// "unknown" (they may have talked before this process knew them) or
	// "trimmed" (there were more than 500).
	History   string      `json:"history"`
	Bubbles   []*Bubble   `json:"bubbles"`   // oldest first
	Exchanges []*Exchange `json:"exchanges"` // oldest first
}

// phone is one person and what their phone remembers. The book's lock guards it.
type phone struct {
	id        string
	person    fake.Person
	history   string
	bubbles   []*Bubble
	exchanges []*Exchange
	outboxes  map[*line]*outbox
	used      uint64 // when the phone was last used, in the book's count
}

// outbox is what a person wrote on one line. The book's lock guards it.
type outbox struct {
	webhooks []*webhook // not yet accepted, in order
	posting  bool       // somebody is posting it
}

func (p *phone) addBubble(b *Bubble) {
	if len(p.bubbles) == maxBubbles {
		p.bubbles = slices.Delete(p.bubbles, 0, 1)
		p.history = "trimmed"
	}
	p.bubbles = append(p.bubbles, b)
}

func (p *phone) addExchange(x *Exchange) {
	if len(x.Request) > maxRequestBytes || !json.Valid(x.Request) {
		x.Request = json.RawMessage(`"not kept: too large, or not JSON"`)
	}
	if len(p.exchanges) == maxExchanges {
		p.exchanges = slices.Delete(p.exchanges, 0, 1)
	}
	p.exchanges = append(p.exchanges, x)
}

// view copies the phone, so that it can be read without the lock.
func (p *phone) view() PhoneView {
	kind := "phone"
	if p.person.Phone == "" {
		kind = "bsuid"
	}
	return PhoneView{
		ID: p.id, Kind: kind, Name: p.person.Name, History: p.history,
		Bubbles: copies(p.bubbles), Exchanges: copies(p.exchanges),
	}
}

func copies[T any](items []*T) []*T {
	out := make([]*T, len(items))
	for i, item := range items {
		c := *item
		out[i] = &c
	}
	return out
}
