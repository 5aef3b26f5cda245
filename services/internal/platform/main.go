package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/lifecycle"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/telemetry"
)

// Exit codes of every Parley program.
const (
	ExitFailed        = 1
	ExitMisconfigured = 2
)

// Drain is how long a process may take to finish what it has begun. The grace
// period of whoever stops it should be 10 s longer.
const Drain = 15 * time.Second

// poolSize is the connections of one process to PostgreSQL.
const poolSize = 10

// Service is a service ready to run.
type Service struct {
	Parts []lifecycle.Part
	// Routes mounts the service's own HTTP routes; may be nil.
	Routes func(*http.ServeMux)
	// Close ends what the parts use, after all parts of the process have
	// returned; may be nil.
	Close func()
}

// Program describes the process of one service.
type Program[C checker] struct {
	Name string
	// Addr is where it listens if PARLEY_ADDR does not say.
	Addr string
	// NoDatabase is set for a service that needs none.
	NoDatabase bool
	Common     func(C) Common
	Build      func(ctx context.Context, config C, deps *Deps) (Service, error)
}

// Main runs the program until it is told to stop. It is the whole of a
// service's main function.
//
//	environment ─▶ NATS ─▶ PostgreSQL ─▶ service's parts + health, metrics
//	     1           2          3                      4
//	stopped in the reverse order
func Main[C checker](p Program[C]) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config, err := Load[C](os.Environ())
	common := p.Common(config)
	if err = errors.Join(err, p.required(common)); err != nil {
		Misconfigured(os.Stderr, p.Name, err)
		os.Exit(ExitMisconfigured)
	}
	log := telemetry.NewLogger(os.Stderr, common.LogLevel, p.Name)
	if err := p.run(ctx, config, common, log); err != nil {
		log.Error().Err(err).Msg("stopped")
		os.Exit(ExitFailed)
	}
}

// required reports what a separate process cannot do without.
func (p Program[C]) required(c Common) error {
	var errs []error
	if c.NATSURL == "" {
		errs = append(errs, errors.New("PARLEY_NATS_URL is not set: for example nats://127.0.0.1:4222"))
	}
	if c.DatabaseURL == "" && !p.NoDatabase {
		errs = append(errs, errors.New("PARLEY_DATABASE_URL is not set: for example postgres://parley@127.0.0.1/parley"))
	}
	return errors.Join(errs...)
}

// Misconfigured prints every problem of a configuration.
func Misconfigured(w io.Writer, name string, err error) {
	fmt.Fprintf(w, "%s: the configuration is wrong:\n", name)
	for _, problem := range Flatten(err) {
		fmt.Fprintf(w, "  - %v\n", problem)
	}
}

// Flatten lists the errors that were joined, however deep.
func Flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	for _, e := range joined.Unwrap() {
		list = append(list, Flatten(e)...)
	}
	return list
}

func (p Program[C]) run(ctx context.Context, config C, common Common, log zerolog.Logger) error {
	PaceCollector()
	telemetry, err := Telemetry(ctx, "parley-"+p.Name)
	if err != nil {
		return err
	}
	defer telemetry.Close()
	deps := &Deps{Common: common, Owner: NewOwner(), Log: log}
	if deps.Channels, err = LoadChannels(common.ChannelsFile, common.DefaultFlow); err != nil {
		return err
	}
	nc, err := bus.Connect(ctx, common.NATSURL, p.Name, log)
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := deps.ConnectNATS(ctx, nc); err != nil {
		return err
	}
	if !p.NoDatabase {
		if err := deps.openStore(ctx, p.Name); err != nil {
			return err
		}
		defer deps.Store.Close()
	}
	service, err := p.Build(ctx, config, deps)
	if err != nil {
		return err
	}
	if service.Close != nil {
		defer service.Close()
	}
	mux := http.NewServeMux()
	telemetry.Routes(mux, deps)
	if service.Routes != nil {
		service.Routes(mux)
	}
	return lifecycle.Run(ctx, Drain, append(service.Parts, Listen(cmp.Or(common.Addr, p.Addr), mux, log, nil))...)
}

// openStore migrates the database and opens it, as soon as it answers.
func (d *Deps) openStore(ctx context.Context, application string) error {
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := store.Migrate(ctx, d.Common.DatabaseURL)
		if err == nil {
			break
		}
		d.Log.Warn().Err(err).Dur("retry_in", wait).Msg("database is not ready")
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
	var err error
	d.Store, err = store.Open(ctx, d.Common.DatabaseURL, poolSize, "parley-"+application)
	return err
}

// Listen is the part that answers HTTP.
func Listen(addr string, handler http.Handler, log zerolog.Logger, listening func(net.Addr)) lifecycle.Part {
	limits := lifecycle.DefaultLimits()
	limits.ErrorLog = stdlog.New(log.With().Str("from", "http").Logger(), "", 0)
	limits.Listening = func(bound net.Addr) {
		log.Info().Str("addr", bound.String()).Msg("listening")
		if listening != nil {
			listening(bound)
		}
	}
	return lifecycle.ServeHTTP(addr, handler, limits)
}
