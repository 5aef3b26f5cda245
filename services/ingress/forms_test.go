package ingress

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const receivedScreen = `{"screen":"THANKS","data":{"note":"We have it."}}`

// formDesk is a handler with a key and tokens, and a phone that knows both. A session
// answers what is stored, as told says: nil is silence.
type formDesk struct {
	*Handler
	mux    http.Handler
	tokens *forms.Tokens
	public []byte
	nc     *nats.Conn
	told   *parleyv1.FormAnswered
	fails  error
	stored []*parleyv1.Envelope
}

func newFormDesk(t *testing.T) *formDesk {
	t.Helper()
	server, err := bus.StartServer(bus.ServerOptions{Dir: t.TempDir(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	d := &formDesk{}
	if d.nc, err = server.Connect(t.Name()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.nc.Close)
	private, public, err := forms.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := forms.ParseKeys(private)
	if err != nil {
		t.Fatal(err)
	}
	if d.tokens, err = forms.NewTokens("a secret of the forms"); err != nil {
		t.Fatal(err)
	}
	answers, err := NewAnswers(d.nc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(answers.Close)
	d.public = public
	d.Handler = New(Options{
		Secrets: []string{secret}, Shards: shards, Portfolio: portfolio, Now: time.Now, Log: zerolog.Nop(),
		In: publisherFunc(d.session), Status: &shelf{},
	})
	d.ServeForms(&forms.Endpoint{Secrets: []string{secret}, Keys: keys, Tokens: d.tokens}, answers)
	mux := http.NewServeMux()
	d.Routes(mux)
	d.mux = mux
	return d
}

// session keeps an exchange, and tells its answer: before the publishing has returned,
// as can happen.
func (d *formDesk) session(_ context.Context, messages ...bus.Message) error {
	if d.fails != nil {
		return d.fails
	}
	for _, m := range messages {
		e := &parleyv1.Envelope{}
		if err := proto.Unmarshal(m.Data, e); err != nil {
			return err
		}
		d.stored = append(d.stored, e)
		if d.told == nil {
			continue
		}
		data, err := proto.Marshal(d.told)
		if err != nil {
			return err
		}
		if err := d.nc.Publish(bus.SubjectAnswer(e.Id), data); err != nil {
			return err
		}
	}
	return nil
}

func (d *formDesk) token(t *testing.T, change func(*forms.Token)) string {
	t.Helper()
	token := forms.Token{Channel: channel, LaneKey: "US.ann", Session: "7-form", Form: "77", Received: receivedScreen}
	if change != nil {
		change(&token)
	}
	text, err := d.tokens.New(token)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// ask sends an exchange as a phone does, and returns what it reads.
func (d *formDesk) ask(t *testing.T, action, token string) (status int, answer string) {
	t.Helper()
	q, err := forms.Ask(d.public, fmt.Appendf(nil, `{"version":"3.0","action":%q,"screen":"DAY","data":{"day":"monday"},"flow_token":%q}`, action, token))
	if err != nil {
		t.Fatal(err)
	}
	w := d.post(q.Body, fake.Sign(secret, q.Body))
	if w.Code != http.StatusOK {
		return w.Code, w.Body.String()
	}
	plain, err := q.Read(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(plain)
}

func (d *formDesk) post(body []byte, signature string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/flows/"+channel, bytes.NewReader(body))
	r.Header.Set("X-Hub-Signature-256", signature)
	return do(d.mux, r)
}

// TestFormIsStoredAndAnswered follows an exchange to its lane and back.
func TestFormIsStoredAndAnswered(t *testing.T) {
	d := newFormDesk(t)
	d.told = &parleyv1.FormAnswered{Screen: "TIME", Json: []byte(`{"times":[]}`)}
	status, answer := d.ask(t, "data_exchange", d.token(t, nil))
	if want := `{"version":"3.0","screen":"TIME","data":{"times":[]}}`; status != 200 || answer != want {
		t.Errorf("answered %d %s, want %s", status, answer, want)
	}
	if len(d.stored) != 1 {
		t.Fatalf("%d envelopes were stored, want 1", len(d.stored))
	}
	e, input := d.stored[0], &parleyv1.Input{}
	if err := protojson.Unmarshal(e.Raw, input); err != nil {
		t.Fatal(err)
	}
	x := input.GetFormExchange()
	if e.Kind != parleyv1.Kind_KIND_FORM || e.LaneKey != "US.ann" || e.Channel != channel || !strings.HasPrefix(e.Id, "form/") {
		t.Errorf("stored as %v", e)
	}
	if x.Token != "7-form" || x.Screen != "DAY" || string(x.Json) != `{"day":"monday"}` || x.Key == "" {
		t.Errorf("stored as %v", x)
	}
}

// TestFormAnswers is every way that a request ends, and whether it was stored first.
func TestFormAnswers(t *testing.T) {
	show := &parleyv1.FormAnswered{Screen: "TIME", Json: []byte(`{}`)}
	for name, c := range map[string]struct {
		action string
		token  func(*forms.Token)
		text   string // instead of a token of ours
		told   *parleyv1.FormAnswered
		fails  error
		status int
		answer string
		stored int
	}{
		"ping":                 {action: "ping", status: 200, answer: `{"data":{"status":"active"}}`},
		"shown":                {action: "INIT", told: show, status: 200, answer: `"screen":"TIME"`, stored: 1},
		"finished":             {action: "data_exchange", told: &parleyv1.FormAnswered{Finished: true, Json: []byte(`{"a":1}`)}, status: 200, answer: `"screen":"SUCCESS"`, stored: 1},
		"not open any more":    {action: "BACK", told: &parleyv1.FormAnswered{}, status: 427, stored: 1},
		"no answer in time":    {action: "data_exchange", status: 200, answer: `"We have it."`, stored: 1},
		"no received screen":   {action: "data_exchange", token: func(k *forms.Token) { k.Received = "" }, status: 503, answer: "not answered in time", stored: 1},
		"not stored":           {action: "data_exchange", told: show, fails: errDisk, status: 503, answer: "please repeat"},
		"of another channel":   {action: "data_exchange", token: func(k *forms.Token) { k.Channel = "other" }, told: show, status: 427},
		"sent without a token": {action: "data_exchange", text: "unused", told: show, status: 427},
		"a guessed token":      {action: "data_exchange", text: "pf1.AAAAAAAAAAAAAAAAAAAAAAAAAAAA", told: show, status: 427},
		"an unknown action":    {action: "dance", told: show, status: 400},
	} {
		t.Run(name, func(t *testing.T) {
			d := newFormDesk(t)
			d.told, d.fails = c.told, c.fails
			d.forms.patience.misses = missesMax // waits are short
			token := c.text
			if token == "" {
				token = d.token(t, c.token)
			}
			status, answer := d.ask(t, c.action, token)
			if status != c.status || !strings.Contains(answer, c.answer) {
				t.Errorf("answered %d %s, want %d with %s", status, answer, c.status, c.answer)
			}
			if len(d.stored) != c.stored {
				t.Errorf("%d were stored, want %d", len(d.stored), c.stored)
			}
		})
	}
}

// TestFormRefusals are requests that nobody who knows the secrets sends.
func TestFormRefusals(t *testing.T) {
	d := newFormDesk(t)
	q, err := forms.Ask(d.public, []byte(`{"version":"3.0","action":"ping"}`))
	if err != nil {
		t.Fatal(err)
	}
	if w := d.post(q.Body, fake.Sign("another secret", q.Body)); w.Code != 432 {
		t.Errorf("a wrong signature is answered %d", w.Code)
	}
	if w := d.post([]byte("{}"), fake.Sign(secret, []byte("{}"))); w.Code != 421 {
		t.Errorf("what cannot be decrypted is answered %d", w.Code)
	}
	large := bytes.Repeat([]byte(" "), forms.MaxRequestBytes+1)
	if w := d.post(large, fake.Sign(secret, large)); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too long is answered %d", w.Code)
	}
	r := httptest.NewRequest(http.MethodPost, "/flows/"+channel, bytes.NewReader(q.Body))
	if w := do(newHandler(&shelf{}, &shelf{}, io.Discard), r); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "PARLEY_FLOWS_PRIVATE_KEY_FILE") {
		t.Errorf("without keys it is answered %d %s", w.Code, w.Body)
	}
}

// TestPatience: waits become short while nothing is answered, and long again with the
// first answer; more than a limit do not wait.
func TestPatience(t *testing.T) {
	var p patience
	wants := func(want time.Duration) {
		t.Helper()
		if budget := p.begin(); budget != want {
			t.Fatalf("with %d missing answers and %d waiting it waits %v, want %v", p.misses, p.waiting, budget, want)
		}
	}
	for range missesMax {
		wants(answerBudget)
		p.end(answerBudget, false)
	}
	for range tryEvery - missesMax {
		wants(shortBudget)
		p.end(shortBudget, false)
	}
	wants(answerBudget) // one tries, the others do not wait for it
	wants(shortBudget)
	p.end(shortBudget, false)
	p.end(answerBudget, true) // sessions that answer after a second are not away
	for range waitersMax {
		wants(answerBudget)
	}
	wants(0)
	p.end(answerBudget, true)
	wants(answerBudget)
}
