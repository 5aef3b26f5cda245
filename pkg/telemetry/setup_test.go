package telemetry

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	api "go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
)

func setup(t *testing.T) Telemetry {
	t.Helper()
	telemetry, err := Setup(t.Context(), "session")
	if err != nil {
		t.Fatal(err)
	}
	return telemetry
}

func scrape(telemetry Telemetry) string {
	answer := httptest.NewRecorder()
	telemetry.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return answer.Body.String()
}

func TestMetricsAreServed(t *testing.T) {
	telemetry := setup(t)
	meter := otel.Meter("test") // what other packages use
	steps, err := meter.Int64Counter("flow.steps")
	if err != nil {
		t.Fatal(err)
	}
	latency, err := meter.Float64Histogram("turn.duration", api.WithUnit("s"))
	if err != nil {
		t.Fatal(err)
	}
	steps.Add(t.Context(), 2, api.WithAttributes(attribute.String("flow", "booking")))
	latency.Record(t.Context(), 0.003)

	text := scrape(telemetry)
	for _, want := range []string{
		`flow_steps_total{flow="booking"} 2`,
		`turn_duration_seconds_bucket{le="0.001"} 0`,
		`turn_duration_seconds_bucket{le="0.005"} 1`,
		`turn_duration_seconds_bucket{le="60"} 1`,
		`service_name="session"`,
		"go_goroutines ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(text, "otel_scope") {
		t.Error("labels of the scope are not wanted")
	}
	if err := telemetry.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSpansWithoutAnEndpointHaveIds(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
	telemetry := setup(t)
	ctx, span := telemetry.Traces.Tracer("test").Start(t.Context(), "turn")
	defer span.End()
	if span.IsRecording() || !span.SpanContext().IsValid() {
		t.Errorf("recording %v, context %v", span.IsRecording(), span.SpanContext())
	}
	carrier := propagation.MapCarrier{}
	telemetry.Propagator.Inject(ctx, carrier)
	if !strings.Contains(carrier["traceparent"], span.SpanContext().TraceID().String()) {
		t.Errorf("carrier: %v", carrier)
	}
}

func TestSpansAreExported(t *testing.T) {
	received := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- r.URL.Path + " " + string(body)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	telemetry := setup(t)
	_, span := otel.Tracer("test").Start(context.Background(), "decide the turn")
	span.End()
	if err := telemetry.Shutdown(t.Context()); err != nil { // exports what waits
		t.Fatal(err)
	}
	select {
	case got := <-received:
		if !strings.HasPrefix(got, "/v1/traces ") || !strings.Contains(got, "decide the turn") || !strings.Contains(got, "session") {
			t.Errorf("received %q", got)
		}
	default:
		t.Error("nothing was exported")
	}
}
