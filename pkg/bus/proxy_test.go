package bus

import (
	"net"
	"sync"
	"testing"
)

// proxy forwards TCP connections, and cuts one after a number of bytes.
type proxy struct {
	listener          net.Listener
	target            string
	requests, answers fuse
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	p := &proxy{listener: listener, target: target}
	go p.serve()
	return p
}

func (p *proxy) address() string            { return p.listener.Addr().String() }
func (p *proxy) cutRequestsAfter(bytes int) { p.requests.arm(bytes) }
func (p *proxy) cutAnswersAfter(bytes int)  { p.answers.arm(bytes) }

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		go forward(client, server, &p.requests)
		go forward(server, client, &p.answers)
	}
}

func forward(from, to net.Conn, f *fuse) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		n, cut := f.pass(n)
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil || cut {
			return
		}
	}
}

// fuse blows once, after a number of bytes.
type fuse struct {
	mu    sync.Mutex
	armed bool
	left  int
}

func (f *fuse) arm(bytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.left = true, bytes
}

// pass reports how many of n bytes may be forwarded, and whether the cut comes then.
func (f *fuse) pass(n int) (int, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed || n < f.left {
		f.left -= n
		return n, false
	}
	f.armed = false
	return f.left, true
}
