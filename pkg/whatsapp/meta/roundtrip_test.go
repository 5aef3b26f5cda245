package meta_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// direct carries requests to a handler without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// Everything within WhatsApp's limits is encoded in a way that the fake accepts,
// and its text arrives.
func TestWhatIsValidIsAccepted(t *testing.T) {
	var got fake.Send
	api := &fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		got = s
		return fake.Answer{WAMID: "wamid.X"}
	}}
	client := meta.NewClient("https://graph.test", "token", &http.Client{Transport: direct{api}})
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		wamid, err := client.Send(t.Context(), meta.Outgoing{Channel: number, Message: m, DeliveryID: "d-1"})
		if err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		if m.GetTyping() != nil {
			if wamid != "" || got.Type != "typing" || got.MessageID != m.GetTyping().GetMessageId() {
				t.Errorf("%v: %q, sent %+v", m, wamid, got)
			}
			return
		}
		if wamid != "wamid.X" || got.To != m.GetPhone() || m.GetPhone() == "" && got.Recipient != m.GetBsuid() || got.Callback != "d-1" {
			t.Errorf("%v: %q, sent %+v", m, wamid, got)
		}
		if want, told := bodyOf(m); told && got.Text != want {
			t.Errorf("%v: text %q", m, got.Text)
		}
	})
}

// bodyOf is the body or the caption; told is false for a content without one.
func bodyOf(m *parleyv1.MessageQueued) (body string, told bool) {
	switch content := m.GetContent().(type) {
	case *parleyv1.MessageQueued_Text:
		return content.Text.GetBody(), true
	case *parleyv1.MessageQueued_Media:
		kind := content.Media.GetKind()
		return content.Media.GetCaption(), kind != "audio" && kind != "sticker"
	case *parleyv1.MessageQueued_Buttons:
		return content.Buttons.GetBody(), true
	case *parleyv1.MessageQueued_List:
		return content.List.GetBody(), true
	case *parleyv1.MessageQueued_Link:
		return content.Link.GetBody(), true
	case *parleyv1.MessageQueued_Share:
		return content.Share.GetBody(), true
	case *parleyv1.MessageQueued_Form:
		return content.Form.GetBody(), true
	}
	return "", false
}

// characters draws a text of that many characters: often the least or the most.
func characters(t *rapid.T, least, most int) string {
	n := rapid.OneOf(rapid.IntRange(least, most), rapid.SampledFrom([]int{least, most})).Draw(t, "characters")
	unit := rapid.SampledFrom([]string{"a", "é", "\u2028", "😀", `"`, "<", "\\", "\n"}).Draw(t, "unit")
	return strings.Repeat(unit, n)
}

func drawMessage(t *rapid.T) *parleyv1.MessageQueued {
	m := &parleyv1.MessageQueued{Bsuid: "US.100"}
	if rapid.Bool().Draw(t, "phone") {
		m.Phone = "15550002222"
	}
	switch rapid.IntRange(0, 11).Draw(t, "kind") {
	case 0:
		m.Content = &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: characters(t, 1, 4096), PreviewUrl: rapid.Bool().Draw(t, "preview")}}
	case 1:
		m.Content = &parleyv1.MessageQueued_Media{Media: drawMedia(t, "image", "video", "document", "audio", "sticker")}
	case 2:
		m.Content = &parleyv1.MessageQueued_Buttons{Buttons: drawButtons(t)}
	case 3:
		m.Content = &parleyv1.MessageQueued_List{List: drawList(t)}
	case 4:
		m.Content = &parleyv1.MessageQueued_Link{Link: &parleyv1.Link{
			Header: drawHeader(t), Body: characters(t, 1, 1024), Footer: characters(t, 0, 60), Title: characters(t, 1, 20), Url: "https://x.example/é?a=b",
		}}
	case 5:
		m.Content = &parleyv1.MessageQueued_Form{Form: drawForm(t)}
	case 6:
		m.Content = &parleyv1.MessageQueued_Location{Location: drawPlace(t)}
	case 7:
		m.Content = &parleyv1.MessageQueued_Contact{Contact: &parleyv1.ContactCard{
			Name: characters(t, 1, 100), Phone: characters(t, 0, 20), Email: characters(t, 0, 20), Organization: characters(t, 0, 20),
		}}
	case 8:
		m.Content = &parleyv1.MessageQueued_Template{Template: drawTemplate(t)}
	case 9:
		m.Content = &parleyv1.MessageQueued_Reaction{Reaction: &parleyv1.Reaction{MessageId: "wamid.T", Emoji: characters(t, 0, 1)}}
	case 10:
		m.Content = &parleyv1.MessageQueued_Typing{Typing: &parleyv1.Typing{MessageId: "wamid.T"}}
	case 11:
		m.Content = &parleyv1.MessageQueued_Share{Share: &parleyv1.ShareRequest{
			Body: characters(t, 1, 1024), What: rapid.SampledFrom([]string{"contact", "location"}).Draw(t, "what"),
		}}
	}
	if m.GetReaction() == nil && m.GetTyping() == nil && rapid.Bool().Draw(t, "quotes") {
		m.ReplyTo = "wamid.Q"
	}
	return m
}

func drawMedia(t *rapid.T, kinds ...string) *parleyv1.Media {
	m := &parleyv1.Media{
		Kind: rapid.SampledFrom(kinds).Draw(t, "kind of file"), Link: "https://x.example/f",
		Caption: characters(t, 0, 1024), Filename: characters(t, 0, 20),
	}
	if rapid.Bool().Draw(t, "uploaded") {
		m.Id = "M1"
	}
	return m
}

func drawHeader(t *rapid.T) *parleyv1.Header {
	switch rapid.IntRange(0, 2).Draw(t, "header") {
	case 0:
		return nil
	case 1:
		return &parleyv1.Header{Media: drawMedia(t, "image", "video", "document")}
	}
	return &parleyv1.Header{Text: characters(t, 0, 60)}
}

// named makes texts of one length that all differ, of ASCII characters.
func named(i, length int) string { return strings.Repeat(string(rune('a'+i)), length) }

func drawButtons(t *rapid.T) *parleyv1.Buttons {
	b := &parleyv1.Buttons{Header: drawHeader(t), Body: characters(t, 1, 1024), Footer: characters(t, 0, 60)}
	for i := range rapid.IntRange(1, 3).Draw(t, "buttons") {
		b.Buttons = append(b.Buttons, &parleyv1.Button{
			Id: named(i, rapid.IntRange(1, 256).Draw(t, "id")), Title: named(i, rapid.IntRange(1, 20).Draw(t, "title")),
		})
	}
	return b
}

func drawList(t *rapid.T) *parleyv1.List {
	l := &parleyv1.List{
		Header: characters(t, 0, 60), Body: characters(t, 1, 4096), Footer: characters(t, 0, 60), Button: characters(t, 1, 20),
	}
	sections := rapid.IntRange(1, 10).Draw(t, "sections")
	for i := range rapid.IntRange(sections, 10).Draw(t, "rows") {
		if i < sections {
			l.Sections = append(l.Sections, &parleyv1.Section{Title: characters(t, min(sections-1, 1), 24)})
		}
		s := l.Sections[i%sections]
		s.Rows = append(s.Rows, &parleyv1.Row{
			Id: named(i, rapid.IntRange(1, 200).Draw(t, "id")), Title: characters(t, 1, 24), Description: characters(t, 0, 72),
		})
	}
	return l
}

func drawForm(t *rapid.T) *parleyv1.Form {
	return &parleyv1.Form{
		Header: drawHeader(t), Body: characters(t, 1, 1024), Footer: characters(t, 0, 60), FormId: "123", Title: characters(t, 1, 30),
		Token:  rapid.SampledFrom([]string{"", "T"}).Draw(t, "token"),
		Screen: rapid.SampledFrom([]string{"", "FIRST"}).Draw(t, "screen"),
		Data:   []byte(rapid.SampledFrom([]string{"", "{}", ` {"k": [1, "é"]} `}).Draw(t, "data")),
	}
}

func drawPlace(t *rapid.T) *parleyv1.GeoPoint {
	return &parleyv1.GeoPoint{
		Latitude: rapid.Float64Range(-90, 90).Draw(t, "latitude"), Longitude: rapid.Float64Range(-180, 180).Draw(t, "longitude"),
		Name: characters(t, 0, 20), Address: characters(t, 0, 20),
	}
}

func drawTemplate(t *rapid.T) *parleyv1.Template {
	m := &parleyv1.Template{Name: "hello", Language: "en_US", Header: drawHeader(t)}
	for range rapid.IntRange(0, 3).Draw(t, "parameters") {
		m.Body = append(m.Body, &parleyv1.TemplateParameter{
			Name: rapid.SampledFrom([]string{"", "first_name"}).Draw(t, "name"), Text: characters(t, 1, 20),
		})
	}
	for i := range rapid.Uint32Range(0, 3).Draw(t, "buttons") {
		kind := rapid.SampledFrom([]string{"quick_reply", "url", "flow"}).Draw(t, "kind of button")
		m.Buttons = append(m.Buttons, &parleyv1.TemplateButton{Index: i, Kind: kind, Text: characters(t, 1, 20)})
	}
	return m
}

// What the fake posts is decoded to what was put in.
func TestPayloadsDecodeToWhatWasPutIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &parleyv1.IncomingMessage{}
		var options []fake.Option
		if rapid.Bool().Draw(t, "reply") {
			want.ReplyTo = "wamid.Q"
			options = append(options, fake.ReplyTo("wamid.Q"))
		}
		if rapid.Bool().Draw(t, "referral") {
			want.Referral = &parleyv1.Referral{SourceType: "ad", SourceId: "1202", SourceUrl: "https://x/é", Headline: words(t, 1), CtwaClid: "c"}
			options = append(options, fake.From(fake.Referral{
				SourceType: "ad", SourceID: "1202", SourceURL: "https://x/é", Headline: want.Referral.Headline, ClickID: "c",
			}))
		}
		person := rapid.SampledFrom([]fake.Person{ann, bea, cem}).Draw(t, "person")
		item := drawItem(t, want, person, time.Unix(rapid.Int64Range(1, 4e9).Draw(t, "at"), 0), options)
		envelopes := meta.Split(fake.Payload(account, number, item), receivedAt)
		if len(envelopes) != 1 || envelopes[0].GetId() != "wamid.1" {
			t.Fatalf("%v", envelopes)
		}
		got, ok, err := meta.DecodeMessage(envelopes[0])
		if !ok || err != nil || !proto.Equal(got, want) {
			t.Errorf("%v, %v\ngot  %v\nwant %v", ok, err, got, want)
		}
	})
}

// words draws a text that can be posted: UTF-8 without NUL.
func words(t *rapid.T, least int) string {
	return strings.Repeat("x", least) + rapid.String().Filter(func(s string) bool {
		return utf8.ValidString(s) && !strings.Contains(s, "\x00")
	}).Draw(t, "words")
}

// drawItem draws a message, and says in want what it holds.
func drawItem(t *rapid.T, want *parleyv1.IncomingMessage, p fake.Person, at time.Time, options []fake.Option) fake.Item {
	const id = "wamid.1"
	want.Type = "interactive"
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0:
		want.Type, want.Text = "text", words(t, 1)
		return fake.Text(p, id, at, want.Text, options...)
	case 1:
		want.Type, want.Text = rapid.SampledFrom([]string{"image", "video", "audio", "document", "sticker"}).Draw(t, "file"), words(t, 0)
		m := &parleyv1.IncomingMedia{Kind: want.Type, Id: "M1", MimeType: "a/b", Sha256: "x/=", Filename: words(t, 0)}
		want.Content = &parleyv1.IncomingMessage_Media{Media: m}
		return fake.File(p, id, at, want.Type, fake.Media{ID: m.Id, MimeType: m.MimeType, SHA256: m.Sha256, Filename: m.Filename, Caption: want.Text}, options...)
	case 2:
		place := drawPlace(t)
		want.Type, want.Content = "location", &parleyv1.IncomingMessage_Location{Location: place}
		return fake.Location(p, id, at, fake.Place{Latitude: place.Latitude, Longitude: place.Longitude, Name: place.Name, Address: place.Address}, options...)
	case 3:
		c := &parleyv1.ContactCard{Name: words(t, 0), Phone: words(t, 0), Email: words(t, 0), Organization: words(t, 0)}
		want.Type, want.Content = "contacts", &parleyv1.IncomingMessage_Contact{Contact: c}
		return fake.Contacts(p, id, at, []fake.Card{{Name: c.Name, Phone: c.Phone, Email: c.Email, Organization: c.Organization}}, options...)
	case 4:
		want.Text, want.Tap = words(t, 0), words(t, 0)
		return fake.ButtonTap(p, id, at, want.Tap, want.Text, options...)
	case 5:
		want.Text, want.Tap = words(t, 0), words(t, 0)
		return fake.ListTap(p, id, at, want.Tap, want.Text, words(t, 0), options...)
	case 6:
		want.Type, want.Text, want.Tap = "button", words(t, 0), words(t, 0)
		return fake.TemplateTap(p, id, at, want.Tap, want.Text, options...)
	}
	want.Text = words(t, 0)
	form := &parleyv1.FormResult{Token: words(t, 0), Json: quoted(t, map[string]string{"k": words(t, 0)})}
	want.Content = &parleyv1.IncomingMessage_Form{Form: form}
	return fake.FormReply(p, id, at, want.Text, string(quoted(t, map[string]string{"k": valueOf(t, form.Json), "flow_token": form.Token})), options...)
}

// quoted writes JSON as the decoder writes it anew: without the escapes of HTML.
func quoted(t *rapid.T, object map[string]string) []byte {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

func valueOf(t *rapid.T, data []byte) string {
	var object struct{ K string }
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	return object.K
}
