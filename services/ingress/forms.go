package ingress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// formEndpoint answers forms while they are open.
//
//	POST ─▶ checks ─▶ WA_IN, on disk ─▶ session ─▶ committed ─▶ answer
//	         1            2                3                       4
//	                      └───────── none in time: the received screen of the token
type formEndpoint struct {
	*forms.Endpoint
	answers  *Answers
	patience patience
}

// ServeForms makes the handler answer forms. A nil endpoint refuses them.
func (h *Handler) ServeForms(e *forms.Endpoint, answers *Answers) {
	if e != nil {
		h.forms = &formEndpoint{Endpoint: e, answers: answers}
	}
}

// Who answered a form.
const (
	toldBySession = "session"
	toldReceived  = "received"
)

// form answers what an open form sent.
func (h *Handler) form(w http.ResponseWriter, r *http.Request) {
	started := h.options.Now()
	if h.forms == nil {
		http.Error(w, "forms are not served here: set PARLEY_FLOWS_PRIVATE_KEY_FILE and PARLEY_FLOWS_TOKEN_SECRET", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, forms.MaxRequestBytes+1))
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	kind, told := "unknown", ""
	x, err := h.forms.Receive(r.PathValue("channel"), body, r.Header.Get("X-Hub-Signature-256"))
	if x != nil {
		kind = x.Kind.String()
	}
	if err == nil {
		told = h.exchange(w, r, x, started)
	} else {
		told = refuse(w, err)
	}
	h.meter.formAnswered(r.Context(), kind, told, h.options.Now().Sub(started))
}

// refuse answers with the status that Meta gives a meaning. A form whose token is
// refused is closed by the phone, in words of its own language (WIRE.md 4.3).
func refuse(w http.ResponseWriter, err error) (told string) {
	status, reason := forms.StatusOf(err), "the request cannot be answered"
	var refusal *forms.Refusal
	if errors.As(err, &refusal) {
		reason = "refused: " + refusal.Reason
	}
	http.Error(w, reason, status)
	return strconv.Itoa(status)
}

// exchange answers an authentic request. A form that is not open any more is closed.
func (h *Handler) exchange(w http.ResponseWriter, r *http.Request, x *forms.Exchange, started time.Time) (told string) {
	switch x.Kind {
	case forms.Ping:
		return h.seal(w, x, forms.Active(), toldBySession)
	case forms.Notice:
		h.options.Log.Warn().Str("channel", r.PathValue("channel")).Str("notice", x.NoticeKey).Msg("a phone could not use what its form was answered")
		return h.seal(w, x, forms.Acknowledged(), toldBySession)
	}
	answer, err := h.ask(r.Context(), x, started)
	switch {
	case err != nil:
		h.meter.refused(r.Context())
		return h.fail(w, http.StatusServiceUnavailable, err, "form not stored; the person has to send it again")
	case answer == nil:
		return h.received(w, x)
	case answer.GetScreen() == "" && !answer.GetFinished():
		return refuse(w, forms.ErrToken)
	}
	shown, err := answerOf(x, answer)
	if err != nil {
		return h.fail(w, http.StatusInternalServerError, err, "the answer to a form cannot be written")
	}
	return h.seal(w, x, shown, toldBySession)
}

// ask stores an exchange, and waits for what its session says; nil if that is not in
// time. It listens before it publishes.
func (h *Handler) ask(ctx context.Context, x *forms.Exchange, started time.Time) (*parleyv1.FormAnswered, error) {
	envelope, err := formEnvelope(x, started)
	if err != nil {
		return nil, err
	}
	answers, done := h.forms.answers.Expect(envelope.Id)
	defer done()
	if err := h.publish(ctx, []*parleyv1.Envelope{envelope}); err != nil {
		return nil, err
	}
	budget := h.forms.patience.begin()
	if budget == 0 {
		return nil, nil //nolint:nilnil // stored, and not answered
	}
	timer := time.NewTimer(budget - h.options.Now().Sub(started))
	defer timer.Stop()
	select {
	case data := <-answers:
		h.forms.patience.end(budget, true)
		answer := &parleyv1.FormAnswered{}
		return answer, proto.Unmarshal(data, answer)
	case <-timer.C:
	}
	h.forms.patience.end(budget, false)
	return nil, nil //nolint:nilnil // stored, and not answered
}

var exchangeKinds = map[forms.Kind]string{
	forms.Init: flow.ExchangeOpen, forms.Back: flow.ExchangeBack, forms.Submit: flow.ExchangeSubmit,
}

// formEnvelope is an exchange as it is stored, in the lane that its token names. Its
// id is that of the delivery, not of what was sent: A, back, B, back, A is heard.
func formEnvelope(x *forms.Exchange, at time.Time) (*parleyv1.Envelope, error) {
	raw, err := protojson.Marshal(&parleyv1.Input{Body: &parleyv1.Input_FormExchange{FormExchange: &parleyv1.FormExchange{
		Token: x.Sent.Session, Screen: x.Screen, Json: x.Data, Kind: exchangeKinds[x.Kind], Key: x.RepeatKey(),
	}}})
	if err != nil {
		return nil, fmt.Errorf("store a form exchange: %w", err)
	}
	return &parleyv1.Envelope{
		Id: "form/" + x.ID, Kind: parleyv1.Kind_KIND_FORM, Provider: "meta", Channel: x.Sent.Channel, LaneKey: x.Sent.LaneKey,
		Contact: &parleyv1.Identity{}, ReceivedAtMs: at.UnixMilli(), Field: "flows", Raw: raw,
	}, nil
}

// answerOf is the session's answer as the phone wants it.
func answerOf(x *forms.Exchange, a *parleyv1.FormAnswered) (forms.Answer, error) {
	if a.GetFinished() {
		return forms.Finish(x.Token, a.GetJson())
	}
	return forms.Show(a.GetScreen(), a.GetJson())
}

// received shows the screen that the token carries: nobody has to be asked for it. A
// form without one was sent without answers: the person may try again.
func (h *Handler) received(w http.ResponseWriter, x *forms.Exchange) (told string) {
	var shown forms.Answer
	if json.Unmarshal([]byte(x.Sent.Received), &shown) != nil || shown.Screen == "" {
		http.Error(w, "stored, and not answered in time", http.StatusServiceUnavailable)
		return strconv.Itoa(http.StatusServiceUnavailable)
	}
	return h.seal(w, x, shown, toldReceived)
}

// seal encrypts the answer: the whole body of a 200 (WIRE.md 4.1).
func (h *Handler) seal(w http.ResponseWriter, x *forms.Exchange, a forms.Answer, told string) string {
	body, err := x.Seal(a)
	if err != nil {
		return h.fail(w, http.StatusInternalServerError, err, "the answer to a form cannot be encrypted")
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write(body) // a phone that is gone asks again
	return told
}

// fail says in the log why there is no answer.
func (h *Handler) fail(w http.ResponseWriter, status int, err error, message string) (told string) {
	h.options.Log.Warn().Err(err).Msg(message)
	http.Error(w, "no answer; please repeat", status)
	return strconv.Itoa(status)
}
