package session

import (
	"context"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
)

// flowKey names one published version of a flow; version 0 is the live one.
type flowKey struct {
	name    string
	version uint32
}

// library keeps compiled flows. Published versions never change and are kept
// for ever; which one is live is asked again after liveFor.
type library struct {
	store  Store
	flowOf func(channel string) string
	now    func() time.Time
	flows  map[flowKey]*flow.Flow
	asked  map[string]time.Time
}

const liveFor = 2 * time.Second

func newLibrary(s Store, flowOf func(string) string, now func() time.Time) *library {
	return &library{store: s, flowOf: flowOf, now: now, flows: map[flowKey]*flow.Flow{}, asked: map[string]time.Time{}}
}

func (l *library) get(ctx context.Context, key flowKey) (*flow.Flow, error) {
	f := l.flows[key]
	fresh := key.version > 0 || l.now().Sub(l.asked[key.name]) < liveFor
	if f != nil && fresh {
		return f, nil
	}
	f, err := l.store.LoadFlow(ctx, key.name, key.version)
	if err != nil {
		return nil, err
	}
	l.flows[key] = f
	if key.version == 0 {
		l.asked[key.name] = l.now()
		l.flows[flowKey{key.name, f.Version()}] = f
	}
	return f, nil
}
