package bus

import (
	"maps"
	"slices"

	"github.com/nats-io/nats.go"
)

// HeaderCarrier carries a trace context in NATS headers. It implements OpenTelemetry's
// propagation.TextMapCarrier. NATS headers are case-sensitive, so the HTTP carrier, which
// writes "Traceparent", would hide the context from readers in other languages.
type HeaderCarrier nats.Header

// Get returns the first value of key, or an empty string.
func (c HeaderCarrier) Get(key string) string { return nats.Header(c).Get(key) }

// Set replaces the value of key.
func (c HeaderCarrier) Set(key, value string) { nats.Header(c).Set(key, value) }

// Keys returns the names of all headers, sorted.
func (c HeaderCarrier) Keys() []string { return slices.Sorted(maps.Keys(c)) }
