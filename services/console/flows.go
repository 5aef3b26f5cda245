package console

import (
	"net/http"

	"github.com/parleyhq/parley/pkg/store"
)

// flowView is a flow with its versions and the people who are in it.
type flowView struct {
	Flow     string              `json:"flow"`
	Versions []store.VersionInfo `json:"versions"`
	Standing []store.StandingRow `json:"standing"`
}

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
	name := r.PathValue("flow")
	view := flowView{Flow: name}
	var err error
	if view.Versions, err = a.store.FlowVersions(r.Context(), name); err != nil {
		a.failed(w, r, err)
		return
	}
	if len(view.Versions) == 0 {
		answer(w, http.StatusNotFound, problem{"no flow of that name was ever published; GET /api/v1/flows lists them"})
		return
	}
	if view.Standing, err = a.store.Standing(r.Context(), name); err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, view)
}
