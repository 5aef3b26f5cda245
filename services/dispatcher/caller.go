package dispatcher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/egress"
	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// maxCallAnswer is how much of an answer is read.
const maxCallAnswer = 256 << 10

// caller makes HTTP requests to addresses that flows name, by a client that goes to
// public networks and to what the operator allows.
type caller struct {
	client  *http.Client
	secrets map[string]string
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// ask makes one try of a call.
func (c *caller) ask(ctx context.Context, id string, q *parleyv1.CallQueued) answer {
	req, err := http.NewRequestWithContext(ctx, q.GetMethod(), q.GetUrl(), bytes.NewReader(q.GetBody()))
	if err != nil {
		return failed(0, "no address")
	}
	if climbs(req.URL.Path) {
		return failed(0, "a value in the address leads out of its place")
	}
	if err := c.dress(req, id, q); err != nil {
		return failed(0, err.Error())
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return unreached(err)
	}
	defer resp.Body.Close()
	return read(resp)
}

// climbs says whether a path has steps of dots. Systems read them, encoded or not, as the
// way to another address than the flow names.
func climbs(path string) bool {
	for part := range strings.SplitSeq(strings.ReplaceAll(path, "\\", "/"), "/") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// dress sets the headers. A secret is put in here, and is nowhere else.
func (c *caller) dress(req *http.Request, id string, q *parleyv1.CallQueued) error {
	for name, value := range q.GetHeaders() {
		var missing string
		value = flow.SecretPlace.ReplaceAllStringFunc(value, func(place string) string {
			secret := flow.SecretPlace.FindStringSubmatch(place)[1]
			if c.secrets[secret] == "" {
				missing = secret
			}
			return c.secrets[secret]
		})
		if missing != "" {
			return fmt.Errorf("a secret is not set: set PARLEY_SECRET_%s for the dispatcher", missing)
		}
		req.Header.Set(name, value)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Parley")
	req.Header.Set("Idempotency-Key", id)
	if len(q.GetBody()) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	return nil
}

// unreached is a call without an answer.
func unreached(err error) answer {
	var refusal egress.Refusal
	if errors.As(err, &refusal) {
		return failed(0, refusal.Error())
	}
	reason := "no connection"
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		reason = "no answer in time"
	}
	return answer{reason: reason, again: true}
}

// read judges an answer. What may go better the next time is asked again.
func read(resp *http.Response) answer {
	a := answer{status: resp.StatusCode, reason: "HTTP " + strconv.Itoa(resp.StatusCode)}
	switch s := resp.StatusCode; {
	case s >= 200 && s < 300:
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxCallAnswer+1))
		if err != nil {
			return answer{status: s, reason: "the answer was cut", again: true}
		}
		if len(body) > maxCallAnswer {
			return failed(s, fmt.Sprintf("the answer has more than %d KB", maxCallAnswer>>10))
		}
		if a.ok, a.reason = true, ""; json.Valid(body) {
			a.json = body // else there is nothing to keep of it
		}
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests, s >= 500:
		a.again = true
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
			a.after = min(time.Duration(seconds)*time.Second, time.Hour)
		}
	}
	return a
}
