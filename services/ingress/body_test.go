package ingress

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// padded is an authentic body of exactly so many bytes.
func padded(size int) []byte {
	body := message("wamid.1")
	return append(body, bytes.Repeat([]byte(" "), size-len(body))...)
}

func TestBodyLimit(t *testing.T) {
	for _, c := range []struct{ size, want int }{
		{BodyMax - 1, http.StatusOK},
		{BodyMax, http.StatusOK},
		{BodyMax + 1, http.StatusRequestEntityTooLarge},
	} {
		in := &shelf{}
		w := do(newHandler(in, &shelf{}, io.Discard), request(padded(c.size)))
		if w.Code != c.want {
			t.Errorf("%d bytes answered %d, want %d", c.size, w.Code, c.want)
		}
		if stored := in.count() == 1; stored != (c.want == http.StatusOK) {
			t.Errorf("%d bytes: stored is %t", c.size, stored)
		}
	}
}

// endless is a body that never ends.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestEndlessBody(t *testing.T) {
	body := &endless{}
	r := httptest.NewRequest(http.MethodPost, "/webhooks/meta", body)
	if w := do(newHandler(&shelf{}, &shelf{}, io.Discard), r); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d, want 413", w.Code)
	}
	if body.read > 2*BodyMax {
		t.Errorf("read %d bytes of it", body.read)
	}
}

func TestContentEncoding(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(message("wamid.1"))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	for encoding, want := range map[string]int{
		"": http.StatusOK, "identity": http.StatusOK,
		"gzip": http.StatusUnsupportedMediaType, "br": http.StatusUnsupportedMediaType, "gzip, gzip": http.StatusUnsupportedMediaType,
	} {
		body := message("wamid.1")
		if want != http.StatusOK {
			body = zipped.Bytes()
		}
		r := request(body)
		r.Header.Set("Content-Encoding", encoding)
		in := &shelf{}
		if w := do(newHandler(in, in, io.Discard), r); w.Code != want {
			t.Errorf("%q answered %d, want %d", encoding, w.Code, want)
		}
		if want != http.StatusOK && in.count() > 0 {
			t.Errorf("%q stored %d updates", encoding, in.count())
		}
	}
}

func TestSlowBody(t *testing.T) {
	in := &shelf{}
	server := httptest.NewServer(newHandler(in, &shelf{}, io.Discard))
	defer server.Close()
	body := message("wamid.1")
	reader, writer := io.Pipe()
	go func() {
		for i := range body { // each byte is a chunk of its own
			if _, err := writer.Write(body[i : i+1]); err != nil {
				return
			}
		}
		writer.Close()
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/webhooks/meta", reader)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Hub-Signature-256", fake.Sign(secret, body))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || in.count() != 1 {
		t.Errorf("answered %d, stored %d", resp.StatusCode, in.count())
	}
}

// A body that ends early is not what was signed, and nothing of it is kept.
func TestCutBody(t *testing.T) {
	in := &shelf{}
	server := httptest.NewServer(newHandler(in, in, io.Discard))
	defer server.Close()
	body := message("wamid.1")
	for _, cut := range []int{0, 1, len(body) / 2, len(body) - 1} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /webhooks/meta HTTP/1.1\r\nHost: parley\r\nContent-Length: %d\r\nX-Hub-Signature-256: %s\r\n\r\n%s",
			len(body), fake.Sign(secret, body), body[:cut])
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		conn.Close()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
			t.Errorf("cut after %d bytes: answered %q", cut, answer)
		}
	}
	if in.count() != 0 {
		t.Errorf("stored %d updates", in.count())
	}
}

// What was read whole is stored although its sender has gone: it will come
// again, but no sooner than if it had been refused.
func TestSenderGone(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	var during error
	in := publisherFunc(func(ctx context.Context, _ ...bus.Message) error {
		leave()
		during = ctx.Err()
		return nil
	})
	w := do(newHandler(in, in, io.Discard), request(message("wamid.1")).WithContext(ctx))
	if w.Code != http.StatusOK || during != nil {
		t.Errorf("answered %d; the publisher saw %v", w.Code, during)
	}
}
