package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Limits bounds what clients can make an HTTP server hold.
type Limits struct {
	// HeaderTimeout is the time for a request's headers, ReadTimeout for the whole request.
	HeaderTimeout, ReadTimeout time.Duration
	// WriteTimeout is the time from a request's headers to the end of its answer; 0 for none. A handler that streams can lift it for
	// its own answer with http.ResponseController.SetWriteDeadline, which is better than none for all.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection is kept for a next request.
	IdleTimeout time.Duration
	// HeaderBytesMax is the size of a request's headers.
	HeaderBytesMax int
	// ConnectionsMax is how many connections are open at a time; more wait to be accepted. 0 for any number.
	ConnectionsMax int
	// Listening, if set, is called once with the bound address, before the first connection is accepted (the port may be 0 in addr).
	Listening func(net.Addr)
	// ErrorLog receives what the server has nobody to tell: panics of handlers, faults of accept. Without one it goes to the standard logger.
	ErrorLog *log.Logger
}

// DefaultLimits are the limits for a server that strangers can reach.
func DefaultLimits() Limits {
	return Limits{
		HeaderTimeout:  5 * time.Second,
		ReadTimeout:    15 * time.Second,
		WriteTimeout:   30 * time.Second,
		IdleTimeout:    120 * time.Second,
		HeaderBytesMax: 16 << 10,
		ConnectionsMax: 4096,
	}
}

// ServeHTTP is the part that answers HTTP requests on addr ("host:port"). When intake ends it accepts no more connections and lets
// the requests that it has begun finish; those that are not done when work ends are cut.
//
// A request's context ends with work (or its client), so that a stop does not cancel what a request has begun; an answer that has no
// end of its own (a stream of events) must watch Stopping.
func ServeHTTP(addr string, handler http.Handler, limits Limits) Part {
	return Part{Name: "http " + addr, Run: func(intake, work context.Context) error {
		listener, err := (&net.ListenConfig{}).Listen(intake, "tcp", addr)
		if err != nil {
			return err
		}
		if limits.Listening != nil {
			limits.Listening(listener.Addr())
		}
		if limits.ConnectionsMax > 0 {
			listener = netutil.LimitListener(listener, limits.ConnectionsMax)
		}
		return serve(intake, work, listener, limits.server(work, intake, handler))
	}}
}

// server is the HTTP server that keeps the limits.
func (l Limits) server(work, intake context.Context, handler http.Handler) *http.Server {
	base := context.WithValue(work, stoppingKey{}, intake.Done())
	return &http.Server{
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: l.HeaderTimeout,
		ReadTimeout:       l.ReadTimeout,
		WriteTimeout:      l.WriteTimeout,
		IdleTimeout:       l.IdleTimeout,
		MaxHeaderBytes:    l.HeaderBytesMax,
		ErrorLog:          l.ErrorLog,
	}
}

// serve answers until intake ends, then shuts down while work lasts.
func serve(intake, work context.Context, listener net.Listener, server *http.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-intake.Done():
	}
	if err := server.Shutdown(work); err != nil {
		return errors.Join(fmt.Errorf("requests were cut: %w", err), server.Close())
	}
	return nil
}

type stoppingKey struct{}

// Stopping returns a channel that is closed when the server of this request begins to stop; nil outside of such a request.
func Stopping(request context.Context) <-chan struct{} {
	done, _ := request.Value(stoppingKey{}).(<-chan struct{})
	return done
}
