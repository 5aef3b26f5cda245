package forms

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

const (
	// defaultVersion of the Graph API, as meta.NewClient has it.
	defaultVersion = "v25.0"
	// maxGraphBytes is how much of an answer is read: a key has 451 bytes.
	maxGraphBytes = 64 << 10
)

// KeyStatus says whether phones accept a published key. Other words than Meta's two
// are possible, and no reason to trust the key.
type KeyStatus string

// The statuses. Source: Meta, "WhatsApp Business Encryption".
const (
	KeyValid KeyStatus = "VALID"
	// KeyMismatch: the number was registered anew since; publish the key again.
	KeyMismatch KeyStatus = "MISMATCH"
)

// PublishedKey is the key that Meta gives to phones; zero if there is none.
type PublishedKey struct {
	ID     string // as Key.ID; empty if PEM is no RSA key
	PEM    []byte
	Status KeyStatus
}

// GraphError says why the Graph API did not do it, and what to do about it. Nothing
// is ever Ambiguous: publishing a key twice is the same as once.
type GraphError struct {
	Class   meta.Class
	Code    int    // of the Graph API; 0 if the answer had none
	Status  int    // of HTTP; 0 without an answer
	Message string // in words of ours
	Err     error  // what failed on our side of the connection, if anything did
}

// Error is fit for logs: it holds nothing that Meta wrote, and not the access token.
func (e *GraphError) Error() string {
	message := "form key: " + e.Class.String() + ": " + e.Message
	if e.Err != nil {
		return message + ": " + e.Err.Error()
	}
	return message
}

// Unwrap is Err.
func (e *GraphError) Unwrap() error { return e.Err }

// Client publishes keys through the Graph API. It is safe for concurrent use.
type Client struct {
	baseURL string
	token   string
	http    *http.Client
}

// NewClient makes a client of the Graph API at baseURL. Its arguments are those of
// meta.NewClient: without a path, the version is added; hc may be nil, is not
// changed, and follows no redirects, because the token is for one host only.
func NewClient(baseURL, token string, hc *http.Client) *Client {
	if hc == nil {
		hc = &http.Client{Transport: meta.NewTransport()}
	}
	own := *hc
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	baseURL = strings.TrimRight(baseURL, "/")
	if u, err := url.Parse(baseURL); err == nil && u.Path == "" {
		baseURL += "/" + defaultVersion
	}
	return &Client{baseURL: baseURL, token: token, http: &own}
}

// Publish makes the public half of a key the one that phones encrypt with when they
// write to a channel. Each number has its own, so the same key is published once
// per number. Those who have the old one keep it for a while: keep both keys. The
// error is always a *GraphError.
func (c *Client) Publish(ctx context.Context, channel string, key Key) error {
	form := url.Values{"business_public_key": {string(key.public)}}
	var answer struct {
		Success bool `json:"success"`
	}
	if err := c.call(ctx, http.MethodPost, channel, form, &answer); err != nil {
		return err
	}
	if !answer.Success {
		return &GraphError{Class: meta.Retry, Status: http.StatusOK, Message: "not confirmed"}
	}
	return nil
}

// Published is the key of a channel. The error is always a *GraphError.
func (c *Client) Published(ctx context.Context, channel string) (PublishedKey, error) {
	type published struct {
		PEM    string    `json:"business_public_key"`
		Status KeyStatus `json:"business_public_key_signature_status"`
	}
	var answer struct {
		published             // as Meta's page has it
		Data      []published `json:"data"` // as the API answers
	}
	if err := c.call(ctx, http.MethodGet, channel, nil, &answer); err != nil {
		return PublishedKey{}, err
	}
	found := answer.published
	if len(answer.Data) > 0 {
		found = answer.Data[0]
	}
	_, id, err := parsePublic([]byte(found.PEM))
	if err != nil {
		id = "" // a key that nobody can use, which is for the caller to see
	}
	return PublishedKey{ID: id, PEM: []byte(found.PEM), Status: found.Status}, nil
}

// call makes one request and reads its answer.
func (c *Client) call(ctx context.Context, method, channel string, form url.Values, answer any) error {
	address := c.baseURL + "/" + url.PathEscape(channel) + "/whatsapp_business_encryption"
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return &GraphError{Class: meta.Permanent, Message: "no request", Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &GraphError{Class: meta.Retry, Message: "no answer", Err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxGraphBytes))
	if refused := judge(resp.StatusCode, body); refused != nil {
		return refused
	}
	if err == nil {
		err = json.Unmarshal(body, answer)
	}
	if err != nil {
		return &GraphError{Class: meta.Retry, Status: resp.StatusCode, Message: "answer cannot be read"}
	}
	return nil
}

// judge is nil for a 2xx without an error in it.
func judge(status int, body []byte) *GraphError {
	var answer struct {
		Error *struct {
			Code int32 `json:"code"`
		} `json:"error"`
	}
	isGraphError := json.Unmarshal(body, &answer) == nil && answer.Error != nil
	if status >= 200 && status < 300 && !isGraphError {
		return nil
	}
	e := &GraphError{Class: classOfStatus(status), Status: status, Message: "HTTP " + strconv.Itoa(status)}
	if isGraphError {
		e.Code = int(answer.Error.Code)
		e.Message = fmt.Sprintf("HTTP %d, code %d", status, e.Code)
		if class, known := classOfCode(e.Code); known {
			e.Class = class
		}
	}
	return e
}

// classOfCode knows the codes of meta.SendError that are not about a message.
func classOfCode(code int) (class meta.Class, known bool) {
	switch code {
	case 0, 3, 10, 190, 368, 131005, 131031:
		return meta.StopAccount, true
	case 33, 131045, 133010:
		return meta.StopNumber, true
	case 4, 80007:
		return meta.RetryAccount, true
	case 1, 2, 131000, 131016, 131057, 133004:
		return meta.Retry, true
	}
	return meta.StopAccount, code >= 200 && code <= 299
}

func classOfStatus(status int) meta.Class {
	switch {
	case status == http.StatusUnauthorized:
		return meta.StopAccount
	case status == http.StatusTooManyRequests:
		return meta.RetryAccount
	case status >= 500:
		return meta.Retry
	}
	return meta.Permanent
}
