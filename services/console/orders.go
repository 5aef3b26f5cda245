package console

import (
	"errors"
	"net/http"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// order makes the update that puts an input into a contact's lane, where it takes
// its turn like everything else. e has the id of the order and whose it is.
func (a *API) order(e *parleyv1.Envelope, in *parleyv1.Input) (bus.Message, error) {
	raw, err := protojson.Marshal(in)
	if err != nil {
		return bus.Message{}, err
	}
	e.Field, e.Raw = store.OperatorInput, raw
	return a.envelope(e)
}

// envelope makes an update of an operator's.
func (a *API) envelope(e *parleyv1.Envelope) (bus.Message, error) {
	e.Kind, e.Provider, e.ReceivedAtMs = parleyv1.Kind_KIND_OPERATOR, "parley", time.Now().UnixMilli()
	data, err := proto.Marshal(e)
	shard := bus.ShardOf(e.Portfolio, e.LaneKey, a.shards)
	return bus.Message{Subject: bus.SubjectIn(shard, e.Channel, e.LaneKey), Data: data}, err
}

// unsent answers that an order did not reach its lane, as far as is known.
func (a *API) unsent(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, bus.ErrTooLarge) {
		answer(w, http.StatusRequestEntityTooLarge, problem{"the order is larger than an update may be: send less with it"})
		return
	}
	if r.Context().Err() != nil {
		return
	}
	a.log.Error().Err(err).Str("route", r.Pattern).Msg("order not sent")
	answer(w, http.StatusServiceUnavailable, problem{"the message stream did not take the order; try again"})
}
