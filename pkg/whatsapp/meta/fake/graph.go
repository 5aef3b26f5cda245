package fake

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxSendBytes bounds a request that the fake Graph API reads.
const maxSendBytes = 1 << 20

// maxTextRunes is Meta's limit for the body of a text message.
const maxTextRunes = 4096

var bsuidPattern = regexp.MustCompile(`^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$`)

// Send is a message that the Graph API was asked to deliver. Exactly one of To
// and Recipient is set: where a request names both, Meta takes To.
type Send struct {
	Channel   string // phone_number_id
	To        string // phone number as it was written
	Recipient string // BSUID
	Type      string
	Text      string // body of a text message
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

// Graph is an http.Handler for POST /{version}/{phone_number_id}/messages.
// Requests that Meta would refuse get a Graph API error and never reach OnSend.
// Like Meta, it does not notice a BSUID in "to".
type Graph struct {
	// OnSend decides about each valid send, concurrently, and may block; its
	// context ends with the request. Nil accepts everything.
	OnSend func(context.Context, Send) Answer
}

// ServeHTTP answers one request.
func (g *Graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	send, refusal := parse(r)
	if refusal != nil {
		write(w, *refusal)
		return
	}
	var answer Answer
	if g.OnSend != nil {
		answer = g.OnSend(r.Context(), send)
	}
	if answer.Hangup {
		panic(http.ErrAbortHandler) // net/http closes the connection, silently
	}
	if answer.Body == nil && answer.Status == 0 {
		answer.Body = acceptance(send, answer.WAMID)
	}
	write(w, answer)
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

// request holds what the fake reads of a send request.
type request struct {
	Product   string `json:"messaging_product"`
	To        string `json:"to"`
	Recipient string `json:"recipient"`
	Type      string `json:"type"`
	Callback  string `json:"biz_opaque_callback_data"`
	Text      struct {
		Body string `json:"body"`
	} `json:"text"`
}

// parse reads a request. A refusal is what Meta would answer instead.
func parse(r *http.Request) (Send, *Answer) {
	channel, ok := channelOf(r.URL.Path)
	if !ok || r.Method != http.MethodPost {
		return Send{}, refuse(http.StatusNotFound, 2500, "Unknown path components")
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ok || token == "" {
		return Send{}, refuse(http.StatusUnauthorized, 190, "An access token is required to request this resource.")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSendBytes))
	if err != nil {
		return Send{}, refuse(http.StatusBadRequest, 100, "The request could not be read")
	}
	var q request
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&q); err != nil {
		return Send{}, refuse(http.StatusBadRequest, 100, "The request is not a JSON object")
	}
	if fault := q.fault(); fault != "" {
		return Send{}, refuse(http.StatusBadRequest, 100, fault)
	}
	send := Send{Channel: channel, To: q.To, Recipient: q.Recipient, Type: q.Type, Text: q.Text.Body, Callback: q.Callback, Body: body}
	if send.To != "" {
		send.Recipient = ""
	}
	if send.Type == "" {
		send.Type = "text"
	}
	return send, nil
}

func refuse(status, code int, message string) *Answer {
	a := Refusal(status, code, message)
	return &a
}

// channelOf takes the phone_number_id out of /{version}/{phone_number_id}/messages.
func channelOf(path string) (channel string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) != 3 || !strings.HasPrefix(parts[0], "v") || parts[1] == "" || parts[2] != "messages" {
		return "", false
	}
	return parts[1], true
}

// fault says what Meta would refuse about the request; empty if nothing.
func (q *request) fault() string {
	isText := q.Type == "" || q.Type == "text"
	switch {
	case q.Product != "whatsapp":
		return "The parameter messaging_product is required."
	case q.To == "" && q.Recipient == "":
		return "The parameter to is required."
	case q.To == "" && !bsuidPattern.MatchString(q.Recipient):
		return "Param recipient must be a valid business-scoped user ID"
	case isText && q.Text.Body == "":
		return "The parameter text['body'] is required."
	case isText && utf8.RuneCountInString(q.Text.Body) > maxTextRunes:
		return "Param text['body'] must be at most 4096 characters long."
	}
	return ""
}
