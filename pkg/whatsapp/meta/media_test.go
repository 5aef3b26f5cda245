package meta_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// TestMediaIsRead asks a fake Graph API for a file that it has, and for one that it has not.
func TestMediaIsRead(t *testing.T) {
	photo := bytes.Repeat([]byte("photo"), 100_000)
	server := httptest.NewServer(&fake.Graph{Media: func(id string) (string, []byte) {
		if id == "42" {
			return "image/jpeg", photo
		}
		return "", nil
	}})
	t.Cleanup(server.Close)
	client := meta.NewClient(server.URL, "token", nil)
	file, err := client.Media(t.Context(), "n1", "42")
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(file.Body)
	if err != nil || !bytes.Equal(content, photo) || file.MimeType != "image/jpeg" || file.Size != int64(len(photo)) {
		t.Errorf("%d bytes of %s, %d announced, %v", len(content), file.MimeType, file.Size, err)
	}
	if err := file.Body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := client.Media(t.Context(), "n1", "43"); !errors.Is(err, meta.ErrMediaGone) {
		t.Errorf("a file that is gone: %v", err)
	}
}

// namedFile answers the first request with the address of a file, and counts those that come to it.
func namedFile(t *testing.T, address string) (client *meta.Client, carried *atomic.Int32) {
	t.Helper()
	carried = &atomic.Int32{}
	mux := http.NewServeMux()
	mux.HandleFunc("/v25.0/1", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"url":%q,"mime_type":"image/png","file_size":"12"}`, strings.ReplaceAll(address, "SELF", "http://"+r.Host))
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		carried.Add(1)
		http.Redirect(w, r, "/file", http.StatusFound)
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, _ *http.Request) { carried.Add(10); fmt.Fprint(w, "content") })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(meta.MaxMediaBytes+1))
		w.WriteHeader(http.StatusOK)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return meta.NewClient(server.URL, "token", nil), carried
}

// TestMediaGoesNowhereElse: the token and we go to Meta's hosts only, whatever an
// answer names, and follow nobody further.
func TestMediaGoesNowhereElse(t *testing.T) {
	for address, want := range map[string]error{
		"SELF/file": nil, "SELF/busy": meta.ErrMediaAway, "SELF/long": meta.ErrMediaSize, "SELF/moved": meta.ErrMediaAway, "": meta.ErrMediaAway,
		"https://evil.example/x": meta.ErrMediaPlace, "https://lookaside.fbsbx.com.evil.example/x": meta.ErrMediaPlace,
		"https://evilfbsbx.com/x": meta.ErrMediaPlace, "http://lookaside.fbsbx.com/x": meta.ErrMediaPlace,
		"https://user@lookaside.fbsbx.com/x": meta.ErrMediaPlace, "https://127.0.0.1/x": meta.ErrMediaPlace, "file:///etc/passwd": meta.ErrMediaPlace,
		"http://169.254.169.254/latest/meta-data": meta.ErrMediaPlace, "https://[::1]/x": meta.ErrMediaPlace, "gopher://fbcdn.net/": meta.ErrMediaPlace,
		"SELF.fbsbx.com/file": meta.ErrMediaPlace, "::": meta.ErrMediaPlace,
	} {
		client, carried := namedFile(t, address)
		file, err := client.Media(t.Context(), "n1", "1")
		if err == nil {
			file.Body.Close()
		}
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%q: %v, want %v", address, err, want)
		}
		if address == "SELF/moved" && carried.Load() != 1 {
			t.Errorf("a redirect was followed")
		}
	}
}

func TestBoundedEnds(t *testing.T) {
	n, err := io.Copy(io.Discard, meta.Bounded(io.NopCloser(endless{})))
	if !errors.Is(err, meta.ErrMediaSize) || n > meta.MaxMediaBytes+1 {
		t.Errorf("%d bytes, %v", n, err)
	}
	whole := io.NopCloser(io.LimitReader(endless{}, meta.MaxMediaBytes))
	if n, err := io.Copy(io.Discard, meta.Bounded(whole)); err != nil || n != meta.MaxMediaBytes {
		t.Errorf("the longest file: %d bytes, %v", n, err)
	}
}

// TestUpload gives a fake Graph API a file, and learns its id or why there is none.
func TestUpload(t *testing.T) {
	content := []byte("\x89PNG\r\n\x1a\n--boundary\r\n")
	var kept fake.Upload
	id := "77"
	server := httptest.NewServer(&fake.Graph{OnUpload: func(u fake.Upload) string { kept = u; return id }})
	t.Cleanup(server.Close)
	client := meta.NewClient(server.URL, "token", nil)
	got, err := client.Upload(t.Context(), "n1", "image/png", content)
	if err != nil || got != "77" || kept.Channel != "n1" || kept.MimeType != "image/png" || !bytes.Equal(kept.Content, content) {
		t.Errorf("id %q, %v, kept %+v", got, err, kept)
	}
	id = ""
	var refusal *meta.SendError
	if _, err := client.Upload(t.Context(), "n1", "image/png", content); !errors.As(err, &refusal) || refusal.Code != 131053 {
		t.Errorf("refused: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Upload(ended, "n1", "image/png", content); !errors.As(err, &refusal) || refusal.Class != meta.Retry {
		t.Errorf("without an answer: %v", err)
	}
}
