package bus

import (
	"fmt"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// serverLog passes on what the embedded server says, from warnings upwards.
type serverLog struct {
	log   zerolog.Logger
	fatal atomic.Pointer[string]
}

// why returns what kept the server from starting, or an empty string.
func (l *serverLog) why() string {
	if text := l.fatal.Load(); text != nil {
		return *text
	}
	return ""
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

func (l *serverLog) Warnf(format string, args ...any) {
	l.log.Warn().Str("from", "nats-server").Msgf(format, args...)
}

func (l *serverLog) Errorf(format string, args ...any) {
	l.log.Error().Str("from", "nats-server").Msgf(format, args...)
}

// Fatalf keeps the reason for StartServer, which returns it; it does not end the process.
func (l *serverLog) Fatalf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.fatal.Store(&text)
}
