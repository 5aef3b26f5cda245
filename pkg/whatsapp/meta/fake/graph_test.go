package fake_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// post sends a request and gives the status and the body of the answer.
func post(t *testing.T, url, bearer, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", bearer)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

const path = "/v25.0/N/messages"

func TestGraphAccepts(t *testing.T) {
	var got fake.Send
	server := httptest.NewServer(&fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		got = s
		return fake.Answer{WAMID: "wamid.X"}
	}})
	t.Cleanup(server.Close)
	for body, want := range map[string]struct{ send, answer string }{
		`{"messaging_product":"whatsapp","to":"+1555","text":{"body":"hi"},"biz_opaque_callback_data":"d"}`: {
			"N +1555  text hi d", `{"contacts":[{"input":"+1555","wa_id":"1555"}],"messages":[{"id":"wamid.X"}],"messaging_product":"whatsapp"}`,
		},
		`{"messaging_product":"whatsapp","recipient":"US.1","type":"text","text":{"body":"hi"}}`: {
			"N  US.1 text hi ", `{"contacts":[{"input":"US.1","user_id":"US.1"}],"messages":[{"id":"wamid.X"}],"messaging_product":"whatsapp"}`,
		},
		`{"messaging_product":"whatsapp","status":"read","message_id":"wamid.T","typing_indicator":{"type":"text"}}`: {
			"N   typing  ", `{"success":true}`,
		},
		`{"messaging_product":"whatsapp","status":"read","message_id":"wamid.T"}`: {"N   read  ", `{"success":true}`},
		`{"messaging_product":"whatsapp","to":"1555","type":"interactive","interactive":{"type":"flow","body":{"text":"b"},"action":{"name":"flow","parameters":{
			"flow_message_version":"3","flow_name":"f","flow_cta":"Go"}}}}`: {
			"N 1555  interactive b ", `{"contacts":[{"input":"1555","wa_id":"1555"}],"messages":[{"id":"wamid.X"}],"messaging_product":"whatsapp"}`,
		},
		`{"messaging_product":"whatsapp","to":"1555","recipient":"US.1","type":"image","image":{"id":"M"}}`: {
			"N 1555  image  ", `{"contacts":[{"input":"1555","wa_id":"1555"}],"messages":[{"id":"wamid.X"}],"messaging_product":"whatsapp"}`,
		},
	} {
		status, answer := post(t, server.URL+path, "Bearer t", body)
		if status != http.StatusOK {
			t.Errorf("HTTP %d: %s", status, answer)
		}
		sameJSON(t, []byte(answer), want.answer)
		if send := fmt.Sprint(got.Channel, " ", got.To, " ", got.Recipient, " ", got.Type, " ", got.Text, " ", got.Callback); send != want.send {
			t.Errorf("send %q, want %q", send, want.send)
		}
		if string(got.Body) != body {
			t.Errorf("body %s", got.Body)
		}
	}
}

func TestGraphGivesFreshIDs(t *testing.T) {
	server := httptest.NewServer(&fake.Graph{})
	t.Cleanup(server.Close)
	seen := map[string]bool{}
	for range 10 {
		_, body := post(t, server.URL+path, "Bearer t", `{"messaging_product":"whatsapp","to":"1555","text":{"body":"hi"}}`)
		var answer struct{ Messages []struct{ ID string } }
		if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Messages) != 1 {
			t.Fatalf("%s: %v", body, err)
		}
		if id := answer.Messages[0].ID; seen[id] || !strings.HasPrefix(id, "wamid.") {
			t.Errorf("id %q", id)
		} else {
			seen[id] = true
		}
	}
}

func TestGraphRefusesWhatMetaRefuses(t *testing.T) {
	server := httptest.NewServer(&fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer {
		t.Error("an invalid request reached OnSend")
		return fake.Answer{}
	}})
	t.Cleanup(server.Close)
	const good = `{"messaging_product":"whatsapp","to":"1555","text":{"body":"hi"}}`
	for _, c := range []struct {
		path, bearer, body string
		status, code       int
	}{
		{"/N/messages", "Bearer t", good, 404, 2500},
		{"/v25.0//messages", "Bearer t", good, 404, 2500},
		{"/v25.0/N/media", "", good, 401, 190},
		{"/v25.0/N/media", "Bearer t", good, 400, 100},
		{"/v25.0/N/medias", "Bearer t", good, 404, 2500},
		{path, "", good, 401, 190},
		{path, "Bearer ", good, 401, 190},
		{path, "Basic t", good, 401, 190},
		{path, "Bearer t", "", 400, 100},
		{path, "Bearer t", "[]", 400, 100},
		{path, "Bearer t", `{"to":"1555","text":{"body":"hi"}}`, 400, 100},
		{path, "Bearer t", `{"messaging_product":"whatsapp","text":{"body":"hi"}}`, 400, 100},
		{path, "Bearer t", `{"messaging_product":"whatsapp","recipient":"1555","text":{"body":"hi"}}`, 400, 100},
		{path, "Bearer t", `{"messaging_product":"whatsapp","to":"1555","type":"text"}`, 400, 100},
		{path, "Bearer t", `{"messaging_product":"whatsapp","to":"1555","text":{"body":"` + strings.Repeat("é", 4097) + `"}}`, 400, 100},
	} {
		status, body := post(t, server.URL+c.path, c.bearer, c.body)
		var answer struct {
			Error struct{ Code int }
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != c.status || answer.Error.Code != c.code {
			t.Errorf("%s %q %.60s: HTTP %d, %s", c.path, c.bearer, c.body, status, body)
		}
	}
	resp, err := http.Get(server.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("GET: HTTP %d", resp.StatusCode)
	}
}

// What the client of this project never writes, Meta would refuse all the same.
// The limits that it can break are tested with it.
func TestGraphRefusesOddRequests(t *testing.T) {
	server := httptest.NewServer(&fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		t.Errorf("an invalid request reached OnSend: %s", s.Body)
		return fake.Answer{}
	}})
	t.Cleanup(server.Close)
	flow := func(parameters string) string {
		return `"to":"1","type":"interactive","interactive":{"type":"flow","body":{"text":"b"},"action":{"name":"flow","parameters":{"flow_message_version":"3","flow_id":"1","flow_cta":"Go",` + parameters + `}}}`
	}
	interactive := func(members string) string {
		return `"to":"1","type":"interactive","interactive":{"body":{"text":"b"},` + members + `}`
	}
	template := func(components string) string {
		return `"to":"1","type":"template","template":{"name":"n","language":{"code":"de"},"components":[` + components + `]}`
	}
	for _, members := range []string{
		`"status":"read"`, `"status":"delivered","message_id":"m"`, `"typing_indicator":{"type":"text"},"message_id":"m"`,
		`"status":"read","message_id":"m","typing_indicator":{"type":"voice"}`,
		`"to":"1","type":"gif"`, `"to":"1","type":"image"`, `"to":"1","type":"interactive"`, `"to":"1","type":"template"`, `"to":"1","type":"reaction"`,
		`"to":"1","type":"location"`, `"to":"1","type":"contacts","contacts":[]`, `"to":"1","type":"text","text":"hi"`,
		`"to":"1","type":"image","image":{"id":"M","link":"https://x"}`, `"to":"1","type":"audio","audio":{"id":"M","caption":"c"}`,
		`"to":"1","type":"location","location":{"latitude":1}`, `"to":"1","type":"location","location":{"latitude":"1","longitude":2}`,
		`"to":"1","type":"contacts","contacts":[{"name":{"formatted_name":"A"}}]`, `"to":"1","type":"reaction","reaction":{"message_id":"m"}`,
		interactive(`"type":"poll"`), interactive(`"type":"cta_url","action":{"name":"flow","parameters":{"display_text":"t","url":"https://x"}}`),
		interactive(`"type":"button","action":{"buttons":[{"type":"link","reply":{"id":"1","title":"a"}}]}`),
		interactive(`"type":"button","header":{"type":"audio"},"action":{"buttons":[{"type":"reply","reply":{"id":"1","title":"a"}}]}`),
		interactive(`"type":"button","header":{"type":"image"},"action":{"buttons":[{"type":"reply","reply":{"id":"1","title":"a"}}]}`),
		interactive(`"type":"button","header":{"type":"image","image":{"id":"M","caption":"c"}},"action":{"buttons":[{"type":"reply","reply":{"id":"1","title":"a"}}]}`),
		interactive(`"type":"button","footer":{"text":""},"action":{"buttons":[{"type":"reply","reply":{"id":"1","title":"a"}}]}`),
		interactive(`"type":"list","header":{"type":"image","image":{"id":"M"}},"action":{"button":"b","sections":[{"rows":[{"id":"1","title":"a"}]}]}`),
		flow(`"flow_name":"n"`), flow(`"mode":"live"`), flow(`"flow_action":"close"`), flow(`"flow_action":"data_exchange","flow_action_payload":{"screen":"S"}`),
		flow(`"flow_action_payload":{}`), flow(`"flow_action_payload":{"screen":"S","data":{}}`), flow(`"flow_action_payload":{"screen":"S","data":"{}"}`),
		template(`{"type":"footer","parameters":[{"type":"text","text":"t"}]}`), template(`{"type":"body"}`),
		template(`{"type":"body","parameters":[{"type":"currency"}]}`), template(`{"type":"header","parameters":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`),
		template(`{"type":"button","sub_type":"url","parameters":[{"type":"text","text":"t"}]}`),
		template(`{"type":"button","sub_type":"url","index":0,"parameters":[{"type":"text","text":"t"}]}`),
		template(`{"type":"button","sub_type":"url","index":"x","parameters":[{"type":"text","text":"t"}]}`),
		template(`{"type":"button","sub_type":"url","index":"0","parameters":[{"type":"payload","payload":"t"}]}`),
		template(`{"type":"button","sub_type":"quick_reply","index":"0","parameters":[{"type":"payload"}]}`),
		template(`{"type":"button","sub_type":"map","index":"0","parameters":[{"type":"text","text":"t"}]}`),
	} {
		status, body := post(t, server.URL+path, "Bearer t", `{"messaging_product":"whatsapp",`+members+`}`)
		var answer struct {
			Error struct{ Code int }
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 400 || answer.Error.Code != 100 && answer.Error.Code != 131009 {
			t.Errorf("%s: HTTP %d, %s", members, status, body)
		}
	}
}

func TestGraphAnswersAsTold(t *testing.T) {
	var answer fake.Answer
	server := httptest.NewServer(&fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer { return answer }})
	t.Cleanup(server.Close)
	const good = `{"messaging_product":"whatsapp","to":"1555","text":{"body":"hi"}}`

	answer = fake.Refusal(400, 131047, "Re-engagement message")
	if status, body := post(t, server.URL+path, "Bearer t", good); status != 400 || !strings.Contains(body, `"code":131047`) {
		t.Errorf("HTTP %d: %s", status, body)
	}
	answer = fake.Answer{Body: []byte("<html>")}
	if status, body := post(t, server.URL+path, "Bearer t", good); status != 200 || body != "<html>" {
		t.Errorf("HTTP %d: %s", status, body)
	}
	answer = fake.Answer{Hangup: true}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer t")
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("HTTP %d instead of a closed connection", resp.StatusCode)
	}
}
