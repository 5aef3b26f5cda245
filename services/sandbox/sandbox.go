package sandbox

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
)

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
	Session       SessionConfig
	Log           zerolog.Logger
}

// Sandbox is the phones, the page that shows them, and the fake providers.
type Sandbox struct {
	config  Config
	book    *book
	feed    *feed
	meta    *line
	session *session      // nil if there is none
	wake    chan struct{} // there is something in an outbox
	replies chan reply    // accepted by a provider, no receipt posted yet
	faults  faults.Switches
	shelf   shelf
	stopped chan struct{} // closed when Run ends: it ends the event streams
}

// reply is a message that a provider accepted.
type reply struct {
	phone string
	line  *line
	// receipt is the webhook of what has become of it.
	receipt func(status string, at time.Time) []byte
	// fault is what goes wrong with its receipts, if anything.
	fault faults.Fault
}

// New returns a sandbox with no phones. Nothing is posted before Run.
func New(c Config) *Sandbox {
	f := newFeed()
	s := &Sandbox{
		config:  c,
		book:    newBook(f),
		feed:    f,
		wake:    make(chan struct{}, 1),
		replies: make(chan reply, maxRepliesWait),
		stopped: make(chan struct{}),
	}
	s.meta = s.metaLine()
	if c.Session.APIKey != "" {
		s.session = s.newSession(c.Session)
	}
	return s
}

// Run posts the webhooks until ctx ends, which is not an error; what was not
// accepted by then is forgotten. Messages go in order per phone, receipts in order
// per reply. It may be called once. Its end ends the event streams too, so that a
// server that waits for its requests can stop after it.
//
//	page ──▶ outbox ──▶ 1 postMessages ──▶ webhook ──▶ Parley
//	                                                     │
//	page ◀── bubble ◀──── Graph API, WASenderApi ◀───────┘
//	                                   │
//	                replies ──▶ 2 postReceipts ──▶ webhook
func (s *Sandbox) Run(ctx context.Context) error {
	defer close(s.stopped)
	defer s.meta.poster.client.CloseIdleConnections()
	var wg sync.WaitGroup
	wg.Go(func() { s.postMessages(ctx) })
	wg.Go(func() { s.postReceipts(ctx) })
	if s.session != nil {
		defer s.session.line.poster.client.CloseIdleConnections()
		wg.Go(func() { s.postTidings(ctx) })
	}
	wg.Wait()
	return nil
}

// postMessages posts the outboxes, each on its own.
func (s *Sandbox) postMessages(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		for _, o := range s.book.idle() {
			wg.Go(func() { s.postOutbox(ctx, o) })
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Sandbox) postOutbox(ctx context.Context, o *outbox) {
	for w := s.book.first(o); w != nil; w = s.book.first(o) {
		if !s.deliver(ctx, w) {
			return
		}
		s.book.posted(o)
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
	now := time.Now()
	body := r.receipt(status, now)
	if r.fault.Kind == faults.ReceiptsTwice && !s.deliver(ctx, s.book.receipt(r.phone, r.line, status, now, body)) {
		return false
	}
	return s.deliver(ctx, s.book.receipt(r.phone, r.line, status, now, body))
}

// deliver posts until the answer is 200. It returns false if ctx ended before.
func (s *Sandbox) deliver(ctx context.Context, w *webhook) bool {
	return s.insist(ctx, w.line, w.body, func(o outcome) bool { return s.book.attempted(w, o) })
}

// insist posts until an outcome says that it is done. It returns false if ctx ended
// before.
func (s *Sandbox) insist(ctx context.Context, l *line, body []byte, done func(outcome) bool) bool {
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		if l.ready != nil && !l.ready(ctx) {
			return false
		}
		o := l.poster.post(ctx, body)
		if done(o) {
			return true
		}
		if backoff == 2*firstBackoff && ctx.Err() == nil { // once is nothing: we may still be starting
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
