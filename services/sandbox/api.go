package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// Limits of the JSON API.
const (
	maxBodyBytes    = 64 << 10
	maxTextRunes    = 4096 // of a message
	maxCaptionRunes = 1024 // of an image, which may have none
)

// Handler serves everything below /sandbox/, under these very paths.
func (s *Sandbox) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sandbox/api/phones", s.createPhone)
	mux.HandleFunc("GET /sandbox/api/phones/{id}", s.readPhone)
	mux.HandleFunc("POST /sandbox/api/phones/{id}/messages", s.sendMessage)
	mux.HandleFunc("GET /sandbox/api/events", s.streamEvents)
	mux.Handle("POST /sandbox/graph/", http.StripPrefix("/sandbox/graph", &fake.Graph{OnSend: s.receive}))
	mux.Handle("GET /sandbox/", http.StripPrefix("/sandbox/", pageHandler()))
	return http.NewCrossOriginProtection().Handler(mux)
}

func (s *Sandbox) createPhone(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Kind string `json:"kind"`
	}
	if !readJSON(w, r, &body) {
		return
	}
	id, ok := newID(body.Kind)
	if !ok {
		refuse(w, http.StatusBadRequest, `kind must be "phone" or "bsuid"`)
		return
	}
	writeJSON(w, http.StatusCreated, s.book.create(id, s.config.DisplayNumber))
}

func (s *Sandbox) readPhone(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := personOf(id); !ok {
		refuse(w, http.StatusNotFound, "a phone is named by digits or by a BSUID")
		return
	}
	writeJSON(w, http.StatusOK, s.book.view(id, s.config.DisplayNumber))
}

func (s *Sandbox) sendMessage(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	person, ok := personOf(id)
	if !ok {
		refuse(w, http.StatusNotFound, "a phone is named by digits or by a BSUID")
		return
	}
	var m message
	if !readJSON(w, r, &m) {
		return
	}
	if fault := m.fault(); fault != "" {
		refuse(w, http.StatusBadRequest, fault)
		return
	}
	now := time.Now()
	body := fake.Payload(account, s.config.Channel, m.item(person, "wamid."+rand.Text(), now))
	bubble, err := s.book.say(id, m.Type, m.Text, now, body)
	if err != nil {
		refuse(w, http.StatusTooManyRequests, err.Error())
		return
	}
	select {
	case s.wake <- struct{}{}:
	default: // it will wake up anyway
	}
	writeJSON(w, http.StatusAccepted, bubble)
}

// message is what a person sends.
type message struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// fault says why WhatsApp would not let a person send the message; empty if it would.
func (m message) fault() string {
	runes := utf8.RuneCountInString(m.Text)
	switch {
	case m.Type == "text" && (runes == 0 || runes > maxTextRunes):
		return "text must have 1 to 4096 characters"
	case m.Type == "image" && runes > maxCaptionRunes:
		return "text of an image must have at most 1024 characters"
	case m.Type != "text" && m.Type != "image":
		return `type must be "text" or "image"`
	}
	return ""
}

func (m message) item(p fake.Person, id string, at time.Time) fake.Item {
	if m.Type == "image" {
		return fake.Image(p, id, at, m.Text)
	}
	return fake.Text(p, id, at, m.Text)
}

// readJSON decodes the body, or answers 400 and returns false.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, "the body must be a JSON object of at most 64 KiB")
		return false
	}
	return true
}

func refuse(w http.ResponseWriter, status int, reason string) {
	writeJSON(w, status, map[string]string{"error": reason})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the reader may be gone
}
