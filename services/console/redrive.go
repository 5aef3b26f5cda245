package console

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// redrive orders a parked contact to be tried again. The order is an update in
// the contact's own lane, so it can neither overtake nor be overtaken.
func (a *API) redrive(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		answer(w, http.StatusBadRequest, problem{fmt.Sprintf("%q is not a dead letter's id", r.PathValue("id"))})
		return
	}
	letter, ok, err := a.store.ParkedLetter(r.Context(), id)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	if !ok {
		answer(w, http.StatusNotFound, problem{"no parked dead letter of that id waits; GET /api/v1/dead-letters?kind=parked lists them"})
		return
	}
	message, err := a.envelope(&parleyv1.Envelope{
		Id: fmt.Sprintf("redrive/%d/%s", id, rand.Text()), Field: store.OperatorRedrive,
		Channel: letter.Channel, Portfolio: letter.Portfolio, LaneKey: letter.LaneKey, ContactId: letter.Contact[:],
	})
	if err == nil {
		err = a.in.Publish(r.Context(), message)
	}
	if err != nil {
		a.unsent(w, r, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]int{"redriving": letter.Waiting})
}
