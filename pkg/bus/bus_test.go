package bus

import (
	"cmp"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

// patience is how long a test waits for what must happen before it fails.
const patience = 30 * time.Second

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// startServer starts a server on a fresh directory that ends with the test.
func startServer(t testing.TB, listen string) *Server {
	t.Helper()
	s, err := StartServer(ServerOptions{Dir: t.TempDir(), Listen: listen, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func connect(t testing.TB, s *Server) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := s.Connect(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, newJetStream(t, nc)
}

func newJetStream(t testing.TB, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func declare(t testing.TB, js jetstream.JetStream, o Options) int {
	t.Helper()
	shards, err := Declare(testContext(t), js, o)
	if err != nil {
		t.Fatal(err)
	}
	return shards
}

// newBus starts a server with all streams and connects to it.
func newBus(t testing.TB, o Options) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, js := connect(t, startServer(t, ""))
	declare(t, js, o)
	return nc, js
}

func newPublisher(t testing.TB, nc *nats.Conn, stream string, o PublisherOptions) *Publisher {
	t.Helper()
	o.Timeout = cmp.Or(o.Timeout, patience) // a busy machine must not fail the tests
	p := NewPublisher(nc, stream, o)
	t.Cleanup(p.Close)
	return p
}

// numbered is a message of one contact that tells who sent it as the how-manieth.
func numbered(shard, contact, number int) Message {
	return Message{
		Subject: SubjectIn(shard, "15550001111", fmt.Sprint(contact)),
		Data:    fmt.Appendf(nil, "%d/%d", contact, number),
	}
}

func mustPublish(t testing.TB, p *Publisher, messages ...Message) {
	t.Helper()
	if err := p.Publish(testContext(t), messages...); err != nil {
		t.Fatal(err)
	}
}

func streamState(t testing.TB, js jetstream.JetStream, name string) jetstream.StreamState {
	t.Helper()
	stream, err := js.Stream(testContext(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().State
}

// texts returns the stream's payloads in order, until it has count of them.
func texts(t testing.TB, js jetstream.JetStream, stream, filter string, count int) []string {
	t.Helper()
	ctx, stop := context.WithCancel(testContext(t))
	defer stop()
	var got []string
	err := Read(ctx, js, ReadOptions{Stream: stream, Filter: filter, Name: "texts"}, func(d Delivery) error {
		if got = append(got, string(d.Data)); len(got) == count {
			stop()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != count {
		t.Fatalf("%s holds %d messages, want %d", stream, len(got), count)
	}
	return got
}
