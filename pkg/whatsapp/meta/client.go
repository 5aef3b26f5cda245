package meta

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parleyhq/parley/pkg/egress"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// defaultVersion of the Graph API is supported until July 2028.
	defaultVersion = "v25.0"
	// maxAnswerBytes is how much of an answer is read. Meta's are below 2 KiB.
	maxAnswerBytes = 64 << 10
	// idleConns are kept for the next sends: 1,000 sends/s that take two seconds each.
	idleConns = 2048
	// idleTime is short, because a send on a connection that Meta is just closing is ambiguous.
	idleTime = 30 * time.Second
)

var errTooLong = fmt.Errorf("answer longer than %d bytes", maxAnswerBytes)

// Client sends through the Graph API. It is safe for concurrent use.
type Client struct {
	baseURL string
	token   string
	http    *http.Client
	outside *http.Client // for files that are elsewhere
}

// NewClient makes a client of the Graph API at baseURL, as
// https://graph.facebook.com/v25.0; without a path, the version is added. hc
// carries the requests (nil for one with NewTransport) and is not changed. Its
// redirects are not followed: the token is for one host only.
func NewClient(baseURL, token string, hc *http.Client) *Client {
	if hc == nil {
		hc = &http.Client{Transport: NewTransport()}
	}
	own := *hc
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	baseURL = strings.TrimRight(baseURL, "/")
	if u, err := url.Parse(baseURL); err == nil && u.Path == "" {
		baseURL += "/" + defaultVersion
	}
	return &Client{baseURL: baseURL, token: token, http: &own, outside: egress.Allowed{}.Client()}
}

// NewTransport keeps enough connections for 1,000 sends/s to one host.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConns:        idleConns,
		MaxIdleConnsPerHost: idleConns,
		IdleConnTimeout:     idleTime,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
		DisableCompression:  true,
	}
}

// Outgoing is one message to send.
type Outgoing struct {
	Channel    string                  // phone_number_id that sends
	Message    *parleyv1.MessageQueued // what is sent, and to whom: to the phone, if both are known
	DeliveryID string                  // comes back in every receipt of the message
}

// Send posts one message. The wamid says that Meta accepted it; whether it
// arrives, the receipts tell. A typing indicator is no message: it has neither a
// wamid nor receipts, and is done when there is no error. The error is always a
// *SendError. A send ends with its context at the latest: give it a deadline.
func (c *Client) Send(ctx context.Context, m Outgoing) (wamid string, err error) {
	body, err := m.request()
	if err != nil {
		return "", &SendError{Class: Permanent, Message: "message cannot be sent", Err: err}
	}
	// GetConn starts an attempt. The transport makes another one only if nothing
	// of the first was written; without a connection nothing is.
	var mayBeWritten atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { mayBeWritten.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { mayBeWritten.Store(true) },
	})
	resp, err := c.post(ctx, m.Channel, body)
	switch {
	case err == nil:
		return receive(resp, m.Message.GetTyping() != nil)
	case mayBeWritten.Load():
		return "", &SendError{Class: Ambiguous, Message: "no answer", Err: err}
	}
	return "", &SendError{Class: Retry, Message: "not sent", Err: err}
}

func (c *Client) post(ctx context.Context, channel string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.baseURL+"/"+url.PathEscape(channel)+"/messages", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	return c.http.Do(req)
}

// receive reads the answer. What cannot be read whole is judged by its status alone.
func receive(resp *http.Response, typing bool) (wamid string, err error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err == nil && len(body) > maxAnswerBytes {
		err = errTooLong
	}
	if err != nil {
		body = nil
	}
	if typing && confirmed(resp.StatusCode, body) {
		return "", nil
	}
	wamid, refused := judge(resp.StatusCode, resp.Header, body)
	if refused != nil {
		refused.Err = err
		return "", refused
	}
	return wamid, nil
}
