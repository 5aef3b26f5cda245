package wasender_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
)

// lists are the events that bring updates, and what their list of them may be called.
var lists = map[string][]string{
	"messages.received": {"messages", "message"}, "messages-personal.received": {"messages"}, "messages-group.received": {"messages"},
	"messages-newsletter.received": {"messages"}, "messages.upsert": {"messages", "message"}, "message.sent": {"messages"},
	"messages.update": {"messages", "updates"}, "message-receipt.update": {"message", "messages", "receipts", "updates"},
	"messages.delete": {"keys"}, "messages.reaction": {"messages", "reactions"}, "call": {"call", "calls"}, "call.received": {"call"},
	"contacts.upsert": {"contacts"}, "contacts.update": {"contacts"}, "chats.upsert": {"chats"}, "chats.update": {"chats"}, "chats.delete": {"chats"},
}

// elementsOf are the updates of all payloads of the corpus, to build others of: those
// without secrets, which are stored as they came.
func elementsOf(t *testing.T) (list []string) {
	t.Helper()
	payloads, err := filepath.Glob("testdata/*.json")
	if err != nil || len(payloads) == 0 {
		t.Fatal(err)
	}
	for _, path := range payloads {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range wasender.Split(body, channel, receivedAt) {
			if raw := string(e.GetRaw()); strings.HasPrefix(raw, "{") && !strings.Contains(raw, `"event"`) && !strings.Contains(raw, "redacted") {
				list = append(list, raw)
			}
		}
	}
	return append(list, "null", "7", `""`, "[]", "{}", `{"key":{}}`, `{"key":{"id":"1"}}`, "[[]]", "true")
}

// Whatever an event is made of, each of its updates is kept once, and the whole event
// if there is something beside them that is not known.
func TestEveryUpdateIsOneEnvelope(t *testing.T) {
	elements := rapid.SliceOfN(rapid.SampledFrom(elementsOf(t)), 0, 6)
	names := slices.Sorted(maps.Keys(lists))
	rapid.Check(t, func(t *rapid.T) {
		name, updates, want := rapid.SampledFrom(names).Draw(t, "event"), elements.Draw(t, "updates"), map[string]int{}
		data, beside := "["+strings.Join(updates, " , ")+"]", ""
		if rapid.Bool().Draw(t, "named") {
			beside = rapid.SampledFrom([]string{"", `,"others":[]`, `,"others":[1]`, `,"others":{"a":[1]}`}).Draw(t, "beside")
			data = `{"` + rapid.SampledFrom(lists[name]).Draw(t, "name") + `":` + data + beside + `}`
		}
		event := `{"event":"` + name + `","data":` + data + `}`
		for _, update := range updates {
			want[update]++
		}
		if len(updates) == 0 || beside == `,"others":[1]` {
			want[event]++
		}
		got := map[string]int{}
		for _, e := range wasender.Split([]byte(event), channel, receivedAt) {
			got[string(e.GetRaw())]++
		}
		if !maps.Equal(got, want) {
			t.Errorf("of %s\nenvelopes are %v", event, got)
		}
	})
}
