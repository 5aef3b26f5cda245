package ingress

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Limits of a webhook.
const (
	// BodyMax is the largest body taken. Meta sends at most 3 MB (WIRE.md 1.3).
	BodyMax = 4 << 20
	// challengeMax bounds what a verification request can have echoed.
	challengeMax = 1 << 10
	// publishTimeout bounds the wait for the disk. The provider repeats what is
	// not answered 200.
	publishTimeout = 4 * time.Second
)

// Publisher stores messages durably: nil means that every one is on disk.
type Publisher interface {
	Publish(ctx context.Context, messages ...bus.Message) error
}

// Options configure the webhook handler.
type Options struct {
	// Secrets are the app secrets that may have signed a webhook; several are
	// valid at once, for rotation and for several apps.
	Secrets     []string
	VerifyToken string
	// SessionSecrets are the webhook secrets of WASenderApi's sessions, by channel.
	SessionSecrets map[string][]string
	Shards         int
	// Portfolio names the scope of the identities seen on a channel.
	Portfolio func(channel string) string
	// Signal tells whoever watches a session of WASenderApi what is heard of it. Nil
	// tells nobody.
	Signal func(channel string, s *parleyv1.SessionSignal)
	// In and Status store updates for WA_IN and WA_STATUS.
	In, Status Publisher
	Now        func() time.Time
	Log        zerolog.Logger
}

// Handler answers the webhooks of both providers.
type Handler struct {
	options Options
	meter   *meter
	forms   *formEndpoint // nil if forms are not configured
}

// New returns the handler of /webhooks/.
func New(o Options) *Handler { return &Handler{options: o, meter: newMeter()} }

// Routes mounts the handler.
func (h *Handler) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /webhooks/meta", h.verify)
	mux.HandleFunc("POST /webhooks/meta", h.receive(h.fromMeta))
	mux.HandleFunc("POST /webhooks/wasender/{channel}", h.receive(h.fromSession))
	mux.HandleFunc("POST /flows/{channel}", h.form)
}

// verify answers the subscription check: the challenge, if the token is ours.
// Source: Meta, "Webhooks: getting started" (WIRE.md 1.1).
func (h *Handler) verify(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	challenge := query.Get("hub.challenge")
	if query.Get("hub.mode") != "subscribe" || !sameSecret(query.Get("hub.verify_token"), h.options.VerifyToken) {
		http.Error(w, "verification refused: hub.mode or hub.verify_token is wrong", http.StatusForbidden)
		return
	}
	if len(challenge) > challengeMax {
		http.Error(w, "hub.challenge is too long", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, challenge)
}

// sameSecret compares in constant time, whatever the lengths.
func sameSecret(got, want string) bool {
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return want != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// provider takes an authentic body apart; else problem says how it is not.
type provider func(r *http.Request, body []byte, at time.Time) (updates []*parleyv1.Envelope, problem string)

// receive stores every update of a webhook before it answers.
func (h *Handler) receive(take provider) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		started := h.options.Now()
		status, problem := h.store(w, r, take, started)
		h.meter.answered(r.Context(), status, h.options.Now().Sub(started))
		if status != http.StatusOK {
			http.Error(w, problem, status)
			return
		}
		w.WriteHeader(http.StatusOK)
	}
}

func (h *Handler) fromMeta(r *http.Request, body []byte, at time.Time) ([]*parleyv1.Envelope, string) {
	signatures := r.Header.Values("X-Hub-Signature-256")
	if len(signatures) != 1 || !meta.VerifySignature(h.options.Secrets, body, signatures[0]) {
		return nil, "X-Hub-Signature-256 does not match: check PARLEY_META_APP_SECRET"
	}
	return meta.Split(body, at), ""
}

// fromSession takes what WASenderApi posts to the address of one of its sessions. A
// session that is not configured is refused like a wrong secret.
func (h *Handler) fromSession(r *http.Request, body []byte, at time.Time) ([]*parleyv1.Envelope, string) {
	channel := r.PathValue("channel")
	secrets, headers := h.options.SessionSecrets[channel], r.Header.Values("X-Webhook-Signature")
	if len(headers) != 1 || !wasender.VerifySecret(headers[0], secrets...) {
		return nil, "X-Webhook-Signature is not the secret of this session: check PARLEY_WASENDER_SECRET"
	}
	updates := slices.DeleteFunc(wasender.Split(body, channel, at, secrets...), wasender.IsPending)
	if h.options.Signal != nil {
		h.options.Signal(channel, signalOf(updates, body, at))
	}
	return updates, ""
}

// signalOf is what a POST says about its session: that it lives, its state, and the
// code that links a phone, which is in no envelope.
func signalOf(updates []*parleyv1.Envelope, body []byte, at time.Time) *parleyv1.SessionSignal {
	s := &parleyv1.SessionSignal{AtMs: at.UnixMilli(), Heard: true}
	for _, e := range updates {
		status, ok := wasender.DecodeSession(e)
		if !ok {
			continue
		}
		s.Status = string(status)
		if status == wasender.NeedScan {
			s.Qr = wasender.CodeOf(body).Reveal()
		}
	}
	return s
}

func (h *Handler) store(w http.ResponseWriter, r *http.Request, take provider, at time.Time) (status int, problem string) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return http.StatusUnsupportedMediaType, "compressed bodies are not taken"
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, BodyMax))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, "the body is larger than 4 MiB"
	}
	if err != nil {
		return http.StatusBadRequest, "the body could not be read"
	}
	updates, problem := take(r, body, at)
	if problem != "" {
		return http.StatusUnauthorized, problem
	}
	if err := h.publish(r.Context(), updates); err != nil {
		h.meter.refused(r.Context())
		h.options.Log.Warn().Err(err).Msg("webhook not stored; the provider will repeat it")
		return http.StatusServiceUnavailable, "not stored; please repeat"
	}
	return http.StatusOK, ""
}

// publish stores the updates on the streams they belong to. The request's end
// does not cancel it: what is under way may as well be finished.
func (h *Handler) publish(ctx context.Context, updates []*parleyv1.Envelope) error {
	var in, status []bus.Message
	for _, e := range updates {
		e.Portfolio = h.options.Portfolio(e.Channel)
		message, isReceipt, err := h.message(e)
		if err != nil {
			return err
		}
		if isReceipt {
			status = append(status, message)
		} else {
			in = append(in, message)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	return h.both(ctx, in, status)
}

// both publishes to the two streams at the same time.
func (h *Handler) both(ctx context.Context, in, status []bus.Message) error {
	if len(status) == 0 || len(in) == 0 {
		return errors.Join(publish(ctx, h.options.In, in), publish(ctx, h.options.Status, status))
	}
	first := make(chan error, 1)
	go func() { first <- publish(ctx, h.options.In, in) }()
	return errors.Join(publish(ctx, h.options.Status, status), <-first)
}

func publish(ctx context.Context, p Publisher, messages []bus.Message) error {
	if len(messages) == 0 {
		return nil
	}
	return p.Publish(ctx, messages...)
}

// message addresses an update to its lane. A receipt that echoes our delivery
// id goes to the shard that sent the message, whatever identity it names; one
// that nobody can read goes to WA_IN, to be kept.
func (h *Handler) message(e *parleyv1.Envelope) (m bus.Message, isReceipt bool, err error) {
	data, err := proto.Marshal(e)
	if err != nil {
		return m, false, err
	}
	shard := bus.ShardOf(e.Portfolio, e.LaneKey, h.options.Shards)
	if e.Kind == parleyv1.Kind_KIND_RECEIPT {
		receipt, err := whatsapp.DecodeReceipt(e)
		if err == nil && (receipt.Rank > 0 || receipt.Failed) {
			if sent, _, ok := store.ParseCallback(receipt.Callback); ok && sent.Shard < h.options.Shards {
				shard = sent.Shard
			}
			return bus.Message{Subject: bus.SubjectStatus(shard, e.Channel, e.LaneKey), Data: data}, true, nil
		}
	}
	return bus.Message{Subject: bus.SubjectIn(shard, e.Channel, e.LaneKey), Data: data}, false, nil
}
