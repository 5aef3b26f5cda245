package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// An export is the whole log or none: nothing stands where the file should be if it
// broke off, or was refused.
func TestMessagesExport(t *testing.T) {
	o := openOffice(t)
	db := o.deps.Store
	if err := db.EnsureLeases(t.Context(), store.ServiceMessages, 1); err != nil {
		t.Fatal(err)
	}
	leases, err := db.Acquire(t.Context(), store.ServiceMessages, "me", time.Minute, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	said := store.Message{
		Offset: 1, At: time.Now(), Direction: store.DirectionIn, Channel: "n1", Contact: store.ContactID("n1", "ann"), Kind: "text", Body: "hi",
		Content: json.RawMessage(`{}`), Raw: json.RawMessage(`{"text":{"body":"hi"}}`),
	}
	if held, err := db.AddMessages(t.Context(), []store.Fence{{Epoch: leases[0].Epoch, To: 1, At: time.Now()}}, []store.Message{said}); err != nil || len(held) != 1 {
		t.Fatal(held, err)
	}
	file := filepath.Join(t.TempDir(), "log.csv")
	if got, err := tool(t, "messages", "export", "--format", "csv", "--raw", "-f", file); err != nil || !strings.Contains(got, file) {
		t.Errorf("%v\n%s", err, got)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.HasSuffix(string(data), `,text,hi,,,"{""text"":{""body"":""hi""}}"`+"\n") {
		t.Errorf("%v\n%s", err, data)
	}
	if got, err := tool(t, "messages", "export", "--channel", "n1"); err != nil || !strings.Contains(got, `"body":"hi"`) || strings.Contains(got, `"raw"`) {
		t.Errorf("%v\n%s", err, got)
	}
	none := filepath.Join(t.TempDir(), "none.csv")
	if _, err := tool(t, "messages", "export", "--from", "soon", "-f", none); err == nil || !strings.Contains(err.Error(), "from=") {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(none)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
