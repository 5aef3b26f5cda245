package fake

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
)

// maxSendBytes bounds a request that the fake Graph API reads.
const maxSendBytes = 1 << 20

// Send is a message that the Graph API was asked to deliver. Exactly one of To
// and Recipient is set: where a request names both, Meta takes To. Neither is set
// for Type "typing" and "read", which say something about MessageID to whoever
// wrote it, and are accepted without a wamid.
type Send struct {
	Channel   string // phone_number_id
	To        string // phone number as it was written
	Recipient string // BSUID
	Type      string // as in the request, or "typing", or "read" for a mere read receipt
	// Text is what there is to read: the body, the caption, the name of a place or
	// a person, the emoji. Of a template the fake knows only name and parameters.
	Text      string
	ReplyTo   string // message that is quoted; empty for none
	MessageID string // that a reaction, a typing indicator or a read receipt is about
	Callback  string // biz_opaque_callback_data
	Body      []byte // the whole request
}

// Answer says what becomes of a Send. The zero Answer accepts it with a fresh wamid.
type Answer struct {
	WAMID  string      // of the accepted message; empty for a fresh one
	Status int         // HTTP status of a refusal; 0 is 200
	Body   []byte      // answered as it is, instead of an acceptance
	Header http.Header // added to the answer, as Retry-After
	Hangup bool        // close the connection without an answer
	// Wait is how long the answer takes, at most until the request ends.
	Wait time.Duration
}

// Refusal is the Answer of a Graph API error.
func Refusal(status, code int, message string) Answer {
	return Answer{Status: status, Body: encode(map[string]any{"error": map[string]any{
		"message":    "(#" + strconv.Itoa(code) + ") " + message,
		"type":       "OAuthException",
		"code":       code,
		"error_data": map[string]any{"messaging_product": "whatsapp", "details": message},
		"fbtrace_id": "A" + rand.Text(),
	}})}
}

// Graph is an http.Handler for POST /{version}/{phone_number_id}/messages, and for
// files: GET /{version}/{id} and POST /{version}/{phone_number_id}/media.
// Requests that Meta would refuse get a Graph API error and never reach OnSend.
// Like Meta, it does not notice a BSUID in "to".
type Graph struct {
	// OnSend decides about each valid send, concurrently, and may block; its
	// context ends with the request. Nil accepts everything.
	OnSend func(context.Context, Send) Answer
	// Media is a file that was sent to the business; nil content if there is none.
	Media func(id string) (mimeType string, content []byte)
	// OnUpload keeps a file and gives it an id; an empty one refuses it.
	OnUpload func(Upload) (id string)
	// Faults are what goes wrong on top of that. Nil is nothing.
	Faults *faults.Switches
}

// ServeHTTP answers one request.
func (g *Graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	channel, last := channelOf(r.URL.Path)
	switch {
	case r.Method == http.MethodGet:
		g.file(w, r)
	case last == "media" && r.Method == http.MethodPost:
		g.upload(w, r, channel)
	default:
		g.message(w, r)
	}
}

func (g *Graph) message(w http.ResponseWriter, r *http.Request) {
	send, refusal := parse(r)
	if refusal != nil {
		write(w, *refusal)
		return
	}
	answer := g.answer(r.Context(), send)
	if answer.Wait > 0 {
		pause(r.Context(), answer.Wait)
	}
	if answer.Hangup {
		panic(http.ErrAbortHandler) // net/http closes the connection, silently
	}
	if answer.Body == nil && answer.Status == 0 {
		answer.Body = acceptance(send, answer.WAMID)
	}
	write(w, answer)
}

// answer asks OnSend, unless a fault keeps the message from being accepted, and then
// lets the fault spoil the answer.
func (g *Graph) answer(ctx context.Context, send Send) Answer {
	fault, any := g.Faults.Send(faults.Meta)
	switch {
	case any && fault.Kind == faults.Refuse:
		return refused(fault)
	case any && fault.Kind == faults.Cut:
		return Answer{Hangup: true}
	}
	var answer Answer
	if g.OnSend != nil {
		answer = g.OnSend(ctx, send)
	}
	if !any || answer.Hangup || answer.Status != 0 {
		return answer
	}
	switch fault.Kind {
	case faults.Lost:
		answer.Wait, answer.Hangup = fault.Delay(), true
	case faults.Slow:
		answer.Wait = fault.Delay()
	case faults.Garbage:
		answer.Body = []byte("<html>")
	}
	return answer
}

// refused is the answer of a fault: a Graph API error, or what a proxy would write.
func refused(f faults.Fault) Answer {
	answer := Answer{Status: f.Status, Body: []byte("<html>")}
	if f.Code != 0 {
		answer = Refusal(f.Status, f.Code, "switched on")
	}
	answer.Header = f.Header()
	return answer
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func write(w http.ResponseWriter, a Answer) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	for key, values := range a.Header {
		w.Header()[key] = values
	}
	if a.Status != 0 {
		w.WriteHeader(a.Status)
	}
	w.Write(a.Body) //nolint:errcheck // the client may be gone; it is its loss
}

func acceptance(s Send, wamid string) []byte {
	if s.To == "" && s.Recipient == "" {
		return encode(map[string]any{"success": true})
	}
	if wamid == "" {
		wamid = "wamid." + rand.Text()
	}
	contact := map[string]any{"input": s.Recipient, "user_id": s.Recipient}
	if s.To != "" {
		contact = map[string]any{"input": s.To, "wa_id": strings.TrimPrefix(s.To, "+")}
	}
	return encode(map[string]any{
		"messaging_product": "whatsapp",
		"contacts":          []any{contact},
		"messages":          []any{map[string]any{"id": wamid}},
	})
}

// parse reads a request. A refusal is what Meta would answer instead.
func parse(r *http.Request) (Send, *Answer) {
	channel, last := channelOf(r.URL.Path)
	if last != "messages" || r.Method != http.MethodPost {
		return Send{}, refuse(http.StatusNotFound, 2500, "Unknown path components")
	}
	if refusal := authorized(r); refusal != nil {
		return Send{}, refusal
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSendBytes))
	if err != nil {
		return Send{}, refuse(http.StatusBadRequest, 100, "The request could not be read")
	}
	var q request
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&q); err != nil {
		return Send{}, refuse(http.StatusBadRequest, 100, "The request is not a JSON object with parameters of the right types")
	}
	if f := q.fault(); f != nil {
		return Send{}, refuse(http.StatusBadRequest, f.code, f.details)
	}
	return q.send(channel, body), nil
}

func refuse(status, code int, message string) *Answer {
	a := Refusal(status, code, message)
	return &a
}

// channelOf takes /{version}/{phone_number_id}/{last} apart; both are empty for
// another path.
func channelOf(path string) (channel, last string) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) != 3 || !strings.HasPrefix(parts[0], "v") || parts[1] == "" {
		return "", ""
	}
	return parts[1], parts[2]
}
