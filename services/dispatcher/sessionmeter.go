package dispatcher

import (
	"context"
	"maps"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/health"
)

// sessionMeter shows how the sessions are that this replica watches.
type sessionMeter struct {
	tries metric.Int64Counter
	now   func() time.Time

	mu       sync.Mutex
	sessions map[string]health.Health
}

func newSessionMeter(now func() time.Time) *sessionMeter {
	s := &sessionMeter{now: now, sessions: map[string]health.Health{}}
	m := otel.Meter("parley/dispatcher")
	s.tries, _ = m.Int64Counter("parley.session.tries", metric.WithDescription("connects, restarts and disconnects of a session"))
	state, _ := m.Int64ObservableGauge("parley.session.state", metric.WithDescription("1 for the state that a session is in"))
	alarm, _ := m.Int64ObservableGauge("parley.session.alarm", metric.WithDescription("1 for the alarm that a session has"))
	heard, _ := m.Float64ObservableGauge("parley.session.heard_age", metric.WithUnit("s"), metric.WithDescription("time since a session's last webhook"))
	_, _ = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s.mu.Lock()
		seen := maps.Clone(s.sessions)
		s.mu.Unlock()
		for channel, h := range seen {
			of := attribute.String("channel", channel)
			o.ObserveInt64(state, 1, metric.WithAttributes(of, attribute.String("state", label(h.State))))
			if h.Alarm != health.Quiet {
				o.ObserveInt64(alarm, 1, metric.WithAttributes(of, attribute.String("alarm", string(h.Alarm))))
			}
			if !h.Heard.IsZero() {
				o.ObserveFloat64(heard, s.now().Sub(h.Heard).Seconds(), metric.WithAttributes(of))
			}
		}
		return nil
	}, state, alarm, heard)
	return s
}

// label is a state as a label of a metric: the gateway may invent words without end.
func label(state wasender.Status) string {
	switch state {
	case wasender.Connecting, wasender.Connected, wasender.Disconnected, wasender.NeedScan, wasender.NeedPasskey, wasender.LoggedOut, wasender.Expired, health.Unknown:
		return string(state)
	}
	return "other"
}

func (s *sessionMeter) saw(channel string, h health.Health) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[channel] = h
}

func (s *sessionMeter) forget(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, channel)
}

func (s *sessionMeter) tried(ctx context.Context, channel string, action health.Action) {
	s.tries.Add(ctx, 1, metric.WithAttributes(attribute.String("channel", channel), attribute.String("action", string(action))))
}
