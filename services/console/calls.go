package console

import (
	"fmt"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// calls answers which calls of the business's systems failed, or are still to be made,
// the newest first.
func (a *API) calls(w http.ResponseWriter, r *http.Request) {
	state := r.URL.Query().Get("state")
	switch state {
	case "":
		state = store.CallFailed
	case store.CallFailed, store.CallQueued:
	default:
		answer(w, http.StatusBadRequest, problem{fmt.Sprintf("state=%q: use %s or %s", state, store.CallFailed, store.CallQueued)})
		return
	}
	list, err := a.store.Calls(r.Context(), state, limit(r, messagesUsual, messagesMost))
	if err != nil {
		a.failed(w, r, err)
		return
	}
	for i := range list {
		request := &parleyv1.CallQueued{}
		if proto.Unmarshal(list[i].Request, request) == nil { // else nothing is known of it
			list[i].Method, list[i].URL = request.GetMethod(), request.GetUrl()
		}
	}
	answer(w, http.StatusOK, map[string][]store.CallView{"calls": list})
}
