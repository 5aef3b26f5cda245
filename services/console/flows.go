package console

import (
	"context"
	"net/http"
	"slices"

	"github.com/parleyhq/parley/pkg/store"
)

// flowView is a flow with its versions and the people who are in it.
type flowView struct {
	Flow     string              `json:"flow"`
	Versions []store.VersionInfo `json:"versions"`
	// Releases are the last decisions of what new sessions get, the newest first.
	Releases []store.ReleaseView `json:"releases"`
	Standing []store.StandingRow `json:"standing"`
}

// releasesShown is how many of the decisions are listed.
const releasesShown = 20

// flows lists what is live.
func (a *API) flows(w http.ResponseWriter, r *http.Request) {
	live, err := a.store.LiveFlows(r.Context())
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, live)
}

// flow answers the versions of a flow, and who stands where.
func (a *API) flow(w http.ResponseWriter, r *http.Request) {
	takeTime(w)
	view := flowView{Flow: r.PathValue("flow")}
	var err error
	if view.Versions, err = a.store.FlowVersions(r.Context(), view.Flow); err == nil && len(view.Versions) == 0 {
		err = a.noFlow(r.Context(), view.Flow)
	}
	if err == nil {
		view.Releases, err = a.store.Releases(r.Context(), view.Flow, releasesShown)
	}
	if err == nil {
		view.Standing, err = a.store.Standing(r.Context(), view.Flow)
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, view)
}

// live says what is live of a flow.
func (a *API) live(ctx context.Context, name string) (store.Live, error) {
	list, err := a.store.LiveFlows(ctx)
	if err != nil {
		return store.Live{}, err
	}
	i := slices.IndexFunc(list, func(l store.Live) bool { return l.Name == name })
	if i < 0 {
		return store.Live{}, a.noFlow(ctx, name)
	}
	return list[i], nil
}

// noFlow refuses a name that no flow has, and says which there are.
func (a *API) noFlow(ctx context.Context, name string) error {
	list, err := a.store.LiveFlows(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(list))
	for i, l := range list {
		names[i] = l.Name
	}
	if len(names) == 0 {
		return refuse(http.StatusNotFound, "no flow %q is published, nor is any other", name)
	}
	return refuse(http.StatusNotFound, "no flow %q is published; published are: %s", name, listed(names))
}
