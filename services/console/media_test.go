package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
	"github.com/parleyhq/parley/services/internal/platform"
)

// shelf is what the provider has, by id; and how often it was asked.
type shelf struct {
	file  *meta.File
	err   error
	asked int
}

func (s *shelf) Media(context.Context, string, string) (*meta.File, error) {
	s.asked++
	return s.file, s.err
}

func fileOf(mimeType string, body io.Reader) *meta.File {
	return &meta.File{MimeType: mimeType, Body: io.NopCloser(body)}
}

// TestMedia passes files on so that nothing that a person sent runs in the console.
func TestMedia(t *testing.T) {
	s := newSite(t, "secret")
	for name, c := range map[string]struct {
		path    string
		shelf   shelf
		status  int
		kind    string
		disp    string
		content string
	}{
		"a photo":           {"/api/v1/media/n1/42", shelf{file: fileOf("image/jpeg", strings.NewReader("jpeg"))}, 200, "image/jpeg", "inline", "jpeg"},
		"a voice":           {"/api/v1/media/n1/42", shelf{file: fileOf("audio/ogg; codecs=opus", strings.NewReader("ogg"))}, 200, "audio/ogg", "inline", "ogg"},
		"a page":            {"/api/v1/media/n1/42", shelf{file: fileOf("text/html", strings.NewReader("<script>"))}, 200, "text/html", "attachment", "<script>"},
		"a drawing":         {"/api/v1/media/n1/42", shelf{file: fileOf("image/svg+xml", strings.NewReader("<svg>"))}, 200, "image/svg+xml", "attachment", "<svg>"},
		"a type of nothing": {"/api/v1/media/n1/42", shelf{file: fileOf("\r\nX: y", strings.NewReader("x"))}, 200, "application/octet-stream", "attachment", "x"},
		"gone":              {"/api/v1/media/n1/42", shelf{err: &meta.MediaError{Reason: meta.ErrMediaGone, Err: errors.New("HTTP 400")}}, 404, "application/json", "", "7 days"},
		"elsewhere":         {"/api/v1/media/n1/42", shelf{err: &meta.MediaError{Reason: meta.ErrMediaPlace}}, 502, "application/json", "", "not one of its own"},
		"no id":             {"/api/v1/media/n1/4%2F2", shelf{}, 400, "application/json", "", "content.media.id"},
	} {
		t.Run(name, func(t *testing.T) {
			s.api.files = &c.shelf
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, c.path, nil)
			r.Header.Set("Authorization", "Bearer secret")
			s.ServeHTTP(w, r)
			h := w.Header()
			if w.Code != c.status || !strings.HasPrefix(h.Get("Content-Type"), c.kind) || !strings.Contains(w.Body.String(), c.content) || !strings.HasPrefix(h.Get("Content-Disposition"), c.disp) {
				t.Errorf("answered %d %v %q", w.Code, h, w.Body)
			}
			if c.status == 200 && (h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox")) {
				t.Errorf("headers %v", h)
			}
			if asked := c.shelf.asked > 0; asked == (c.status == 400) {
				t.Errorf("the provider was asked: %t", asked)
			}
		})
	}
}

// TestMediaOfSessions: a session's file is decrypted out of the message that brought it,
// and all other channels are Meta's.
func TestMediaOfSessions(t *testing.T) {
	s := newSite(t, "")
	sessions := &fake.Server{File: func(id string) (string, []byte) { return "image/png", []byte("png of " + id) }}
	sessions.Add(fake.Session{ID: 7, APIKey: "key", Status: "connected"})
	gateway := httptest.NewServer(sessions)
	t.Cleanup(gateway.Close)
	cloud := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(cloud.Close)
	keys := platform.Gateway{URL: gateway.URL + "/api", SessionKeys: []string{"shop=key"}}
	s.api.files = providers{sessions: keys.Keys(), gateway: keys.Client(wasender.Options{}), cloud: meta.NewClient(cloud.URL, "token", cloud.Client()), store: s.store}

	if err := s.store.EnsureLeases(t.Context(), store.ServiceMessages, 1); err != nil {
		t.Fatal(err)
	}
	leases, err := s.store.Acquire(t.Context(), store.ServiceMessages, "me", time.Minute, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.logs(leases[0], []store.Message{{
		Offset: 1, At: start, Direction: store.DirectionIn, Channel: "shop", Contact: store.ContactID("shop", "ann"), Kind: "image", ProviderID: "3EB0AA",
		Content: json.RawMessage(`{"media": {"id": "3EB0AA"}}`), Raw: json.RawMessage(`{"key": {"id": "3EB0AA"}, "message": {"imageMessage": {}}}`),
	}})
	for path, want := range map[string]string{"shop/3EB0AA": "200 png of 3EB0AA", "shop/3EB0AB": "404 ", "n1/3EB0AA": "404 "} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/media/"+path, nil))
		if got := fmt.Sprint(w.Code, " ", w.Body); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// TestMediaNeedsTheToken: files are not for everybody who knows an id.
func TestMediaNeedsTheToken(t *testing.T) {
	s := newSite(t, "secret")
	files := &shelf{file: fileOf("image/jpeg", strings.NewReader("jpeg"))}
	s.api.files = files
	s.ask(http.MethodGet, "/api/v1/media/n1/42", http.StatusUnauthorized, &problem{})
	if files.asked > 0 {
		t.Error("the provider was asked")
	}
}

// TestMediaCutShort: a file that ends early does not look whole.
func TestMediaCutShort(t *testing.T) {
	s := newSite(t, "")
	s.api.files = &shelf{file: fileOf("image/jpeg", io.MultiReader(strings.NewReader("half"), broken{}))}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	resp, err := http.Get(server.URL + "/api/v1/media/n1/42")
	if err != nil {
		return // cut before anything was passed on
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("half a file looks whole")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("cut") }
