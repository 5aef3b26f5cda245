package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// How long the sandbox waits before it posts again what was not accepted, and
// for an answer.
const (
	firstBackoff  = 100 * time.Millisecond
	maxBackoff    = 5 * time.Second
	answerTimeout = 10 * time.Second
)

// webhook is one POST to Parley: a message (with its bubble) or a receipt.
type webhook struct {
	line      *line
	body      []byte
	bubble    *Bubble   // nil for a receipt; the book's lock guards it
	exchange  *Exchange // the book's lock guards it
	abandoned bool      // the phone was dropped; the book's lock guards it
}

// outcome is what became of one POST.
type outcome struct {
	status  int // 0 if there was no answer
	took    time.Duration
	problem string
}

// accepted: WhatsApp takes 200, and nothing else, for success.
func (o outcome) accepted() bool { return o.status == http.StatusOK }

// poster posts webhooks.
type poster struct {
	url    string
	prove  func(h http.Header, body []byte) // says who posts
	client *http.Client
}

func newPoster(url string, prove func(h http.Header, body []byte)) *poster {
	return &poster{url: url, prove: prove, client: &http.Client{
		Timeout:   answerTimeout,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a redirect is not a 200
		},
	}}
}

// post tries once.
func (p *poster) post(ctx context.Context, body []byte) outcome {
	start := time.Now()
	status, err := p.try(ctx, body)
	o := outcome{status: status, took: time.Since(start)}
	switch {
	case err != nil:
		o.problem = "no answer: " + err.Error()
	case !o.accepted():
		o.problem = fmt.Sprintf("not accepted: %d %s", status, http.StatusText(status))
	}
	return o
}

func (p *poster) try(ctx context.Context, body []byte) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("build the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	p.prove(req.Header, body)
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, errors.Unwrap(err) // without the method and the URL, which the reader knows
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // only to reuse the connection
	return resp.StatusCode, nil
}
