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
	forms   metric.Float64Histogram
}

func newMeter() *meter {
	m := otel.Meter("parley/ingress")
	seconds, _ := m.Float64Histogram("parley.webhook", metric.WithUnit("s"), metric.WithDescription("time to answer a webhook"))
	refused, _ := m.Int64Counter("parley.webhook.refused", metric.WithDescription("authentic webhooks answered 503"))
	formSeconds, _ := m.Float64Histogram("parley.form", metric.WithUnit("s"), metric.WithDescription("time to answer an open form"))
	return &meter{seconds: seconds, repeats: refused, forms: formSeconds}
}

func (m *meter) answered(ctx context.Context, status int, took time.Duration) {
	m.seconds.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("status", strconv.Itoa(status))))
}

func (m *meter) refused(ctx context.Context) { m.repeats.Add(ctx, 1) }

// formAnswered counts what an open form sent by its kind and what it was told:
// "session", "received", or the status of a refusal.
func (m *meter) formAnswered(ctx context.Context, kind, told string, took time.Duration) {
	m.forms.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("kind", kind), attribute.String("told", told)))
}
