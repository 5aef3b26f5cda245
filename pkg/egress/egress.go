// Package egress makes HTTP clients for addresses that somebody else has written down:
// a flow, an operator, a provider's answer. It is the only place that judges where such
// addresses may lead.
//
// They lead to port 443 of public networks, and to what the operator allows besides.
// What a name resolves to is judged when it is dialled, so a name that changes its answer
// between a check and the call gains nothing. No redirect is followed and no proxy is
// asked: both would choose another address behind the check.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"code.dny.dev/ssrf"
)

// Limits of a connection; how long a whole request may take is its caller's context.
const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	answerTimeout    = 15 * time.Second
	idleTime         = 30 * time.Second
	idlePerHost      = 16
	headerBytesMax   = 64 << 10
)

// Refusal is why an address is not called. No other try will better it.
type Refusal string

// Error says what to do.
func (r Refusal) Error() string { return string(r) }

// Why an address is not called.
const (
	ErrAddress Refusal = "the address is no web address, or has a user in it: use one such as https://crm.example.com/parley"
	ErrPlain   Refusal = "the address is not https: name its host in PARLEY_CALL_ALLOW to call it without"
	ErrPrivate Refusal = "the address is not public, or its port is not 443: allow it with PARLEY_CALL_ALLOW"
)

// Allowed are the places that may be called besides the public ones: systems of the
// user's own. The zero value allows none.
type Allowed struct {
	// hosts are reached wherever they are, with http too: crm, or crm:8080.
	hosts map[string]bool
	// v4 and v6 are reached like public networks.
	v4, v6 []netip.Prefix
}

// ParseAllowed reads hosts, host:port, and networks such as 10.0.0.0/8.
func ParseAllowed(list []string) (Allowed, error) {
	a := Allowed{hosts: map[string]bool{}}
	var errs []error
	for _, entry := range list {
		entry = strings.ToLower(strings.TrimSpace(entry))
		prefix, err := netip.ParsePrefix(entry)
		u, hostErr := url.Parse("//" + entry)
		switch {
		case err == nil && prefix.Addr().Is4():
			a.v4 = append(a.v4, prefix.Masked())
		case err == nil && !prefix.Addr().Is4In6():
			a.v6 = append(a.v6, prefix.Masked())
		case hostErr == nil && u.Host == entry && u.Hostname() != "" && !strings.Contains(entry, "*"):
			a.hosts[entry] = true
		default:
			errs = append(errs, fmt.Errorf("PARLEY_CALL_ALLOW has %q: use hosts, host:port, or networks such as 10.0.0.0/8", entry))
		}
	}
	return a, errors.Join(errs...)
}

// names says that a host is allowed by its name. One without a port stands for the usual
// port only.
func (a Allowed) names(u *url.URL) bool { return a.hosts[strings.ToLower(u.Host)] }

// Check says what is wrong with an address before anybody calls it. What it resolves to
// turns out when it is dialled.
func (a Allowed) Check(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return ErrAddress
	}
	return a.check(u)
}

func (a Allowed) check(u *url.URL) error {
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil:
		return ErrAddress
	case a.names(u):
		return nil
	case u.Scheme == "http":
		return ErrPlain
	case u.Port() != "" && u.Port() != "443":
		return ErrPrivate
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err == nil && a.guardian().SafeAddr(addr) != nil {
		return ErrPrivate
	}
	return nil
}

func (a Allowed) guardian() *ssrf.Guardian {
	return ssrf.New(ssrf.WithPorts(443), ssrf.WithAllowedV4Prefixes(a.v4...), ssrf.WithAllowedV6Prefixes(a.v6...))
}

// Client calls what is public or allowed, and fails with a reason for anything else. Its
// requests must have a deadline.
func (a Allowed) Client() *http.Client {
	named := &net.Dialer{Timeout: dialTimeout}
	return &http.Client{
		Transport:     &guarded{allowed: a, named: carrier(named.DialContext), judged: carrier(a.judged(nil))},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

func carrier(d dial) *http.Transport {
	return &http.Transport{
		DialContext: d, TLSHandshakeTimeout: handshakeTimeout, ResponseHeaderTimeout: answerTimeout, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: idleTime, MaxResponseHeaderBytes: headerBytesMax,
	}
}

// judged connects if the address that a host turned out to have may be called. resolver
// is nil but in tests.
func (a Allowed) judged(resolver *net.Resolver) dial {
	dialer := &net.Dialer{Timeout: dialTimeout, Resolver: resolver, Control: a.guardian().Safe}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		for _, refused := range []error{ssrf.ErrProhibitedIP, ssrf.ErrProhibitedPort, ssrf.ErrProhibitedNetwork, ssrf.ErrInvalidHostPort} {
			if errors.Is(err, refused) {
				return nil, ErrPrivate
			}
		}
		return conn, err
	}
}

// guarded checks each request, and gives it to who may go there.
type guarded struct {
	allowed Allowed
	// named dials hosts that are allowed by name, wherever they are; judged all others.
	named, judged *http.Transport
}

// RoundTrip makes one request.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.allowed.check(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // a RoundTripper must
		}
		return nil, err
	}
	if g.allowed.names(r.URL) {
		return g.named.RoundTrip(r)
	}
	return g.judged.RoundTrip(r)
}

// CloseIdleConnections lets go of what is open and not in use.
func (g *guarded) CloseIdleConnections() {
	g.named.CloseIdleConnections()
	g.judged.CloseIdleConnections()
}

// WithoutAddress is what went wrong without the address that it went wrong at, which can
// hold keys and names.
func WithoutAddress(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
