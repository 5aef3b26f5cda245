package telemetry

import (
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"
)

// timeFormat has milliseconds; zerolog's own is one for the whole process, and has seconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// NewLogger returns a logger of the service that writes one JSON object a line to w, or text for people if w is a terminal. level is
// one of trace, debug, info, warn, error, disabled; info if it is none of them. A line that is given a context
// (logger.Info().Ctx(ctx)) carries the trace_id and span_id of its span.
func NewLogger(w io.Writer, level, service string) zerolog.Logger {
	if isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05.000"}
	}
	threshold, err := zerolog.ParseLevel(level)
	if err != nil || threshold == zerolog.NoLevel {
		threshold = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(threshold).Hook(zerolog.HookFunc(addTime), zerolog.HookFunc(addSpan)).
		With().Str("service", service).Logger()
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

func addTime(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format(timeFormat))
}

func addSpan(e *zerolog.Event, _ zerolog.Level, _ string) {
	if span := trace.SpanContextFromContext(e.GetCtx()); span.IsValid() {
		e.Stringer("trace_id", span.TraceID()).Stringer("span_id", span.SpanID())
	}
}
