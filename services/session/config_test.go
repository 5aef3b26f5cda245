package session

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/parleyhq/parley/pkg/store"
)

// Either every flow of a folder is published or none, and every mistake in
// every file is reported.
func TestPublish(t *testing.T) {
	d := newDesk(t)
	good := strings.ReplaceAll(leadSource(t), "name: lead", "name: shop")
	files := fstest.MapFS{
		"a.yaml": {Data: []byte(good)}, "b.yaml": {Data: []byte("name: b")}, "c.yaml": {Data: []byte(": :")}, "notes.txt": {Data: []byte("no flow")},
	}
	err := Publish(t.Context(), d.store.Store, files)
	if err == nil || !strings.Contains(err.Error(), "b.yaml") || !strings.Contains(err.Error(), "c.yaml") {
		t.Errorf("%v", err)
	}
	if _, err := d.store.LoadFlow(t.Context(), "shop", 0); !errors.Is(err, store.ErrNoFlow) {
		t.Errorf("a flow was published beside broken ones: %v", err)
	}
	delete(files, "b.yaml")
	delete(files, "c.yaml")
	for range 2 { // the same again is the same version
		if err := Publish(t.Context(), d.store.Store, files); err != nil {
			t.Fatal(err)
		}
		if f, err := d.store.LoadFlow(t.Context(), "shop", 0); err != nil || f.Version() != 1 {
			t.Errorf("%v", err)
		}
	}
}

// A file beside a flow is kept with it; one that is not there keeps it from being
// published.
func TestPublishFiles(t *testing.T) {
	d := newDesk(t)
	source := strings.Replace(strings.ReplaceAll(leadSource(t), "name: lead", "name: shop"), "steps:", "steps:\n  - name: look\n    say: {image: {file: menu.png}}", 1)
	files := fstest.MapFS{"a.yaml": {Data: []byte(source)}}
	if err := Publish(t.Context(), d.store.Store, files); err == nil || !strings.Contains(err.Error(), `no file "menu.png"`) {
		t.Fatalf("%v", err)
	}
	files["menu.png"] = &fstest.MapFile{Data: []byte("\x89PNG\r\n\x1a\nfirst")}
	for version, content := range []string{"first", "second"} {
		files["menu.png"].Data = []byte("\x89PNG\r\n\x1a\n" + content)
		if err := Publish(t.Context(), d.store.Store, files); err != nil {
			t.Fatal(err)
		}
		f, err := d.store.LoadFlow(t.Context(), "shop", 0)
		if err != nil || int(f.Version()) != version+1 || len(f.Files()) != 1 {
			t.Fatalf("%v", err)
		}
		if _, kept, err := d.store.File(t.Context(), f.Files()[0].SHA256); err != nil || !strings.HasSuffix(string(kept), content) {
			t.Errorf("%q, %v", kept, err)
		}
	}
}
