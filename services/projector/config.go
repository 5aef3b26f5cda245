package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parleyhq/parley/pkg/lifecycle"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/services/internal/platform"
)

// Config is what the projector reads from the environment.
type Config struct {
	platform.Common
	// KeepMessages is for how many days the message log is kept, to the month; 0 is
	// for ever.
	KeepMessages int `env:"PARLEY_KEEP_MESSAGES" envDefault:"0"`
}

// Problems reports what is wrong with the configuration.
func (c Config) Problems() error {
	errs := []error{c.Common.Problems()}
	if c.KeepMessages < 0 || c.KeepMessages > 36_500 {
		errs = append(errs, fmt.Errorf("PARLEY_KEEP_MESSAGES is %d: use days, such as 400, or 0 for ever", c.KeepMessages))
	}
	return errors.Join(errs...)
}

// Build makes both lanes ready to run, the funnels and the message log, and what
// follows the deliveries.
func Build(_ context.Context, c Config, d *platform.Deps) (platform.Service, error) {
	funnels := d.Lane(store.ServiceProjector, d.Events(store.ServiceProjector), New(d.Store, d.Log), platform.GatherInsight, nil)
	messages := d.Lane(store.ServiceMessages, d.Events(store.ServiceMessages), NewLog(d.Store, d.Log), platform.GatherInsight, nil)
	return platform.Service{Parts: []lifecycle.Part{
		{Name: "projector", Run: funnels.Run},
		{Name: "message log", Run: messages.Run},
		{Name: "delivery counts", Run: func(intake, _ context.Context) error { return foldDeliveries(intake, d) }},
		{Name: "advice on reminders", Run: func(intake, _ context.Context) error { return advise(intake, d) }},
		{Name: "message housekeeping", Run: func(intake, _ context.Context) error { return c.housekeep(intake, d) }},
	}}, nil
}

// housekeep makes the log's months ahead of time, and drops those that are over.
func (c Config) housekeep(ctx context.Context, d *platform.Deps) error {
	const every, monthsAhead = time.Hour, 3
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		before := time.Time{}
		if c.KeepMessages > 0 {
			before = time.Now().AddDate(0, 0, -c.KeepMessages)
		}
		dropped, err := d.Store.KeepMessages(ctx, monthsAhead, before)
		switch {
		case err != nil && ctx.Err() == nil:
			d.Log.Warn().Err(err).Msg("message housekeeping")
		case dropped > 0:
			d.Log.Info().Int("months", dropped).Msg("old messages dropped")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// foldDeliveries keeps short what the changes of deliveries append. Who reads adds
// what is not folded yet.
func foldDeliveries(ctx context.Context, d *platform.Deps) error {
	const every, linesMax = 10 * time.Second, 10_000
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		folded, err := d.Store.FoldDeliveryCounts(ctx, linesMax)
		if err != nil && ctx.Err() == nil {
			d.Log.Warn().Err(err).Msg("counts of deliveries wait")
		}
		if folded == linesMax {
			continue // there is more
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}
