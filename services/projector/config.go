package projector

import (
	"context"

	"github.com/parleyhq/parley/pkg/lifecycle"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/services/internal/platform"
)

// Config is what the projector reads from the environment.
type Config struct{ platform.Common }

// Build makes the service ready to run.
func Build(_ context.Context, _ Config, d *platform.Deps) (platform.Service, error) {
	runner := d.Lane(store.ServiceProjector, d.Events(store.ServiceProjector), New(d.Store, d.Log), platform.GatherInsight, nil)
	return platform.Service{Parts: []lifecycle.Part{{Name: "projector", Run: runner.Run}}}, nil
}
