package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/insight"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/pgtest"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/internal/demoflows"
	"github.com/parleyhq/parley/services/internal/platform"
)

const shards = 4

var start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// site is the console over a real database and a real NATS.
type site struct {
	http.Handler
	t     *testing.T
	store *store.Store
	conn  *pgx.Conn
	js    jetstream.JetStream
	api   *API
	log   strings.Builder
	// head and fence are where shard 1 stands.
	head  uint64
	shard store.Fence
}

func newSite(t *testing.T, token string) *site {
	t.Helper()
	dsn := pgtest.New(t, store.Migrate)
	s, err := store.Open(t.Context(), dsn, 4, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	server, err := bus.StartServer(bus.ServerOptions{Dir: t.TempDir(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	nc, err := server.Connect(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	at := &site{t: t, store: s, conn: conn}
	deps := &platform.Deps{Common: platform.Common{Shards: shards, Replicas: 1}, Store: s, Log: zerolog.New(&at.log)}
	if err := deps.ConnectNATS(t.Context(), nc); err != nil {
		t.Fatal(err)
	}
	at.js = deps.JS
	at.api = newAPI(deps)
	at.api.sinkIn = 0
	// What is ordered is as good as applied: there is no session service here.
	at.api.applied = func(context.Context, string, int) (uint64, error) { return math.MaxUint64, nil }
	t.Cleanup(at.api.in.Close)
	at.Handler = readContract(t).holds(t, at.api.handler(token))
	return at
}

// ask makes a request and decodes the answer.
func (s *site) ask(method, path string, want int, into any) http.Header {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	if w.Code != want {
		s.t.Fatalf("%s %s answered %d %s, want %d", method, path, w.Code, w.Body, want)
	}
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		s.t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
	}
	return w.Header()
}

// refused asks what must be refused, and returns why.
func (s *site) refused(path string, want int) string {
	s.t.Helper()
	var p problem
	s.ask(http.MethodGet, path, want, &p)
	if p.Error == "" {
		s.t.Errorf("%s says nothing", path)
	}
	return p.Error
}

// seed publishes the demo flow and stores two people's conversations, with
// their counts, on shard 1.
func (s *site) seed() {
	s.t.Helper()
	ctx := s.t.Context()
	source, err := demoflows.Files.ReadFile("lead.yaml")
	if err != nil {
		s.t.Fatal(err)
	}
	f, err := flow.Parse(source)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.store.PublishFlow(ctx, f, source); err != nil {
		s.t.Fatal(err)
	}
	turn := store.TurnPart{Fence: s.fence(store.ServiceSession)}
	counts := insight.NewCounts()
	talk(&turn, f.WithVersion(1), "n1", &parleyv1.Identity{Phone: "16505551234", Name: "Ada"}, "hi", "Ada", "bad", "ada@example.org")
	talk(&turn, f.WithVersion(1), "n2", &parleyv1.Identity{Bsuid: "US.77", Name: "Hid"}, "hi")
	for _, e := range turn.Events {
		counts.Add(e)
	}
	turn.DeadLetters = []store.DeadLetter{
		{Kind: store.DeadUnreadable, Shard: 1, Position: 1, Data: []byte("xxx"), Reason: "not JSON"},
		{Kind: store.DeadParked, Shard: 1, Position: 2, Channel: "n1", Data: []byte("yy"), Reason: "panic", Contact: uuid.NullUUID{UUID: turn.Contacts[0].ID, Valid: true}},
	}
	held, err := s.store.AppendTurns(ctx, []store.TurnPart{turn})
	if err != nil || len(held) != 1 {
		s.t.Fatalf("append: %v, %v", held, err)
	}
	held, err = s.store.AddCounts(ctx, []store.Fence{s.fence(store.ServiceProjector)}, map[int]*insight.Counts{1: counts})
	if err != nil || len(held) != 1 {
		s.t.Fatalf("count: %v, %v", held, err)
	}
}

// fence takes shard 1 of a service, for a batch up to position 9.
func (s *site) fence(service string) store.Fence {
	s.t.Helper()
	err := s.store.EnsureLeases(s.t.Context(), service, shards)
	leases, err2 := s.store.Acquire(s.t.Context(), service, "replica", time.Minute, shards, []int{0, 2, 3})
	if err := errors.Join(err, err2); err != nil || len(leases) != 1 {
		s.t.Fatalf("%v, %v", leases, err)
	}
	return store.Fence{Shard: 1, Epoch: leases[0].Epoch, To: 9}
}

// talk adds a person's conversation to the part.
func talk(turn *store.TurnPart, f *flow.Flow, channel string, who *parleyv1.Identity, texts ...string) {
	laneKey := who.Phone + who.Bsuid
	id := store.ContactID(channel, laneKey)
	next := func() uint64 { return turn.Head + uint64(len(turn.Events)+1) }
	session := store.Session{Key: store.SessionKey{Channel: channel, Contact: id}, Shard: 1, ID: store.SessionID(1, next())}
	for n, text := range texts {
		var events []*parleyv1.Event
		events, session.State = flow.Turn(f, f, session.State, &parleyv1.Input{
			Id: fmt.Sprint(channel, n), AtMs: start.UnixMilli(),
			Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text", Text: text}},
		})
		for _, e := range events {
			e.Shard, e.Offset, e.SessionId, e.Channel, e.ContactId = 1, next(), session.ID, channel, id[:]
			turn.Events = append(turn.Events, e)
		}
	}
	turn.Sessions = append(turn.Sessions, session)
	turn.Contacts = append(turn.Contacts, store.Contact{ID: id, Portfolio: channel, LaneKey: laneKey, Shard: 1, Identity: who, CreatedAt: start, Parked: channel == "n1"})
}

func TestFunnel(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	for query, want := range map[string][2]int64{ // started, entered the e-mail step
		"":                  {2, 1},
		"?version=1":        {2, 1},
		"?version=2":        {0, 0},
		"?channel=n1":       {1, 1},
		"?channel=n2":       {1, 0},
		"?channel=n3":       {0, 0},
		"?language=en":      {2, 1},
		"?language=de":      {0, 0},
		"?from=2026-11-22":  {2, 1},
		"?from=2026-11-23":  {0, 0},
		"?to=2026-11-22":    {2, 1},
		"?to=2026-11-21":    {0, 0},
		"?from=&to=&other=": {2, 1},
		"?from=2026-11-22&to=2026-11-22&version=1&channel=n1&language=en": {1, 1},
		"?channel=" + url.QueryEscape(`n1' OR '1'='1`):                    {0, 0},
	} {
		var f store.Funnel
		s.ask(http.MethodGet, "/api/v1/funnels/lead"+query, http.StatusOK, &f)
		var email int64
		for _, step := range f.Steps {
			if step.Step == "email" {
				email = step.Entered
			}
		}
		if f.Totals.Started != want[0] || email != want[1] || f.Steps == nil {
			t.Errorf("%q: %+v, want %v", query, f, want)
		}
	}
}

// Bad parameters are answered with what to do instead, never with our own troubles.
func TestBadParameters(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	for path, word := range map[string]string{
		"/api/v1/funnels/lead?from=yesterday":      "2026-11-22",
		"/api/v1/funnels/lead?to=2026-13-01":       "2026-11-22",
		"/api/v1/funnels/lead?from=0000-01-01":     "day",
		"/api/v1/funnels/lead?version=two":         "use 1 or higher",
		"/api/v1/funnels/lead?version=0":           "use 1 or higher",
		"/api/v1/funnels/lead?version=-1":          "use 1 or higher",
		"/api/v1/funnels/lead?version=99999999999": "use 1 or higher",
		"/api/v1/funnels/lead?channel=%00":         "character",
		"/api/v1/funnels/lead?language=%ff":        "character",
		"/api/v1/funnels/%00":                      "character",
		"/api/v1/sessions/%00":                     "character",
		"/api/v1/sessions/%ff/events":              "character",
		"/api/v1/dead-letters?kind=%00":            "character",
	} {
		if got := s.refused(path, http.StatusBadRequest); !strings.Contains(got, word) {
			t.Errorf("%s: %q does not say %q", path, got, word)
		}
	}
	if strings.Contains(s.log.String(), "request failed") {
		t.Errorf("somebody else's mistake is logged as our failure: %s", s.log.String())
	}
}

func TestNotFound(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	for path, word := range map[string]string{
		"/api/v1/funnels/nothing":               `no flow "nothing" is published`,
		"/api/v1/sessions/99999999999":          "nobody",
		"/api/v1/sessions/" + uuid.Nil.String(): "nobody",
		"/api/v1/":                              "no such resource",
		"/api/v1/funnels":                       "no such resource",
		"/api/v1/dead-letters/1/eat":            "no such resource",
	} {
		if got := s.refused(path, http.StatusNotFound); !strings.Contains(got, word) {
			t.Errorf("%s: %q does not say %q", path, got, word)
		}
	}
	var none []json.RawMessage
	if s.ask(http.MethodGet, "/api/v1/sessions/99999999999/events", http.StatusOK, &none); none == nil || len(none) != 0 {
		t.Errorf("events of nobody: %s", none)
	}
	// A flow that nobody has used yet has an empty funnel.
	if _, err := s.conn.Exec(t.Context(), `INSERT INTO flows (name, live_version) VALUES ('fresh', 1)`); err != nil {
		t.Fatal(err)
	}
	var f store.Funnel
	if s.ask(http.MethodGet, "/api/v1/funnels/fresh", http.StatusOK, &f); f.Steps == nil || len(f.Steps) != 0 {
		t.Errorf("%+v", f)
	}
}

func TestSessions(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	ada := store.ContactID("n1", "16505551234")
	for _, name := range []string{"16505551234", ada.String(), strings.ToUpper(ada.String())} {
		var list []store.SessionView
		s.ask(http.MethodGet, "/api/v1/sessions/"+name, http.StatusOK, &list)
		if len(list) != 1 || list[0].ContactID != ada || list[0].Status != "completed" || !list[0].Parked || !strings.Contains(string(list[0].FlowData), "ada@example.org") {
			t.Errorf("%s: %+v", name, list)
		}
	}
	var list []store.SessionView
	s.ask(http.MethodGet, "/api/v1/sessions/US.77", http.StatusOK, &list)
	if len(list) != 1 || list[0].BSUID != "US.77" || list[0].CurrentState != "name" || list[0].FlowVersion != 1 {
		t.Errorf("%+v", list)
	}
}

func TestSessionEvents(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	var list []struct {
		Type  string
		Event map[string]any
	}
	s.ask(http.MethodGet, "/api/v1/sessions/16505551234/events", http.StatusOK, &list)
	var types []string
	for i, e := range list {
		types = append(types, e.Type)
		if e.Event["version"] != float64(i+1) || e.Event["channel"] != "n1" {
			t.Errorf("event %d: %v", i, e.Event)
		}
	}
	want := "SessionStarted InputReceived StepEntered MessageQueued TimerSet InputReceived AnswerAccepted StepEntered MessageQueued " +
		"InputReceived AnswerRejected MessageQueued InputReceived AnswerAccepted SessionCompleted MessageQueued"
	if got := strings.Join(types, " "); got != want {
		t.Errorf("events\n%s\nwant\n%s", got, want)
	}
}

func TestDeadLetters(t *testing.T) {
	s := newSite(t, "")
	var list []store.DeadLetterView
	if s.ask(http.MethodGet, "/api/v1/dead-letters", http.StatusOK, &list); list == nil {
		t.Error("none is null, not a list")
	}
	s.seed()
	for query, want := range map[string]int{"": 2, "?kind=parked": 1, "?kind=unreadable": 1, "?kind=other": 0, "?limit=1": 1, "?limit=-1": 2, "?limit=many": 2, "?limit=9999999999999999999": 2} {
		s.ask(http.MethodGet, "/api/v1/dead-letters"+query, http.StatusOK, &list)
		if len(list) != want {
			t.Errorf("%q: %+v", query, list)
		}
	}
}

// An operator's order goes into the contact's own lane.
func TestRedrive(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	var parked []store.DeadLetterView
	s.ask(http.MethodGet, "/api/v1/dead-letters?kind=parked", http.StatusOK, &parked)
	var answer map[string]int
	s.ask(http.MethodPost, fmt.Sprintf("/api/v1/dead-letters/%d/redrive", parked[0].ID), http.StatusAccepted, &answer)
	if answer["redriving"] != 1 {
		t.Errorf("%v", answer)
	}
	shard := bus.ShardOf("n1", "16505551234", shards)
	d, err := bus.LastMessage(t.Context(), s.js, bus.StreamIn, bus.SubjectIn(shard, "n1", "16505551234"))
	if err != nil || d == nil {
		t.Fatalf("nothing is in the lane: %v", err)
	}
	e := &parleyv1.Envelope{}
	if err := proto.Unmarshal(d.Data, e); err != nil || e.Kind != parleyv1.Kind_KIND_OPERATOR || e.Field != store.OperatorRedrive || e.Portfolio != "n1" || e.Id == "" {
		t.Errorf("%v, %v", e, err)
	}
	var p problem
	for id, want := range map[string]int{"x": http.StatusBadRequest, "99999999999999999999": http.StatusBadRequest, "0": http.StatusNotFound, "1": http.StatusNotFound} {
		s.ask(http.MethodPost, "/api/v1/dead-letters/"+id+"/redrive", want, &p)
	}
}

// What was kept because nothing was known of it is taken apart by what is known today,
// and goes into its lanes; what nothing is known of still stays where it is.
func TestRedriveUnhandled(t *testing.T) {
	s := newSite(t, "")
	keep := func(field, value string) (id int64) {
		e := &parleyv1.Envelope{
			Id: "digest of " + field, Kind: parleyv1.Kind_KIND_ACCOUNT, Provider: "meta", Channel: "n1", Portfolio: "acme", LaneKey: "n1",
			Field: field, Raw: []byte(`{"field":"` + field + `","value":{"metadata":{"phone_number_id":"n1","display_phone_number":"1555"},` + value + `}}`),
		}
		data, err := proto.Marshal(e)
		if err == nil {
			err = s.conn.QueryRow(t.Context(), `INSERT INTO dead_letters (kind, service, shard, position, data, reason)
				VALUES ('unhandled', 'session', 1, 1, $1, 'nothing reacts to it yet') RETURNING id`, data).Scan(&id)
		}
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	weather := keep("weather", `"event":"RAIN"`)
	wishes := keep("user_preferences", `"user_preferences":[{"wa_id":"15550002222","category":"marketing_messages","value":"stop"}],"more":[1]`)
	history := keep("history", `"history":[{"metadata":{"phase":0,"progress":5},"threads":[{"id":"15550002222","messages":[{"from":"15550002222","id":"wamid.1"},{"from":"1555","id":"wamid.2"}]}]}]`)
	var answer map[string]int
	s.ask(http.MethodPost, fmt.Sprintf("/api/v1/dead-letters/%d/redrive", history), http.StatusAccepted, &answer)
	if answer["redriving"] != 3 {
		t.Errorf("%v", answer)
	}
	d, err := bus.LastMessage(t.Context(), s.js, bus.StreamIn, bus.SubjectIn(bus.ShardOf("acme", "15550002222", shards), "n1", "15550002222"))
	if err != nil || d == nil {
		t.Fatalf("nothing is in the lane: %v", err)
	}
	e := &parleyv1.Envelope{}
	if err := proto.Unmarshal(d.Data, e); err != nil || e.Kind != parleyv1.Kind_KIND_HISTORY || e.Id != "history/wamid.2" || !e.Ours || e.Portfolio != "acme" {
		t.Errorf("%v, %v", e, err)
	}
	var p problem
	for id, want := range map[int64]int{history: http.StatusNotFound, weather: http.StatusConflict, wishes: http.StatusConflict} {
		s.ask(http.MethodPost, fmt.Sprintf("/api/v1/dead-letters/%d/redrive", id), want, &p)
	}
	var left []store.DeadLetterView
	if s.ask(http.MethodGet, "/api/v1/dead-letters", http.StatusOK, &left); len(left) != 2 {
		t.Errorf("%+v", left)
	}
}

// Another site's page cannot use a visitor's browser to act here.
func TestCrossSite(t *testing.T) {
	s := newSite(t, "")
	r := httptest.NewRequest(http.MethodPost, "/api/v1/dead-letters/1/redrive", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("answered %d, want 403", w.Code)
	}
}

func TestStatus(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	stop := store.SendStop{Scope: "number", Name: "n1", Class: "stop number", Code: 131045, Since: time.Now(), Until: time.Now().Add(time.Hour)}
	if err := s.store.PutSendStops(t.Context(), "replica", []store.SendStop{stop}); err != nil {
		t.Fatal(err)
	}
	var status statusAnswer
	var leases []store.LeaseStatus
	status.Leases = &leases
	header := s.ask(http.MethodGet, "/api/v1/status", http.StatusOK, &status)
	if len(status.Streams) != 3 || status.DeadLetters["parked"] != 1 || len(leases) != 2*shards {
		t.Errorf("%+v %+v", status, leases)
	}
	if len(status.Stops) != 1 || status.Stops[0].Code != 131045 || status.Stops[0].Name != "n1" {
		t.Errorf("stops: %+v", status.Stops)
	}
	held := 0
	for _, l := range leases {
		if l.Held {
			held++
			if l.Owner != "replica" || l.Shard != 1 || l.Checkpoint != 9 {
				t.Errorf("%+v", l)
			}
		}
	}
	if held != 2 {
		t.Errorf("%d leases are held", held)
	}
	if header.Get("Cache-Control") != "no-store" || header.Get("Content-Type") != "application/json" {
		t.Errorf("header %v", header)
	}
}

func TestAmbiguous(t *testing.T) {
	s := newSite(t, "")
	var list []store.AmbiguousView
	if s.ask(http.MethodGet, "/api/v1/ambiguous", http.StatusOK, &list); list == nil || len(list) != 0 {
		t.Errorf("%v", list)
	}
	if _, err := s.conn.Exec(t.Context(), `INSERT INTO deliveries (shard, "offset", channel, contact_id, session_id, content, state, ambiguous_count, ambiguous_cause, queued_at)
		VALUES (3, 8, 'n1', gen_random_uuid(), 1, '', 'ambiguous', 2, 'timeout', now()), (3, 9, 'n1', gen_random_uuid(), 1, '', 'accepted', 0, '', now())`); err != nil {
		t.Fatal(err)
	}
	s.ask(http.MethodGet, "/api/v1/ambiguous", http.StatusOK, &list)
	if len(list) != 1 || list[0].DeliveryID != store.DeliveryID(3, 8) || list[0].Cause != "timeout" || list[0].Times != 2 {
		t.Errorf("%+v", list)
	}
}

// Every route asks for the token, if there is one, and the log never has it.
func TestToken(t *testing.T) {
	s := newSite(t, "sesame")
	for _, path := range []string{
		"/api/v1/status", "/api/v1/funnels/lead", "/api/v1/sessions/1", "/api/v1/sessions/1/events", "/api/v1/dead-letters", "/api/v1/ambiguous", "/api/v1/other",
	} {
		for header, want := range map[string]bool{
			"Bearer sesame": true, "": false, "sesame": false, "Bearer": false, "Bearer ": false, "Bearer sesam": false, "Bearer sesame ": false, "Basic sesame": false,
		} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			if header != "" {
				r.Header.Set("Authorization", header)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if in := w.Code != http.StatusUnauthorized; in != want {
				t.Errorf("%s with %q answered %d", path, header, w.Code)
			}
			if w.Code == http.StatusUnauthorized && (w.Header().Get("WWW-Authenticate") == "" || strings.Contains(w.Body.String(), "sesame")) {
				t.Errorf("%s: %v %s", path, w.Header(), w.Body)
			}
		}
	}
}

// With the database gone the answer says so, and the log says why.
func TestDatabaseGone(t *testing.T) {
	s := newSite(t, "")
	s.store.Close()
	for _, path := range []string{"/api/v1/status", "/api/v1/funnels/lead", "/api/v1/sessions/16505551234", "/api/v1/dead-letters", "/api/v1/ambiguous"} {
		if got := s.refused(path, http.StatusServiceUnavailable); !strings.Contains(got, "try again") {
			t.Errorf("%s: %q", path, got)
		}
	}
	if strings.Count(s.log.String(), "request failed") != 5 || strings.Contains(s.log.String(), "16505551234") {
		t.Errorf("log: %s", s.log.String())
	}
}
