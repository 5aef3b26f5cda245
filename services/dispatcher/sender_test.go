package dispatcher

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// send makes one attempt against a Graph API and returns its outcome.
func send(t *testing.T, graph http.Handler, content []byte) outcome {
	t.Helper()
	server := httptest.NewServer(graph)
	defer server.Close()
	s := newSender(func(string) client { return meta.NewClient(server.URL+"/v25.0", "token", server.Client()) }, zerolog.Nop())
	done := make(chan outcome, 1)
	s.finish = func(j Job, wamid string, err error) { done <- outcome{j, wamid, err, start} }
	j := job("a", 1, 42)
	j.Content = content
	s.launch(j)
	return <-done
}

func hello(t *testing.T) []byte {
	t.Helper()
	content, err := proto.Marshal(queued("a", 42).Event.GetMessageQueued())
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Our delivery id travels with the send, and comes back in every receipt.
func TestSend(t *testing.T) {
	var got fake.Send
	graph := &fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		got = s
		return fake.Answer{WAMID: "wamid.42"}
	}}
	o := send(t, graph, hello(t))
	if o.err != nil || o.wamid != "wamid.42" || o.job.Key.Offset != 42 {
		t.Fatalf("%+v", o)
	}
	if got.Channel != "n1" || got.To != "16505551234" || got.Text != "hi" || got.Callback != store.Callback(o.job.Key, o.job.QueuedAt) {
		t.Errorf("sent %+v", got)
	}
}

// The token of every form that a message opens, a template's too, leads back to its lane.
func TestSendForms(t *testing.T) {
	tokens, err := forms.NewTokens("0123456789abcdef0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	form := func() *parleyv1.Form { return &parleyv1.Form{FormId: "77", Token: "p1.s.visit.form"} }
	for name, m := range map[string]*parleyv1.MessageQueued{
		"form": {Content: &parleyv1.MessageQueued_Form{Form: form()}},
		"template": {Content: &parleyv1.MessageQueued_Template{Template: &parleyv1.Template{
			Buttons: []*parleyv1.TemplateButton{{Kind: "url", Text: "x"}, {Index: 1, Kind: "flow", Form: form()}},
		}}},
	} {
		m.LaneKey, m.Phone = "US.1", "15550001111"
		if err := (&sender{tokens: tokens}).address(job("a", 1, 42), m); err != nil {
			t.Fatal(err)
		}
		for opened := range forms.Opened(m) {
			token, err := tokens.Parse(opened.GetToken())
			if err != nil || token.LaneKey != "US.1" || token.Session != "p1.s.visit.form" || token.Form != "77" || token.Channel != "n1" {
				t.Errorf("%s: %+v, %v", name, token, err)
			}
		}
	}
}

// RELIABILITY E2, E3, E4: what the answers mean.
func TestSendFails(t *testing.T) {
	for name, c := range map[string]struct {
		answer fake.Answer
		want   meta.Class
	}{
		"hung up":                    {fake.Answer{Hangup: true}, meta.Ambiguous},
		"rags":                       {fake.Answer{Body: []byte("<html>")}, meta.Ambiguous},
		"5xx":                        {fake.Answer{Status: 502, Body: []byte("x")}, meta.Ambiguous},
		"pair rate":                  {fake.Refusal(400, 131056, "pair"), meta.RetryPair},
		"token":                      {fake.Refusal(401, 190, "token"), meta.StopAccount},
		"24 h window":                {fake.Refusal(400, 131047, "window"), meta.Permanent},
		"a code that fits no column": {fake.Answer{Status: 400, Body: []byte(`{"error":{"code":99999999999999}}`)}, meta.Permanent},
	} {
		o := send(t, &fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer { return c.answer }}, hello(t))
		var refused *meta.SendError
		if !errors.As(o.err, &refused) || refused.Class != c.want || int(int32(refused.Code)) != refused.Code {
			t.Errorf("%s: %v, want %s", name, o.err, c.want)
		}
	}
}

// A typing indicator is done with the answer: it has no wamid and no receipts. It
// never holds up what it announces, and what concerns others still counts.
func TestSendTyping(t *testing.T) {
	content, err := proto.Marshal(&parleyv1.MessageQueued{
		Phone: "16505551234", Content: &parleyv1.MessageQueued_Typing{Typing: &parleyv1.Typing{MessageId: "wamid.T"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got fake.Send
	o := send(t, &fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		got = s
		return fake.Answer{}
	}}, content)
	if o.err != nil || o.wamid != "" || o.state(start) != store.DeliveryAccepted {
		t.Errorf("%+v", o)
	}
	if got.Type != "typing" || got.MessageID != "wamid.T" || got.Channel != "n1" {
		t.Errorf("sent %+v", got)
	}
	for name, c := range map[string]struct {
		answer fake.Answer
		want   meta.Class
	}{
		"hung up":     {fake.Answer{Hangup: true}, meta.Permanent},
		"5xx":         {fake.Answer{Status: 502, Body: []byte("x")}, meta.Permanent},
		"unavailable": {fake.Refusal(500, 131016, "unavailable"), meta.Permanent},
		"rate":        {fake.Refusal(400, 130429, "rate"), meta.RetryNumber},
		"token":       {fake.Refusal(401, 190, "token"), meta.StopAccount},
	} {
		o := send(t, &fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer { return c.answer }}, content)
		var refused *meta.SendError
		if !errors.As(o.err, &refused) || refused.Class != c.want {
			t.Errorf("%s: %v, want %s", name, o.err, c.want)
		}
	}
}

func TestSendUnreadable(t *testing.T) {
	o := send(t, &fake.Graph{}, []byte("\xff"))
	if o.state(start) != store.DeliveryFailed {
		t.Errorf("%v", o.err)
	}
	if o = send(t, &fake.Graph{}, nil); o.state(start) != store.DeliveryFailed {
		t.Errorf("nothing to send: %v", o.err)
	}
}
