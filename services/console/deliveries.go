package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// deliveries answers what became of sends, the newest first: those whose outcome is
// unknown, those that failed, or all to one contact.
func (a *API) deliveries(w http.ResponseWriter, r *http.Request) {
	query, err := deliveryQuery(r.URL.Query())
	if err != nil {
		answer(w, http.StatusBadRequest, problem{err.Error()})
		return
	}
	query.Limit = limit(r, messagesUsual, messagesMost)
	list, err := a.store.Deliveries(r.Context(), query)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	for i := range list {
		list[i].Kind = kindOf(list[i].Content)
	}
	page := struct {
		Deliveries []store.DeliveryRow `json:"deliveries"`
		// Next is what after= wants for the next page; empty if this was the last.
		Next string `json:"next"`
	}{Deliveries: list}
	if len(list) == query.Limit {
		last := list[len(list)-1]
		page.Next = cursorOf(store.Message{At: last.QueuedAt, Shard: last.Key.Shard, Offset: last.Key.Offset})
	}
	answer(w, http.StatusOK, page)
}

// deliveryQuery reads the query. Without a state or a contact all deliveries ever made
// would have to be sorted.
func deliveryQuery(q url.Values) (store.DeliveryQuery, error) {
	messages, err := messageQuery(q)
	if err != nil {
		return store.DeliveryQuery{}, err
	}
	query := store.DeliveryQuery{
		State: q.Get("state"), Channel: messages.Channel, Contact: messages.Contact, From: messages.From, To: messages.To,
	}
	if after := messages.After; after != nil {
		query.After = &store.DeliveryRow{QueuedAt: after.At, Key: store.DeliveryKey{Shard: after.Shard, Offset: after.Offset}}
	}
	switch query.State {
	case store.DeliveryAmbiguous, store.DeliveryFailed:
	case "":
		if query.Contact == "" {
			return query, fmt.Errorf("say which: state=%s, state=%s, or a contact", store.DeliveryAmbiguous, store.DeliveryFailed)
		}
	default:
		return query, fmt.Errorf("state=%q: use %s or %s", query.State, store.DeliveryAmbiguous, store.DeliveryFailed)
	}
	return query, nil
}

// kindOf names what a message is: "text", "template", ...
func kindOf(content []byte) string {
	m := &parleyv1.MessageQueued{}
	if proto.Unmarshal(content, m) != nil {
		return "unknown"
	}
	field := m.ProtoReflect().WhichOneof(m.ProtoReflect().Descriptor().Oneofs().ByName("content"))
	if field == nil {
		return "unknown"
	}
	return string(field.Name())
}

// resend has a send tried again whose outcome is unknown.
func (a *API) resend(w http.ResponseWriter, r *http.Request) {
	a.decide(w, r, a.store.OrderResend, "resending")
}

// drop gives one up.
func (a *API) drop(w http.ResponseWriter, r *http.Request) {
	a.decide(w, r, a.store.DropDelivery, "dropped")
}

// decide is an operator's word on a send whose outcome is unknown.
func (a *API) decide(w http.ResponseWriter, r *http.Request, do func(context.Context, store.DeliveryKey) (bool, error), done string) {
	shard, offset, ok := store.ParseDeliveryID(r.PathValue("id"))
	if !ok {
		answer(w, http.StatusBadRequest, problem{fmt.Sprintf("%q is not a delivery's id", r.PathValue("id"))})
		return
	}
	ok, err := do(r.Context(), store.DeliveryKey{Shard: shard, Offset: offset})
	switch {
	case err != nil:
		a.failed(w, r, err)
	case !ok:
		answer(w, http.StatusNotFound, problem{"no delivery of that id has an unknown outcome; GET /api/v1/deliveries?state=ambiguous lists them"})
	default:
		a.log.Info().Str("delivery", r.PathValue("id")).Str("order", done).Msg("an operator decided on a delivery")
		answer(w, http.StatusAccepted, map[string]string{done: r.PathValue("id")})
	}
}
