package meta_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// decode gives the message of a payload with one.
func decode(t testing.TB, item fake.Item) *parleyv1.IncomingMessage {
	t.Helper()
	msg, ok, err := meta.DecodeMessage(meta.Split(fake.Payload(account, number, item), receivedAt)[0])
	if !ok || err != nil {
		t.Fatalf("decoded %v, %v", ok, err)
	}
	return msg
}

// message is an incoming message written as protojson.
func message(t testing.TB, text string) *parleyv1.IncomingMessage {
	t.Helper()
	msg := &parleyv1.IncomingMessage{}
	if err := protojson.Unmarshal([]byte(text), msg); err != nil {
		t.Fatal(err)
	}
	return msg
}

func TestDecodeMessageReadsEveryContent(t *testing.T) {
	const id = "wamid.1"
	ad := fake.Referral{SourceID: "1202", SourceType: "ad", SourceURL: "https://fb.me/x", Headline: "Buy", Body: "now", ClickID: "c"}
	for _, c := range []struct {
		item fake.Item
		want string
	}{
		{fake.Text(ann, id, at, "hi"), `{"type":"text","text":"hi"}`},
		{fake.Text(ann, id, at, "hi", fake.ReplyTo("wamid.Q")), `{"type":"text","text":"hi","replyTo":"wamid.Q"}`},
		{fake.Text(ann, id, at, "hi", fake.From(ad)), `{"type":"text","text":"hi",
			"referral":{"sourceId":"1202","sourceType":"ad","sourceUrl":"https://fb.me/x","headline":"Buy","ctwaClid":"c"}}`},
		{fake.File(ann, id, at, "image", fake.Media{ID: "M", Caption: "my house"}), `{"type":"image","text":"my house","media":{"kind":"image","id":"M"}}`},
		{fake.Document(ann, id, at, "a.pdf", "the contract"), `{"type":"document","text":"the contract",
			"media":{"kind":"document","id":"11776000000000000000","mimeType":"application/pdf","sha256":"aGFzaA==","filename":"a.pdf"}}`},
		{fake.Voice(ann, id, at), `{"type":"audio","media":{"kind":"audio","id":"11776000000000000000","mimeType":"audio/ogg; codecs=opus","sha256":"aGFzaA=="}}`},
		{fake.File(ann, id, at, "voice", fake.Media{ID: "M"}), `{"type":"voice","media":{"kind":"audio","id":"M"}}`},
		{fake.File(ann, id, at, "sticker", fake.Media{ID: "M"}), `{"type":"sticker","media":{"kind":"sticker","id":"M"}}`},
		{fake.Location(ann, id, at, fake.Place{Latitude: 1.5, Longitude: -2.5, Name: "Home"}), `{"type":"location","location":{"latitude":1.5,"longitude":-2.5,"name":"Home"}}`},
		{fake.Location(ann, id, at, fake.Place{}), `{"type":"location","location":{}}`},
		{
			fake.Contacts(ann, id, at, []fake.Card{{Name: "Bea", Phone: "+49 30 1", Email: "b@example.com", Organization: "Acme"}, {Name: "Cem"}}),
			`{"type":"contacts","contact":{"name":"Bea","phone":"+49 30 1","email":"b@example.com","organization":"Acme"}}`,
		},
		{fake.ButtonTap(ann, id, at, "b1", "Yes", fake.ReplyTo("wamid.Q")), `{"type":"interactive","text":"Yes","tap":"b1","replyTo":"wamid.Q"}`},
		{fake.ListTap(ann, id, at, "r1", "Monday", "9:00"), `{"type":"interactive","text":"Monday","tap":"r1"}`},
		{fake.TemplateTap(ann, id, at, "p1", "Yes please"), `{"type":"button","text":"Yes please","tap":"p1"}`},
		{fake.Text(ann, id, at, "hi", fake.Context(`{"forwarded":true}`)), `{"type":"text","text":"hi","forwarded":true}`},
		{fake.Text(ann, id, at, "hi", fake.Context(`{"frequently_forwarded":"true","forwarded":false}`)), `{"type":"text","text":"hi","frequentlyForwarded":true}`},
		{
			fake.Text(ann, id, at, "how much?", fake.Context(`{"from":"1","id":"wamid.Q","referred_product":{"catalog_id":"C","product_retailer_id":"P"}}`)),
			`{"type":"text","text":"how much?","replyTo":"wamid.Q","product":{"catalogId":"C","productId":"P"}}`,
		},
		{
			fake.Message(ann, id, at, "order", json.RawMessage(`{"catalog_id":"C","text":"soon","product_items":[{"product_retailer_id":"P","quantity":2,"item_price":7.99,"currency":"USD"},{"quantity":-1,"item_price":"x"}]}`)),
			`{"type":"order","text":"soon","order":{"catalogId":"C","items":[{"productId":"P","quantity":2,"price":7.99,"currency":"USD"},{}]}}`,
		},
		{fake.FormReply(ann, id, at, "Sent", `{"a":1,"flow_token":"T"}`), `{"type":"interactive","text":"Sent","form":{"token":"T","json":"eyJhIjoxfQ=="}}`},
	} {
		if got, want := decode(t, c.item), message(t, c.want); !proto.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	}
}

// A form's result is whatever its author and Meta made of it: never an error.
func TestDecodeMessageTakesEveryFormResult(t *testing.T) {
	nested := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	for response, want := range map[string]struct{ token, json string }{
		`{"flow_token":"T","k":"v"}`:                 {"T", `{"k":"v"}`},
		` { "k" : "v" , "flow_token" : "T" } `:       {"T", `{"k":"v"}`},
		`{"flow_token":"T","x":{"flow_token":"U"}}`:  {"T", `{"x":{"flow_token":"U"}}`},
		`{"flow_token":"T","flow\u005ftoken":"U"}`:   {"U", `{}`},
		`{"flow_token":{"a":1},"k":-1.50e+3}`:        {"", `{"k":-1.50e+3}`},
		`{"k":"v"}`:                                  {"", `{"k":"v"}`},
		`{"k\u0000":["a\u0000b","\ud800",false,""]}`: {"", `{"k":["ab","` + "\ufffd" + `",false,""]}`},
		`{}`:                      {"", `{}`},
		`{"x":` + nested + `}`:    {"", ""},
		`{"k":"v"} trailing`:      {"", ""},
		"":                        {"", ""},
		"null":                    {"", ""},
		`["flow_token","T"]`:      {"", ""},
		`"{\"flow_token\":\"T"}"`: {"", ""},
	} {
		form := decode(t, fake.FormReply(ann, "wamid.1", at, "Sent", response)).GetForm()
		if form == nil || form.GetToken() != want.token || string(form.GetJson()) != want.json {
			t.Errorf("%.60s: token %q, json %s", response, form.GetToken(), form.GetJson())
		}
	}
	for _, nfm := range []string{`{}`, `null`, `{"response_json":["T"]}`, `{"response_json":7}`} {
		e := &parleyv1.Envelope{Raw: []byte(`{"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":` + nfm + `}}`)}
		if msg, ok, err := meta.DecodeMessage(e); !ok || err != nil || msg.GetForm() == nil || msg.GetForm().GetJson() != nil {
			t.Errorf("%s: %v, %v, %v", nfm, msg, ok, err)
		}
	}
}

// What cannot be what it stands for is left out, and the rest of the message stays.
func TestDecodeMessageBoundsWhatIsAboutAMessage(t *testing.T) {
	long := strings.Repeat("9", 5000)
	for _, c := range []struct {
		item fake.Item
		want string
	}{
		{fake.Text(ann, "m", at, "hi", fake.ReplyTo(long)), `{"type":"text","text":"hi"}`},
		{fake.Text(ann, "m", at, "hi", fake.From(fake.Referral{SourceURL: long})), `{"type":"text","text":"hi"}`},
		{fake.ButtonTap(ann, "m", at, long, "Yes"), `{"type":"interactive","text":"Yes"}`},
		{fake.TemplateTap(ann, "m", at, long, "Yes"), `{"type":"button","text":"Yes"}`},
		{fake.File(ann, "m", at, "image", fake.Media{ID: long, MimeType: long, SHA256: long, Filename: long}), `{"type":"image"}`},
		{fake.Contacts(ann, "m", at, []fake.Card{{Name: long, Phone: long, Email: long, Organization: long}}), `{"type":"contacts"}`},
		{fake.FormReply(ann, "m", at, "Sent", `{"flow_token":"`+long+`"}`), `{"type":"interactive","text":"Sent","form":{"json":"e30="}}`},
	} {
		if got, want := decode(t, c.item), message(t, c.want); !proto.Equal(got, want) {
			t.Errorf("got  %.200v\nwant %v", got, want)
		}
	}
}

func TestDecodeMessageTakesWhatItDoesNotKnow(t *testing.T) {
	for raw, want := range map[string]string{
		`{"type":"unsupported","errors":[{"code":131051}],"unsupported":{"type":"gif"}}`: "unsupported", `{"type":"unknown"}`: "unsupported",
		`{"type":"unsupported"}`: "unsupported", `{}`: "unsupported", `{"type":"","":{"body":"hi"}}`: "unsupported", `{"type":7}`: "7",
		`{"type":"` + strings.Repeat("x", 65) + `"}`: "unsupported", `{"type":"hologram","hologram":{"text":"hi"}}`: "hologram",
	} {
		msg, ok, err := meta.DecodeMessage(&parleyv1.Envelope{Raw: []byte(raw)})
		if err != nil || !ok || !proto.Equal(msg, &parleyv1.IncomingMessage{Type: want}) {
			t.Errorf("%s: %v, %v, %v", raw, msg, ok, err)
		}
	}
}

// WIRE.md 1.6, 1.7: what says nothing is an aside, and of a group there is none.
func TestDecodeAside(t *testing.T) {
	for raw, want := range map[string]string{
		`{"type":"reaction","reaction":{"message_id":"wamid.T","emoji":"\ud83d\udc4d"}}`:                           `{"kind":"reaction","messageId":"wamid.T","emoji":"👍"}`,
		`{"type":"reaction","reaction":{"message_id":"wamid.T"}}`:                                                  `{"kind":"reaction","messageId":"wamid.T"}`,
		`{"type":"reaction","reaction":{"message_id":"wamid.T","emoji":""}}`:                                       `{"kind":"reaction","messageId":"wamid.T"}`,
		`{"type":"reaction","reaction":{"message_id":"a b","emoji":{}}}`:                                           `{"kind":"reaction"}`,
		`{"type":"edit","edit":{"original_message_id":"wamid.O","message":{"type":"text","text":{"body":"new"}}}}`: `{"kind":"edit","messageId":"wamid.O","edited":{"type":"text","text":"new"}}`,
		`{"type":"edit","edit":{"message":{"type":"text","text":{}}}}`:                                             `{"kind":"edit","edited":{"type":"unsupported"}}`,
		`{"type":"edit"}`: `{"kind":"edit"}`,
		`{"type":"revoke","revoke":{"original_message_id":"wamid.O"}}`: `{"kind":"revoke","messageId":"wamid.O"}`,
		`{"type":"revoked","revoked":{"message_id":"wamid.O"}}`:        `{"kind":"revoke","messageId":"wamid.O"}`,
		`{"type":"unsupported","unsupported":{"type":"poll_update"}}`:  `{"kind":"poll_update"}`,
		`{"type":"system"}`: `{"kind":"system"}`,
		`{"type":"system","system":{"type":"customer_identity_changed"}}`:        `{"kind":"customer_identity_changed"}`,
		`{"type":"request_welcome"}`:                                             `{"kind":"request_welcome"}`,
		`{"type":"reaction","reaction":{"message_id":"wamid.T"},"group_id":"G"}`: "", `{"type":"text","text":{"body":"hi"}}`: "", `7`: "",
	} {
		e := &parleyv1.Envelope{Raw: []byte(raw)}
		got, wanted := meta.DecodeAside(e), &parleyv1.Aside{}
		if msg, ok, _ := meta.DecodeMessage(e); want != "" && (ok || msg != nil) {
			t.Errorf("%s is a message too: %v", raw, msg)
		}
		if want == "" {
			wanted = nil
		} else if err := protojson.Unmarshal([]byte(want), wanted); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got, wanted) || (got == nil) != (wanted == nil) {
			t.Errorf("%s:\ngot  %v\nwant %v", raw, got, wanted)
		}
	}
}

// What has nothing of what its type promises is a message without content, and a
// number may be written as a string.
func TestDecodeMessageTakesWhatIsBroken(t *testing.T) {
	if msg, ok, err := meta.DecodeMessage(&parleyv1.Envelope{Raw: []byte(`{"type":"text","text":{"body":"hi"},"group_id":"G"}`)}); msg != nil || ok || err != nil {
		t.Errorf("to a group: %v, %v, %v", msg, ok, err)
	}
	for raw, want := range map[string]*parleyv1.IncomingMessage{
		`{"type":"location","location":{"latitude":1,"longitude":"here, in 1555 Main St"}}`: {Type: "location"},
		`{"type":"location","location":{"latitude":1e400,"longitude":1}}`:                   {Type: "location"},
		`{"type":"location","location":{"latitude":"NaN","longitude":"1"}}`:                 {Type: "location"},
		`{"type":"location","location":{"latitude":"1.5","longitude":"-2"}}`: {
			Type: "location", Content: &parleyv1.IncomingMessage_Location{Location: &parleyv1.GeoPoint{Latitude: 1.5, Longitude: -2}},
		},
		`{"type":"text"}`: {Type: "unsupported"},
		`{"type":"image","image":{"caption":"not downloaded"},"errors":[{"code":131052}]}`: {Type: "image", Text: "not downloaded"},
		`{"type":"interactive","interactive":{"list_reply":{"id":"r1","title":"Yes"}}}`:    {Type: "interactive", Text: "Yes", Tap: "r1"},
		`{"type":"contacts","contacts":[{"name":null,"phones":null}]}`:                     {Type: "contacts"},
		`{"text":{"body":"hi"}}`:                {Type: "text", Text: "hi"},
		`{"type":"unknown","text":{"body":""}}`: {Type: "unsupported"},
		`{"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"response_json":{"flow_token":"T","k":1}}}}`: {
			Type: "interactive", Content: &parleyv1.IncomingMessage_Form{Form: &parleyv1.FormResult{Token: "T", Json: []byte(`{"k":1}`)}},
		},
		`{"type":"order","order":{"product_items":[{"quantity":"2.0"},{"quantity":-1},{"quantity":1e99}]}}`: {
			Type: "order", Content: &parleyv1.IncomingMessage_Order{Order: &parleyv1.Order{
				Items: []*parleyv1.OrderItem{{Quantity: 2}, {}, {Quantity: math.MaxUint32}},
			}},
		},
	} {
		if msg, ok, err := meta.DecodeMessage(&parleyv1.Envelope{Raw: []byte(raw)}); !ok || err != nil || !proto.Equal(msg, want) {
			t.Errorf("%s: %v, %v, %v", raw, msg, ok, err)
		}
	}
}

// A changed number or user id is told in several ways; the lane is the old id's, as far
// as it is told.
func TestRenames(t *testing.T) {
	for system, want := range map[string]struct{ lane, phone, bsuid string }{
		`"from":"1555","system":{"type":"user_changed_number","wa_id":"1666"}`:                       {"1555", "1666", ""},
		`"from":"1555","system":{"type":"customer_changed_number","wa_id":"1666","customer":"1555"}`: {"1555", "1666", ""},
		`"from":"1555","system":{"type":"customer_changed_number","new_wa_id":1666}`:                 {"1555", "1666", ""},
		`"from_user_id":"US.1","system":{"type":"user_changed_user_id","user_id":"MX.2"}`:            {"US.1", "", "MX.2"},
		`"system":{"type":"user_changed_user_id","user_id":"MX.2","previous_user_id":"US.1"}`:        {"US.1", "", "MX.2"},
		`"system":{"body":"x","user_id":"US.1","new_user_id":"MX.2"}`:                                {"US.1", "", "MX.2"},
		`"system":{"type":"user_changed_user_id","user_id":"MX.2"}`:                                  {"MX.2", "", "MX.2"},
		`"from":"1555","system":{"type":"customer_identity_changed","wa_id":"1666"}`:                 {"1555", "", ""},
	} {
		body := `{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"1"},"messages":[{"id":"m","type":"system",` + system + `}]}}]}]}`
		e := meta.Split([]byte(body), receivedAt)[0]
		if id := meta.DecodeRenamed(e); e.GetLaneKey() != want.lane || id.GetPhone() != want.phone || id.GetBsuid() != want.bsuid {
			t.Errorf("%s: of %s, now %v", system, e.GetLaneKey(), id)
		}
	}
}

// A message that does not say from whom it is, is of the only contact beside it.
func TestOnlyContactIsTheSender(t *testing.T) {
	for contacts, lane := range map[string]string{
		`{"wa_id":"1555","user_id":"US.1","profile":{"name":"Ann"}}`: "US.1", `{"wa_id":"1555"}`: "1555",
		`{"profile":{"name":"Ann"}}`: "", `{"wa_id":"1555"},{"wa_id":"1666"}`: "",
	} {
		body := `{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"1"},"contacts":[` + contacts +
			`],"messages":[{"id":"m","type":"text","text":{"body":"hi"}}]}}]}]}`
		e := meta.Split([]byte(body), receivedAt)[0]
		if (e.GetKind() == parleyv1.Kind_KIND_MESSAGE) != (lane != "") || lane != "" && e.GetLaneKey() != lane {
			t.Errorf("%s: %v", contacts, e)
		}
	}
}

// FuzzDecodeMessage decodes whatever stands in the raw field of an envelope.
func FuzzDecodeMessage(f *testing.F) {
	payloads, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range payloads {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range meta.Split(body, receivedAt) {
			f.Add(e.GetRaw())
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		msg, ok, err := meta.DecodeMessage(&parleyv1.Envelope{Raw: raw})
		if (msg != nil) != ok || (ok && err != nil) {
			t.Fatalf("decoded %v, %v, %v", msg, ok, err)
		}
		again, _, _ := meta.DecodeMessage(&parleyv1.Envelope{Raw: raw})
		if !proto.Equal(msg, again) {
			t.Errorf("decoded %v, and then %v", msg, again)
		}
		if ok {
			checkMessage(t, msg, len(raw))
		}
	})
}

// checkMessage holds of every message that is decoded, from whatever bytes.
func checkMessage(t *testing.T, msg *parleyv1.IncomingMessage, rawBytes int) {
	t.Helper()
	stored, err := proto.Marshal(msg)
	if err != nil {
		t.Fatalf("cannot be stored: %v", err)
	}
	if len(stored) > 3*rawBytes+100 { // a byte that is not UTF-8 becomes three
		t.Errorf("%d bytes became %d", rawBytes, len(stored))
	}
	if strings.Contains(fmt.Sprint(msg.GetText(), msg.GetTap(), msg.GetContact(), msg.GetMedia(), msg.GetReferral()), "\x00") {
		t.Errorf("NUL in %v", msg)
	}
	if p := msg.GetLocation(); p != nil && !(p.GetLatitude() >= -90 && p.GetLatitude() <= 90 && p.GetLongitude() >= -180 && p.GetLongitude() <= 180) {
		t.Errorf("nowhere: %v", p)
	}
	if data := msg.GetForm().GetJson(); len(data) > 0 {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(data, &object); err != nil || !utf8.Valid(data) || strings.Contains(strings.ReplaceAll(string(data), `\\`, ""), `\u0000`) {
			t.Errorf("form %s: %v", data, err)
		}
		if _, told := object["flow_token"]; told {
			t.Errorf("token in %s", data)
		}
	}
	if len(msg.GetReplyTo()) > 512 || len(msg.GetTap()) > 1024 || len(msg.GetMedia().GetId()) > 512 || len(msg.GetForm().GetToken()) > 512 {
		t.Errorf("too long: %v", msg)
	}
}
