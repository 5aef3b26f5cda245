package console

import "net/http"

// notices answers what the provider has told about accounts, numbers, templates and
// forms: the newest of each.
func (a *API) notices(w http.ResponseWriter, r *http.Request) {
	facts, err := a.store.AccountFacts(r.Context())
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, facts)
}
