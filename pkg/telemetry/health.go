package telemetry

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// checkTimeout bounds one readiness check. It is below the second that Kubernetes gives a probe unless told otherwise.
const checkTimeout = 800 * time.Millisecond

// Check returns an error while something that the program needs is not there.
type Check func(ctx context.Context) error

// Health answers the two questions of whoever runs the program: is it alive, and can it do its work now.
type Health struct {
	log     zerolog.Logger
	mu      sync.Mutex
	checks  map[string]Check
	failing map[string]bool // what failed when last asked, to log changes only
}

// NewHealth returns a Health without checks, which is ready. Why a check fails goes to the log and not to who asks.
func NewHealth(log zerolog.Logger) *Health {
	return &Health{log: log, checks: map[string]Check{}, failing: map[string]bool{}}
}

// Add adds a readiness check; a later one of the same name takes its place.
func (h *Health) Add(name string, check Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks[name] = check
}

// Register puts /healthz and /readyz into the mux.
//
// /healthz is 200 as long as the process answers: it depends on nothing, because a restart helps against nothing outside.
// /readyz is 200 if all checks pass, else 503, with the state of each: {"ready":false,"checks":{"nats":"ok","postgres":"failing"}}.
func (h *Health) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]bool{"alive": true})
	})
	mux.HandleFunc("GET /readyz", h.serveReady)
}

// readiness is the body of /readyz.
type readiness struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"`
}

func (h *Health) serveReady(w http.ResponseWriter, r *http.Request) {
	body := readiness{Ready: true, Checks: map[string]string{}}
	for name, err := range h.ask(r.Context()) {
		body.Checks[name] = "ok"
		if err != nil {
			body.Ready, body.Checks[name] = false, "failing"
		}
	}
	status := http.StatusOK
	if !body.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, body)
}

// ask runs all checks at the same time and returns what each said.
func (h *Health) ask(ctx context.Context) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	h.mu.Lock()
	type result struct {
		name string
		err  error
	}
	results, asked := make(chan result, len(h.checks)), len(h.checks)
	said := make(map[string]error, asked)
	for name, check := range h.checks {
		said[name] = context.DeadlineExceeded // until it says something
		go func() { results <- result{name, check(ctx)} }()
	}
	h.mu.Unlock()
	for range asked {
		select {
		case r := <-results:
			said[r.name] = r.err
		case <-ctx.Done(): // a check that ignores its context does not hold the answer
		}
	}
	h.logChanges(said)
	return said
}

// logChanges says once that a check fails, and once that it passes again.
func (h *Health) logChanges(said map[string]error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, err := range said {
		switch {
		case err != nil && !h.failing[name]:
			h.failing[name] = true
			h.log.Warn().Str("check", name).Err(err).Msg("not ready")
		case err == nil && h.failing[name]:
			h.failing[name] = false
			h.log.Info().Str("check", name).Msg("ready again")
		}
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the only fault is that the client is gone
}
