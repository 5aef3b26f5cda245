package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	prometheusexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// secondsBuckets are the bounds of every histogram whose unit is "s". (Exponential histograms would need no bounds, but the text
// format of Prometheus shows nothing of them.)
var secondsBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// Telemetry is the metrics and traces of a process.
type Telemetry struct {
	Meters     *metric.MeterProvider
	Traces     *trace.TracerProvider
	Propagator propagation.TextMapPropagator

	registry *prometheus.Registry
}

// Setup makes the metrics and traces of a process and installs them as OpenTelemetry's own (otel.Meter, otel.Tracer), so that a
// package needs no parameter for them. Call it once.
//
// Metrics are read from Handler. Spans are exported with OTLP over HTTP if OTEL_EXPORTER_OTLP_ENDPOINT or
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set; the other OTEL_… variables work as OpenTelemetry describes them. Without an endpoint spans
// are not recorded, but still have ids, which link the lines of the log.
func Setup(ctx context.Context, service string) (Telemetry, error) {
	origin, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv())
	if err != nil {
		return Telemetry{}, fmt.Errorf("telemetry resource: %w", err)
	}
	registry := prometheus.NewRegistry()
	meters, err := newMeters(registry, origin)
	if err != nil {
		return Telemetry{}, fmt.Errorf("metrics: %w", err)
	}
	traces, err := newTraces(ctx, origin)
	if err != nil {
		return Telemetry{}, fmt.Errorf("traces: %w", err)
	}
	propagator := propagation.TraceContext{} // no baggage: strangers call us, and what they put there would travel with every message
	otel.SetMeterProvider(meters)
	otel.SetTracerProvider(traces)
	otel.SetTextMapPropagator(propagator)
	return Telemetry{Meters: meters, Traces: traces, Propagator: propagator, registry: registry}, nil
}

// newMeters exports to a registry of its own: what other libraries put into Prometheus' default one is not ours to show.
func newMeters(registry *prometheus.Registry, origin *resource.Resource) (*metric.MeterProvider, error) {
	for _, collector := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(collector); err != nil {
			return nil, err
		}
	}
	exporter, err := prometheusexporter.New(prometheusexporter.WithRegisterer(registry), prometheusexporter.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	seconds := metric.NewView(
		metric.Instrument{Kind: metric.InstrumentKindHistogram, Unit: "s"},
		metric.Stream{Aggregation: metric.AggregationExplicitBucketHistogram{Boundaries: secondsBuckets}},
	)
	return metric.NewMeterProvider(metric.WithReader(exporter), metric.WithView(seconds), metric.WithResource(origin)), nil
}

func newTraces(ctx context.Context, origin *resource.Resource) (*trace.TracerProvider, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return trace.NewTracerProvider(trace.WithSampler(trace.NeverSample()), trace.WithResource(origin)), nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	return trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(origin)), nil
}

// Handler answers with the metrics in the text format of Prometheus (or OpenMetrics, if asked).
func (t Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Shutdown exports the spans that wait and ends both providers.
func (t Telemetry) Shutdown(ctx context.Context) error {
	return errors.Join(t.Traces.Shutdown(ctx), t.Meters.Shutdown(ctx))
}
