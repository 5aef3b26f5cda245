package sandbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const ann = "15551234567"

// What the business sends in these tests.
const (
	buttons  = `{"type":"button","header":{"type":"text","text":"Head"},"body":{"text":"Sure?"},"footer":{"text":"Foot"},"action":{"buttons":[{"type":"reply","reply":{"id":"y","title":"Yes"}},{"type":"reply","reply":{"id":"n","title":"No"}}]}}`
	rows     = `{"type":"list","body":{"text":"Which?"},"action":{"button":"Choose","sections":[{"title":"Cars","rows":[{"id":"r1","title":"First","description":"the small one"}]},{"title":"Vans","rows":[{"id":"r2","title":"Second"}]}]}}`
	formed   = `{"type":"flow","body":{"text":"Fill in"},"action":{"name":"flow","parameters":{"flow_message_version":"3","flow_id":"1","flow_token":"T1","flow_cta":"Open","flow_action":"navigate","flow_action_payload":{"screen":"FIRST","data":{"plan":"gold","fields":[{"name":"city","label":"City","required":true},{"name":"size","label":"Size","options":["S","M"]},{"name":"agree","label":"Agree","type":"boolean"}]}}}}}`
	template = `{"name":"hello","language":{"code":"en_US"},"components":[{"type":"body","parameters":[{"type":"text","text":"Ann"}]},{"type":"button","sub_type":"quick_reply","index":"0","parameters":[{"type":"payload","payload":"p1"}]},{"type":"button","sub_type":"flow","index":"1","parameters":[{"type":"action","action":{"flow_token":"T2"}}]}]}`
)

// hear has the business send something to Ann, past the Graph API's own checks,
// and returns the wamid.
func hear(t *testing.T, s *Sandbox, typ, content string) string {
	t.Helper()
	body := `{"to":"` + ann + `","type":"` + typ + `","` + typ + `":` + content + `}`
	answer := s.receive(t.Context(), fake.Send{Channel: testChannel, To: ann, Type: typ, Body: []byte(body)})
	if answer.Status != 0 {
		t.Fatalf("%s: %d %s", typ, answer.Status, answer.Body)
	}
	return answer.WAMID
}

// messageOf is the message of the webhook that a bubble was posted with, without
// what differs each time.
func messageOf(t *testing.T, server *httptest.Server) map[string]any {
	t.Helper()
	exchanges := view(t, server, ann).Exchanges
	var hook struct {
		Entry []struct {
			Changes []struct {
				Value struct {
					Metadata struct {
						Channel string `json:"phone_number_id"`
					} `json:"metadata"`
					Contacts []map[string]any `json:"contacts"`
					Messages []map[string]any `json:"messages"`
				} `json:"value"`
			} `json:"changes"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(exchanges[len(exchanges)-1].Request, &hook); err != nil {
		t.Fatal(err)
	}
	value := hook.Entry[0].Changes[0].Value
	if value.Metadata.Channel != testChannel || value.Contacts[0]["wa_id"] != ann {
		t.Errorf("webhook %s", exchanges[len(exchanges)-1].Request)
	}
	m := value.Messages[0]
	if phone, ok := phoneOf(m["id"].(string)); !ok || phone != ann || m["from"] != ann || m["timestamp"] == "" {
		t.Errorf("message %v", m)
	}
	for _, key := range []string{"id", "from", "timestamp"} {
		delete(m, key)
	}
	return m
}

func sameJSON(t *testing.T, what string, got any, want string) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(w)
	if string(a) != string(b) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, a, b)
	}
}

// Every kind of message is posted as WhatsApp posts it, a tap with the message
// that it was made on. $B, $L, $T and $F are the wamids of what was offered.
func TestEveryKindOfMessage(t *testing.T) {
	s, server := quiet(t)
	wamids := strings.NewReplacer(
		"$B", hear(t, s, "interactive", buttons), "$L", hear(t, s, "interactive", rows),
		"$F", hear(t, s, "interactive", formed), "$T", hear(t, s, "template", template),
	)
	hear(t, s, "interactive", strings.ReplaceAll(buttons, "Yes", "Sure")) // newer, and found first
	for body, want := range map[string]string{
		`{"type":"text","text":"hi"}`:                                                     `{"type":"text","text":{"body":"hi"}}`,
		`{"type":"text","text":"that one","context":"$L"}`:                                `{"type":"text","text":{"body":"that one"},"context":{"from":"15550001111","id":"$L"}}`,
		`{"type":"document","filename":"a.pdf","text":"my"}`:                              `{"type":"document","document":{"id":"*","filename":"a.pdf","caption":"my","mime_type":"application/pdf","sha256":"aGFzaA=="}}`,
		`{"type":"document","filename":"noext"}`:                                          `{"type":"document","document":{"id":"*","filename":"noext","mime_type":"application/octet-stream","sha256":"aGFzaA=="}}`,
		`{"type":"location","latitude":0,"longitude":-2.5}`:                               `{"type":"location","location":{"latitude":0,"longitude":-2.5}}`,
		`{"type":"location","latitude":1,"longitude":2,"name":"Home","address":"Here 1"}`: `{"type":"location","location":{"latitude":1,"longitude":2,"name":"Home","address":"Here 1"}}`,
		`{"type":"contacts","contacts":[{"name":"Bo Li","phone":"+1 555","email":"b@x.org","organization":"X"}]}`: `{"type":"contacts","contacts":[{"name":{"formatted_name":"Bo Li","first_name":"Bo"},
			"phones":[{"phone":"+1 555","wa_id":"1555","type":"CELL"}],"emails":[{"email":"b@x.org","type":"HOME"}],"org":{"company":"X"},"origin":"other"}]}`,
		`{"type":"contacts","shared":true,"contacts":[{"name":"Ann","phone":"+1 555"}]}`: `{"type":"contacts","contacts":[{"name":{"formatted_name":"Ann","first_name":"Ann"},"phones":[{"phone":"+1 555","wa_id":"1555","type":"CELL"}],"origin":"contact_request"}]}`,
		`{"type":"button","id":"y","context":"$B"}`:                                      `{"type":"interactive","context":{"from":"15550001111","id":"$B"},"interactive":{"type":"button_reply","button_reply":{"id":"y","title":"Yes"}}}`,
		`{"type":"button","id":"z","title":"Forged"}`:                                    `{"type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"z","title":"Forged"}}}`,
		`{"type":"list","id":"r1"}`:                                                      `{"type":"interactive","context":{"from":"15550001111","id":"$L"},"interactive":{"type":"list_reply","list_reply":{"id":"r1","title":"First","description":"the small one"}}}`,
		`{"type":"list","id":"r2","title":"Second"}`:                                     `{"type":"interactive","context":{"from":"15550001111","id":"$L"},"interactive":{"type":"list_reply","list_reply":{"id":"r2","title":"Second"}}}`,
		`{"type":"template_button","payload":"p1"}`:                                      `{"type":"button","context":{"from":"15550001111","id":"$T"},"button":{"payload":"p1","text":"p1"}}`,
		`{"type":"template_button","payload":"p","text":"x","context":"wamid.Gone"}`:     `{"type":"button","context":{"from":"15550001111","id":"wamid.Gone"},"button":{"payload":"p","text":"x"}}`,
		`{"type":"form","values":{"n":1.50,"flow_token":"?"},"context":"$F"}`:            `{"type":"interactive","context":{"from":"15550001111","id":"$F"},"interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":"{\"flow_token\":\"T1\",\"n\":1.50}"}}}`,
		`{"type":"form","values":{}}`:                                                    `{"type":"interactive","context":{"from":"15550001111","id":"$T"},"interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":"{\"flow_token\":\"T2\"}"}}}`,
		`{"type":"form","values":{},"flow_token":"T9"}`:                                  `{"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent","response_json":"{\"flow_token\":\"T9\"}"}}}`,
	} {
		status, answer := postRaw(t, server, wamids.Replace(body))
		if status != http.StatusAccepted {
			t.Errorf("%s: %d %s", body, status, answer)
			continue
		}
		got := messageOf(t, server)
		if file, ok := got["document"].(map[string]any); ok {
			file["id"] = "*"
		}
		sameJSON(t, body, got, wamids.Replace(want))
	}
	if _, answer := postRaw(t, server, `{"type":"button","id":"y"}`); !strings.Contains(answer, `"text":"Sure"`) {
		t.Errorf("the newest button was not found: %s", answer)
	}
}

func postRaw(t *testing.T, server *httptest.Server, body string) (status int, answer string) {
	t.Helper()
	req, _ := http.NewRequest(http.MethodPost, server.URL+"/sandbox/api/phones/"+ann+"/messages", strings.NewReader(body))
	return do(t, req)
}

// What is missing, or what nobody offered, is said.
func TestMessageRefusals(t *testing.T) {
	s, server := quiet(t)
	hear(t, s, "interactive", rows)
	hear(t, s, "text", `{"body":"only words"}`)
	for body, want := range map[string]string{
		`{"type":"document"}`: "filename",
		`{"type":"document","filename":"` + strings.Repeat("x", maxFilenameRunes+1) + `"}`:           "filename",
		`{"type":"document","filename":"a","text":"` + strings.Repeat("x", maxCaptionRunes+1) + `"}`: "1024",
		`{"type":"location","longitude":1}`:                                                          "latitude",
		`{"type":"location","latitude":91,"longitude":1}`:                                            "latitude",
		`{"type":"location","latitude":"1","longitude":1}`:                                           "latitude must not be a JSON string",
		`{"type":"location","latitude":1,"longitude":-181}`:                                          "longitude",
		`{"type":"contacts"}`: "1 to 10",
		`{"type":"contacts","contacts":[` + strings.Repeat(`{},`, maxCards) + `{}]}`: "1 to 10",
		`{"type":"contacts","contacts":[{"name":"Bo"}]}`:                             "a phone",
		`{"type":"contacts","contacts":[{"phone":"1"}]}`:                             "a name",
		`{"type":"button"}`:                                 "id of the button",
		`{"type":"button","id":"r1"}`:                       "offers that button",
		`{"type":"list"}`:                                   "id of the list",
		`{"type":"list","id":"r1","context":"wamid.Other"}`: "offers that list",
		`{"type":"template_button"}`:                        "payload",
		`{"type":"template_button","payload":"p"}`:          "offers that template_button",
		`{"type":"form"}`:                                   "values",
		`{"type":"form","values":{}}`:                       "flow_token",
		`{"type":"form","values":[]}`:                       "values must not be a JSON array",
		`{"type":"text","text":"hi","context":"` + strings.Repeat("x", maxWAMIDBytes+1) + `"}`:                      "context",
		`{"type":"form","flow_token":"T","values":{"x":"` + strings.Repeat("x", maxContentBytes) + `"}}`:            "32 KiB",
		`{"type":"location","latitude":1,"longitude":1,"name":"` + strings.Repeat("x", maxContentBytes+1000) + `"}`: "32 KiB",
	} {
		status, answer := postRaw(t, server, body)
		if status != http.StatusBadRequest || !strings.HasPrefix(answer, `{"error":"`) || !strings.Contains(answer, want) {
			t.Errorf("%.90s: %d %s, want %q", body, status, answer, want)
		}
	}
	if n := len(view(t, server, ann).Bubbles); n != 2 {
		t.Errorf("%d bubbles", n)
	}
}

// A bubble keeps what was sent, unless it is too large.
func TestContentOfReplies(t *testing.T) {
	s, server := quiet(t)
	wamid := hear(t, s, "interactive", buttons)
	hear(t, s, "sticker", `"`+strings.Repeat("x", maxContentBytes)+`"`)
	hear(t, s, "reaction", `{"message_id":"wamid.X","emoji":"👍"}`)
	long := strings.Repeat("é", maxContentBytes)
	s.receive(t.Context(), fake.Send{To: ann, Type: strings.Repeat("t", 100), Text: long, Body: []byte(`{"context":{"message_id":"` + wamid + `"}} rest`)})
	s.receive(t.Context(), fake.Send{To: ann, Type: "text", Text: "hi", Body: []byte(`{"text":{"body":"hi"},"context":{"message_id":"` + wamid + `"}}`)})

	b := view(t, server, ann).Bubbles
	if string(b[0].Content) != buttons || b[0].WAMID != wamid || b[0].Direction != "in" || b[0].Type != "interactive" {
		t.Errorf("bubble %+v", b[0])
	}
	if b[1].Content != nil || b[1].Type != "sticker" {
		t.Errorf("too large: %d bytes", len(b[1].Content))
	}
	if string(b[2].Content) != `{"message_id":"wamid.X","emoji":"👍"}` {
		t.Errorf("reaction %s", b[2].Content)
	}
	if len(b[3].Type) != maxTypeBytes || len(b[3].Text) != maxContentBytes || b[3].Content != nil || b[3].Context != "" {
		t.Errorf("not JSON: %d and %d bytes, content %s, context %q", len(b[3].Type), len(b[3].Text), b[3].Content, b[3].Context)
	}
	if b[4].Context != wamid || string(b[4].Content) != `{"body":"hi"}` {
		t.Errorf("bubble %+v", b[4])
	}
	if cut := clip("aé", 2); cut != "a" {
		t.Errorf("cut to %q", cut)
	}
}

// Typing goes to the phone that wrote the message which it names. It makes no
// bubble and has no receipts.
func TestTyping(t *testing.T) {
	s, server := quiet(t)
	say(t, server, ann, "hi")
	stream := listen(t, server, "", ann)
	receive(t, stream)
	wamid := view(t, server, ann).Bubbles[0].WAMID
	for _, indicator := range []string{"", `,"typing_indicator":{"type":"text"}`} {
		if status, answer := mark(t, server, wamid, indicator); status != http.StatusOK || answer != `{"success":true}` {
			t.Errorf("%s: %d %s", indicator, status, answer)
		}
	}
	var got Typing
	if e := receive(t, stream); e.kind != "exchange" { // of the mere read receipt
		t.Errorf("event %+v", e)
	}
	e := receive(t, stream)
	if err := json.Unmarshal([]byte(e.data), &got); err != nil || e.kind != "typing" || got.Phone != ann || got.At.IsZero() {
		t.Errorf("event %+v", e)
	}
	v := view(t, server, ann)
	if x := v.Exchanges[len(v.Exchanges)-1]; len(v.Bubbles) != 1 || x.Title != "send typing" || len(s.replies) != 0 {
		t.Errorf("%d bubbles, exchange %+v, %d replies", len(v.Bubbles), x, len(s.replies))
	}
	for _, foreign := range []string{"wamid.Foreign", newWAMID("nobody")} {
		if status, answer := mark(t, server, foreign, ""); status != http.StatusBadRequest {
			t.Errorf("about %q: %d %s", foreign, status, answer)
		}
	}
}

// mark tells the Graph API that a message was read.
func mark(t *testing.T, server *httptest.Server, wamid, more string) (status int, answer string) {
	t.Helper()
	body := `{"messaging_product":"whatsapp","status":"read","message_id":"` + wamid + `"` + more + `}`
	req, _ := http.NewRequest(http.MethodPost, server.URL+"/sandbox/graph/v25.0/"+testChannel+"/messages", strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer token")
	return do(t, req)
}
