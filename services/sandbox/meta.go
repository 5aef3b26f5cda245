package sandbox

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// account is the WhatsApp business account that the webhooks name.
const account = "100000000000000"

// metaLine is the number at Meta.
func (s *Sandbox) metaLine() *line {
	c := s.config
	sign := func(h http.Header, body []byte) { h.Set("X-Hub-Signature-256", fake.Sign(c.Secret, body)) }
	return &line{provider: faults.Meta, number: c.DisplayNumber, poster: newPoster(c.WebhookURL, sign), write: s.writeToMeta}
}

func (s *Sandbox) writeToMeta(id string, d draft, at time.Time) (name string, body []byte) {
	person, _ := personOf(id)
	name = newWAMID(id)
	return name, fake.Payload(account, s.config.Channel, fake.Message(person, name, at, d.typ, d.content, fake.ReplyTo(d.context)))
}

// receive takes what Parley sends to the Graph API: it shows it and has its receipts
// posted. A recipient who cannot exist is refused as Meta does, error 131026.
func (s *Sandbox) receive(ctx context.Context, send fake.Send) fake.Answer {
	if send.Type == "typing" || send.Type == "read" {
		return s.receiveMark(send)
	}
	id := strings.TrimPrefix(send.To, "+") + send.Recipient // one of them is empty
	person, ok := personOf(id)
	if !ok {
		return fake.Refusal(400, 131026, "Message undeliverable")
	}
	wamid := newWAMID(id)
	r := reply{phone: id, line: s.meta, receipt: func(status string, at time.Time) []byte {
		return fake.Payload(account, send.Channel, fake.Receipt(person, wamid, status, at, send.Callback))
	}}
	r.fault, _ = s.faults.Receipts(faults.Meta)
	if !s.enqueue(ctx, r) {
		return fake.Refusal(503, 131016, "Service unavailable")
	}
	s.book.hear(id, s.meta, heardOf(send, wamid, time.Now()), send.Body)
	return fake.Answer{WAMID: wamid}
}

// receiveMark takes what says something about a person's message: that it was read,
// or that an answer is being written. Only the message is named, and there are no
// receipts.
func (s *Sandbox) receiveMark(send fake.Send) fake.Answer {
	id, ok := phoneOf(send.MessageID)
	if !ok {
		return fake.Refusal(400, 131009, "Parameter value is not valid")
	}
	s.book.mark(id, s.meta, send.Type, time.Now(), send.Body)
	return fake.Answer{}
}
