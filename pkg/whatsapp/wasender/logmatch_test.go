package wasender

import (
	"testing"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// logged is the line of the log that a request leaves.
func logged(to, content string) MessageLog {
	return MessageLog{MsgID: 1, To: to, Content: content, Status: sent}
}

// A line is of a message if it says the same to the same person.
func TestLogLineIsOf(t *testing.T) {
	text := &parleyv1.MessageQueued{Phone: "15550002222", Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: "hi"}}}
	photo := &parleyv1.MessageQueued{Phone: "15550002222", Content: &parleyv1.MessageQueued_Media{
		Media: &parleyv1.Media{Kind: "image", Sha256: "aa", Caption: "ours"},
	}}
	link := &parleyv1.MessageQueued{Phone: "15550002222", Content: &parleyv1.MessageQueued_Media{
		Media: &parleyv1.Media{Kind: "image", Link: "https://a.example/1.png", Caption: "ours"},
	}}
	place := &parleyv1.MessageQueued{Phone: "15550002222", Content: &parleyv1.MessageQueued_Location{
		Location: &parleyv1.GeoPoint{Latitude: 1.5, Longitude: 2},
	}}
	lid := &parleyv1.MessageQueued{Bsuid: "123@lid", Content: text.Content}
	const to = "+15550002222"
	for name, c := range map[string]struct {
		line MessageLog
		of   *parleyv1.MessageQueued
		want bool
	}{
		"text":               {logged(to, `{"to":"+15550002222","text":"hi"}`), text, true},
		"without to":         {logged("15550002222@s.whatsapp.net", `{"text":"hi"}`), text, true},
		"other words":        {logged(to, `{"text":"hi!"}`), text, false},
		"somebody else":      {logged("+15550003333", `{"text":"hi"}`), text, false},
		"failed":             {MessageLog{MsgID: 1, To: to, Content: `{"text":"hi"}`, Status: failed}, text, false},
		"not logged":         {logged("", ""), text, false},
		"known by a LID":     {logged("", `{"text":"hi"}`), lid, false},
		"a file of a flow":   {logged(to, `{"text":"ours","imageUrl":"https://files.example/5"}`), photo, true},
		"another kind of it": {logged(to, `{"text":"ours","videoUrl":"https://files.example/5"}`), photo, false},
		"no file":            {logged(to, `{"text":"ours"}`), photo, false},
		"a link":             {logged(to, `{"text":"ours","imageUrl":"https://a.example/1.png"}`), link, true},
		"another link":       {logged(to, `{"text":"ours","imageUrl":"https://a.example/2.png"}`), link, false},
		"a place":            {logged(to, `{"location":{"latitude":1.5,"longitude":2}}`), place, true},
		"another place":      {logged(to, `{"location":{"latitude":1.5,"longitude":3}}`), place, false},
		"typing":             {logged(to, `{}`), &parleyv1.MessageQueued{Phone: "15550002222", Content: &parleyv1.MessageQueued_Typing{Typing: &parleyv1.Typing{}}}, false},
	} {
		if got := c.line.IsOf(c.of); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if photo.GetMedia().GetLink() != "" {
		t.Error("the message was changed")
	}
}
