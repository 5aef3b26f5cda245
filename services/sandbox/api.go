package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// maxBodyBytes bounds a request of the JSON API.
const maxBodyBytes = 64 << 10

// nobody is what is said about an identity that cannot exist.
const nobody = "a phone is named by digits or by a BSUID"

// Handler serves everything below /sandbox/, under these very paths.
func (s *Sandbox) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sandbox/api/phones", s.createPhone)
	mux.HandleFunc("GET /sandbox/api/phones/{id}", s.readPhone)
	mux.HandleFunc("POST /sandbox/api/phones/{id}/messages", s.sendMessage)
	mux.HandleFunc("GET /sandbox/api/phones/{id}/messages", s.readReplies)
	mux.HandleFunc("GET /sandbox/api/events", s.streamEvents)
	mux.HandleFunc("GET /sandbox/api/files/{id}", s.readFile)
	mux.HandleFunc("GET /sandbox/api/session", s.readSession)
	mux.HandleFunc("POST /sandbox/api/session", s.changeSession)
	if s.session != nil {
		mux.Handle("GET /sandbox/wasender/api/", s.session)
		mux.Handle("POST /sandbox/wasender/api/", s.session)
	}
	graph := http.StripPrefix("/sandbox/graph", &fake.Graph{OnSend: s.receive, OnUpload: s.shelf.put, Media: s.shelf.media, Faults: &s.faults})
	mux.Handle("POST /sandbox/graph/", graph)
	mux.Handle("GET /sandbox/graph/", graph)
	mux.HandleFunc("GET /sandbox/api/faults", s.listFaults)
	mux.HandleFunc("POST /sandbox/api/faults", s.addFault)
	mux.HandleFunc("DELETE /sandbox/api/faults", s.resetFaults)
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
	writeJSON(w, http.StatusCreated, s.shown(s.book.create(id)))
}

func (s *Sandbox) readPhone(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := personOf(id); !ok {
		refuse(w, http.StatusNotFound, nobody)
		return
	}
	writeJSON(w, http.StatusOK, s.shown(s.book.view(id)))
}

func (s *Sandbox) sendMessage(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	person, ok := personOf(id)
	if !ok {
		refuse(w, http.StatusNotFound, nobody)
		return
	}
	var m message
	if !readJSON(w, r, &m) {
		return
	}
	l, fault := s.lineOf(m, person)
	if fault != "" {
		refuse(w, http.StatusBadRequest, fault)
		return
	}
	now := time.Now()
	d, fault := m.draft(now, s.offered(id))
	if fault != "" {
		refuse(w, http.StatusBadRequest, fault)
		return
	}
	bubble, err := s.book.say(id, l, d, now)
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

// readJSON decodes the body, or answers 400 and returns false.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		refuse(w, http.StatusBadRequest, wrong.Field+" must not be a JSON "+wrong.Value)
		return false
	}
	if err != nil {
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
