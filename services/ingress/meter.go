package ingress

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// meter counts webhooks by the status they were answered with.
type meter struct {
	seconds metric.Float64Histogram
	repeats metric.Int64Counter
}

func newMeter() *meter {
	m := otel.Meter("parley/ingress")
	seconds, _ := m.Float64Histogram("parley.webhook", metric.WithUnit("s"), metric.WithDescription("time to answer a webhook"))
	refused, _ := m.Int64Counter("parley.webhook.refused", metric.WithDescription("authentic webhooks answered 503"))
	return &meter{seconds: seconds, repeats: refused}
}

func (m *meter) answered(ctx context.Context, status int, took time.Duration) {
	m.seconds.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("status", strconv.Itoa(status))))
}

func (m *meter) refused(ctx context.Context) { m.repeats.Add(ctx, 1) }
