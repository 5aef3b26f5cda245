package console

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// redrive orders a parked contact to be tried again, or what nothing was known of. The
// order is an update in the contact's own lane, so it can neither overtake nor be overtaken.
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
		a.redriveUnhandled(w, r, id)
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

// redriveUnhandled puts what a letter holds into its lanes, as far as more is known of it
// than when it came. Their ids make each once, however often this is asked.
func (a *API) redriveUnhandled(w http.ResponseWriter, r *http.Request, id int64) {
	data, ok, err := a.store.UnhandledLetter(r.Context(), id)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	if !ok {
		answer(w, http.StatusNotFound, problem{"no parked or unhandled dead letter of that id waits; GET /api/v1/dead-letters lists them"})
		return
	}
	messages, err := a.again(data)
	if err != nil || len(messages) == 0 {
		answer(w, http.StatusConflict, problem{"nothing more is known of this update today; it is kept"})
		return
	}
	if err := a.in.Publish(r.Context(), messages...); err != nil {
		a.unsent(w, r, err)
		return
	}
	if err := a.store.ResolveUnhandled(r.Context(), id); err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]int{"redriving": len(messages)})
}

// again are the parts of an update that something is known of today, for their lanes.
func (a *API) again(data []byte) (messages []bus.Message, err error) {
	e := &parleyv1.Envelope{}
	if err := proto.Unmarshal(data, e); err != nil {
		return nil, err
	}
	for _, part := range whatsapp.Again(e) {
		data, err := proto.Marshal(part)
		if err != nil {
			return nil, err
		}
		shard := bus.ShardOf(part.Portfolio, part.LaneKey, a.shards)
		messages = append(messages, bus.Message{Subject: bus.SubjectIn(shard, part.Channel, part.LaneKey), Data: data})
	}
	return messages, nil
}
