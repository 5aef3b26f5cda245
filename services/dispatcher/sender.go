package dispatcher

import (
	"cmp"
	"context"
	"errors"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// sender makes the calls to the provider, one goroutine each. How many there
// are at a time, the desk bounds.
type sender struct {
	// clientOf is the provider of a channel.
	clientOf func(channel string) client
	log      zerolog.Logger
	// tokens make the flow_tokens of forms; nil leaves the engine's own.
	tokens *forms.Tokens
	// uploads name the files of flows.
	uploads *uploads
	finish  func(job Job, wamid string, err error)
}

// client sends through one provider. The error is a *meta.SendError.
type client interface {
	uploader
	Send(ctx context.Context, m meta.Outgoing) (id string, err error)
}

func newSender(clientOf func(channel string) client, log zerolog.Logger) *sender {
	return &sender{clientOf: clientOf, log: log}
}

func (s *sender) launch(job Job) { go s.send(job) }

// send makes one attempt. It is not cancelled by a stop of the process: a call
// that was begun is worth its answer, and it ends by its own timeout.
func (s *sender) send(job Job) {
	queued := &parleyv1.MessageQueued{}
	if err := proto.Unmarshal(job.Content, queued); err != nil {
		s.finish(job, "", &meta.SendError{Class: meta.Permanent, Message: "delivery cannot be decoded", Err: err})
		return
	}
	if err := s.address(job, queued); err != nil {
		s.finish(job, "", &meta.SendError{Class: meta.Permanent, Message: "the form cannot be given a token", Err: err})
		return
	}
	file := fileOf(queued)
	if file != nil {
		if err := s.uploads.name(job.Channel, file); err != nil {
			s.finish(job, "", err)
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	wamid, err := s.clientOf(job.Channel).Send(ctx, meta.Outgoing{
		Channel: job.Channel, Message: queued, DeliveryID: store.Callback(job.Key, job.QueuedAt),
	})
	if file != nil {
		err = s.uploads.judge(job.Channel, file, err)
	}
	if queued.GetTyping() != nil {
		err = onlyOnce(err)
	}
	s.finish(job, wamid, err)
}

// address puts into the tokens of forms what is needed to find their session again: the
// events keep the engine's own. The same delivery always has the same token.
func (s *sender) address(job Job, queued *parleyv1.MessageQueued) error {
	if s.tokens == nil {
		return nil
	}
	for form := range forms.Opened(queued) {
		token, err := s.tokens.New(forms.Token{
			Channel: job.Channel, LaneKey: cmp.Or(queued.GetLaneKey(), queued.GetBsuid(), queued.GetPhone()),
			Session: form.GetToken(), Form: form.GetFormId(), Received: string(form.GetReceived()),
		})
		if err != nil {
			return err
		}
		form.Token = token
	}
	return nil
}

// onlyOnce gives a typing indicator up after an error that concerns nothing else.
// It has no receipt that could settle it, the answer that it announces waits
// behind it, and later it is worth nothing.
func onlyOnce(err error) error {
	var refused *meta.SendError
	if !errors.As(err, &refused) || refused.Class != meta.Ambiguous && refused.Class != meta.Retry {
		return err
	}
	once := *refused
	once.Class = meta.Permanent
	return &once
}
