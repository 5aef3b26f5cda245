package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/lifecycle"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/telemetry"
	"github.com/parleyhq/parley/services/console"
	"github.com/parleyhq/parley/services/dispatcher"
	"github.com/parleyhq/parley/services/ingress"
	"github.com/parleyhq/parley/services/internal/platform"
	"github.com/parleyhq/parley/services/projector"
	"github.com/parleyhq/parley/services/sandbox"
	"github.com/parleyhq/parley/services/session"
)

// What the sandbox's phones write to: a business number at Meta, and a session of
// WASenderApi.
const (
	sandboxChannel       = "100000000000001"
	sandboxNumber        = "15550001111"
	sandboxSession       = "sandbox"
	sandboxSessionNumber = "15550002222"
	sandboxGateway       = "/sandbox/wasender/api"
	upPoolSize           = 16
)

type upCommand struct{}

// Run runs everything until ctx ends.
func (upCommand) Run(ctx context.Context) error {
	config, err := load(os.Environ())
	if err != nil {
		platform.Misconfigured(os.Stderr, "parley up", err)
		return errMisconfigured
	}
	u := &up{config: config, say: newProgress(os.Stderr)}
	u.log = telemetry.NewLogger(os.Stderr, config.Common().LogLevel, "parley")
	defer u.close()
	return u.run(ctx)
}

// up is one run of everything. What was opened is closed in reverse order.
//
//	data folder ─▶ NATS ─▶ PostgreSQL ─▶ services, sandbox ─▶ HTTP
//	     1           2          3                4              5
type up struct {
	config Config
	log    zerolog.Logger
	say    *progress
	// database is the URL of our own PostgreSQL, for the tools; empty if it is not ours.
	database string
	closers  []func()
}

func (u *up) onClose(f func()) { u.closers = append(u.closers, f) }

func (u *up) close() {
	for _, f := range slices.Backward(u.closers) {
		f()
	}
}

func (u *up) run(ctx context.Context) error {
	platform.PaceCollector()
	observed, err := platform.Telemetry(ctx, "parley")
	if err != nil {
		return err
	}
	u.onClose(observed.Close)
	common := u.config.Common()
	deps := &platform.Deps{Common: common, Log: u.log, Owner: u.owner()}
	if deps.Channels, err = platform.LoadChannels(common.ChannelsFile, common.DefaultFlow); err != nil {
		return err
	}
	if err := os.MkdirAll(u.config.DataDir, 0o755); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	nc, err := u.openNATS(ctx)
	if err != nil {
		return err
	}
	if err := deps.ConnectNATS(ctx, nc); err != nil {
		return err
	}
	died, err := u.openPostgres(ctx, deps)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	observed.Routes(mux, deps)
	parts, err := u.services(ctx, deps, mux)
	if err != nil {
		return err
	}
	parts = append(parts, platform.Listen(u.config.Common().Addr, mux, u.log, func(net.Addr) { u.say.ready(u.welcome()) }), died)
	err = lifecycle.Run(ctx, platform.Drain, parts...)
	u.say.step("stopping")
	return err
}

// owner is the same at every start on this data folder, which its lock keeps to
// one process at a time: so a restart need not wait for its own leases to run
// out. Without a locked folder nothing keeps two apart.
func (u *up) owner() string {
	if u.config.Common().NATSURL != "" && u.config.Common().DatabaseURL != "" {
		return platform.NewOwner()
	}
	host, _ := os.Hostname()
	dir, err := filepath.Abs(u.config.DataDir)
	if err != nil {
		return platform.NewOwner()
	}
	sum := sha256.Sum256([]byte(host + "\x00" + dir))
	return "up-" + hex.EncodeToString(sum[:6])
}

func (u *up) openNATS(ctx context.Context) (*nats.Conn, error) {
	if url := u.config.Common().NATSURL; url != "" {
		u.say.step("connecting to NATS")
		nc, err := bus.Connect(ctx, url, "parley", u.log)
		if err == nil {
			u.onClose(nc.Close)
		}
		return nc, err
	}
	u.say.step("starting NATS")
	server, err := bus.StartServer(bus.ServerOptions{Dir: filepath.Join(u.config.DataDir, "nats"), Log: u.log})
	if err != nil {
		return nil, err
	}
	u.onClose(server.Shutdown)
	nc, err := server.Connect("parley")
	if err == nil {
		u.onClose(nc.Close)
	}
	return nc, err
}

// openPostgres returns the part that keeps our own PostgreSQL alive.
func (u *up) openPostgres(ctx context.Context, deps *platform.Deps) (lifecycle.Part, error) {
	part := lifecycle.Part{Name: "postgres", Run: func(intake, _ context.Context) error { <-intake.Done(); return nil }}
	if deps.Common.DatabaseURL == "" {
		u.say.step("starting PostgreSQL")
		postgres, err := startPostgres(ctx, u.config.DataDir, u.say.step, u.log)
		if err != nil {
			return part, err
		}
		u.onClose(postgres.stop)
		part.Run = postgres.watch
		u.database = postgres.dsn()
		deps.Common.DatabaseURL = u.database
	}
	u.say.step("migrating the database")
	if err := store.Migrate(ctx, deps.Common.DatabaseURL); err != nil {
		return part, err
	}
	db, err := store.Open(ctx, deps.Common.DatabaseURL, upPoolSize, "parley")
	if err != nil {
		return part, err
	}
	u.onClose(db.Close)
	deps.Store = db
	if u.sandboxSession().APIKey != "" {
		return part, nil
	}
	// What an earlier start with the sandbox left would be an alarm for ever.
	return part, db.ForgetSession(ctx, sandboxSession)
}

// services builds every service and mounts its routes.
func (u *up) services(ctx context.Context, deps *platform.Deps, mux *http.ServeMux) ([]lifecycle.Part, error) {
	u.say.step("starting the services")
	builds := []func() (platform.Service, error){
		func() (platform.Service, error) { return session.Build(ctx, u.config.Session, deps) },
		func() (platform.Service, error) { return dispatcher.Build(ctx, u.config.Dispatcher, deps) },
		func() (platform.Service, error) { return projector.Build(ctx, u.config.Projector, deps) },
		func() (platform.Service, error) { return console.Build(ctx, u.console(), deps) },
		func() (platform.Service, error) { return ingress.Build(ctx, u.config.Ingress, deps) },
	}
	var parts []lifecycle.Part
	for _, build := range builds {
		service, err := build()
		if err != nil {
			return nil, err
		}
		parts = append(parts, service.Parts...)
		if service.Close != nil {
			u.onClose(service.Close)
		}
		if service.Routes != nil {
			service.Routes(mux)
		}
	}
	return append(parts, u.sandbox(mux)...), nil
}

// usesSandbox reports whether messages go to our own sandbox.
func (u *up) usesSandbox() bool {
	return strings.HasPrefix(u.config.Dispatcher.Graph.URL, localURL(u.config.Common().Addr)+"/sandbox/")
}

// console is the configuration of the console, which links to the sandbox.
func (u *up) console() console.Config {
	config := u.config.Console
	config.Sandbox = u.usesSandbox()
	return config
}

// sandbox mounts the fake WhatsApp, unless messages go to a real one.
func (u *up) sandbox(mux *http.ServeMux) []lifecycle.Part {
	if !u.usesSandbox() {
		mux.HandleFunc("/sandbox/", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "The sandbox is off, because PARLEY_GRAPH_URL names another Graph API. Start without it to use the sandbox.", http.StatusNotFound)
		})
		return nil
	}
	if os.Getenv("PARLEY_META_ACCESS_TOKEN") != "" {
		u.log.Warn().Msg("PARLEY_META_ACCESS_TOKEN is not used: messages go to the sandbox; set PARLEY_GRAPH_URL=https://graph.facebook.com/v25.0 to reach WhatsApp")
	}
	s := sandbox.New(sandbox.Config{
		WebhookURL: localURL(u.config.Common().Addr) + "/webhooks/meta", Secret: u.config.Ingress.AppSecrets[0],
		Channel: sandboxChannel, DisplayNumber: sandboxNumber, Session: u.sandboxSession(), Log: u.log,
	})
	mux.Handle("/sandbox/", s.Handler())
	return []lifecycle.Part{{Name: "sandbox", Run: func(intake, _ context.Context) error { return s.Run(intake) }}}
}

// sandboxSession is the sandbox's session of WASenderApi; none if sessions go to a real one.
func (u *up) sandboxSession() sandbox.SessionConfig {
	base := localURL(u.config.Common().Addr)
	if !u.usesSandbox() || u.config.Dispatcher.Gateway.URL != base+sandboxGateway {
		return sandbox.SessionConfig{}
	}
	of := func(pairs []string) string {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, sandboxSession+"="); ok {
				return value
			}
		}
		return ""
	}
	return sandbox.SessionConfig{
		WebhookURL: base + "/webhooks/wasender/" + sandboxSession, Secret: of(u.config.Ingress.SessionSecrets),
		APIKey: of(u.config.Dispatcher.Gateway.SessionKeys), AccountToken: u.config.Dispatcher.AccountToken, Number: sandboxSessionNumber,
	}
}

func (u *up) welcome() []line {
	base := localURL(u.config.Common().Addr)
	lines := []line{{"Console", base + "/"}, {"Webhook", base + "/webhooks/meta"}, {"Flows", base + "/api/v1/flows"}, {"Funnel", base + "/api/v1/funnels/lead"}, {"Status", base + "/api/v1/status"}, {"Metrics", base + "/metrics"}}
	if u.usesSandbox() {
		lines = append([]line{{"Sandbox", base + "/sandbox/"}}, lines...)
	} else {
		lines = append(lines, line{"Graph API", u.config.Dispatcher.Graph.URL})
	}
	lines = append(lines, line{"Data", u.config.DataDir})
	if u.database != "" {
		lines = append(lines, line{"Database", u.database})
	}
	return lines
}
