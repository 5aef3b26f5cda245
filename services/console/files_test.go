package console

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/flow"
)

// put sends a file and returns what is answered.
func (s *site) put(digest, mimeType, content string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPut, "/api/v1/files/"+digest, strings.NewReader(content))
	r.Header.Set("Content-Type", mimeType)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestKeepFile(t *testing.T) {
	s := newSite(t, "")
	large := strings.Repeat("x", flow.FileBytesMax+1)
	for name, c := range map[string]struct {
		digest, mimeType, content string
		status                    int
		says                      string
	}{
		"good":         {digestOf("pixels"), "image/png", "pixels", 200, digestOf("pixels")},
		"again":        {digestOf("pixels"), "image/png", "pixels", 200, digestOf("pixels")},
		"other digest": {digestOf("other"), "image/png", "pixels", 400, digestOf("pixels")},
		"no type":      {digestOf("pixels"), "", "pixels", 400, "Content-Type"},
		"too large":    {digestOf(large), "image/png", large, 413, "use a link"},
	} {
		if w := s.put(c.digest, c.mimeType, c.content); w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/files/"+digestOf("pixels"), nil))
	h := w.Header()
	if w.Code != 200 || w.Body.String() != "pixels" || h.Get("Content-Type") != "image/png" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v %q", w.Code, h, w.Body)
	}
	s.refused("/api/v1/files/"+digestOf("none"), http.StatusNotFound)
	s.refused("/api/v1/files/none", http.StatusBadRequest)
}

// A flow whose files are not here is not published; a dry run says what it would do.
func TestPublishWithoutItsFiles(t *testing.T) {
	s := newSite(t, "")
	source := strings.Replace(visit(), "steps:", "steps:\n  - name: look\n    say: {image: {file: menu.png}}", 1) +
		flow.FilesBlock([]flow.File{{Name: "menu.png", SHA256: digestOf("pixels"), Type: "image/png", Size: 6}})
	refused := s.unpublished(request{"source": source, "by": "ann"}, http.StatusUnprocessableEntity)
	if !strings.Contains(refused.Message, "menu.png") {
		t.Errorf("refused: %s", refused.Message)
	}
	if report := s.published(request{"source": source, "by": "ann", "dry_run": true}); report.Published {
		t.Error("a dry run published")
	}
	s.put(digestOf("pixels"), "image/webp", "pixels")
	for wrong, says := range map[string]string{source: "image/webp", strings.Replace(source, "size: 6", "size: 5", 1): "6 bytes"} {
		if refused := s.unpublished(request{"source": wrong, "by": "ann"}, http.StatusUnprocessableEntity); !strings.Contains(refused.Message, says) {
			t.Errorf("refused: %s", refused.Message)
		}
	}
	s.put(digestOf("pixels"), "image/png", "pixels")
	if report := s.published(request{"source": source, "by": "ann"}); !report.Published {
		t.Error("not published")
	}
}

func digestOf(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }
