package console

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// funnel answers how many sessions entered, answered, failed validation at and
// left each step. The unit is the session; the days are those on which the
// sessions started (UTC).
func (a *API) funnel(w http.ResponseWriter, r *http.Request) {
	filter, err := funnelFilter(r)
	if err != nil {
		answer(w, http.StatusBadRequest, problem{err.Error()})
		return
	}
	funnel, err := a.store.Funnel(r.Context(), filter)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	if funnel.Totals.Started == 0 && len(funnel.Steps) == 0 {
		known, err := a.store.FlowPublished(r.Context(), filter.Flow)
		if err != nil {
			a.failed(w, r, err)
			return
		}
		if !known {
			answer(w, http.StatusNotFound, problem{fmt.Sprintf("no flow %q is published", filter.Flow)})
			return
		}
	}
	answer(w, http.StatusOK, funnel)
}

// funnelFilter reads the query: every parameter is optional.
func funnelFilter(r *http.Request) (store.FunnelFilter, error) {
	q := r.URL.Query()
	f := store.FunnelFilter{Flow: r.PathValue("flow"), Channel: q.Get("channel"), Language: q.Get("language")}
	for name, day := range map[string]*string{"from": &f.From, "to": &f.To} {
		value := q.Get(name)
		if value == "" {
			continue
		}
		if at, err := time.Parse(time.DateOnly, value); err != nil || at.Year() < 1 {
			return f, fmt.Errorf("%s=%q is not a day: use for example 2026-11-22", name, value)
		}
		*day = value
	}
	if value := q.Get("version"); value != "" {
		version, err := strconv.ParseInt(value, 10, 32)
		if err != nil || version < 1 {
			return f, fmt.Errorf("version=%q is not a version: use 1 or higher", value)
		}
		f.Version = int(version)
	}
	return f, nil
}
