package projector

import (
	"context"
	"time"

	"github.com/parleyhq/parley/pkg/insight"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/services/internal/platform"
)

const (
	// adviseEvery is how often it is worked out anew when reminders do most good.
	adviseEvery = 5 * time.Minute
	// adviseDays is how far back: people change, and so do flows.
	adviseDays = 28
)

// AdviceStore is what advice on reminders needs of PostgreSQL.
type AdviceStore interface {
	Silences(ctx context.Context, from, to time.Time) (map[store.FlowStep]*insight.Silences, error)
	Advise(ctx context.Context, advice map[store.FlowStep]insight.Advice) error
}

// Advise works out when reminders do most good at each step.
//
// Only days are taken of which every silence is over, because it is a day long at most:
// of later ones the short silences alone are known, and people would look quicker than
// they are.
func Advise(ctx context.Context, s AdviceStore, now time.Time) error {
	const day = 24 * time.Hour
	last := now.UTC().Truncate(day).Add(-2 * day)
	silences, err := s.Silences(ctx, last.Add(-(adviseDays-1)*day), last)
	if err != nil {
		return err
	}
	advice := map[store.FlowStep]insight.Advice{}
	for step, of := range silences {
		advice[step] = of.Advise()
	}
	return s.Advise(ctx, advice)
}

// advise keeps the advice fresh. Every replica does so: each comes to the same.
func advise(ctx context.Context, d *platform.Deps) error {
	ticker := time.NewTicker(adviseEvery)
	defer ticker.Stop()
	for {
		if err := Advise(ctx, d.Store, time.Now()); err != nil && ctx.Err() == nil {
			d.Log.Warn().Err(err).Msg("advice on reminders waits")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

var _ AdviceStore = (*store.Store)(nil)
