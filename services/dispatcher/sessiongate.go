package dispatcher

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/health"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// gateEvery is how soon a replica knows that a session dropped or came back.
	gateEvery = time.Second
	// gateAge is how long a state counts that nobody confirms. Without a watcher the
	// sends themselves tell.
	gateAge = 2 * time.Minute
)

// sessionGate closes the desk for the sessions that are down, on every replica: what is
// queued for them waits in its order instead of being refused.
type sessionGate struct {
	health func(ctx context.Context) ([]store.SessionHealth, error)
	set    func(closed map[string]bool)
	now    func() time.Time
	log    zerolog.Logger
}

// run keeps the gate until ctx ends.
func (g sessionGate) run(ctx context.Context) error {
	ticker := time.NewTicker(gateEvery)
	defer ticker.Stop()
	closed, failing := map[string]bool{}, false
	for {
		list, err := g.health(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			g.log.Warn().Err(err).Msg("nobody knows which sessions are down; sends go on as before")
		}
		failing = err != nil
		if err == nil {
			if now := g.closed(list); !maps.Equal(now, closed) {
				closed = now
				g.set(maps.Clone(now))
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (g sessionGate) closed(list []store.SessionHealth) map[string]bool {
	closed := map[string]bool{}
	for _, h := range list {
		if health.Stops(wasender.Status(h.State)) && h.SeenAt != nil && g.now().Sub(*h.SeenAt) < gateAge {
			closed[h.Channel] = true
		}
	}
	return closed
}

// heardClient sends through WASenderApi, and tells whoever watches the session what
// became of it.
type heardClient struct {
	client
	signal func(channel string, s *parleyv1.SessionSignal)
}

// Send sends a message.
func (c heardClient) Send(ctx context.Context, m meta.Outgoing) (id string, err error) {
	id, err = c.client.Send(ctx, m)
	s := &parleyv1.SessionSignal{AtMs: time.Now().UnixMilli()}
	var refused *meta.SendError
	switch {
	case err == nil && m.Message.GetTyping() == nil: // typing has no echo
		s.Sent = 1
	case errors.As(err, &refused) && (refused.Class == meta.RetryNumber || refused.Class == meta.StopNumber):
		s.Unsent = true
	default:
		return id, err
	}
	c.signal(m.Channel, s)
	return id, err
}
