package load

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const (
	waba          = "200000000000001"
	backoffMin    = 100 * time.Millisecond
	backoffMax    = 2 * time.Second
	answerBytes   = 64 << 10 // of an answer's body are read
	answered      = "200"    // the one outcome that is not retried
	headerSigned  = "X-Hub-Signature-256"
	keepAliveIdle = 2 * time.Minute
)

// post is one webhook. It is retried, byte for byte, until it is answered 200.
type post struct {
	body      []byte
	signature string
	updates   int
	fresh     []*message    // that no earlier POST carried
	copyOf    *post         // the POST that this one repeats while it is under way
	attempts  int           // that failed
	done      chan struct{} // closed with the 200, if somebody waits for it
}

func newClient(c Config) *http.Client {
	return &http.Client{
		Timeout: c.PostTimeout,
		Transport: &http.Transport{
			MaxIdleConns:        c.Connections,
			MaxIdleConnsPerHost: c.Connections,
			IdleConnTimeout:     keepAliveIdle,
			DisableCompression:  true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (g *Generator) newPost(channel int, items []fake.Item, fresh []*message) *post {
	g.unfinished++
	if len(items) > 1 {
		g.counts.Batches++
	}
	body := fake.Payload(waba, g.config.Channels[channel], items...)
	return &post{body: body, signature: fake.Sign(g.config.Secret, body), updates: len(items), fresh: fresh}
}

// work is the loop of one worker: one connection, one POST at a time.
func (g *Generator) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-g.jobs:
			g.deliver(ctx, p)
		}
	}
}

func (g *Generator) deliver(ctx context.Context, p *post) {
	g.leave(p)
	outcome := g.attempt(ctx, p)
	g.mu.Lock()
	defer g.mu.Unlock()
	if outcome == answered {
		g.settled(p, time.Now())
		return
	}
	g.counts.Retries[outcome]++
	g.timers.add(time.Now().Add(g.backoff(p.attempts)), func() { g.out = append(g.out, p) })
	p.attempts++
	g.hurry()
}

// leave notes the time before the first byte leaves: the reply may come before the
// 200, and a copy may overtake its original.
func (g *Generator) leave(p *post) {
	fresh := p.fresh
	if p.copyOf != nil {
		fresh = p.copyOf.fresh
	}
	if len(fresh) == 0 || p.attempts > 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range fresh {
		if m.sent.IsZero() {
			m.sent = time.Now()
		}
	}
}

// attempt posts once. It returns the status, or what happened instead of one.
func (g *Generator) attempt(ctx context.Context, p *post) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.config.TargetURL, bytes.NewReader(p.body))
	if err != nil {
		return "bad request"
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(headerSigned, p.signature)
	response, err := g.client.Do(request)
	if err != nil {
		return failure(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, answerBytes)); err != nil {
		return failure(err)
	}
	return strconv.Itoa(response.StatusCode)
}

// failure names an error in a word that can be counted.
func failure(err error) string {
	var network net.Error
	switch {
	case errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	}
	return "cut"
}

func (g *Generator) backoff(attempts int) time.Duration {
	d := min(backoffMin<<min(attempts, 10), backoffMax)
	return g.between(d*3/4, d)
}

// settled notes a 200: from here on Parley must not lose what the POST carried.
func (g *Generator) settled(p *post, now time.Time) {
	g.unfinished--
	g.counts.Posts++
	g.counts.Updates += p.updates
	if p.done != nil {
		close(p.done)
	}
	for _, m := range p.fresh {
		m.acked = now
		m.contact.acked++
		g.counts.Acked++
		if now.Before(g.end.Add(rateGrace)) {
			g.counts.AckedInTime++
		}
		if g.chance(g.config.Duplicates / 2) {
			g.repeatLater(m, now)
		}
	}
	for _, m := range p.fresh {
		g.goOn(m.contact, now)
	}
}

// goOn lets a contact continue after a 200.
func (g *Generator) goOn(c *contact, now time.Time) {
	switch {
	case c.second != nil:
		second := c.second
		second.scheduled = now.Add(g.between(0, doubleGapMax))
		g.timers.add(second.scheduled, func() {
			c.second = nil // not before: until then the contact is not free
			g.say(c.channel, []*message{second})
		})
		g.hurry()
	case c.free(true):
		g.release(c)
	case c.free(false) && g.chance(g.config.Impatient):
		said := len(c.said)
		g.timers.add(now.Add(g.config.WaitCap), func() {
			if len(c.said) == said && c.free(false) {
				g.release(c)
			}
		})
	}
}
