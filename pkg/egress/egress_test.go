package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// private has one address or more of every range that is not the public internet.
var private = []string{
	"127.0.0.1", "127.8.8.8", "[::1]", // loopback
	"0.0.0.0", "0.1.2.3", "[::]", // this host, this network
	"10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "[fc00::1]", "[fd12:3456::1]", // private
	"169.254.1.1", "[fe80::1]", // link-local
	"169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "192.0.0.192", // metadata of clouds
	"100.64.0.1", "100.127.255.254", // carrier-grade NAT
	"224.0.0.1", "239.1.1.1", "[ff02::1]", // multicast
	"240.0.0.1", "255.255.255.255", // reserved, broadcast
	"192.0.2.1", "198.51.100.1", "203.0.113.1", "[2001:db8::1]", "198.18.0.1", // documentation, benchmarks
	"192.88.99.1",                                              // relays of 6to4
	"[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::127.0.0.1]", // IPv4 in IPv6, mapped and compatible
	"[64:ff9b::7f00:1]", "[64:ff9b:1::1]", // NAT64
	"[2002:7f00:1::]", "[2002:a00:1::1]", // 6to4
	"[2001::1]", // Teredo
	"[100::1]",  // discarded
}

func get(t *testing.T, c *http.Client, address string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err == nil {
		resp.Body.Close()
	}
	return err
}

// No range that is not public is reached, neither as written nor when it is dialled.
func TestReachesNoPrivateNetwork(t *testing.T) {
	a, err := ParseAllowed(nil)
	if err != nil {
		t.Fatal(err)
	}
	dial := a.judged(nil)
	for _, host := range private {
		if err := a.Check("https://" + host + "/x"); !errors.Is(err, ErrPrivate) {
			t.Errorf("check of %s: %v", host, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		conn, err := dial(ctx, "tcp", host+":443")
		cancel()
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, ErrPrivate) {
			t.Errorf("dial of %s: %v", host, err)
		}
	}
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"} { // other ways to write 127.0.0.1
		if err := get(t, a.Client(), "https://"+host+":9/"); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"93.184.215.14", "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]", "example.com"} {
		if err := a.Check("https://" + host + "/x"); err != nil {
			t.Errorf("%s is refused: %v", host, err)
		}
	}
}

// names answers every question with what answers returns for the nth of an IPv4 address.
func names(t *testing.T, answers func(n int32) [4]byte) (*net.Resolver, *atomic.Int32) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	asked := &atomic.Int32{}
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) == 0 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Additionals = true, nil
			if q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: answers(asked.Add(1))},
				}}
			}
			if packed, err := m.Pack(); err == nil {
				_, _ = server.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}, asked
}

// A name that has a public address when it is looked at, and a private one when it is
// dialled, is not connected to.
func TestNameThatChangesItsAnswer(t *testing.T) {
	resolver, asked := names(t, func(n int32) [4]byte {
		if n == 1 {
			return [4]byte{93, 184, 215, 14}
		}
		return [4]byte{127, 0, 0, 1}
	})
	addrs, err := resolver.LookupHost(t.Context(), "rebind.test.")
	if err != nil || len(addrs) != 1 || addrs[0] != "93.184.215.14" {
		t.Fatal(addrs, err)
	}
	a, _ := ParseAllowed(nil)
	if conn, err := a.judged(resolver)(t.Context(), "tcp", "rebind.test.:443"); !errors.Is(err, ErrPrivate) {
		t.Errorf("connected: %v, %v", conn, err)
	}
	if asked.Load() < 2 {
		t.Error("the name was not looked up again: the test proves nothing")
	}
}

// What is allowed is reached by its name and port, also without TLS; a redirect is an
// answer, and no proxy is asked.
func TestAllowed(t *testing.T) {
	hits := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
	}))
	defer server.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	named := "http://localhost:" + u.Port()
	for _, c := range []struct {
		allow, address string
		want           error
	}{
		{u.Host, server.URL, nil},
		{" LOCALHOST:" + u.Port(), named, nil},
		{"localhost:" + u.Port(), server.URL, ErrPlain},
		{"localhost", named, ErrPlain}, // another port than the usual one
		{"127.0.0.0/8", server.URL, ErrPlain},
		{"127.0.0.0/8", "https://" + u.Host, ErrPrivate},
		{u.Host, "http://user:word@" + u.Host, ErrAddress},
	} {
		a, err := ParseAllowed([]string{c.allow})
		if err != nil {
			t.Fatal(err)
		}
		client := a.Client()
		before := hits
		err = get(t, client, c.address)
		client.CloseIdleConnections()
		if !errors.Is(err, c.want) || c.want == nil && (err != nil || hits != before+1) || c.want != nil && hits != before {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A network that is allowed is dialled like a public one, at port 443 only.
func TestAllowedNetwork(t *testing.T) {
	a, err := ParseAllowed([]string{"127.0.0.0/8", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"127.0.0.1:443", "[fd00::1]:443"} {
		if err := a.guardian().Safe("tcp4", address, nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"127.0.0.1:80", "10.0.0.1:443", "93.184.215.14:8443", "93.184.215.14:80"} {
		if conn, err := a.judged(nil)(t.Context(), "tcp", address); !errors.Is(err, ErrPrivate) {
			t.Errorf("%s: %v, %v", address, conn, err)
		}
	}
}

func TestParseAllowedNamesWhatIsWrong(t *testing.T) {
	for _, entry := range []string{"", "*.example.com", "https://example.com", "10.0.0.0/33", "a b", "user@host", "crm/path", "crm?x", "::ffff:10.0.0.0/104"} {
		if _, err := ParseAllowed([]string{entry}); err == nil || !strings.Contains(err.Error(), "PARLEY_CALL_ALLOW") {
			t.Errorf("%q: %v", entry, err)
		}
	}
	a, err := ParseAllowed([]string{"[fd00::1]:8080", "10.0.0.1", "crm"})
	if err != nil || a.Check("http://[fd00::1]:8080/") != nil || a.Check("http://10.0.0.1/") != nil || a.Check("http://crm/") != nil {
		t.Errorf("%+v, %v", a, err)
	}
	for address, want := range map[string]error{
		"": ErrAddress, "crm.example.com": ErrAddress, "ftp://crm.example.com": ErrAddress, "https://": ErrAddress, "https://a:b@crm.example.com": ErrAddress,
		"%": ErrAddress, "http://example.com": ErrPlain, "https://example.com:8443": ErrPrivate, "https://10.0.0.2": ErrPrivate,
		"https://example.com": nil, "https://example.com:443": nil,
	} {
		if err := a.Check(address); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", address, err, want)
		}
	}
}

// A body is closed whether or not the request goes out.
func TestRefusedRequestClosesItsBody(t *testing.T) {
	a, _ := ParseAllowed(nil)
	closed := &closeable{Reader: strings.NewReader("x")}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/", closed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Client().Do(r); err == nil || !closed.closed {
		t.Errorf("%v, closed %t", err, closed.closed)
	}
}

type closeable struct {
	io.Reader
	closed bool
}

func (c *closeable) Close() error { c.closed = true; return nil }
