package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/services/ingress"
)

// TestWebhooksOverKeptConnection posts to the real handler, over a real server: what
// the callers write is signed rightly, holds one message, and arrives as the message
// that the raw side stores.
func TestWebhooksOverKeptConnection(t *testing.T) {
	kept := &keeper{}
	handler := ingress.New(ingress.Options{
		Secrets: []string{appSecret}, Shards: shards, Portfolio: func(channel string) string { return channel },
		In: kept, Status: kept, Now: time.Now, Log: zerolog.Nop(),
	})
	mux := http.NewServeMux()
	handler.Routes(mux)
	server := httptest.NewServer(mux)
	defer server.Close()
	c, err := newCaller(t.Context(), server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for n := range uint64(3) {
		if err := c.post(newWebhook(n)); err != nil {
			t.Fatal(err)
		}
		want, err := stored(newWebhook(n))
		if err != nil {
			t.Fatal(err)
		}
		if got := kept.last.Load(); got.Subject != want.Subject || len(got.Data) != len(want.Data) {
			t.Errorf("webhook %d is stored at %s with %d bytes, raw at %s with %d", n, got.Subject, len(got.Data), want.Subject, len(want.Data))
		}
	}
	kept.refuse.Store(true)
	if err := c.post(newWebhook(4)); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("%v, want the 503", err)
	}
}

// keeper is a publisher that remembers the last message.
type keeper struct {
	last   atomic.Pointer[bus.Message]
	refuse atomic.Bool
}

// Publish keeps the last message.
func (k *keeper) Publish(_ context.Context, messages ...bus.Message) error {
	if k.refuse.Load() {
		return bus.ErrFull
	}
	k.last.Store(&messages[len(messages)-1])
	return nil
}
