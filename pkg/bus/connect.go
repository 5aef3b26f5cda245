package bus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// Pauses between attempts to connect, and to recreate a consumer.
const (
	backoffMin = 100 * time.Millisecond
	backoffMax = 2 * time.Second
)

// Connect connects to an external NATS, trying until ctx ends, and reconnects for ever
// afterwards. url may name several servers, separated by commas.
func Connect(ctx context.Context, url, name string, log zerolog.Logger) (*nats.Conn, error) {
	for attempt := 1; ; attempt++ {
		nc, err := nats.Connect(url, connectionOptions(name, log)...)
		if err == nil {
			return nc, nil
		}
		if !pause(ctx, backoff(attempt)) {
			return nil, fmt.Errorf("connect %s to NATS: %w: last attempt: %w", name, context.Cause(ctx), err)
		}
	}
}

func connectionOptions(name string, log zerolog.Logger) []nats.Option {
	return []nats.Option{
		nats.Name(name),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(backoff),
		// A publish while disconnected fails at once: kept in a buffer, it would be sent
		// after its caller was told that it failed.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if nc.IsClosed() {
				return // by ourselves
			}
			log.Warn().Err(err).Str("connection", name).Msg("disconnected from NATS")
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			log.Info().Str("connection", name).Msg("reconnected to NATS")
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn().Err(err).Str("connection", name).Msg("NATS reported an error")
		}),
	}
}

// backoff returns the pause after the given failed attempt, counted from 1: doubling,
// and shortened at random by up to a half so that replicas spread out.
func backoff(attempt int) time.Duration {
	ceiling := backoffMin << min(max(attempt-1, 0), 10)
	ceiling = min(ceiling, backoffMax)
	return max(backoffMin, ceiling/2+rand.N(ceiling/2))
}

// pause waits for d and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
