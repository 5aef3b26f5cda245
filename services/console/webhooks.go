package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// webhookView is one webhook as the API shows it.
type webhookView struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	State    string    `json:"state"`
	Contact  string    `json:"contact_id"`
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
	NextAt   time.Time `json:"next_at"`
	Error    string    `json:"error"`
}

// webhooks answers what another system is still to be told, the oldest first, and how
// much that is.
func (a *API) webhooks(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, err := readWebhookCursor(q.Get("after"))
	if state := q.Get("state"); err == nil && state != "" && state != store.WebhookQueued && state != store.WebhookDead {
		err = refuse(http.StatusBadRequest, "state=%q: use %s, %s, or leave it out for both", state, store.WebhookQueued, store.WebhookDead)
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	most := limit(r, messagesUsual, messagesMost)
	page := struct {
		Counts   store.WebhookCounts `json:"counts"`
		Webhooks []webhookView       `json:"webhooks"`
		// Next is what after= wants for the next page; empty if this was the last.
		Next string `json:"next"`
	}{Webhooks: []webhookView{}}
	if page.Counts, err = a.store.CountWebhooks(r.Context()); err != nil {
		a.failed(w, r, err)
		return
	}
	list, err := a.store.Webhooks(r.Context(), q.Get("state"), after, most)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	for _, h := range list {
		page.Webhooks = append(page.Webhooks, webhookView{h.ID(), h.Type, h.State, h.Contact.String(), h.Since, h.Attempts, h.NextAt, h.Error})
	}
	if len(list) == most {
		last := list[most-1]
		page.Next = last.Since.UTC().Format(time.RFC3339Nano) + "~" + last.ID()
	}
	answer(w, http.StatusOK, page)
}

// readWebhookCursor reads where a page ended; nil for the first one.
func readWebhookCursor(text string) (*store.Webhook, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // the first page comes after nothing
	}
	at, id, _ := strings.Cut(text, "~")
	since, err := time.Parse(time.RFC3339Nano, at)
	key, ok := store.ParseWebhookID(id)
	if err != nil || !ok {
		return nil, refuse(http.StatusBadRequest, "after=%q is no place in the list: give what next said", text)
	}
	return &store.Webhook{Key: key, Since: since}, nil
}

// redriveWebhook has one that was given up told again, for another day.
func (a *API) redriveWebhook(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	key, ok := store.ParseWebhookID(id)
	if !ok {
		answer(w, http.StatusBadRequest, problem{fmt.Sprintf("%q is not a webhook's id", id)})
		return
	}
	ok, err := a.store.RedriveWebhook(r.Context(), key)
	switch {
	case err != nil:
		a.failed(w, r, err)
	case !ok:
		answer(w, http.StatusNotFound, problem{"no webhook of that id was given up; GET /api/v1/webhooks?state=dead lists them"})
	default:
		a.log.Info().Str("webhook", id).Msg("an operator has a webhook told again")
		answer(w, http.StatusAccepted, map[string]string{"redriving": id})
	}
}
