package dispatcher

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/webhook"
)

const (
	// postsMax is how many webhooks of a replica are on their way at once.
	postsMax = 32
	// postLease is how long a claim holds: longer than a post and its record take.
	postLease = time.Minute
	// postsEvery is how often it is looked up what is due, if nothing else says so.
	postsEvery = time.Second
	// A failed one is tried again after postWaitMin, doubling to postWaitMax, which also
	// bounds what a receiver asks for.
	postWaitMin = 5 * time.Second
	postWaitMax = time.Hour
	// givenUpAfter is how long one is tried, and triesMin how often at least: time in which
	// we were away ourselves is no reason to give up.
	givenUpAfter = 24 * time.Hour
	triesMin     = 5
	// restAfter failures in a row the receiver is left alone, from restMin doubling to
	// restMax, until one is taken. No webhook grows older by tries that nobody could take.
	restAfter = 8
	restMin   = time.Second
	restMax   = time.Minute
)

// CourierStore is what telling needs of PostgreSQL.
type CourierStore interface {
	ClaimWebhooks(ctx context.Context, limit int, lease time.Duration) ([]store.ClaimedWebhook, error)
	SettleWebhooks(ctx context.Context, list []store.WebhookResult) error
}

// tell tells the receiver of one thing; nil means that it has it.
type tell func(ctx context.Context, id string, at time.Time, body []byte) error

// Courier tells another system what is queued: at least once, each contact's in order,
// until it is taken or given up.
//
//	claim ● ─▶ post ─▶ taken: delete ●
//	            └────▶ failed: next_at, the contact's others behind it ●   ... a day: dead
//
// The claim is a time in the row. Who dies after it loses nothing: the row is due again
// when the time is over, and the receiver may get it twice, under the same id.
type Courier struct {
	store CourierStore
	post  tell
	now   func() time.Time
	// chance is between 0 and 1: it parts what failed together.
	chance func() float64
	log    zerolog.Logger
	posts  metric.Int64Counter

	wake   chan struct{}
	landed chan store.WebhookResult
	// settling waits to be recorded; flying counts what is not landed yet.
	settling []store.WebhookResult
	flying   int
	// failures counts those since one was taken; rest is how long the receiver is left
	// alone then, and restUntil when the next may go.
	failures  int
	rest      time.Duration
	restUntil time.Time
	away      bool
}

// NewCourier returns who tells; Run does it.
func NewCourier(s CourierStore, post tell, now func() time.Time, chance func() float64, log zerolog.Logger) *Courier {
	posts, _ := otel.Meter("parley/dispatcher").Int64Counter("parley.dispatcher.webhooks",
		metric.WithDescription("tries to tell another system of an event, by what came of them"))
	return &Courier{
		store: s, post: post, now: now, chance: chance, log: log, posts: posts,
		wake: make(chan struct{}, 1), landed: make(chan store.WebhookResult, postsMax),
	}
}

// Wake says that there is something to tell.
func (c *Courier) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run tells until intake ends, and then waits for what is on its way until work does.
func (c *Courier) Run(intake, work context.Context) error {
	ticker := time.NewTicker(postsEvery)
	defer ticker.Stop()
	for intake.Err() == nil {
		c.report(work, c.Round(work))
		select {
		case <-intake.Done():
		case <-ticker.C:
		case <-c.wake:
		case r := <-c.landed:
			c.land(r)
		}
	}
	c.finish(work)
	return nil
}

// Round records what has landed, and sends what is due. Only Run's goroutine calls it.
func (c *Courier) Round(ctx context.Context) error {
	if err := c.settle(ctx); err != nil {
		return err // what is claimed next may be what has just been taken
	}
	room := c.room()
	if room == 0 {
		return nil
	}
	claimed, err := c.store.ClaimWebhooks(ctx, room, postLease)
	if err != nil {
		return err
	}
	for _, w := range claimed {
		c.flying++
		go func() { c.landed <- c.tell(ctx, w) }()
	}
	return nil
}

// room is how many may be claimed now: one, to try, of a receiver that takes nothing.
func (c *Courier) room() int {
	switch {
	case c.failures < restAfter:
		return postsMax - c.flying
	case c.flying > 0 || c.now().Before(c.restUntil):
		return 0
	}
	return 1
}

// settle records what has landed; what cannot be recorded now is kept.
func (c *Courier) settle(ctx context.Context) error {
	for more := true; more; {
		select {
		case r := <-c.landed:
			c.land(r)
		default:
			more = false
		}
	}
	if len(c.settling) == 0 {
		return nil
	}
	if err := c.store.SettleWebhooks(ctx, c.settling); err != nil {
		return err
	}
	c.settling = nil
	return nil
}

func (c *Courier) land(r store.WebhookResult) {
	c.flying--
	c.settling = append(c.settling, r)
	outcome := "taken"
	switch {
	case r.Error == "":
		c.failures, c.rest = 0, 0
	case r.Dead:
		outcome = "dead"
		c.log.Error().Str("webhook", r.ID()).Str("type", r.Type).Str("cause", r.Error).Int("attempts", r.Attempts).
			Msg("a webhook is given up; `parley webhooks redrive` has it told again")
	default:
		outcome = "failed"
	}
	c.posts.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", outcome))))
	if r.Error != "" {
		c.pause(r.Error)
	}
}

// pause counts a failure. What went before a rest and fails in it does not prolong it.
func (c *Courier) pause(cause string) {
	now := c.now()
	if c.failures++; c.failures < restAfter || now.Before(c.restUntil) {
		return
	}
	if c.rest == 0 {
		c.log.Warn().Str("cause", cause).Msg("the receiver of webhooks takes nothing; it is tried less often, and nothing is lost")
	}
	c.rest = min(max(restMin, 2*c.rest), restMax)
	c.restUntil = now.Add(c.rest)
}

// tell makes one try, and says what comes of it.
func (c *Courier) tell(ctx context.Context, w store.ClaimedWebhook) store.WebhookResult {
	result := store.WebhookResult{Webhook: w.Webhook}
	if w.Event == nil {
		result.Error, result.Dead = "the event is not there any more, or cannot be read", true
		return result
	}
	body, err := webhook.Body(w.Event, webhook.Contact{ID: w.Contact, Phone: w.Phone, BSUID: w.BSUID, Username: w.Username, Name: w.Name})
	if err != nil {
		result.Error, result.Dead = err.Error(), true
		return result
	}
	at := c.now()
	if err := c.post(ctx, w.ID(), at, body); err != nil {
		result.Error, result.Again, result.Dead = c.judge(w.Webhook, at, err)
	}
	return result
}

// judge says when a failed one is tried again, or that it is not.
func (c *Courier) judge(w store.Webhook, now time.Time, cause error) (said string, again time.Duration, dead bool) {
	again = doubled(postWaitMin, postWaitMax, w.Attempts-1)
	again = again*3/4 + time.Duration(c.chance()*float64(again)/2)
	var refusal *webhook.Refusal
	if errors.As(cause, &refusal) {
		again = max(again, min(refusal.After, postWaitMax))
		dead = refusal.Final()
	}
	if dead = dead || w.Attempts >= triesMin && now.Sub(w.Since) >= givenUpAfter; dead {
		again = 0 // what waits behind it can go
	}
	return cause.Error(), again, dead
}

// doubled is least, doubled n times, at most most.
func doubled(least, most time.Duration, n int) time.Duration {
	for ; n > 0 && least < most; n-- {
		least *= 2
	}
	return min(least, most)
}

// finish waits for what is on its way, and records it.
func (c *Courier) finish(work context.Context) {
	for c.flying > 0 {
		select {
		case r := <-c.landed:
			c.land(r)
		case <-work.Done():
			return // their claims run out, and they are told again
		}
	}
	c.report(work, c.settle(work))
}

// report logs the first of a row of failures.
func (c *Courier) report(ctx context.Context, err error) {
	if err != nil && !c.away && ctx.Err() == nil {
		c.log.Warn().Err(err).Msg("webhooks wait")
	}
	c.away = err != nil
}
