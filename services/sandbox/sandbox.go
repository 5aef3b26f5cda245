package sandbox

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// account is the WhatsApp business account that the webhooks name.
const account = "100000000000000"

// Receipts: how many replies may be on their way to "read" at the same time, and
// how many more may wait for their turn before the Graph API refuses to take one.
const (
	maxReplies     = 2000
	maxRepliesWait = 1000
)

// receiptPlan is the life of a reply on the person's phone.
var receiptPlan = []struct {
	status string
	after  time.Duration // since the one before was accepted
}{
	{"sent", 60 * time.Millisecond},
	{"delivered", 150 * time.Millisecond},
	{"read", 500 * time.Millisecond},
}

// Config says whom the sandbox plays WhatsApp for.
type Config struct {
	WebhookURL    string // where Parley takes Meta's webhooks
	Secret        string // the app secret that signs them
	Channel       string // phone_number_id of the business number that people write to
	DisplayNumber string // the same number as people see it; only shown
	Log           zerolog.Logger
}

// Sandbox is the phones, the page that shows them, and the fake Graph API.
type Sandbox struct {
	config  Config
	book    *book
	feed    *feed
	poster  *poster
	wake    chan struct{} // there is something in an outbox
	replies chan reply    // accepted by the Graph API, no receipt posted yet
	faults  faults.Switches
	shelf   shelf
	stopped chan struct{} // closed when Run ends: it ends the event streams
}

// reply is a message that the fake Graph API accepted.
type reply struct {
	phone    string
	channel  string
	wamid    string
	callback string
	// fault is what goes wrong with its receipts, if anything.
	fault faults.Fault
}

// New returns a sandbox with no phones. Nothing is posted before Run.
func New(c Config) *Sandbox {
	f := newFeed()
	return &Sandbox{
		config:  c,
		book:    newBook(f),
		feed:    f,
		poster:  newPoster(c.WebhookURL, c.Secret),
		wake:    make(chan struct{}, 1),
		replies: make(chan reply, maxRepliesWait),
		stopped: make(chan struct{}),
	}
}

// Run posts the webhooks until ctx ends, which is not an error; what was not
// accepted by then is forgotten. Messages go in order per phone, receipts in order
// per reply. It may be called once. Its end ends the event streams too, so that a
// server that waits for its requests can stop after it.
//
//	page ──▶ outbox ──▶ 1 postMessages ──▶ webhook ──▶ Parley
//	                                                     │
//	page ◀── bubble ◀───────────── Graph API ◀───────────┘
//	                                   │
//	                replies ──▶ 2 postReceipts ──▶ webhook
func (s *Sandbox) Run(ctx context.Context) error {
	defer close(s.stopped)
	defer s.poster.client.CloseIdleConnections()
	var wg sync.WaitGroup
	wg.Go(func() { s.postMessages(ctx) })
	wg.Go(func() { s.postReceipts(ctx) })
	wg.Wait()
	return nil
}

// postMessages posts the outboxes, each phone's on its own.
func (s *Sandbox) postMessages(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		for _, p := range s.book.idle() {
			wg.Go(func() { s.postOutbox(ctx, p) })
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Sandbox) postOutbox(ctx context.Context, p *phone) {
	for w := s.book.first(p); w != nil; w = s.book.first(p) {
		if !s.deliver(ctx, w) {
			return
		}
		s.book.posted(p)
	}
}

// postReceipts follows each reply on its own.
func (s *Sandbox) postReceipts(ctx context.Context) {
	var group errgroup.Group
	group.SetLimit(maxReplies)
	defer func() { _ = group.Wait() }() // follow returns none
	for {
		select {
		case r := <-s.replies:
			group.Go(func() error { s.follow(ctx, r); return nil })
		case <-ctx.Done():
			return
		}
	}
}

// follow posts the receipts of one reply, each after the one before was accepted.
func (s *Sandbox) follow(ctx context.Context, r reply) {
	if r.fault.Kind == faults.ReceiptsLate && !wait(ctx, r.fault.Delay()) {
		return
	}
	for _, step := range receiptPlan {
		if !wait(ctx, step.after) || !s.report(ctx, r, step.status) {
			return
		}
	}
}

// report posts one receipt, or two of the same. It returns false if ctx ended before.
func (s *Sandbox) report(ctx context.Context, r reply, status string) bool {
	person, _ := personOf(r.phone)
	now := time.Now()
	body := fake.Payload(account, r.channel, fake.Receipt(person, r.wamid, status, now, r.callback))
	if r.fault.Kind == faults.ReceiptsTwice && !s.deliver(ctx, s.book.receipt(r.phone, status, now, body)) {
		return false
	}
	return s.deliver(ctx, s.book.receipt(r.phone, status, now, body))
}

// deliver posts until the answer is 200. It returns false if ctx ended before.
func (s *Sandbox) deliver(ctx context.Context, w *webhook) bool {
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		o := s.poster.post(ctx, w.body)
		if s.book.attempted(w, o) {
			return true
		}
		if backoff == firstBackoff && ctx.Err() == nil {
			s.config.Log.Warn().Int("status", o.status).Str("problem", o.problem).Msg("webhook not accepted, posting it again")
		}
		if !wait(ctx, backoff) {
			return false
		}
	}
}

// wait returns false if ctx ended before the time was over.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// receive takes what Parley sends: it shows it and has its receipts posted. A
// recipient who cannot exist is refused as Meta does, error 131026.
func (s *Sandbox) receive(ctx context.Context, send fake.Send) fake.Answer {
	if send.Type == "typing" || send.Type == "read" {
		return s.receiveMark(send)
	}
	id := strings.TrimPrefix(send.To, "+") + send.Recipient // one of them is empty
	if _, ok := personOf(id); !ok {
		return fake.Refusal(400, 131026, "Message undeliverable")
	}
	r := reply{phone: id, channel: send.Channel, wamid: newWAMID(id), callback: send.Callback}
	r.fault, _ = s.faults.Receipts()
	if !s.enqueue(ctx, r) {
		return fake.Refusal(503, 131016, "Service unavailable")
	}
	s.book.hear(id, heardOf(send, r.wamid, time.Now()), send.Body)
	return fake.Answer{WAMID: r.wamid}
}

// enqueue has the receipts of a reply posted: later, unless a fault wants them
// before the answer, or not at all. It returns false if too many wait.
func (s *Sandbox) enqueue(ctx context.Context, r reply) bool {
	switch r.fault.Kind {
	case faults.ReceiptsNever:
		return true
	case faults.ReceiptsFirst:
		for _, step := range receiptPlan {
			s.report(ctx, r, step.status)
		}
		return true
	}
	select {
	case s.replies <- r:
		return true
	default:
		return false
	}
}

// receiveMark takes what says something about a person's message: that it was read,
// or that an answer is being written. Only the message is named, and there are no
// receipts.
func (s *Sandbox) receiveMark(send fake.Send) fake.Answer {
	id, ok := phoneOf(send.MessageID)
	if !ok {
		return fake.Refusal(400, 131009, "Parameter value is not valid")
	}
	s.book.mark(id, send.Type, time.Now(), send.Body)
	return fake.Answer{}
}
