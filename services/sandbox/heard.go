package sandbox

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// heardOf is a message of the business as its person's phone keeps it: whatever
// was sent, it is bounded.
func heardOf(send fake.Send, wamid string, at time.Time) *Bubble {
	b := &Bubble{
		WAMID: wamid, At: at,
		Type: clip(send.Type, maxTypeBytes),
		Text: clip(send.Text, maxContentBytes),
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(send.Body, &body) != nil {
		return b
	}
	if content := body[send.Type]; len(content) <= maxContentBytes {
		b.Content = content
	}
	var context struct {
		MessageID string `json:"message_id"`
	}
	if json.Unmarshal(body["context"], &context) == nil && len(context.MessageID) <= maxWAMIDBytes {
		b.Context = context.MessageID
	}
	return b
}

// clip cuts a text to at most n bytes, and never through a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
