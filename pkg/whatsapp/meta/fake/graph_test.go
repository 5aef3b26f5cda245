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
		{"/v25.0/N/media", "Bearer t", good, 404, 2500},
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
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("GET: HTTP %d", resp.StatusCode)
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
