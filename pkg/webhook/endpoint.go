package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/parleyhq/parley/pkg/egress"
)

const (
	// postTimeout is how long a receiver may take. The specification asks for 15 to 30 s.
	postTimeout = 15 * time.Second
	// answerBytesMax is what is read of an answer, so that its connection can be used
	// again. Nobody looks at it.
	answerBytesMax = 16 << 10
)

// Endpoint is who is told.
type Endpoint struct {
	URL     string
	Secrets Secrets
	Client  *http.Client
}

// Refusal is an answer that is no success. It holds nothing that the receiver wrote.
type Refusal struct {
	Status int
	// After is how long the receiver wants to be left alone; 0 if it does not say.
	After time.Duration
}

// Error is fit for logs and lists.
func (r *Refusal) Error() string { return fmt.Sprintf("HTTP %d", r.Status) }

// Final says that the receiver wants to hear of it no more. Everything else may be
// mended at its side. Source: Standard Webhooks, 410.
func (r *Refusal) Final() bool { return r.Status == http.StatusGone }

// Post tells of one thing. nil means that the receiver has it: any 2xx. The error does
// not repeat the address, which may hold a token.
func (e *Endpoint) Post(ctx context.Context, id string, at time.Time, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address is no URL")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Parley")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("Webhook-Signature", e.Secrets.sign(id, at, body))
	resp, err := e.Client.Do(r)
	if err != nil {
		return unreached(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, answerBytesMax) // the status says it all
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return &Refusal{Status: resp.StatusCode, After: retryAfter(resp.Header.Get("Retry-After"), at)}
}

// unreached is why there is no answer.
func unreached(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", postTimeout)
	}
	return egress.WithoutAddress(err)
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(max(0, min(seconds, 1<<20))) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
