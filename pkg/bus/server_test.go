package bus

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func TestServerKeepsItsDataOverARestart(t *testing.T) {
	dir := t.TempDir()
	for round := 1; round <= 3; round++ {
		s, err := StartServer(ServerOptions{Dir: dir, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		nc, js := connect(t, s)
		declare(t, js, Options{})
		p := NewPublisher(nc, StreamIn, PublisherOptions{})
		mustPublish(t, p, numbered(0, round, 1), numbered(0, round, 2))
		p.Close()
		if got := streamState(t, js, StreamIn).LastSeq; got != uint64(2*round) {
			t.Errorf("round %d: last sequence %d, want %d", round, got, 2*round)
		}
		nc.Close()
		s.Shutdown()
	}
}

func TestServerSyncsBeforeItAcknowledges(t *testing.T) {
	s := startServer(t, "")
	if !s.ns.JetStreamConfig().SyncAlways {
		t.Fatal("the server would acknowledge what is not on disk")
	}
}

func TestServerRefusesADirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	first, err := StartServer(ServerOptions{Dir: dir, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = StartServer(ServerOptions{Dir: dir, Log: zerolog.Nop()})
	if !errors.Is(err, ErrDirInUse) {
		t.Fatalf("got %v, want ErrDirInUse", err)
	}
	for _, word := range []string{dir, strconv.Itoa(os.Getpid())} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not name %s", err, word)
		}
	}
	first.Shutdown()
	again, err := StartServer(ServerOptions{Dir: dir, Log: zerolog.Nop()})
	if err != nil {
		t.Fatalf("after the first server has ended: %v", err)
	}
	again.Shutdown()
}

func TestServerListensOnlyWhenAsked(t *testing.T) {
	if url := startServer(t, "").URL(); url != "" {
		t.Errorf("a server without a listen address has the URL %q", url)
	}
	s := startServer(t, "127.0.0.1:0")
	nc, err := Connect(testContext(t), s.URL(), "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

func TestServerSaysWhyItCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = StartServer(ServerOptions{Dir: t.TempDir(), Listen: taken.Addr().String(), Log: zerolog.Nop()})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v, want the reason", err)
	}
	for _, listen := range []string{"127.0.0.1", "127.0.0.1:nats"} {
		if _, err := StartServer(ServerOptions{Dir: t.TempDir(), Listen: listen, Log: zerolog.Nop()}); err == nil {
			t.Errorf("listen address %q was accepted", listen)
		}
	}
}

func TestConnectGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	// A port that nothing listens on: it was free a moment ago.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "nats://" + free.Addr().String()
	free.Close()
	if _, err := Connect(ctx, url, "test", zerolog.Nop()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestBackoffStaysInItsBounds(t *testing.T) {
	for attempt := range 100 {
		if d := backoff(attempt); d < backoffMin || d > backoffMax {
			t.Errorf("attempt %d: %v", attempt, d)
		}
	}
}
