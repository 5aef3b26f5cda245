package console

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/services/internal/platform"
)

// API answers /api/v1/.
type API struct {
	store *store.Store
	js    jetstream.JetStream
	// shards is the installation's number of shards.
	shards   int
	channels platform.Channels
	log      zerolog.Logger
}

func (a *API) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/funnels/{flow}", a.funnel)
	mux.HandleFunc("GET /api/v1/flows", a.flows)
	mux.HandleFunc("POST /api/v1/flows", a.publish)
	mux.HandleFunc("GET /api/v1/flows/{flow}", a.flow)
	mux.HandleFunc("POST /api/v1/flows/{flow}/start", a.start)
	mux.HandleFunc("GET /api/v1/status", a.status)
	mux.HandleFunc("GET /api/v1/sessions/{contact}", a.sessions)
	mux.HandleFunc("GET /api/v1/sessions/{contact}/events", a.sessionEvents)
	mux.HandleFunc("GET /api/v1/dead-letters", a.deadLetters)
	mux.HandleFunc("POST /api/v1/dead-letters/{id}/redrive", a.redrive)
	mux.HandleFunc("GET /api/v1/ambiguous", a.ambiguous)
	mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, problem{"no such resource"})
	})
}

// problem is the body of every error.
type problem struct {
	Error string `json:"error"`
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// failed answers an error of ours: what went wrong goes to the log only. What
// PostgreSQL refuses as a value, the request brought with it.
func (a *API) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return
	}
	if store.Permanent(err) {
		a.log.Warn().Err(err).Str("route", r.Pattern).Msg("request refused")
		answer(w, http.StatusBadRequest, problem{"a parameter holds a character or a value that cannot be looked up: correct it"})
		return
	}
	a.log.Error().Err(err).Str("route", r.Pattern).Msg("request failed")
	answer(w, http.StatusServiceUnavailable, problem{"the database did not answer; try again"})
}

// limit reads ?limit=, between 1 and most.
func limit(r *http.Request, otherwise, most int) int {
	n, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || n < 1 {
		return otherwise
	}
	return min(n, most)
}
