package wasender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parleyhq/parley/pkg/egress"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// DefaultURL is where WASenderApi is.
const DefaultURL = "https://www.wasenderapi.com/api"

const (
	// maxAnswerBytes is how much of an answer is read: a page of a log is the longest.
	maxAnswerBytes = 1 << 20
	// defaultJoin is how long a send waits for WhatsApp's id of the message.
	defaultJoin = 2 * time.Second
)

var (
	errTooLong = fmt.Errorf("answer longer than %d bytes", maxAnswerBytes)
	errNoKey   = errors.New("no API key for this session")
)

// Options configure a Client.
type Options struct {
	// BaseURL is DefaultURL if it is empty.
	BaseURL string
	// Key gives the API key of a channel's session; empty if it has none.
	Key func(channel string) string
	// AccountToken is the personal access token, for the calls about sessions.
	AccountToken string
	// HTTP carries the requests (nil for one with meta.NewTransport) and is not
	// changed. Its redirects are not followed: the keys are for one host only.
	HTTP *http.Client
	// JoinWithin bounds how long a send waits for WhatsApp's id, as no receipt has
	// WASenderApi's; 0 is two seconds, and a negative one does not wait.
	JoinWithin time.Duration
	// OnRate learns what the answers to a channel's messages say about its limits: other
	// calls have others. Nil ignores it.
	OnRate func(channel string, r Rate)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Client speaks with WASenderApi for all sessions. It is safe for concurrent use.
type Client struct {
	o       Options
	http    *http.Client
	outside *http.Client // for files that are elsewhere
}

// NewClient makes a client.
func NewClient(o Options) *Client {
	hc := o.HTTP
	if hc == nil {
		hc = &http.Client{Transport: meta.NewTransport()}
	}
	own := *hc
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if o.BaseURL == "" {
		o.BaseURL = DefaultURL
	}
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.JoinWithin == 0 {
		o.JoinWithin = defaultJoin
	}
	return &Client{o: o, http: &own, outside: egress.Allowed{}.Client()}
}

// call is one request. A call of a channel has its session's key, another one the
// account's token.
type call struct {
	name        string // in errors
	method      string
	path        string
	channel     string
	body        []byte
	contentType string // of a body that is not JSON
}

func (c *Client) token(k call) string {
	switch {
	case k.channel == "":
		return c.o.AccountToken
	case c.o.Key == nil:
		return ""
	}
	return c.o.Key(k.channel)
}

// do makes a call. A refusal is a SendError of the class that holds for a send; the
// answer is whole without one.
func (c *Client) do(ctx context.Context, k call) (answer, *SendError) {
	token := c.token(k)
	if token == "" {
		return answer{}, &SendError{Class: StopNumber, Message: "not sent", Err: errNoKey}
	}
	// GetConn starts an attempt. The transport makes another one only if nothing of
	// the first was written; without a connection nothing is.
	var mayBeWritten atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { mayBeWritten.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { mayBeWritten.Store(true) },
	})
	resp, err := c.request(ctx, k, token)
	switch {
	case err == nil:
		return c.receive(k, resp)
	case mayBeWritten.Load():
		return answer{}, &SendError{Class: Ambiguous, Message: "no answer", Err: err}
	}
	return answer{}, &SendError{Class: Retry, Message: "not sent", Err: err}
}

func (c *Client) request(ctx context.Context, k call, token string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, k.method, c.o.BaseURL+k.path, bytes.NewReader(k.body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", egress.WithoutAddress(err))
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	switch {
	case k.contentType != "":
		req.Header.Set("Content-Type", k.contentType)
	case k.body != nil:
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, egress.WithoutAddress(err)
	}
	return resp, nil
}

// receive reads an answer. What cannot be read whole is judged by its status alone.
func (c *Client) receive(k call, resp *http.Response) (answer, *SendError) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err == nil && len(body) > maxAnswerBytes {
		err = errTooLong
	}
	if err != nil {
		body = nil
	}
	now := c.o.Now()
	if rate := rateOf(resp.Header, now); c.o.OnRate != nil && k.path == sendPath && rate != (Rate{}) {
		c.o.OnRate(k.channel, rate)
	}
	a := newAnswer(resp.StatusCode, resp.Header, body)
	if a.status == http.StatusNoContent {
		return a, nil
	}
	refused := judge(a, now)
	if refused != nil {
		refused.Err = err
	}
	return a, refused
}
