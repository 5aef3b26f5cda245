package console

import (
	"encoding/json"
	"net/http"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/parleyhq/parley/pkg/store"
)

// sessions answers the sessions of a contact, who is named by phone, BSUID or
// contact id.
func (a *API) sessions(w http.ResponseWriter, r *http.Request) {
	sessions, err := a.store.FindSessions(r.Context(), r.PathValue("contact"))
	if err != nil {
		a.failed(w, r, err)
		return
	}
	if len(sessions) == 0 {
		answer(w, http.StatusNotFound, problem{"nobody of that phone number or user id has a session"})
		return
	}
	answer(w, http.StatusOK, sessions)
}

// sessionEvents answers all events of the contact's current sessions, in order.
func (a *API) sessionEvents(w http.ResponseWriter, r *http.Request) {
	sessions, err := a.store.FindSessions(r.Context(), r.PathValue("contact"))
	if err != nil {
		a.failed(w, r, err)
		return
	}
	list := []event{}
	for _, session := range sessions {
		events, err := a.store.SessionEvents(r.Context(), uint64(session.SessionID))
		if err != nil {
			a.failed(w, r, err)
			return
		}
		for _, e := range events {
			data, err := protojson.Marshal(e)
			if err != nil {
				a.failed(w, r, err)
				return
			}
			list = append(list, event{Type: store.EventType(e), Event: data})
		}
	}
	answer(w, http.StatusOK, list)
}

// event is one stored fact, in protobuf's JSON.
type event struct {
	Type  string          `json:"type"`
	Event json.RawMessage `json:"event"`
}

// deadLetters lists what could not be done, newest first.
func (a *API) deadLetters(w http.ResponseWriter, r *http.Request) {
	list, err := a.store.DeadLetters(r.Context(), r.URL.Query().Get("kind"), limit(r, 100, 1000))
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, list)
}

// ambiguous lists sends whose outcome was unknown, with cause and settlement.
func (a *API) ambiguous(w http.ResponseWriter, r *http.Request) {
	list, err := a.store.AmbiguousDeliveries(r.Context(), limit(r, 100, 1000))
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, list)
}
