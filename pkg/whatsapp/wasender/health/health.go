package health

import (
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
)

// Unknown is the state of a session that nobody has heard of, or that cannot be asked.
const Unknown wasender.Status = "unknown"

// Health is all that is remembered of a session. It is stored as JSON: add fields,
// never change one.
type Health struct {
	State wasender.Status `json:"state"`
	// Since is when State began, Seen when WASenderApi last confirmed it, Heard when
	// the last webhook came.
	Since time.Time `json:"since"`
	Seen  time.Time `json:"seen"`
	Heard time.Time `json:"heard"`
	// Down is since when the session has not been connected; zero while it is.
	Down time.Time `json:"down"`
	// Person is the state in which a person must act. It stays until the session is
	// connected: a QR code that nobody scans ends as "disconnected".
	Person wasender.Status `json:"person,omitempty"`
	// Off is set while an operator wants the session disconnected.
	Off bool `json:"off,omitempty"`
	// Misses are questions in a row that got no answer, KeyRefused that the API key
	// was not taken, TokenRefused the account's token.
	Misses       int  `json:"misses,omitempty"`
	KeyRefused   bool `json:"key_refused,omitempty"`
	TokenRefused bool `json:"token_refused,omitempty"`
	// Tries are those in a row that should have helped, Waits all of them: the wait
	// grows with Waits. NotBefore is the end of it.
	Tries     int       `json:"tries,omitempty"`
	Waits     int       `json:"waits,omitempty"`
	NotBefore time.Time `json:"not_before"`
	// Trying is until when a try may be under way; zero if none is.
	Trying time.Time `json:"trying"`
	// Unheard are the messages sent since something was heard, UnheardSince the time of
	// the first. Echoes says that sends were followed by webhooks before.
	Unheard      int       `json:"unheard,omitempty"`
	UnheardSince time.Time `json:"unheard_since"`
	Echoes       bool      `json:"echoes,omitempty"`
	DeafTried    bool      `json:"deaf_tried,omitempty"`
	// MissedFrom and MissedTo are the last time in which nothing could be heard, CaughtUp
	// is the MissedTo up to which it was asked what was missed.
	MissedFrom time.Time `json:"missed_from"`
	MissedTo   time.Time `json:"missed_to"`
	CaughtUp   time.Time `json:"caught_up"`

	Alarm      Alarm     `json:"alarm,omitempty"`
	AlarmSince time.Time `json:"alarm_since"`
}

// Policy are the times and limits. CanAct is false without the account's token, which
// every connect and restart needs.
type Policy struct {
	CanAct bool
	// DropWait is how long a session that dropped may come back by itself, ConnectWait
	// how long it may be connecting.
	DropWait, ConnectWait time.Duration
	// WaitFirst is the wait after the first try. It doubles up to WaitMost.
	WaitFirst, WaitMost time.Duration
	TriesMost           int
	// TryTimeout bounds one try.
	TryTimeout time.Duration
	// Stable is how long a session must stay connected for its tries to be forgotten.
	Stable     time.Duration
	DeafAfter  time.Duration
	DeafSends  int
	MissesMost int
	// AlarmAfter is how long a session may be down before somebody is told.
	AlarmAfter time.Duration
}

// DefaultPolicy suits WASenderApi: a session comes back within seconds, or hardly.
func DefaultPolicy() Policy {
	return Policy{
		DropWait: 5 * time.Second, ConnectWait: time.Minute, WaitFirst: 15 * time.Second, WaitMost: 15 * time.Minute, TriesMost: 12,
		TryTimeout: 30 * time.Second, Stable: 5 * time.Minute, DeafAfter: 10 * time.Minute, DeafSends: 3, MissesMost: 3, AlarmAfter: time.Minute,
	}
}

// Kind says what an Input is.
type Kind int

// The kinds of inputs.
const (
	// Tick says that time passed. Only it and Ordered lead to an Action.
	Tick Kind = iota
	// Said is a state that WASenderApi named, in a webhook or an answer.
	Said
	// Heard is any webhook of the session.
	Heard
	// Sent is Count messages that WASenderApi took.
	Sent
	// Unanswered is a question after the state that got no answer.
	Unanswered
	// Refused is a question that was refused: the key is wrong.
	Refused
	// Ordered is what an operator wants: Order.
	Ordered
	// Tried is the end of a try, with the Status that it led to if the answer names one.
	Tried
	// TryFailed is a try that was not answered, which may have had its effect.
	TryFailed
	// TryRefused is a try that was refused: the account's token is wrong, or the account
	// has no such session.
	TryRefused
	// Resumed says that another watcher took over: what it tried is not known.
	Resumed
	// Asked is the end of asking what was missed up to Until.
	Asked
)

// Input is one thing that is learnt of a session. Random, 0 to 1, spreads the waits.
type Input struct {
	Kind   Kind
	At     time.Time
	Status wasender.Status
	Count  int
	Order  Action
	// Wait is how long WASenderApi wants to be left alone, after a try that failed.
	Wait   time.Duration
	Until  time.Time
	Random float64
}

// Action is what to do now.
type Action string

// The actions.
const (
	Nothing    Action = ""
	Connect    Action = "connect"
	Restart    Action = "restart"
	Disconnect Action = "disconnect"
)

// Step is the health after an input, and what to do. The health must be on disk
// before the action is done: it says that a try is under way.
func Step(h Health, in Input, p Policy) (Health, Action) {
	action := Nothing
	switch in.Kind {
	case Tick:
		h, action = h.tick(in, p)
	case Ordered:
		h, action = h.ordered(in, p)
	case Said:
		h = h.said(in.At, in.Status)
	case Heard:
		h = h.heard(in.At)
	case Sent:
		h = h.sent(in)
	case Unanswered, Refused:
		h = h.unanswered(in, p)
	case Tried, TryFailed, TryRefused, Resumed:
		h = h.tried(in)
	case Asked:
		h.CaughtUp = in.Until
	}
	return h.alarmed(in.At, p), action
}

// said takes a state that WASenderApi named.
func (h Health) said(at time.Time, status wasender.Status) Health {
	h.Seen, h.Misses, h.KeyRefused = at, 0, false
	if status != h.State {
		h.State, h.Since = status, at
	}
	switch {
	case status == wasender.Connected:
		if !h.Down.IsZero() {
			h = h.missed(h.Down, at)
		}
		h.Down, h.Person = time.Time{}, ""
		h.Off = h.Off && at.Before(h.NotBefore) // an order to disconnect takes a moment
	case h.Down.IsZero():
		h.Down = at
		if h.Alarm == Deaf {
			h.Down = h.UnheardSince
		}
		h.Unheard, h.UnheardSince = 0, time.Time{}
	}
	if status.NeedsPerson() {
		h.Person = status
	}
	return h
}

// heard takes a sign of life. What was sent before is not deaf's fault any more.
func (h Health) heard(at time.Time) Health {
	if h.Alarm == Deaf {
		h = h.missed(h.UnheardSince, at)
	}
	h.Heard = at
	h.Echoes = h.Echoes || h.Unheard > 0
	h.Unheard, h.UnheardSince, h.DeafTried = 0, time.Time{}, false
	return h
}

func (h Health) sent(in Input) Health {
	if h.Unheard == 0 {
		h.UnheardSince = in.At
	}
	h.Unheard += in.Count
	return h
}

// missed notes a time in which nothing could be heard. One that nobody has asked about
// yet is part of it.
func (h Health) missed(from, to time.Time) Health {
	if !h.Owes() || from.Before(h.MissedFrom) {
		h.MissedFrom = from
	}
	h.MissedTo = to
	return h
}

// Owes reports whether it is still to be asked what was missed.
func (h Health) Owes() bool { return h.MissedTo.After(h.CaughtUp) }

// unanswered takes a question without an answer. After some of them nobody knows the
// state any more.
func (h Health) unanswered(in Input, p Policy) Health {
	h.Misses++
	h.KeyRefused = h.KeyRefused || in.Kind == Refused // only an answer takes it back
	if (h.Misses >= p.MissesMost || h.KeyRefused) && h.State != Unknown {
		h.State, h.Since = Unknown, in.At
	}
	return h
}

// tried takes the end of a try. One that nobody answered does not count towards
// giving up: the session is not at fault.
func (h Health) tried(in Input) Health {
	h.Trying = time.Time{}
	h.TokenRefused = in.Kind == TryRefused
	if in.Kind == TryFailed {
		h.Tries = max(h.Tries-1, 0)
		h.NotBefore = later(h.NotBefore, in.At.Add(in.Wait))
	}
	if in.Kind == Tried && in.Status != "" {
		h = h.said(in.At, in.Status)
	}
	return h
}

// ordered takes what an operator wants. It ends the waiting and the giving up.
func (h Health) ordered(in Input, p Policy) (Health, Action) {
	if !p.CanAct || h.Trying.After(in.At) {
		return h, Nothing
	}
	order := in.Order
	if order == Restart && h.State != wasender.Connected { // it must be connected (WIRE.md 5.2)
		order = Connect
	}
	h.Off, h.Tries, h.Waits = order == Disconnect, 0, 0
	return h.begin(in, p), order
}

// tick decides whether something must be tried now.
func (h Health) tick(in Input, p Policy) (Health, Action) {
	if h.State == wasender.Connected && in.At.Sub(h.Since) >= p.Stable && in.At.Sub(h.NotBefore) >= p.Stable {
		h.Tries, h.Waits, h.NotBefore = 0, 0, time.Time{}
	}
	next, ok := h.Next(p)
	switch {
	case !ok || next.After(in.At) || h.Trying.After(in.At):
		return h, Nothing
	case h.State == wasender.Connected:
		h.DeafTried = true
		return h.begin(in, p), Restart
	}
	return h.begin(in, p), Connect
}

// Next is when something is tried without an order; ok is false if nothing is.
func (h Health) Next(p Policy) (at time.Time, ok bool) {
	if !p.CanAct || h.Off || h.Person != "" || h.Tries >= p.TriesMost {
		return at, false
	}
	switch h.State {
	case Unknown, "":
		return at, false
	case wasender.Connected:
		return later(h.NotBefore, h.UnheardSince.Add(p.DeafAfter)), h.deaf(p) && !h.DeafTried
	case wasender.Disconnected:
		return later(h.NotBefore, h.Down.Add(p.DropWait)), true
	}
	return later(h.NotBefore, h.Since.Add(p.ConnectWait)), true
}

// deaf reports whether a session will be deaf if nothing is heard before long.
func (h Health) deaf(p Policy) bool { return h.Echoes && h.Unheard >= p.DeafSends }

// begin counts a try and sets the wait behind it: it doubles, and is spread by a
// quarter either way.
func (h Health) begin(in Input, p Policy) Health {
	wait := min(p.WaitFirst<<min(h.Waits, 16), p.WaitMost)
	h.NotBefore = in.At.Add(time.Duration(float64(wait) * (0.75 + in.Random/2)))
	h.Trying = in.At.Add(p.TryTimeout)
	h.Tries++
	h.Waits++
	return h
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Stops reports whether nothing can be sent: what is queued had better wait. A state
// that nobody has confirmed for a while stops nothing; then the sends themselves tell.
func Stops(state wasender.Status) bool {
	return state != "" && state != Unknown && state != wasender.Connected
}
