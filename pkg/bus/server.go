package bus

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// Limits of the embedded server.
const (
	// maxPayloadBytes is above what one webhook may carry (WhatsApp posts up to 3 MB).
	maxPayloadBytes = 8 << 20
	// maxStoreBytes only switches off the server's own guess, 75 % of what the disk had
	// free at start, which would refuse the streams on a small disk. The limits that
	// count are those of the streams; a disk that fills up before them makes publishes
	// time out, which is a 503 and loses nothing.
	maxStoreBytes = 1 << 40
	// readyTimeout is short: the recovery of the streams is behind us then.
	readyTimeout = 5 * time.Second
)

// ServerOptions configures the embedded server.
type ServerOptions struct {
	// Dir keeps the streams. One live server per directory.
	Dir string
	// Listen is "host:port" (port 0 picks a free one), or empty for no TCP at all.
	Listen string
	// Log receives what the server says from warnings upwards.
	Log zerolog.Logger
}

// Server is an embedded nats-server that fsyncs before every acknowledgement. The
// default of nats-server acknowledges first and fsyncs every two minutes, which
// loses acknowledged messages in a power cut.
type Server struct {
	ns   *server.Server
	lock *dirLock
	log  zerolog.Logger
}

// StartServer starts a server on o.Dir and returns when it takes connections. It fails
// with ErrDirInUse if another live server holds the directory.
func StartServer(o ServerOptions) (*Server, error) {
	options, err := serverOptions(o)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	ns, err := server.NewServer(options)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create nats-server: %w", err), lock.release())
	}
	log := &serverLog{log: o.Log}
	ns.SetLoggerV2(log, false, false, false)
	s := &Server{ns: ns, lock: lock, log: o.Log}
	ns.Start() // returns when the streams are recovered, or Fatalf was called
	if log.why() != "" || !ns.ReadyForConnections(readyTimeout) {
		s.Shutdown()
		return nil, fmt.Errorf("start nats-server in %s: not ready: %s", o.Dir, log.why())
	}
	return s, nil
}

func serverOptions(o ServerOptions) (*server.Options, error) {
	options := &server.Options{
		ServerName:        "parley",
		DontListen:        o.Listen == "",
		JetStream:         true,
		StoreDir:          o.Dir,
		SyncAlways:        true,
		MaxPayload:        maxPayloadBytes,
		JetStreamMaxStore: maxStoreBytes,
		// The signals belong to the process that embeds the server.
		NoSigs: true,
	}
	if o.Listen == "" {
		return options, nil
	}
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w", o.Listen, err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: port: %w", o.Listen, err)
	}
	if number == 0 {
		number = server.RANDOM_PORT
	}
	options.Host, options.Port = host, number
	return options, nil
}

// Connect opens a connection inside the process, without TCP. It is called name in the
// server's monitoring.
func (s *Server) Connect(name string, options ...nats.Option) (*nats.Conn, error) {
	options = append(connectionOptions(name, s.log), options...)
	nc, err := nats.Connect("", append(options, nats.InProcessServer(s.ns))...)
	if err != nil {
		return nil, fmt.Errorf("connect %s to the embedded nats-server: %w", name, err)
	}
	return nc, nil
}

// URL returns where the server listens, or an empty string if it has no TCP.
func (s *Server) URL() string {
	if s.ns.Addr() == nil {
		return ""
	}
	return "nats://" + s.ns.Addr().String()
}

// Shutdown stops the server and gives the directory free. Close the connections first.
func (s *Server) Shutdown() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
	_ = s.lock.release() // the kernel drops the lock with the descriptor in any case
}
