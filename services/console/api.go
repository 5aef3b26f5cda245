package console

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/services/internal/platform"
)

// API answers /api/v1/.
type API struct {
	store *store.Store
	js    jetstream.JetStream
	// nats carries orders to whoever watches a session of WASenderApi.
	nats *nats.Conn
	// in takes what operators order.
	in *bus.Publisher
	// shards is the installation's number of shards.
	shards   int
	channels platform.Channels
	log      zerolog.Logger
	// sinkIn is how long people may still begin on what was live before.
	sinkIn time.Duration
	// lagMax is how long the session service may take to catch up; applied says how
	// far a service is in the lane of a shard.
	lagMax   time.Duration
	applied  func(ctx context.Context, service string, shard int) (uint64, error)
	compiled compiled
	files    files
	// hasSandbox says that phones to try flows with are beside the console.
	hasSandbox bool
}

func newAPI(d *platform.Deps) *API {
	return &API{
		store: d.Store, js: d.JS, nats: d.NATS, shards: d.Shards, channels: d.Channels, log: d.Log,
		sinkIn: sinkIn, lagMax: lagMax, applied: d.Store.Checkpoint,
		// Nobody waits for company: a publish brings its own, and a start is asked for by somebody.
		in: bus.NewPublisher(d.NATS, bus.StreamIn, bus.PublisherOptions{Gather: -1}),
	}
}

// handler answers who has the token, if there is one. A page of another site must not
// act here with a visitor's browser, nor log it in.
func (a *API) handler(token string) http.Handler {
	d := door{token: token, now: time.Now}
	mux, inside := http.NewServeMux(), http.NewServeMux()
	d.routes(mux)
	a.routes(inside, token != "")
	mux.Handle("/api/v1/", d.guard(inside))
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusForbidden, problem{"a page of another site asks for it: ask from the console, or without a browser"})
	}))
	return protection.Handler(mux)
}

// consoleView is what the page needs to know of its server.
type consoleView struct {
	// Login says that there is a token to log in with.
	Login   bool `json:"login"`
	Sandbox bool `json:"sandbox"`
}

// router takes routes: a ServeMux, or a test that compares them with openapi.yaml, where
// each must be.
type router interface {
	HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request))
}

func (a *API) routes(mux router, login bool) {
	mux.HandleFunc("GET /api/v1/openapi.json", a.openAPI)
	mux.HandleFunc("GET /api/v1/console", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, consoleView{Login: login, Sandbox: a.hasSandbox})
	})
	mux.HandleFunc("GET /api/v1/funnels/{flow}", a.funnel)
	mux.HandleFunc("GET /api/v1/flows", a.flows)
	mux.HandleFunc("POST /api/v1/flows", a.publish)
	mux.HandleFunc("GET /api/v1/flows/{flow}", a.flow)
	mux.HandleFunc("POST /api/v1/flows/{flow}/start", a.start)
	mux.HandleFunc("GET /api/v1/files/{sha256}", a.file)
	mux.HandleFunc("PUT /api/v1/files/{sha256}", a.keepFile)
	mux.HandleFunc("GET /api/v1/status", a.status)
	mux.HandleFunc("GET /api/v1/sessions/{contact}", a.sessions)
	mux.HandleFunc("GET /api/v1/sessions/{contact}/events", a.sessionEvents)
	mux.HandleFunc("POST /api/v1/sessions/{contact}/input", a.input)
	mux.HandleFunc("POST /api/v1/sessions/{contact}/actions", a.act)
	mux.HandleFunc("POST /api/v1/sessions/{contact}/messages", a.write)
	mux.HandleFunc("POST /api/v1/contacts/find", a.findPeople)
	mux.HandleFunc("GET /api/v1/messages", a.messages)
	mux.HandleFunc("GET /api/v1/media/{channel}/{id}", a.media)
	mux.HandleFunc("GET /api/v1/notices", a.notices)
	mux.HandleFunc("GET /api/v1/dead-letters", a.deadLetters)
	mux.HandleFunc("POST /api/v1/dead-letters/{id}/redrive", a.redrive)
	mux.HandleFunc("GET /api/v1/ambiguous", a.ambiguous)
	mux.HandleFunc("GET /api/v1/deliveries", a.deliveries)
	mux.HandleFunc("GET /api/v1/calls", a.calls)
	mux.HandleFunc("POST /api/v1/deliveries/{id}/resend", a.resend)
	mux.HandleFunc("POST /api/v1/deliveries/{id}/drop", a.drop)
	mux.HandleFunc("GET /api/v1/wasender/sessions", a.gatewaySessions)
	mux.HandleFunc("GET /api/v1/wasender/sessions/{channel}", a.gatewaySession)
	mux.HandleFunc("GET /api/v1/wasender/sessions/{channel}/qr", a.sessionQR)
	for _, action := range []string{"connect", "restart", "disconnect"} {
		mux.HandleFunc("POST /api/v1/wasender/sessions/{channel}/"+action, a.orderSession(action))
	}
	mux.HandleFunc("GET /api/v1/webhooks", a.webhooks)
	mux.HandleFunc("POST /api/v1/webhooks/{id}/redrive", a.redriveWebhook)
	a.resourceRoutes(mux)
	a.campaignRoutes(mux)
	mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, problem{"no such resource"})
	})
}

func (a *API) resourceRoutes(mux router) {
	mux.HandleFunc("GET /api/v1/slots", a.slots)
	mux.HandleFunc("POST /api/v1/slots", a.importSlots)
	mux.HandleFunc("POST /api/v1/slots/hours", a.saveHours)
	mux.HandleFunc("GET /api/v1/bookings", a.bookings)
	mux.HandleFunc("POST /api/v1/bookings/{id}/cancel", a.changeBooking(flow.VerbCancel))
	mux.HandleFunc("POST /api/v1/bookings/{id}/move", a.changeBooking(flow.VerbReschedule))
	mux.HandleFunc("GET /api/v1/pools", a.pools)
	mux.HandleFunc("PUT /api/v1/pools/{pool}", a.savePool)
	mux.HandleFunc("PUT /api/v1/pools/{pool}/agents/{agent}", a.saveAgent)
	mux.HandleFunc("DELETE /api/v1/pools/{pool}/agents/{agent}", a.removeAgent)
	mux.HandleFunc("POST /api/v1/pools/{pool}/agents/{agent}/on", a.switchAgent(true))
	mux.HandleFunc("POST /api/v1/pools/{pool}/agents/{agent}/off", a.switchAgent(false))
	mux.HandleFunc("GET /api/v1/leads", a.leads)
	mux.HandleFunc("POST /api/v1/leads/{id}/take", a.changeLead(flow.VerbTake))
	mux.HandleFunc("POST /api/v1/leads/{id}/close", a.changeLead(flow.VerbClose))
	mux.HandleFunc("POST /api/v1/leads/{id}/reassign", a.changeLead(flow.VerbAssign))
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
