package meta_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestRequests states, for each kind of content as protojson, what is sent beside
// messaging_product, recipient_type and to, and what there is to read of it.
func TestRequests(t *testing.T) {
	var got fake.Send
	client, _ := graph(t, &fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		got = s
		return fake.Answer{WAMID: "wamid.X"}
	}})
	for _, c := range []struct{ content, text, want string }{
		{`"text":{"body":"hi <b>"}`, "hi <b>", `"type":"text","text":{"body":"hi \u003cb\u003e"}`},
		{
			`"text":{"body":"see https://x.example","previewUrl":true}`, "see https://x.example",
			`"type":"text","text":{"body":"see https://x.example","preview_url":true}`,
		},

		{`"media":{"kind":"image","id":"M1","caption":"c","filename":"a.jpg"}`, "c", `"type":"image","image":{"id":"M1","caption":"c"}`},
		{`"media":{"kind":"video","link":"https://x.example/v"}`, "", `"type":"video","video":{"link":"https://x.example/v"}`},
		{
			`"media":{"kind":"document","link":"https://x.example/d","caption":"c","filename":"a.pdf"}`, "c",
			`"type":"document","document":{"link":"https://x.example/d","caption":"c","filename":"a.pdf"}`,
		},
		{`"media":{"kind":"audio","id":"M1","link":"https://x.example/a","caption":"c"}`, "", `"type":"audio","audio":{"id":"M1"}`},
		{`"media":{"kind":"sticker","id":"M1","caption":"c"}`, "", `"type":"sticker","sticker":{"id":"M1"}`},

		{
			`"buttons":{"body":"b","buttons":[{"id":"1","title":"Yes"},{"id":"2","title":"No"}]}`, "b",
			`"type":"interactive","interactive":{"type":"button","body":{"text":"b"},"action":{"buttons":[` +
				`{"type":"reply","reply":{"id":"1","title":"Yes"}},{"type":"reply","reply":{"id":"2","title":"No"}}]}}`,
		},
		{
			`"buttons":{"header":{"text":"h"},"body":"b","footer":"f","buttons":[{"id":"1","title":"Yes"}]}`, "b",
			`"type":"interactive","interactive":{"type":"button","header":{"type":"text","text":"h"},"body":{"text":"b"},"footer":{"text":"f"},` +
				`"action":{"buttons":[{"type":"reply","reply":{"id":"1","title":"Yes"}}]}}`,
		},
		{
			`"buttons":{"header":{"media":{"kind":"document","id":"M1","filename":"a.pdf","caption":"c"}},"body":"b","buttons":[{"id":"1","title":"Yes"}]}`, "b",
			`"type":"interactive","interactive":{"type":"button","header":{"type":"document","document":{"id":"M1","filename":"a.pdf"}},"body":{"text":"b"},` +
				`"action":{"buttons":[{"type":"reply","reply":{"id":"1","title":"Yes"}}]}}`,
		},

		{
			`"list":{"header":"h","body":"b","footer":"f","button":"Choose","sections":[
			{"title":"s1","rows":[{"id":"1","title":"One","description":"first"},{"id":"2","title":"Two"}]},{"title":"s2","rows":[{"id":"3","title":"Three"}]}]}`, "b",
			`"type":"interactive","interactive":{"type":"list","header":{"type":"text","text":"h"},"body":{"text":"b"},"footer":{"text":"f"},` +
				`"action":{"button":"Choose","sections":[{"title":"s1","rows":[{"id":"1","title":"One","description":"first"},{"id":"2","title":"Two"}]},` +
				`{"title":"s2","rows":[{"id":"3","title":"Three"}]}]}}`,
		},
		{
			`"list":{"body":"b","button":"Choose","sections":[{"rows":[{"id":"1","title":"One"}]}]}`, "b",
			`"type":"interactive","interactive":{"type":"list","body":{"text":"b"},"action":{"button":"Choose","sections":[{"rows":[{"id":"1","title":"One"}]}]}}`,
		},

		{
			`"link":{"header":{"media":{"kind":"image","link":"https://x.example/i"}},"body":"b","footer":"f","title":"Open","url":"https://x.example/?a&b"}`, "b",
			`"type":"interactive","interactive":{"type":"cta_url","header":{"type":"image","image":{"link":"https://x.example/i"}},"body":{"text":"b"},"footer":{"text":"f"},` +
				`"action":{"name":"cta_url","parameters":{"display_text":"Open","url":"https://x.example/?a\u0026b"}}}`,
		},

		{
			`"form":{"body":"b","formId":"123","title":"Fill in","token":"T","screen":"FIRST","data":"eyJrIjogInYifQ=="}`, "b",
			`"type":"interactive","interactive":{"type":"flow","body":{"text":"b"},"action":{"name":"flow","parameters":{"flow_message_version":"3","flow_id":"123",` +
				`"flow_cta":"Fill in","flow_token":"T","mode":"published","flow_action":"navigate","flow_action_payload":{"screen":"FIRST","data":{"k":"v"}}}}}`,
		},
		{
			`"form":{"header":{"media":{"kind":"video","id":"V"}},"body":"b","footer":"f","formId":"123","title":"Fill in","token":"T","screen":"FIRST","data":"IHsgfSA="}`, "b",
			`"type":"interactive","interactive":{"type":"flow","header":{"type":"video","video":{"id":"V"}},"body":{"text":"b"},"footer":{"text":"f"},"action":{"name":"flow","parameters":{` +
				`"flow_message_version":"3","flow_id":"123","flow_cta":"Fill in","flow_token":"T","mode":"published","flow_action":"navigate","flow_action_payload":{"screen":"FIRST"}}}}`,
		},
		{
			`"form":{"body":"b","formId":"123","title":"Fill in","token":"T","data":"eyJrIjoidiJ9"}`, "b",
			`"type":"interactive","interactive":{"type":"flow","body":{"text":"b"},"action":{"name":"flow","parameters":{"flow_message_version":"3","flow_id":"123",` +
				`"flow_cta":"Fill in","flow_token":"T","mode":"published","flow_action":"data_exchange"}}}`,
		},

		{
			`"share":{"body":"Your number?","what":"contact"}`, "Your number?",
			`"type":"interactive","interactive":{"type":"request_contact_info","body":{"text":"Your number?"},"action":{"name":"request_contact_info"}}`,
		},
		{
			`"share":{"body":"Where?","what":"location"},"replyTo":"wamid.Q"`, "Where?",
			`"type":"interactive","interactive":{"type":"location_request_message","body":{"text":"Where?"},"action":{"name":"send_location"}},"context":{"message_id":"wamid.Q"}`,
		},
		{`"text":{"body":"hi"},"replyTo":"wamid.Q"`, "hi", `"type":"text","text":{"body":"hi"},"context":{"message_id":"wamid.Q"}`},

		{`"location":{"latitude":0,"longitude":-2.5}`, "", `"type":"location","location":{"latitude":0,"longitude":-2.5}`},
		{
			`"location":{"latitude":1.5,"longitude":2,"name":"Home","address":"Street 1"}`, "Home\nStreet 1",
			`"type":"location","location":{"latitude":1.5,"longitude":2,"name":"Home","address":"Street 1"}`,
		},

		{`"contact":{"name":"Ann Lee"}`, "Ann Lee", `"type":"contacts","contacts":[{"name":{"formatted_name":"Ann Lee","first_name":"Ann Lee"}}]`},
		{
			`"contact":{"name":"Ann","phone":"+15550008888","email":"a@x.example","organization":"Acme"}`, "Ann",
			`"type":"contacts","contacts":[{"name":{"formatted_name":"Ann","first_name":"Ann"},"phones":[{"phone":"+15550008888","wa_id":"15550008888"}],` +
				`"emails":[{"email":"a@x.example"}],"org":{"company":"Acme"}}]`,
		},
		{
			`"contact":{"name":"Ann","phone":"(030) 1"}`, "Ann",
			`"type":"contacts","contacts":[{"name":{"formatted_name":"Ann","first_name":"Ann"},"phones":[{"phone":"(030) 1"}]}]`,
		},

		{`"template":{"name":"hello","language":"en_US"}`, "hello", `"type":"template","template":{"name":"hello","language":{"code":"en_US"}}`},
		{
			`"template":{"name":"hello","language":"de","header":{"media":{"kind":"image","link":"https://x.example/i"}},
			"body":[{"text":"Ann"},{"text":"3"}],
			"buttons":[{"kind":"quick_reply","text":"p"},{"index":1,"kind":"url","text":"x/1"},{"index":2,"kind":"flow","form":{"formId":"123","token":"T"}},{"index":3,"kind":"flow","form":{"token":"U","data":"eyJrIjoidiJ9"}}]}`, "hello Ann 3",
			`"type":"template","template":{"name":"hello","language":{"code":"de"},"components":[` +
				`{"type":"header","parameters":[{"type":"image","image":{"link":"https://x.example/i"}}]},` +
				`{"type":"body","parameters":[{"type":"text","text":"Ann"},{"type":"text","text":"3"}]},` +
				`{"type":"button","sub_type":"quick_reply","index":"0","parameters":[{"type":"payload","payload":"p"}]},` +
				`{"type":"button","sub_type":"url","index":"1","parameters":[{"type":"text","text":"x/1"}]},` +
				`{"type":"button","sub_type":"flow","index":"2","parameters":[{"type":"action","action":{"flow_token":"T"}}]},` +
				`{"type":"button","sub_type":"flow","index":"3","parameters":[{"type":"action","action":{"flow_token":"U","flow_action_data":{"k":"v"}}}]}]}`,
		},
		{
			`"template":{"name":"hello","language":"de","header":{"text":"H"},"body":[{"name":"first_name","text":"Ann"}]}`, "hello Ann",
			`"type":"template","template":{"name":"hello","language":{"code":"de"},"components":[{"type":"header","parameters":[{"type":"text","text":"H"}]},` +
				`{"type":"body","parameters":[{"type":"text","parameter_name":"first_name","text":"Ann"}]}]}`,
		},

		{`"reaction":{"messageId":"wamid.T","emoji":"👍"}`, "👍", `"type":"reaction","reaction":{"message_id":"wamid.T","emoji":"👍"}`},
		{`"reaction":{"messageId":"wamid.T"}`, "", `"type":"reaction","reaction":{"message_id":"wamid.T","emoji":""}`},
	} {
		m := meta.Outgoing{Channel: number, Message: queued(t, c.content), DeliveryID: "d-1"}
		if wamid, err := client.Send(t.Context(), m); err != nil || wamid != "wamid.X" {
			t.Errorf("%s: %q, %v", c.content, wamid, err)
			continue
		}
		want := `{"messaging_product":"whatsapp","recipient_type":"individual","to":"15550002222",` + c.want + `,"biz_opaque_callback_data":"d-1"}`
		if string(got.Body) != want {
			t.Errorf("got  %s\nwant %s", got.Body, want)
		}
		if got.Text != c.text {
			t.Errorf("%s: text %q", c.content, got.Text)
		}
	}
}

// queued is a message to Ann with a content written as a member of protojson.
func queued(t testing.TB, content string) *parleyv1.MessageQueued {
	t.Helper()
	m := &parleyv1.MessageQueued{}
	if err := protojson.Unmarshal([]byte(`{"phone":"15550002222",`+content+`}`), m); err != nil {
		t.Fatalf("%s: %v", content, err)
	}
	return m
}

// A typing indicator needs no recipient, and its answer has no message id.
func TestTyping(t *testing.T) {
	var got fake.Send
	var answer fake.Answer
	client, _ := graph(t, &fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		got = s
		return answer
	}})
	typing := meta.Outgoing{Channel: number, DeliveryID: "d-1", Message: &parleyv1.MessageQueued{
		Content: &parleyv1.MessageQueued_Typing{Typing: &parleyv1.Typing{MessageId: "wamid.T"}},
	}}
	if wamid, err := client.Send(t.Context(), typing); wamid != "" || err != nil {
		t.Errorf("%q, %v", wamid, err)
	}
	if want := `{"messaging_product":"whatsapp","status":"read","message_id":"wamid.T","typing_indicator":{"type":"text"}}`; string(got.Body) != want {
		t.Errorf("got  %s\nwant %s", got.Body, want)
	}
	if got.Type != "typing" || got.MessageID != "wamid.T" || got.Channel != number || got.To != "" || got.Recipient != "" {
		t.Errorf("%+v", got)
	}
	for _, odd := range []fake.Answer{
		{Body: []byte(`{"success":false}`)}, {Body: []byte(`{}`)}, {Body: []byte(`{"success":tr`)}, {Status: 502, Body: []byte(`{"success":true}`)},
	} {
		answer = odd
		refused(t, t.Context(), client, typing, meta.Ambiguous)
	}
	answer = fake.Refusal(http.StatusBadRequest, 131009, "Parameter value is not valid")
	refused(t, t.Context(), client, typing, meta.Permanent)

	answer = fake.Answer{Body: []byte(`{"success":true}`)} // does for a typing indicator only
	refused(t, t.Context(), client, toAnn, meta.Ambiguous)

	answer = fake.Answer{Hangup: true} // last: what the handler did is not ordered before what follows
	refused(t, t.Context(), client, typing, meta.Ambiguous)
}

// What says nothing that could be sent never reaches Meta.
func TestSendRefusesWhatHasNoContent(t *testing.T) {
	client, _ := graph(t, &fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		t.Errorf("sent %s", s.Body)
		return fake.Answer{}
	}})
	messages := map[string]*parleyv1.MessageQueued{
		"nil":              nil,
		"content of nil":   {Phone: "15550002222", Content: &parleyv1.MessageQueued_List{}},
		"not a number":     {Phone: "15550002222", Content: &parleyv1.MessageQueued_Location{Location: &parleyv1.GeoPoint{Latitude: math.NaN()}}},
		"data is a canary": {Phone: "15550002222", Content: &parleyv1.MessageQueued_Form{Form: &parleyv1.Form{Screen: "S", Data: []byte("hello 1555000")}}},
	}
	for _, content := range []string{
		`"bsuid":""`, `"text":{}`, `"media":{"kind":"gif","id":"M"}`, `"typing":{}`, `"typing":{"messageId":"a b"}`,
		`"buttons":{"header":{"media":{"kind":"audio","id":"M"}},"body":"b"}`,
		`"link":{"header":{"media":{"id":"M"}},"body":"b"}`,
		`"form":{"header":{"media":{"kind":"sticker"}},"body":"b"}`,
		`"form":{"screen":"S","data":"W10="}`, `"form":{"screen":"S","data":"e30gMQ=="}`,
		`"template":{"name":"n","language":"de","header":{"media":{"kind":"gif"}}}`,
		`"template":{"name":"n","language":"de","buttons":[{"kind":"copy_code","text":"x"}]}`,
	} {
		messages[content] = queued(t, content)
	}
	for name, m := range messages {
		e := refused(t, t.Context(), client, meta.Outgoing{Channel: number, Message: m}, meta.Permanent)
		if e.Status != 0 || e.Err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// The fake refuses what WhatsApp would, so that a flow beyond the limits is found
// before it meets them. Each content is one step beyond one limit.
func TestFakeKeepsWhatsAppsLimits(t *testing.T) {
	client, _ := graph(t, &fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		t.Errorf("accepted %.300s", s.Body)
		return fake.Answer{}
	}})
	e := func(n int) string { return `"` + strings.Repeat("é", n) + `"` }
	button := func(header, body, footer, buttons string) string {
		return `"buttons":{"header":{"text":` + header + `},"body":` + body + `,"footer":` + footer + `,"buttons":[` + buttons + `]}`
	}
	const ok = `{"id":"1","title":"Yes"}`
	list := func(button, sections string) string {
		return `"list":{"body":"b","button":` + button + `,"sections":[` + sections + `]}`
	}
	rows := func(n int) string {
		var rows []string
		for i := range n {
			rows = append(rows, `{"id":"`+strings.Repeat("x", i+1)+`","title":"t"}`)
		}
		return `{"title":"s","rows":[` + strings.Join(rows, ",") + `]}`
	}
	row := func(row string) string { return list(`"b"`, `{"rows":[`+row+`]}`) }
	form := func(members string) string { return `"form":{"body":"b","formId":"1","title":"t",` + members + `}` }
	for _, content := range []string{
		`"text":{"body":` + e(4097) + `}`,
		`"media":{"kind":"image"}`, `"media":{"kind":"image","link":"ftp://x"}`, `"media":{"kind":"video","id":"M","caption":` + e(1025) + `}`,
		button(e(61), `"b"`, `""`, ok), button(`""`, e(1025), `""`, ok), button(`""`, `""`, `""`, ok), button(`""`, `"b"`, e(61), ok),
		button(`""`, `"b"`, `""`, ""),
		button(`""`, `"b"`, `""`, `{"id":"1","title":"a"},{"id":"2","title":"b"},{"id":"3","title":"c"},{"id":"4","title":"d"}`),
		button(`""`, `"b"`, `""`, `{"id":"1","title":"a"},{"id":"2","title":"a"}`), button(`""`, `"b"`, `""`, `{"id":"1","title":"a"},{"id":"1","title":"b"}`),
		button(`""`, `"b"`, `""`, `{"id":`+e(257)+`,"title":"a"}`), button(`""`, `"b"`, `""`, `{"id":"1","title":`+e(21)+`}`),
		button(`""`, `"b"`, `""`, `{"id":"","title":"a"}`), button(`""`, `"b"`, `""`, `{"id":"1","title":""}`),
		`"buttons":{"header":{"media":{"kind":"image"}},"body":"b","buttons":[` + ok + `]}`,
		list(`""`, rows(1)), list(e(21), rows(1)), list(`"b"`, ""), list(`"b"`, rows(11)), list(`"b"`, rows(0)),
		list(`"b"`, strings.TrimSuffix(strings.Repeat(`{"title":"s"},`, 11), ",")), list(`"b"`, `{"rows":[`+ok+`]},`+rows(1)),
		row(`{"id":` + e(201) + `,"title":"t"}`), row(`{"id":"1","title":` + e(25) + `}`), row(`{"id":"1","title":"t","description":` + e(73) + `}`),
		row(ok + "," + ok), row(`{"id":"1"}`), list(`"b"`, `{"title":`+e(25)+`,"rows":[`+ok+`]}`),
		`"list":{"body":` + e(4097) + `,"button":"b","sections":[` + rows(1) + `]}`, `"list":{"header":` + e(61) + `,"body":"b","button":"b","sections":[` + rows(1) + `]}`,
		`"link":{"body":"b","title":` + e(21) + `,"url":"https://x"}`, `"link":{"body":"b","title":"t","url":"x"}`, `"link":{"body":"b","url":"https://x"}`,
		`"form":{"body":"b","title":"t"}`, `"form":{"body":"b","formId":"1"}`, form(`"footer":` + e(61)), `"form":{"body":"b","formId":"1","title":` + e(31) + `}`,
		`"location":{"latitude":91}`, `"location":{"longitude":-181}`,
		`"contact":{"phone":"1"}`,
		`"template":{"name":"n"}`, `"template":{"language":"de"}`, `"template":{"name":"n","language":"de","body":[{}]}`,
		`"template":{"name":"n","language":"de","header":{"media":{"kind":"image"}}}`,
		`"template":{"name":"n","language":"de","buttons":[{"index":10,"kind":"url","text":"x"}]}`, `"template":{"name":"n","language":"de","buttons":[{"kind":"url"}]}`,
		`"reaction":{"emoji":"x"}`,
	} {
		_, err := client.Send(t.Context(), meta.Outgoing{Channel: number, Message: queued(t, content)})
		var refused *meta.SendError
		if !errors.As(err, &refused) || refused.Code != 131009 && refused.Code != 100 {
			t.Errorf("%.200s: %v", content, err)
		}
	}
}

func TestRequestsAreJSON(t *testing.T) {
	var got fake.Send
	client, _ := graph(t, &fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		got = s
		return fake.Answer{}
	}})
	if _, err := client.Send(t.Context(), meta.Outgoing{Channel: number, Message: text("1", "", "\"\x00\u2028\\")}); err != nil || !json.Valid(got.Body) {
		t.Errorf("%s, %v", got.Body, err)
	}
}
