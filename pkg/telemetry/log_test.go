package telemetry

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

func TestLineCarriesServiceTimeAndSpan(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(&out, "info", "session")
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	log.Info().Ctx(trace.ContextWithSpanContext(t.Context(), span)).Int("shard", 3).Msg("taken")

	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	at, err := time.Parse(timeFormat, line["time"].(string))
	if err != nil || time.Since(at) > time.Minute {
		t.Errorf("time %v: %v", line["time"], err)
	}
	delete(line, "time")
	want := map[string]any{
		"level": "info", "service": "session", "shard": 3.0, "message": "taken",
		"trace_id": "01000000000000000000000000000000", "span_id": "0200000000000000",
	}
	for key, value := range want {
		if line[key] != value {
			t.Errorf("%s = %v, want %v", key, line[key], value)
		}
	}
	if len(line) != len(want) {
		t.Errorf("line: %v", line)
	}
}

func TestLineWithoutSpan(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(&out, "info", "session")
	log.Info().Ctx(t.Context()).Msg("no span")
	log.Info().Msg("no context")
	if text := out.String(); strings.Contains(text, "trace_id") || strings.Count(text, "\n") != 2 {
		t.Errorf("log: %s", text)
	}
}

func TestLevel(t *testing.T) {
	for level, want := range map[string]string{"debug": "debug info error", "error": "error", "": "info error", "loud": "info error", "disabled": ""} {
		var out bytes.Buffer
		log := NewLogger(&out, level, "s")
		log.Debug().Msg("debug")
		log.Info().Msg("info")
		log.Error().Msg("error")
		var got []string
		for line := range strings.Lines(out.String()) {
			var fields struct{ Message string }
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Fatal(err)
			}
			got = append(got, fields.Message)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("level %q: %v, want %s", level, got, want)
		}
	}
}
