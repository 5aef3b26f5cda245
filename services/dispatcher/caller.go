package dispatcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"code.dny.dev/ssrf"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// maxCallAnswer is how much of an answer is read.
const maxCallAnswer = 256 << 10

// caller makes HTTP requests to addresses that flows name. It reaches port 443 of
// public networks only, whatever their names resolve to when they are dialled, and what
// the operator allows besides. It follows no redirect and uses no proxy.
type caller struct {
	outside *http.Client
	// inside is for hosts that are allowed by name: they may be anywhere.
	inside  *http.Client
	allowed []string
	secrets map[string]string
}

// newCaller makes a caller. allow are hosts, host:port, or networks as 10.0.0.0/8.
func newCaller(allow []string, secrets map[string]string) (*caller, error) {
	c := &caller{secrets: secrets}
	options, ports := []ssrf.Option{}, ssrf.WithPorts(443)
	for _, each := range allow {
		if !strings.Contains(each, "/") {
			if u, err := url.Parse("//" + each); err != nil || u.Host == "" || u.Host != each {
				return nil, fmt.Errorf("PARLEY_CALL_ALLOW has %q: use hosts, host:port, or networks such as 10.0.0.0/8", each)
			}
			c.allowed = append(c.allowed, each)
			continue
		}
		prefix, err := netip.ParsePrefix(each)
		switch {
		case err != nil:
			return nil, fmt.Errorf("PARLEY_CALL_ALLOW has %q: use hosts, host:port, or networks such as 10.0.0.0/8", each)
		case prefix.Addr().Is4():
			options = append(options, ssrf.WithAllowedV4Prefixes(prefix))
		default:
			options = append(options, ssrf.WithAllowedV6Prefixes(prefix))
		}
	}
	guard := ssrf.New(append(options, ports)...)
	c.outside = callClient(&net.Dialer{Timeout: 5 * time.Second, Control: guard.Safe})
	c.inside = callClient(&net.Dialer{Timeout: 5 * time.Second})
	return c, nil
}

func callClient(dialer *net.Dialer) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// clientFor is who goes to an address; nil if nobody may.
func (c *caller) clientFor(u *url.URL) *http.Client {
	switch {
	case slices.Contains(c.allowed, u.Host), slices.Contains(c.allowed, u.Hostname()) && u.Port() == "":
		return c.inside
	case u.Scheme == "https":
		return c.outside
	}
	return nil
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
	client := c.clientFor(req.URL)
	if client == nil {
		return failed(0, "not https: allow the host with PARLEY_CALL_ALLOW")
	}
	resp, err := client.Do(req)
	if err != nil {
		return unreached(meta.WithoutAddress(err))
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
			return fmt.Errorf("%w: set PARLEY_SECRET_%s for the dispatcher", errSecret, missing)
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
	for _, refused := range []error{ssrf.ErrProhibitedIP, ssrf.ErrProhibitedPort, ssrf.ErrProhibitedNetwork, ssrf.ErrInvalidHostPort} {
		if errors.Is(err, refused) {
			return failed(0, "the address is not public: allow it with PARLEY_CALL_ALLOW")
		}
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
		a.ok, a.reason, a.json = true, "", readableJSON(body)
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests, s >= 500:
		a.again = true
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
			a.after = min(time.Duration(seconds)*time.Second, time.Hour)
		}
	}
	return a
}
