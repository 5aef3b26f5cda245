package console

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
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
	data, err := proto.Marshal(&parleyv1.Envelope{
		Id: fmt.Sprintf("redrive/%d/%s", id, rand.Text()), Kind: parleyv1.Kind_KIND_OPERATOR, Provider: "parley",
		Channel: letter.Channel, Portfolio: letter.Portfolio, LaneKey: letter.LaneKey,
		ReceivedAtMs: time.Now().UnixMilli(), Field: store.OperatorRedrive,
	})
	if err == nil {
		shard := bus.ShardOf(letter.Portfolio, letter.LaneKey, a.shards)
		_, err = a.js.Publish(r.Context(), bus.SubjectIn(shard, letter.Channel, letter.LaneKey), data)
	}
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]int{"redriving": letter.Waiting})
}
