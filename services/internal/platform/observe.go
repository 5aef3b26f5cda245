package platform

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/parleyhq/parley/pkg/telemetry"
)

// Observed is the process's metrics and traces.
type Observed struct{ telemetry telemetry.Telemetry }

// Telemetry starts them.
func Telemetry(ctx context.Context, service string) (Observed, error) {
	t, err := telemetry.Setup(ctx, service)
	return Observed{t}, err
}

// Close exports what waits.
func (o Observed) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = o.telemetry.Shutdown(ctx)
}

// Routes mounts /healthz, /readyz and /metrics.
func (o Observed) Routes(mux *http.ServeMux, d *Deps) {
	health := telemetry.NewHealth(d.Log)
	health.Add("nats", func(context.Context) error { return natsReady(d.NATS) })
	if d.Store != nil {
		health.Add("postgres", d.Store.Ping)
	}
	health.Register(mux)
	mux.Handle("GET /metrics", o.telemetry.Handler())
}

func natsReady(nc *nats.Conn) error {
	if nc.Status() != nats.CONNECTED {
		return errors.New("not connected: " + nc.Status().String())
	}
	return nil
}
