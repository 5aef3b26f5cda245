// Package fake plays WASenderApi: the payloads it posts and the REST API it answers
// with. It is for tests, the sandbox and the load generator, and shares no code with
// the package that decodes what it makes.
package fake

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
)

// maxRequestBytes bounds a request that the fake reads.
const maxRequestBytes = 8 << 20

// filesPath is where files are that were made readable.
const filesPath = "/files/"

// Session is one WhatsApp session of the account.
type Session struct {
	ID            int64
	Name, Phone   string
	APIKey        string
	WebhookSecret string
	Status        string // as "connected"; WASenderApi writes it in either case
	// Linked says that a phone is linked: a connect needs no new scan.
	Linked bool
	// PerMinute is how many sends it takes in a minute; 0 is any number.
	PerMinute int
}

// Send is a message that WASenderApi was asked to deliver, or a typing indicator.
type Send struct {
	Session int64
	MsgID   int64  // of the message if it is accepted
	To      string // as it was written
	Kind    string // "text", "image", "video", "document", "audio", "sticker", "contact", "location", or "typing"
	Text    string // body or caption
	Link    string // of a file
	Body    []byte // the whole request
}

// Answer says what becomes of a send. The zero Answer accepts it.
type Answer struct {
	Status  int         // HTTP status of a refusal; 0 is 200
	Body    []byte      // answered as it is
	Header  http.Header // added to the answer
	Hangup  bool        // close the connection without an answer
	Lost    bool        // accept the message, and hang up
	Garbage bool        // accept the message, and answer something unreadable
	Wait    time.Duration
	Drop    bool // the session disconnects before the send
}

// Refusal is the Answer of an error as WASenderApi writes it. Fields are what is
// wrong with parts of the request; nil leaves them out.
func Refusal(status int, message string, wrong map[string][]string) Answer {
	body := map[string]any{"success": false, "message": message}
	if wrong != nil {
		body["errors"] = wrong
	}
	return Answer{Status: status, Body: encode(body)}
}

// TooMany is the Answer of a limit that is used up.
func TooMany(retryAfter int) Answer {
	return Answer{Status: http.StatusTooManyRequests, Body: encode(map[string]any{
		"message": "Too many requests.", "retry_after": retryAfter,
	})}
}

// NotConnected is the Answer of a session that has lost WhatsApp.
func NotConnected() Answer {
	return Refusal(http.StatusBadRequest, "Your WhatsApp Session is not connected.", nil)
}

// Server is an http.Handler for the REST API, with its paths below any prefix that
// ends in /api. It is safe for concurrent use.
type Server struct {
	// AccountToken opens the calls about sessions.
	AccountToken string
	// OnSend decides about each valid send, concurrently, and may block. Nil accepts all.
	OnSend func(context.Context, Send) Answer
	// OnAccepted gets each message that was accepted with the id that WhatsApp gives it,
	// concurrently and before the answer. Nil ignores it.
	OnAccepted func(ctx context.Context, send Send, id string)
	// OnCall decides about each call that sends nothing, concurrently, before it is
	// done. Nil, or the zero Answer, lets it be done.
	OnCall func(method, path string) Answer
	// Notify gets what a session posts about itself, one after another. Nil ignores it.
	Notify func(session int64, body []byte)
	// File is a file that came with a message, by the message's id. Nil has none.
	File func(id string) (mimeType string, content []byte)
	// Faults are what goes wrong on top of that. Nil is nothing.
	Faults *faults.Switches
	// JoinAfter is how many questions after a message's WhatsApp id have none.
	JoinAfter int
	// Phones are the numbers of LIDs ("1234@lid").
	Phones map[string]string
	// Now is the clock of the limits; nil is time.Now.
	Now func() time.Time

	mu       sync.Mutex
	sessions []*Session
	messages map[int64]*message
	sent     map[int64][]time.Time // of the last minute, by session
	requests map[string]int
}

type message struct {
	session int64
	send    Send
	id      string // in WhatsApp
	status  string
	asked   int
	at      time.Time
}

// Add adds a session.
func (s *Server) Add(session Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = append(s.sessions, &session)
}

// Status is the state of a session.
func (s *Server) Status(session int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.session(session); found != nil {
		return found.Status
	}
	return ""
}

// QRCode is what a phone must scan to be linked to a session.
func (s *Server) QRCode(session int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.session(session); found != nil {
		return found.qr()
	}
	return ""
}

// SetStatus changes the state of a session, without a webhook.
func (s *Server) SetStatus(session int64, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.session(session); found != nil {
		found.Status = status
	}
}

// Become changes the state of a session, and posts it: "disconnected" for one that
// drops, "logged_out" for one whose phone ended the link.
func (s *Server) Become(session int64, status string) {
	s.mu.Lock()
	if found := s.session(session); found != nil {
		found.Status = status
		found.Linked = found.Linked && status != "logged_out"
	}
	s.mu.Unlock()
	s.notify(session, Status("", status, s.now()))
}

// Scan is somebody who scans the QR code of a session.
func (s *Server) Scan(session int64) {
	s.mu.Lock()
	if found := s.session(session); found != nil {
		found.Linked = true
	}
	s.mu.Unlock()
	s.Become(session, "connected")
}

func (s *Server) notify(session int64, body []byte) {
	if s.Notify != nil {
		s.Notify(session, body)
	}
}

// WhatsAppID is what the receipts call a message; empty if there is none.
func (s *Server) WhatsAppID(msgID int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.messages[msgID]; m != nil {
		return m.id
	}
	return ""
}

// SetMessage changes what became of a message, as "delivered", without a webhook.
func (s *Server) SetMessage(msgID int64, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.messages[msgID]; m != nil {
		m.status = status
	}
}

// Accepted is how many messages were accepted.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

// Requests is how often a path was asked for, as "POST /send-message".
func (s *Server) Requests(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[path]
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if _, rest, ok := strings.Cut(path, "/api/"); ok {
		path = "/" + rest
	}
	if id, ok := strings.CutPrefix(path, filesPath); ok && s.File != nil {
		mimeType, content := s.File(id)
		w.Header().Set("Content-Type", mimeType)
		_, _ = w.Write(content) // the reader may be gone
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes))
	if err != nil {
		return
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	write(w, s.answer(r, path, token, body))
}

func (s *Server) answer(r *http.Request, path, token string, body []byte) Answer {
	s.mu.Lock()
	if s.requests == nil {
		s.requests = map[string]int{}
	}
	s.requests[r.Method+" "+path]++
	session := s.byKey(token)
	s.mu.Unlock()
	if sends := path == "/send-message" || path == "/send-presence-update"; !sends && s.OnCall != nil {
		if a := s.OnCall(r.Method, path); a.Status != 0 || a.Hangup || a.Body != nil {
			return a
		}
	}
	switch {
	case strings.HasPrefix(path, "/whatsapp-sessions"):
		if token == "" || token != s.AccountToken {
			return Refusal(http.StatusUnauthorized, "Unauthenticated.", nil)
		}
		return s.account(r.Method, path, body)
	case session == nil:
		return Refusal(http.StatusUnauthorized, "Invalid API key.", nil)
	case r.Method == http.MethodPost && (path == "/send-message" || path == "/send-presence-update"):
		return s.send(r.Context(), session.ID, path, body)
	}
	return s.other(r, path, session.ID, body)
}

func write(w http.ResponseWriter, a Answer) {
	if a.Hangup || a.Lost {
		panic(http.ErrAbortHandler) // net/http closes the connection, silently
	}
	w.Header().Set("Content-Type", "application/json")
	maps.Copy(w.Header(), a.Header)
	if a.Status != 0 {
		w.WriteHeader(a.Status)
	}
	w.Write(a.Body) //nolint:errcheck // the client may be gone; it is its loss
}

func (s *Server) byKey(key string) *Session {
	i := slices.IndexFunc(s.sessions, func(x *Session) bool { return x.APIKey == key && key != "" })
	if i < 0 {
		return nil
	}
	return s.sessions[i]
}

func (s *Server) session(id int64) *Session {
	i := slices.IndexFunc(s.sessions, func(x *Session) bool { return x.ID == id })
	if i < 0 {
		return nil
	}
	return s.sessions[i]
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func good(data any) Answer {
	return Answer{Body: encode(map[string]any{"success": true, "data": data})}
}

func encode(value any) json.RawMessage {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("fake: %v", err))
	}
	return data
}

// NewID is an id as WhatsApp Web makes them.
func NewID() string { return "3EB0" + strings.ToUpper(rand.Text()[:16]) }

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
