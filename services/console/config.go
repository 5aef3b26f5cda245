package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/services/internal/platform"
)

// Config is what the console reads from the environment.
type Config struct {
	platform.Common
	// Graph is where files that came with messages are.
	Graph   platform.Graph
	Gateway platform.Gateway
	// Token, if set, must be sent as bearer token with every request.
	Token string `env:"PARLEY_CONSOLE_TOKEN"`
	// Sandbox says that the process has one; the environment does not.
	Sandbox bool
}

// Problems reports what is wrong with the configuration.
func (c Config) Problems() error {
	return errors.Join(c.Common.Problems(), c.Graph.Problems(), c.Gateway.Problems())
}

// Build makes the service ready to run.
func Build(_ context.Context, c Config, d *platform.Deps) (platform.Service, error) {
	api := newAPI(d)
	api.files = providers{sessions: c.Gateway.Keys(), gateway: c.Gateway.Client(wasender.Options{}), cloud: c.Graph.Client(), store: d.Store}
	api.hasSandbox = c.Sandbox
	return platform.Service{
		Routes: func(mux *http.ServeMux) {
			mux.Handle("/api/v1/", api.handler(c.Token))
			pages(mux)
		},
		Close: api.in.Close,
	}, nil
}
