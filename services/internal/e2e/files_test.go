//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const pictured = `name: lead
language: en
steps:
  - name: look
    say: [{image: {file: menu.png, caption: Our menu}}, Your name?]
    expect: {type: text, save: name}
completed: {say: "Bye, {name}.", again: Done.}
`

// TestUpFile sends a file that lies beside a flow: it is uploaded once, whoever writes
// and whatever is killed. What a person sends can be looked at in the console.
func TestUpFile(t *testing.T) {
	g := &graph{sends: make(chan fake.Send, 100)}
	var uploads atomic.Int32
	server := httptest.NewServer(&fake.Graph{
		OnSend: func(_ context.Context, s fake.Send) fake.Answer { g.sends <- s; return fake.Answer{} },
		OnUpload: func(u fake.Upload) string {
			return fmt.Sprintf("%d%d", len(u.Content), uploads.Add(1))
		},
		Media: func(string) (string, []byte) { return "image/jpeg", []byte("a photo") },
	})
	t.Cleanup(server.Close)
	flows := folder(t)
	for name, content := range map[string]string{"lead.yaml": pictured, "menu.png": "\x89PNG\r\n\x1a\npixels"} {
		if err := os.WriteFile(filepath.Join(flows, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	u := newUp(t)
	u.start(t, append(environment(server.URL), "PARLEY_FLOWS_DIR="+flows)...)
	for i, p := range []fake.Person{ann, bea} {
		says(t, u, p, "hi")
		if s := g.next(t, p, "Our menu"); !strings.Contains(string(s.Body), `"image":{"id":"141"`) {
			t.Errorf("sent %s", s.Body)
		}
		g.next(t, p, "Your name?")
		u.sent(t)
		if i == 0 {
			u.kill()
			u.start(t)
		}
	}
	if n := uploads.Load(); n != 1 {
		t.Errorf("uploaded %d times", n)
	}
	signed(t, u.webhook(), fake.Image(ann, "wamid.photo", time.Now(), "me"))
	resp, err := http.Get(u.api() + "/media/" + channel + "/17")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(content) != "a photo" || resp.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("%d %q, %v", resp.StatusCode, content, err)
	}
}
