package session

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// formDesk is what the service needs for forms that ask while they are open. Its
// zero value leaves tokens as they are, and answers nobody.
type formDesk struct {
	tokens  *forms.Tokens
	publish func(subject string, data []byte) error
}

// formAnswer is told to whoever waits for it at an ingress, after the commit.
type formAnswer struct {
	shard    int
	exchange string
	answer   *parleyv1.FormAnswered
}

// ServeForms lets the service read the tokens of forms, and answer them. It must be
// called before the first batch. tokens may be nil.
func (s *Service) ServeForms(tokens *forms.Tokens, publish func(subject string, data []byte) error) {
	s.forms = formDesk{tokens: tokens, publish: publish}
}

// join puts the engine's own token into the results of forms. One that is not of
// this channel, or of no secret of ours, stays: older forms have the engine's, and
// any other answers nothing.
func (d formDesk) join(list updates) {
	if d.tokens == nil {
		return
	}
	for _, part := range list {
		for _, u := range part {
			result := u.input.GetMessage().GetForm()
			if result.GetToken() == "" {
				continue
			}
			if token, err := d.tokens.Parse(result.GetToken()); err == nil && token.Channel == u.envelope.Channel {
				result.Token = token.Session
			}
		}
	}
}

// answer tells what is committed. Nobody may be waiting any more, or the message may
// be lost: then the form shows its received screen, and who asks again is told again.
func (d formDesk) answer(held []int, answers []formAnswer) {
	if d.publish == nil {
		return
	}
	for _, a := range answers {
		data, err := proto.Marshal(a.answer)
		if err != nil || !slices.Contains(held, a.shard) {
			continue
		}
		_ = d.publish(bus.SubjectAnswer(a.exchange), data) // as if it had been lost
	}
}

// answerForm notes what a form is told. One without an answer is over: it is closed.
func (b *batch) answerForm(u update, events []*parleyv1.Event) {
	if u.envelope.Kind != parleyv1.Kind_KIND_FORM {
		return
	}
	told := &parleyv1.FormAnswered{}
	for _, e := range events {
		if a := e.GetFormAnswered(); a != nil {
			told = a
		}
	}
	b.answers = append(b.answers, formAnswer{shard: u.shard, exchange: u.envelope.Id, answer: told})
}

// answerAgain tells the answer of an exchange that had its effect before: the same
// bytes came twice.
func (b *batch) answerAgain(u update) {
	x := u.input.GetFormExchange()
	if u.envelope.Kind != parleyv1.Kind_KIND_FORM || x == nil {
		return
	}
	told := &parleyv1.FormAnswered{}
	if a, ok := b.known.Sessions[u.session()].State.FormAnswer(x.GetKey()); ok {
		told = &parleyv1.FormAnswered{Key: a.Key, Screen: a.Screen, Json: a.JSON, Finished: a.Finished, Repeated: true}
	}
	b.answers = append(b.answers, formAnswer{shard: u.shard, exchange: u.envelope.Id, answer: told})
}
