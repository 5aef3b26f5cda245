// Package faults holds switches that make a fake provider misbehave: for the next
// few messages, or for every k-th. Tests, the sandbox and people who try what Parley
// does then turn them.
package faults

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Provider is whose messages a fault is for.
type Provider string

// The providers.
const (
	Meta     Provider = "meta"
	WASender Provider = "wasender"
)

// Kind is a way to misbehave.
type Kind string

// What can go wrong with a send. Of Lost, Slow and Garbage the message is accepted.
const (
	Refuse  Kind = "refuse"  // answered with Status, and the provider's error of Code if there is one
	Cut     Kind = "cut"     // the connection is closed before the message is accepted
	Lost    Kind = "lost"    // accepted; then no answer for DelayMS, and the connection is closed
	Slow    Kind = "slow"    // accepted; answered after DelayMS
	Garbage Kind = "garbage" // accepted; answered with something unreadable
	Drop    Kind = "drop"    // WASenderApi: the session loses WhatsApp
)

// What can go wrong with the receipts of a message that was accepted.
const (
	ReceiptsFirst Kind = "receipts_first" // before the answer to the send
	ReceiptsLate  Kind = "receipts_late"  // DelayMS later than usual
	ReceiptsTwice Kind = "receipts_twice"
	ReceiptsNever Kind = "receipts_never"
)

var (
	ofSends    = []Kind{Refuse, Cut, Lost, Slow, Garbage, Drop}
	ofReceipts = []Kind{ReceiptsFirst, ReceiptsLate, ReceiptsTwice, ReceiptsNever}
)

// Limits of a fault.
const (
	listMax  = 100
	countMax = 1_000_000
	delayMax = 10 * time.Minute
)

// Fault is one switch: for the next Next messages, or for every Every-th.
type Fault struct {
	ID   int  `json:"id"`
	Kind Kind `json:"kind"`
	// Provider is whose messages it is for; empty for both. A Code is Meta's, and Drop
	// WASenderApi's.
	Provider Provider `json:"provider,omitempty"`
	// Next is how many messages it is still for; Every says instead that it is for
	// every so many, for ever.
	Next  int `json:"next,omitempty"`
	Every int `json:"every,omitempty"`
	// Status and Code are the answer of Refuse; RetryAfter is in seconds.
	Status     int `json:"status,omitempty"`
	Code       int `json:"code,omitempty"`
	RetryAfter int `json:"retry_after,omitempty"`
	// DelayMS is the time of Lost, Slow and ReceiptsLate.
	DelayMS int `json:"delay_ms,omitempty"`
	// Seen counts the messages since it was turned on, Fired those that it was for.
	Seen  int `json:"seen"`
	Fired int `json:"fired"`
}

// Delay is DelayMS.
func (f Fault) Delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

func (f Fault) problem() error {
	switch {
	case !slices.Contains(ofSends, f.Kind) && !slices.Contains(ofReceipts, f.Kind):
		return fmt.Errorf("kind is %q: use one of %q, %q", f.Kind, ofSends, ofReceipts)
	case f.Provider != "" && f.Provider != Meta && f.Provider != WASender:
		return fmt.Errorf("provider is %q: use %q or %q, or leave it out for both", f.Provider, Meta, WASender)
	case f.Code != 0 && f.Provider == WASender, f.Kind == Drop && f.Provider == Meta:
		return errors.New("a code is an error of Meta's, and only a session of WASenderApi can drop")
	case (f.Next > 0) == (f.Every > 0) || f.Next < 0 || f.Every < 0 || max(f.Next, f.Every) > countMax:
		return errors.New("say either next: for how many messages, or every: for every how many")
	case f.Kind == Refuse && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("status is %d: a refusal has 400 to 599", f.Status)
	case f.DelayMS < 0 || f.Delay() > delayMax || f.RetryAfter < 0:
		return fmt.Errorf("delay_ms is %d and retry_after %d: use at least 0, and at most %s of delay", f.DelayMS, f.RetryAfter, delayMax)
	}
	return nil
}

// Switches are faults that are turned on. The zero value has none. It is safe for
// concurrent use; a nil one never has any.
type Switches struct {
	mu   sync.Mutex
	list []*Fault
	last int
}

// Add turns a fault on. Of several for the same message the first that was turned
// on has its way.
func (s *Switches) Add(f Fault) (Fault, error) {
	if err := f.problem(); err != nil {
		return f, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) >= listMax {
		return f, fmt.Errorf("%d faults are turned on already: reset them first", listMax)
	}
	if f.Kind == Drop {
		f.Provider = WASender
	} else if f.Code != 0 {
		f.Provider = Meta
	}
	s.last++
	f.ID, f.Seen, f.Fired = s.last, 0, 0
	s.list = append(s.list, &f)
	return f, nil
}

// Reset turns all off.
func (s *Switches) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = nil
}

// List returns those that are on, and those that have had their messages.
func (s *Switches) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Fault, len(s.list))
	for i, f := range s.list {
		list[i] = *f
	}
	return list
}

// Send says what goes wrong with the next send to a provider, if anything.
func (s *Switches) Send(to Provider) (Fault, bool) { return s.take(to, ofSends) }

// Receipts says what goes wrong with the receipts of a provider's next message, if anything.
func (s *Switches) Receipts(of Provider) (Fault, bool) { return s.take(of, ofReceipts) }

// take counts a message for every switch of its provider and the kinds, and returns the
// first that is for it.
func (s *Switches) take(provider Provider, kinds []Kind) (found Fault, ok bool) {
	if s == nil {
		return Fault{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.list {
		if !slices.Contains(kinds, f.Kind) || f.Provider != "" && f.Provider != provider {
			continue
		}
		f.Seen++
		if ok || f.Next == 0 && (f.Every == 0 || f.Seen%f.Every != 0) {
			continue
		}
		f.Next = max(f.Next-1, 0)
		f.Fired++
		found, ok = *f, true
	}
	return found, ok
}

// Header is what a refusal adds to its answer.
func (f Fault) Header() http.Header {
	if f.RetryAfter == 0 {
		return nil
	}
	return http.Header{"Retry-After": {fmt.Sprint(f.RetryAfter)}}
}
