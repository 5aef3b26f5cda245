package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
)

// flowKey names one published version of a flow.
type flowKey struct {
	name    string
	version uint32
}

// Serving says which flows serve which channel.
type Serving interface {
	// Flow names the flow that takes what no entry of any flow fits.
	Flow(channel string) string
	// Offers reports whether a flow can begin on a channel.
	Offers(channel, flow string) bool
	// TakesOver reports whether who writes from the phone's own app takes the
	// conversation.
	TakesOver(channel string) bool
}

// library keeps compiled flows. Published versions never change and are kept
// for ever; which ones are live is asked again after liveFor.
type library struct {
	store   Store
	serving Serving
	now     func() time.Time
	flows   map[flowKey]*flow.Flow
	live    []store.Live
	routers map[string]*flow.Router // by channel, of the flows that are live
	asked   time.Time
}

const liveFor = 2 * time.Second

func newLibrary(s Store, serving Serving, now func() time.Time) *library {
	return &library{store: s, serving: serving, now: now, flows: map[flowKey]*flow.Flow{}}
}

// get returns a published version.
func (l *library) get(ctx context.Context, key flowKey) (*flow.Flow, error) {
	if f := l.flows[key]; f != nil {
		return f, nil
	}
	f, err := l.store.LoadFlow(ctx, key.name, key.version)
	if err != nil {
		return nil, err
	}
	l.flows[key] = f
	return f, nil
}

// router returns what can begin on a channel.
func (l *library) router(ctx context.Context, channel string) (*flow.Router, error) {
	if l.routers == nil || l.now().Sub(l.asked) >= liveFor {
		if err := l.refresh(ctx); err != nil {
			return nil, err
		}
	}
	if r := l.routers[channel]; r != nil {
		return r, nil
	}
	releases, err := l.releases(ctx, channel)
	if err != nil {
		return nil, err
	}
	r := flow.NewRouter(channel, l.serving.Flow(channel), releases...)
	l.routers[channel] = r
	return r, nil
}

// refresh asks what is live. The routers are kept as long as it is the same.
func (l *library) refresh(ctx context.Context) error {
	live, err := l.store.LiveFlows(ctx)
	if err != nil {
		return err
	}
	if l.routers == nil || !slices.Equal(live, l.live) {
		l.live, l.routers = live, map[string]*flow.Router{}
	}
	l.asked = l.now()
	return nil
}

// releases loads the live flows of a channel. A flow whose definition this
// program cannot compile (a newer one published it) does not begin; the others do.
func (l *library) releases(ctx context.Context, channel string) ([]flow.Release, error) {
	var all []flow.Release
	for _, live := range l.live {
		if !l.serving.Offers(channel, live.Name) {
			continue
		}
		release, err := l.release(ctx, live)
		var broken flow.Problems
		if errors.As(err, &broken) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, release)
	}
	return all, nil
}

func (l *library) release(ctx context.Context, live store.Live) (r flow.Release, err error) {
	if r.Flow, err = l.get(ctx, flowKey{live.Name, live.Version}); err != nil || live.Canary == 0 {
		return r, err
	}
	r.Weight = int(live.Weight)
	r.Canary, err = l.get(ctx, flowKey{live.Name, live.Canary})
	return r, err
}
