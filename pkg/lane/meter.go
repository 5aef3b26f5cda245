package lane

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// meter counts what a lane does. Labels name the service only: never a contact.
type meter struct {
	attrs    metric.MeasurementOption
	messages metric.Int64Counter
	seconds  metric.Float64Histogram
	age      metric.Float64Histogram
}

func newMeter(service string) *meter {
	m := otel.Meter("parley/lane")
	messages, _ := m.Int64Counter("parley.lane.messages", metric.WithDescription("messages handed to the service"))
	seconds, _ := m.Float64Histogram("parley.lane.batch", metric.WithUnit("s"), metric.WithDescription("time to apply a batch"))
	age, _ := m.Float64Histogram("parley.lane.age", metric.WithUnit("s"), metric.WithDescription("time from stored to applied, of the oldest message of a batch"))
	return &meter{
		attrs:    metric.WithAttributeSet(attribute.NewSet(attribute.String("service", service))),
		messages: messages, seconds: seconds, age: age,
	}
}

func (m *meter) batch(ctx context.Context, parts []Part, started time.Time) {
	count, oldest := 0, started
	for _, part := range parts {
		count += len(part.Messages)
		if at := part.Messages[0].At; at.Before(oldest) {
			oldest = at
		}
	}
	m.messages.Add(ctx, int64(count), m.attrs)
	m.seconds.Record(ctx, time.Since(started).Seconds(), m.attrs)
	m.age.Record(ctx, time.Since(oldest).Seconds(), m.attrs)
}
