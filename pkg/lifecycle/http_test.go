package lifecycle

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// served is a server under Run, with the way to stop it and its end.
type served struct {
	url  string
	stop context.CancelFunc
	end  <-chan error
}

func start(t *testing.T, drain time.Duration, limits Limits, handler http.HandlerFunc) served {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	address, end := make(chan net.Addr, 1), make(chan error, 1)
	limits.Listening = func(a net.Addr) { address <- a }
	go func() { end <- Run(ctx, drain, ServeHTTP("127.0.0.1:0", handler, limits)) }()
	select {
	case a := <-address:
		return served{url: "http://" + a.String(), stop: stop, end: end}
	case err := <-end:
		t.Fatal(err)
		return served{}
	}
}

type answer struct {
	text string
	err  error
}

// get asks in the background.
func get(url string) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		response, err := http.Get(url)
		if err != nil {
			answers <- answer{err: err}
			return
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		answers <- answer{text: string(text), err: err}
	}()
	return answers
}

func TestRequestInFlightIsFinished(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := start(t, time.Minute, DefaultLimits(), func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-Stopping(r.Context())
		<-release
		if r.Context().Err() != nil {
			t.Error("the stop cancelled the request")
		}
		_, _ = io.WriteString(w, "done")
	})
	reply := get(s.url)
	<-begun
	s.stop()
	close(release)
	if a := <-reply; a.err != nil || a.text != "done" {
		t.Errorf("answer: %+v", a)
	}
	if err := <-s.end; err != nil {
		t.Error(err)
	}
	if a := <-get(s.url); a.err == nil {
		t.Error("the server still answers after its end")
	}
}

func TestRequestThatOutlastsTheDrainIsCut(t *testing.T) {
	begun := make(chan struct{})
	s := start(t, 50*time.Millisecond, DefaultLimits(), func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	reply := get(s.url)
	<-begun
	s.stop()
	if err := <-s.end; err != nil && !strings.Contains(err.Error(), "cut") {
		t.Errorf("error: %v", err)
	}
	<-reply // it has ended, one way or another
}

func TestHeadersAreBounded(t *testing.T) {
	s := start(t, time.Second, DefaultLimits(), func(http.ResponseWriter, *http.Request) {})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Large", strings.Repeat("x", 32<<10))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestSlowHeadersAreCut(t *testing.T) {
	limits := DefaultLimits()
	limits.HeaderTimeout = 20 * time.Millisecond
	s := start(t, time.Second, limits, func(http.ResponseWriter, *http.Request) {})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil || bytes.Contains(text, []byte("200 OK")) {
		t.Errorf("the connection was not cut: %q %v", text, err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	limits := DefaultLimits()
	limits.ConnectionsMax = 1
	begun, release := make(chan struct{}, 2), make(chan struct{})
	s := start(t, time.Second, limits, func(w http.ResponseWriter, _ *http.Request) {
		begun <- struct{}{}
		<-release
		w.Header().Set("Connection", "close")
	})
	first, second := get(s.url+"/1"), get(s.url+"/2")
	<-begun
	select {
	case <-begun:
		t.Error("two connections at a time, one is allowed")
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	for _, reply := range []<-chan answer{first, second} {
		if a := <-reply; a.err != nil {
			t.Error(a.err)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	err = Run(t.Context(), time.Second, ServeHTTP(listener.Addr().String(), http.NotFoundHandler(), DefaultLimits()))
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error: %v", err)
	}
}

func TestStoppingOutsideOfARequest(t *testing.T) {
	if Stopping(t.Context()) != nil {
		t.Error("a channel from nowhere")
	}
}
