package bus

import (
	"context"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

func TestHeaderCarrierCarriesATrace(t *testing.T) {
	sent := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5, 6}, TraceFlags: trace.FlagsSampled,
	})
	header := nats.Header{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), sent), HeaderCarrier(header))
	if !slices.Contains(HeaderCarrier(header).Keys(), "traceparent") {
		t.Fatalf("no header traceparent, exactly so written, in %v", header)
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), HeaderCarrier(header))
	got := trace.SpanContextFromContext(ctx)
	if got.TraceID() != sent.TraceID() || got.SpanID() != sent.SpanID() || !got.IsSampled() {
		t.Errorf("got %v, want %v", got, sent)
	}
}
