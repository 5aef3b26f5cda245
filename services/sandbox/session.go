package sandbox

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
)

const (
	// sessionID is the session in the account, which has no other.
	sessionID = 1
	// maxTidings is how much of what the session says of itself may wait to be posted.
	// What is more is lost: WASenderApi promises no retries.
	maxTidings = 100
	connected  = "connected"
)

// SessionConfig is the session of WASenderApi. Without an APIKey there is none.
type SessionConfig struct {
	WebhookURL   string // where Parley takes the webhooks of this session
	Secret       string // their secret
	APIKey       string // Parley sends with it
	AccountToken string // Parley connects the session with it
	Number       string // the phone that is linked, as people see it; only shown
}

// SessionView is the session as the page shows it.
type SessionView struct {
	Status string `json:"status"` // WASenderApi's: "connected", "disconnected", "need_scan", "logged_out" ...; empty if there is none
}

// session is a phone that is linked to WASenderApi. While the link is down nothing of
// WhatsApp comes or goes: what people write, and the receipts, wait until it is up.
//
//	API of WASenderApi ─┐
//	drop, log out, scan ─┴▶ look ─▶ tidings ─▶ webhook session.status, qrcode.updated
//	                          └───▶ up: what waited goes
type session struct {
	api     *fake.Server
	line    *line
	tidings chan []byte // about itself, not posted yet
	feed    *feed

	mu     sync.Mutex
	status string        // that the last look has seen
	up     chan struct{} // closed while it is connected
}

func (s *Sandbox) newSession(c SessionConfig) *session {
	x := &session{tidings: make(chan []byte, maxTidings), feed: s.feed, up: make(chan struct{})}
	x.api = &fake.Server{AccountToken: c.AccountToken, OnSend: s.admit, OnAccepted: s.accepted, File: picture, Faults: &s.faults}
	x.api.Add(fake.Session{
		ID: sessionID, Name: "sandbox", Phone: c.Number, APIKey: c.APIKey, WebhookSecret: c.Secret, Status: connected, Linked: true,
	})
	prove := func(h http.Header, _ []byte) { h.Set("X-Webhook-Signature", c.Secret) }
	x.line = &line{
		provider: faults.WASender, number: c.Number, poster: newPoster(c.WebhookURL, prove), ready: x.ready, write: writeToSession,
	}
	x.look()
	return x
}

// ServeHTTP is the API of WASenderApi. A call may change the session.
func (x *session) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer x.look()
	x.api.ServeHTTP(w, r)
}

// look notices what has become of the session, and says it to Parley and to the pages.
func (x *session) look() {
	x.mu.Lock()
	defer x.mu.Unlock()
	now, status := time.Now(), x.api.Status(sessionID)
	if status == x.status {
		return
	}
	switch {
	case status == connected:
		close(x.up)
	case x.status == connected:
		x.up = make(chan struct{})
	}
	x.status = status
	x.tell(fake.Status("", status, now))
	if status == "need_scan" {
		x.tell(fake.QR("", x.api.QRCode(sessionID), now))
	}
	x.feed.publish("session", everybody, SessionView{Status: status})
}

func (x *session) tell(body []byte) {
	select {
	case x.tidings <- body:
	default:
	}
}

// view is the session as it was seen last.
func (x *session) view() SessionView {
	x.mu.Lock()
	defer x.mu.Unlock()
	return SessionView{Status: x.status}
}

// ready waits until the session is connected. It returns false if ctx ended before.
func (x *session) ready(ctx context.Context) bool {
	x.mu.Lock()
	up := x.up
	x.mu.Unlock()
	select {
	case <-up:
		return true
	case <-ctx.Done():
		return false
	}
}

// postTidings posts what the session says of itself, whatever its state.
func (s *Sandbox) postTidings(ctx context.Context) {
	always := *s.session.line
	always.ready = nil
	for {
		select {
		case body := <-s.session.tidings:
			s.insist(ctx, &always, body, outcome.accepted)
		case <-ctx.Done():
			return
		}
	}
}

// admit refuses a recipient who cannot exist, and shows that the business writes.
func (s *Sandbox) admit(_ context.Context, send fake.Send) fake.Answer {
	id := sessionRecipient(send)
	if person, ok := personOf(id); !ok || person.Phone == "" {
		return fake.Refusal(http.StatusUnprocessableEntity, "The given data was invalid.", map[string][]string{"to": {"The number is not on WhatsApp."}})
	}
	if send.Kind == "typing" {
		s.book.mark(id, s.session.line, "typing", time.Now(), send.Body)
	}
	return fake.Answer{}
}

func sessionRecipient(send fake.Send) string {
	number, _, _ := strings.Cut(strings.TrimPrefix(send.To, "+"), "@")
	return number
}

// accepted takes what Parley has sent: it shows it and has its receipts posted, at
// first the one that says that WhatsApp has it.
func (s *Sandbox) accepted(ctx context.Context, send fake.Send, name string) {
	id := sessionRecipient(send)
	person := sessionPerson(id)
	r := reply{phone: id, line: s.session.line, receipt: func(status string, at time.Time) []byte {
		s.session.api.SetMessage(send.MsgID, status)
		if status == "sent" {
			return fake.Sent("", person, name, at, "")
		}
		return fake.Receipt("", person, name, sessionStatuses[status], at)
	}}
	r.fault, _ = s.faults.Receipts(faults.WASender)
	s.book.hear(id, s.session.line, heardBySession(send, name, time.Now()), send.Body)
	if s.enqueue(ctx, r) {
		return
	}
	select { // it is accepted already: the answer waits for room
	case s.replies <- r:
	case <-ctx.Done():
	}
}

// sessionStatuses are the numbers of messages.update.
var sessionStatuses = map[string]int{"delivered": 3, "read": 4}
