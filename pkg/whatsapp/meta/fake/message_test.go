package fake_test

import (
	"encoding/json"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// TestMessages states what each builder posts beside from, id and timestamp.
func TestMessages(t *testing.T) {
	for _, c := range []struct {
		item fake.Item
		want string
	}{
		{fake.Text(ann, "m", at, "hi", fake.ReplyTo("wamid.Q")), `"type":"text","text":{"body":"hi"},"context":{"from":"15550001111","id":"wamid.Q"}`},
		{fake.Text(ann, "m", at, "hi", fake.ReplyTo("")), `"type":"text","text":{"body":"hi"}`},
		{
			fake.Text(ann, "m", at, "hi", fake.From(fake.Referral{SourceType: "ad", SourceID: "1", ClickID: "c"})),
			`"type":"text","text":{"body":"hi"},"referral":{"source_type":"ad","source_id":"1","ctwa_clid":"c"}`,
		},
		{fake.Image(ann, "m", at, ""), `"type":"image","image":{"id":"11776000000000000999","mime_type":"image/jpeg","sha256":"aGFzaA=="}`},
		{
			fake.Document(ann, "m", at, "a.pdf", "c"),
			`"type":"document","document":{"id":"11776000000000000999","mime_type":"application/pdf","sha256":"aGFzaA==","filename":"a.pdf","caption":"c"}`,
		},
		{fake.Voice(ann, "m", at), `"type":"audio","audio":{"id":"11776000000000000999","mime_type":"audio/ogg; codecs=opus","sha256":"aGFzaA==","voice":true}`},
		{fake.Location(ann, "m", at, fake.Place{Latitude: 1.5, Address: "a"}), `"type":"location","location":{"latitude":1.5,"longitude":0,"address":"a"}`},
		{
			fake.Contacts(ann, "m", at, []fake.Card{{Name: "A", Phone: "+1", Email: "e", Organization: "o"}, {}}),
			`"type":"contacts","contacts":[{"origin":"other","name":{"formatted_name":"A","first_name":"A"},"phones":[{"phone":"+1","type":"CELL"}],
				"emails":[{"email":"e","type":"HOME"}],"org":{"company":"o"}},{"origin":"other"}]`,
		},
		{fake.ButtonTap(ann, "m", at, "b1", "Yes"), `"type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"b1","title":"Yes"}}`},
		{fake.ListTap(ann, "m", at, "r1", "One", "d"), `"type":"interactive","interactive":{"type":"list_reply","list_reply":{"id":"r1","title":"One","description":"d"}}`},
		{
			fake.FormReply(ann, "m", at, "Sent", `{"flow_token":"T"}`),
			`"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":"{\"flow_token\":\"T\"}"}}`,
		},
		{fake.TemplateTap(ann, "m", at, "p", "Yes"), `"type":"button","button":{"payload":"p","text":"Yes"}`},
	} {
		var post struct {
			Entry []struct {
				Changes []struct {
					Value struct{ Messages []json.RawMessage }
				}
			}
		}
		if err := json.Unmarshal(fake.Payload("W", "N", c.item), &post); err != nil {
			t.Fatal(err)
		}
		sameJSON(t, post.Entry[0].Changes[0].Value.Messages[0], `{"from":"15550002222","id":"m","timestamp":"1776000000",`+c.want+`}`)
	}
}
