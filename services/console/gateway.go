package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/health"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// orderWait is how long whoever watches a session may take for an order: it calls
	// WASenderApi up to three times.
	orderWait = 35 * time.Second
	// changesShown is how much of a session's history is listed.
	changesShown = 50
	// unwatched is the alarm of a session that nobody watches. Nobody is there to raise it.
	unwatched = "unwatched"
)

// gatewaySession is a session of WASenderApi with what its alarm asks for.
type gatewaySession struct {
	store.SessionHealth
	Advice string `json:"advice,omitempty"`
	// History is only in the answer about one session.
	History []store.SessionChange `json:"history,omitempty"`
}

func viewOf(h store.SessionHealth) gatewaySession {
	if !h.Watched {
		h.Alarm = unwatched
		return gatewaySession{SessionHealth: h, Advice: "nobody watches the session, and what is known of it is old: start the dispatcher with its API key in PARLEY_WASENDER_TOKEN"}
	}
	return gatewaySession{SessionHealth: h, Advice: health.Alarm(h.Alarm).Advice()}
}

// gatewaySessions answers how the sessions of WASenderApi are.
func (a *API) gatewaySessions(w http.ResponseWriter, r *http.Request) {
	list, err := a.store.SessionsHealth(r.Context())
	if err != nil {
		a.failed(w, r, err)
		return
	}
	views := make([]gatewaySession, len(list))
	for i, h := range list {
		views[i] = viewOf(h)
	}
	answer(w, http.StatusOK, views)
}

// gatewaySession answers how one session is, and what it went through.
func (a *API) gatewaySession(w http.ResponseWriter, r *http.Request) {
	view, err := a.session(r.Context(), r.PathValue("channel"))
	if err == nil {
		view.History, err = a.store.SessionHistory(r.Context(), view.Channel, limit(r, changesShown, 1000))
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, view)
}

// session is how a channel's session is; a refusal if it has none.
func (a *API) session(ctx context.Context, channel string) (gatewaySession, error) {
	list, err := a.store.SessionsHealth(ctx)
	if err != nil {
		return gatewaySession{}, err
	}
	i := slices.IndexFunc(list, func(h store.SessionHealth) bool { return h.Channel == channel })
	if i < 0 {
		return gatewaySession{}, refuse(http.StatusNotFound, "no session of channel %q is watched: give it an API key in PARLEY_WASENDER_TOKEN, and start the dispatcher", channel)
	}
	return viewOf(list[i]), nil
}

// orderSession orders connect, restart or disconnect, and answers what became of it.
func (a *API) orderSession(action string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		view, err := a.session(r.Context(), r.PathValue("channel"))
		var got *parleyv1.SessionOrderAnswer
		if err == nil {
			got, err = a.command(r.Context(), view.Channel, action)
		}
		if err != nil {
			a.refused(w, r, err)
			return
		}
		answer(w, http.StatusOK, map[string]string{"state": got.GetStatus()})
	}
}

// command gives whoever watches the session an order, and reads the answer.
func (a *API) command(ctx context.Context, channel, action string) (*parleyv1.SessionOrderAnswer, error) {
	data, err := proto.Marshal(&parleyv1.SessionOrder{Action: action})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, orderWait)
	defer cancel()
	m, err := a.nats.RequestWithContext(ctx, bus.SubjectOrder(channel), data)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, refuse(http.StatusServiceUnavailable, "no dispatcher watches the session of channel %s: start one, or wait a few seconds if one was stopped", channel)
	case err != nil:
		return nil, refuse(http.StatusGatewayTimeout, "nobody knows whether it was done: whoever watches the session did not answer. Look at its state before you repeat it")
	}
	got := &parleyv1.SessionOrderAnswer{}
	if err := proto.Unmarshal(m.Data, got); err != nil {
		return nil, err
	}
	return got, refusedOrder(got)
}

// refusedOrder is why an order was not done; nil if it was.
func refusedOrder(got *parleyv1.SessionOrderAnswer) error {
	switch got.GetOutcome() {
	case "done":
		return nil
	case "no_token":
		return refuse(http.StatusConflict, "sessions cannot be changed from here: set PARLEY_WASENDER_ACCOUNT_TOKEN, the account's personal access token, for the dispatcher")
	case "busy":
		return refuse(http.StatusConflict, "the session is being changed just now: wait half a minute, and look at its state")
	case "refused":
		return refuse(http.StatusBadGateway, "WASenderApi refused it (the session is %s): look at its alarm, or at the dashboard of WASenderApi", got.GetStatus())
	}
	return refuse(http.StatusBadGateway, "WASenderApi did not answer: it may have done it. Look at the session's state before you repeat it")
}
