package console

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/parleyhq/parley/pkg/flow"
)

// overlaps warns of entries that a message can fit as well as one of another live
// flow: only one of the two flows begins then. Where the priorities differ,
// somebody has decided which.
func (a *API) overlaps(ctx context.Context, f *flow.Flow) (flow.Problems, error) {
	flows, err := a.liveBeside(ctx, f)
	if err != nil {
		return nil, err
	}
	var warnings flow.Problems
	for _, channel := range channelsOf(flows) {
		var releases []flow.Release
		for _, f := range flows {
			if a.channels.Offers(channel, f.Name()) {
				releases = append(releases, flow.Release{Flow: f})
			}
		}
		for _, o := range flow.NewRouter(channel, "", releases...).Overlaps() {
			if warning, ok := overlap(f, flows, o); ok && !slices.Contains(warnings, warning) {
				warnings = append(warnings, warning)
			}
		}
	}
	return warnings, nil
}

// liveBeside returns the flow and every other that is live. One that this program
// cannot compile does not begin either.
func (a *API) liveBeside(ctx context.Context, f *flow.Flow) ([]*flow.Flow, error) {
	list, err := a.store.LiveFlows(ctx)
	flows := []*flow.Flow{f}
	for _, live := range list {
		if live.Name == f.Name() {
			continue
		}
		other, err := a.compiled.get(ctx, a.store, live)
		var broken flow.Problems
		if errors.As(err, &broken) {
			continue
		}
		if err != nil {
			return nil, err
		}
		flows = append(flows, other)
	}
	return flows, err
}

// channelsOf lists the channels that entries name, and one that none names.
func channelsOf(flows []*flow.Flow) []string {
	channels := []string{""}
	for _, f := range flows {
		for _, e := range f.Describe().Entries {
			channels = append(channels, e.Channels...)
		}
	}
	slices.Sort(channels)
	return slices.Compact(channels)
}

// overlap describes one of f's.
func overlap(f *flow.Flow, flows []*flow.Flow, o flow.Overlap) (warning flow.Problem, ok bool) {
	mine, theirs, other := o.Entry, o.OtherEntry, o.OtherFlow
	if o.OtherFlow == f.Name() {
		mine, theirs, other = o.OtherEntry, o.Entry, o.Flow
	}
	entry, found := entryOf(flows, f.Name(), mine)
	beside, foundOther := entryOf(flows, other, theirs)
	if !found || !foundOther || entry.Priority != beside.Priority || o.Flow != f.Name() && o.OtherFlow != f.Name() {
		return warning, false
	}
	return flow.Problem{
		Rule: "entry", Warning: true, Line: entry.Line, Column: 1,
		Message: fmt.Sprintf("%s overlaps with %s of flow %s, which is live; what fits both begins %s: change one of them, or give one a priority", mine, theirs, other, o.Wins),
	}, true
}

func entryOf(flows []*flow.Flow, name, label string) (flow.EntryInfo, bool) {
	f := slices.IndexFunc(flows, func(f *flow.Flow) bool { return f.Name() == name })
	if f < 0 {
		return flow.EntryInfo{}, false
	}
	entries := flows[f].Describe().Entries
	e := slices.IndexFunc(entries, func(e flow.EntryInfo) bool { return e.Label == label })
	if e < 0 {
		return flow.EntryInfo{}, false
	}
	return entries[e], true
}
