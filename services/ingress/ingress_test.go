package ingress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	secret  = "test_app_secret"
	token   = "verify-me"
	waba    = "102290129340398"
	channel = "106540352242922"
	shards  = 16
)

// at is when everything in these tests happens.
var at = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

var errDisk = errors.New("the disk is gone")

// publisherFunc is a Publisher of one function.
type publisherFunc func(ctx context.Context, messages ...bus.Message) error

func (f publisherFunc) Publish(ctx context.Context, messages ...bus.Message) error {
	return f(ctx, messages...)
}

// shelf is a Publisher that keeps what it is given.
type shelf struct {
	mu       sync.Mutex
	messages []bus.Message
}

func (s *shelf) Publish(_ context.Context, messages ...bus.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, messages...)
	return nil
}

func (s *shelf) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

// newHandler returns a handler whose two channels below share a portfolio.
func newHandler(in, status Publisher, log io.Writer) http.Handler {
	return newSignalling(in, status, log, nil)
}

func newSignalling(in, status Publisher, log io.Writer, signal func(string, *parleyv1.SessionSignal)) http.Handler {
	mux := http.NewServeMux()
	New(Options{
		Secrets: []string{secret}, VerifyToken: token, Shards: shards, Portfolio: portfolio,
		SessionSecrets: map[string][]string{"shop": {"session secret", "older secret"}, "other": {"other secret"}},
		Signal:         signal, In: in, Status: status, Now: func() time.Time { return at }, Log: zerolog.New(log),
	}).Routes(mux)
	return mux
}

func portfolio(channel string) string { return "portfolio of " + channel }

// request is a POST with the body, signed with the secret.
func request(body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/meta", bytes.NewReader(body))
	r.Header.Set("X-Hub-Signature-256", fake.Sign(secret, body))
	return r
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// installation is a handler over publishers of a real NATS.
type installation struct {
	http.Handler
	js         jetstream.JetStream
	in, status *bus.Publisher
}

func install(t *testing.T) *installation {
	t.Helper()
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
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Declare(t.Context(), js, bus.Options{Shards: shards}); err != nil {
		t.Fatal(err)
	}
	i := &installation{
		js: js, in: bus.NewPublisher(nc, bus.StreamIn, bus.PublisherOptions{}),
		status: bus.NewPublisher(nc, bus.StreamStatus, bus.PublisherOptions{}),
	}
	t.Cleanup(i.in.Close)
	t.Cleanup(i.status.Close)
	i.Handler = newHandler(i.in, i.status, io.Discard)
	return i
}

// stored is a message of a stream with what is in it.
type stored struct {
	subject  string
	envelope *parleyv1.Envelope
}

// contents reads a whole stream, in order.
func (i *installation) contents(t *testing.T, stream string) []stored {
	t.Helper()
	s, err := i.js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	var list []stored
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, stored{m.Subject, decode(t, m.Data)})
	}
	return list
}

func decode(t *testing.T, data []byte) *parleyv1.Envelope {
	t.Helper()
	e := &parleyv1.Envelope{}
	if err := proto.Unmarshal(data, e); err != nil {
		t.Fatalf("stored message is no envelope: %v", err)
	}
	return e
}

// post sends the body, signed, and fails unless it is answered with the status.
func (i *installation) post(t *testing.T, body []byte, want int) {
	t.Helper()
	if w := do(i, request(body)); w.Code != want {
		t.Fatalf("answered %d %q, want %d", w.Code, w.Body, want)
	}
}

func ids(list []stored) []string {
	var ids []string
	for _, s := range list {
		ids = append(ids, s.envelope.Id)
	}
	return ids
}

func wantIDs(t *testing.T, list []stored, want ...string) {
	t.Helper()
	if got := ids(list); !slices.Equal(got, want) {
		t.Fatalf("stored %s, want %s", strings.Join(got, " "), strings.Join(want, " "))
	}
}
