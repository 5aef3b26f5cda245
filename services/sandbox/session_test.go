package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	testSessionSecret = "the webhook secret"
	testSessionKey    = "the api key"
	testAccountToken  = "the account token"
)

// gateway is a sandbox with a session, and Parley's two ends of it: the webhook, read
// as Parley reads it, and the client.
type gateway struct {
	t       *testing.T
	parley  *parley // of the number at Meta
	sandbox *Sandbox
	server  *httptest.Server
	client  *wasender.Client
	ann     string

	mu       sync.Mutex
	arrived  []string // "message hi", "receipt <id> read", "status connected", in order
	messages []*parleyv1.IncomingMessage
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{t: t, parley: newParley(t)}
	hook := httptest.NewServer(g)
	t.Cleanup(hook.Close)
	g.sandbox, g.server = start(t, g.parley.server.URL, func(c *Config) {
		c.Session = SessionConfig{
			WebhookURL: hook.URL, Secret: testSessionSecret, APIKey: testSessionKey, AccountToken: testAccountToken, Number: "15550002222",
		}
	})
	g.client = wasender.NewClient(wasender.Options{
		BaseURL: g.server.URL + "/sandbox/wasender/api", Key: func(string) string { return testSessionKey }, AccountToken: testAccountToken,
	})
	g.ann = newPhone(t, g.server, "phone").ID
	return g
}

func (g *gateway) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if !wasender.VerifySecret(r.Header.Get("X-Webhook-Signature"), testSessionSecret) {
		g.t.Errorf("webhook without the secret: %v", r.Header)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range wasender.Split(body, "sandbox", time.Now(), testSessionSecret) {
		g.arrived = append(g.arrived, g.read(e))
	}
}

// read says what an update is.
func (g *gateway) read(e *parleyv1.Envelope) string {
	if status, ok := wasender.DecodeSession(e); ok {
		return "status " + string(status)
	}
	if e.GetKind() == parleyv1.Kind_KIND_RECEIPT {
		r, err := wasender.DecodeReceipt(e)
		return fmt.Sprint("receipt ", r.WAMID, " ", r.Status, or(err))
	}
	m, ok, err := wasender.DecodeMessage(e)
	if !ok || err != nil {
		return fmt.Sprintf("%s %s %v", e.GetKind(), e.GetField(), or(err))
	}
	if from := e.GetContact().GetPhone(); from != g.ann {
		g.t.Errorf("message of %q, want %q", from, g.ann)
	}
	g.messages = append(g.messages, m)
	return "message " + m.GetText()
}

func or(err error) string {
	if err != nil {
		return " " + err.Error()
	}
	return ""
}

// wants waits until all that has arrived, without receipts, is this.
func (g *gateway) wants(want ...string) {
	g.t.Helper()
	var got []string
	deadline := time.After(patience)
	for {
		if got = g.all(); slices.Equal(got, want) {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			g.t.Fatalf("arrived %q, want %q", got, want)
		}
	}
}

func (g *gateway) all() (list []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.arrived {
		if !strings.HasPrefix(a, "receipt ") {
			list = append(list, a)
		}
	}
	return list
}

func (g *gateway) receipts() (list []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.arrived {
		if receipt, ok := strings.CutPrefix(a, "receipt "); ok {
			list = append(list, receipt)
		}
	}
	return list
}

// writes has Ann write to the session.
func (g *gateway) writes(message object) {
	g.t.Helper()
	message["provider"] = "wasender"
	if status, answer := postJSON(g.t, g.server, "/sandbox/api/phones/"+g.ann+"/messages", message); status != http.StatusAccepted {
		g.t.Fatalf("message: %d %s", status, answer)
	}
}

// sends has the business send.
func (g *gateway) sends(to, words string) (id string, err error) {
	m := &parleyv1.MessageQueued{Phone: to, Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: words}}}
	return g.client.Send(g.t.Context(), meta.Outgoing{Channel: "sandbox", Message: m, DeliveryID: "d"})
}

// does changes the session over HTTP, and gives the status of the answer.
func (g *gateway) does(what string) (status int, answer string) {
	g.t.Helper()
	return postJSON(g.t, g.server, "/sandbox/api/session", object{"do": what})
}

// A person writes to the session; the answer is on the phone, and its receipts follow in
// order under the id that WASenderApi gives it.
func TestSessionConversation(t *testing.T) {
	g := newGateway(t)
	g.writes(object{"type": "text", "text": "hi"})
	g.wants("status connected", "message hi")
	id, err := g.sends(g.ann, "Hello Ann")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{id + " sent", id + " delivered", id + " read"}
	until(t, g.sandbox, "the receipts", func() bool { return slices.Equal(g.receipts(), want) })
	v := view(t, g.server, g.ann)
	if len(v.Bubbles) != 2 || v.Bubbles[0].Provider != faults.WASender || v.Bubbles[1].Provider != faults.WASender || v.Bubbles[1].Text != "Hello Ann" || v.Bubbles[1].WAMID != id {
		t.Errorf("bubbles %+v", v.Bubbles)
	}
	if got := fmt.Sprint(v.Lines); got != "[{meta 15550001111} {wasender 15550002222}]" {
		t.Errorf("lines %s", got)
	}
	if len(g.parley.accepted()) != 0 {
		t.Error("Meta's webhook has something of it")
	}
	if _, err := g.sends("123456", "hi"); err == nil {
		t.Error("an impossible recipient is taken")
	}
}

// While the session is down nothing comes or goes on it, and the number at Meta works.
// When it is connected again all that waited goes, in order.
func TestSessionDrops(t *testing.T) {
	g := newGateway(t)
	g.wants("status connected")
	if status, answer := g.does("drop"); status != http.StatusOK || answer != `{"status":"disconnected"}`+"\n" {
		t.Fatalf("drop: %d %s", status, answer)
	}
	g.wants("status connected", "status disconnected")
	for _, words := range []string{"one", "two", "three"} {
		g.writes(object{"type": "text", "text": words})
	}
	say(t, g.server, g.ann, "over Meta")
	until(t, g.sandbox, "Meta's message", func() bool { return len(g.parley.accepted()) == 1 })
	var refused *meta.SendError
	if _, err := g.sends(g.ann, "hello?"); !errors.As(err, &refused) || refused.Class != wasender.RetryNumber {
		t.Errorf("a send while it is down: %v", err)
	}
	g.wants("status connected", "status disconnected")
	if p, err := g.client.Connect(t.Context(), sessionID, "qr"); err != nil || p.Status != wasender.Connected {
		t.Fatalf("connect: %+v, %v", p, err)
	}
	until(t, g.sandbox, "the messages", func() bool { return len(g.all()) == 6 })
	messages := slices.DeleteFunc(g.all(), func(a string) bool { return !strings.HasPrefix(a, "message ") })
	if want := []string{"message one", "message two", "message three"}; !slices.Equal(messages, want) {
		t.Errorf("arrived %q, want %q", messages, want)
	}
}

// The switch drops the session with the next message, and with no message to Meta.
func TestDropSwitch(t *testing.T) {
	g := newGateway(t)
	if status, answer := postJSON(t, g.server, "/sandbox/api/faults", object{"kind": "drop", "next": 1}); status != http.StatusCreated {
		t.Fatalf("%d %s", status, answer)
	}
	if status, answer := send(t, g.server.URL+"/sandbox/graph", g.ann, "over Meta"); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
	if _, err := g.sends(g.ann, "hello"); err == nil {
		t.Error("it is sent all the same")
	}
	g.wants("status connected", "status disconnected")
	if v := view(t, g.server, g.ann); len(v.Bubbles) != 1 {
		t.Errorf("%d bubbles", len(v.Bubbles))
	}
}

// Who ends the link must scan a code, which is there when the session was asked to connect.
func TestSessionScan(t *testing.T) {
	g := newGateway(t)
	g.wants("status connected")
	for _, c := range []struct {
		do     string
		status int
	}{{"scan", 409}, {"explode", 400}, {"log_out", 200}, {"log_out", 409}, {"drop", 409}, {"scan", 409}} {
		if status, answer := g.does(c.do); status != c.status {
			t.Errorf("%s: %d %s", c.do, status, answer)
		}
	}
	p, err := g.client.Connect(t.Context(), sessionID, "qr")
	if err != nil || p.Status != wasender.NeedScan || p.QR == "" {
		t.Fatalf("connect: %+v, %v", p, err)
	}
	g.wants("status connected", "status logged_out", "status need_scan", "status need_scan") // its code names it again
	if status, answer := g.does("scan"); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
	g.writes(object{"type": "text", "text": "hi"})
	until(t, g.sandbox, "the message", func() bool { return slices.Contains(g.all(), "message hi") })
}

// Everything that a person can send is read by Parley as it was meant.
func TestSessionWords(t *testing.T) {
	g := newGateway(t)
	for _, m := range []object{
		{"type": "text", "text": "yes", "context": "3EB0ABC"},
		{"type": "image", "text": "my car"},
		{"type": "document", "filename": "a.pdf"},
		{"type": "location", "latitude": 1.5, "longitude": -2.5, "name": "Home"},
		{"type": "contacts", "contacts": []object{{"name": "Bob", "phone": "+15550103"}}},
	} {
		g.writes(m)
	}
	until(t, g.sandbox, "the messages", func() bool { return len(g.all()) == 6 })
	g.mu.Lock()
	defer g.mu.Unlock()
	got := g.messages
	if got[0].GetReplyTo() != "3EB0ABC" || got[0].GetText() != "yes" {
		t.Errorf("reply %v", got[0])
	}
	if m := got[1]; m.GetType() != "image" || m.GetText() != "my car" || m.GetMedia().GetMimeType() != "image/jpeg" {
		t.Errorf("photo %v", m)
	}
	if m := got[2]; m.GetType() != "document" || m.GetMedia().GetFilename() != "a.pdf" || m.GetMedia().GetMimeType() != "application/pdf" {
		t.Errorf("document %v", m)
	}
	if m := got[3]; m.GetLocation().GetLatitude() != 1.5 || m.GetLocation().GetLongitude() != -2.5 || m.GetLocation().GetName() != "Home" {
		t.Errorf("location %v", m)
	}
	if m := got[4]; m.GetContact().GetName() != "Bob" || m.GetContact().GetPhone() != "+15550103" {
		t.Errorf("contact %v", m)
	}
}

// What the business sends is on the phone, whatever it is.
func TestSessionHears(t *testing.T) {
	g := newGateway(t)
	post := func(body string) {
		t.Helper()
		req, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, g.server.URL+"/sandbox/wasender/api/send-message", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+testSessionKey)
		if status, answer := do(t, req); status != http.StatusOK {
			t.Fatalf("%s: %d %s", body, status, answer)
		}
	}
	to := `{"to":"+` + g.ann + `",`
	post(to + `"text":"look","imageUrl":"https://shop.example/a.jpg"}`)
	post(to + `"documentUrl":"https://shop.example/a.pdf","fileName":"a.pdf"}`)
	post(to + `"contact":{"name":"Bob","phone":"+15550103"}}`)
	post(to + `"location":{"latitude":1.5,"longitude":-2.5,"name":"Shop"}}`)
	want := []string{
		`image look {"caption":"look","link":"https://shop.example/a.jpg"}`,
		`document  {"filename":"a.pdf","link":"https://shop.example/a.pdf"}`,
		`contacts  [{"name":{"formatted_name":"Bob"},"phones":[{"phone":"+15550103"}]}]`,
		`location  {"latitude":1.5,"longitude":-2.5,"name":"Shop"}`,
	}
	for i, b := range view(t, g.server, g.ann).Bubbles {
		if got := fmt.Sprintf("%s %s %s", b.Type, b.Text, b.Content); got != want[i] {
			t.Errorf("%s\nwant %s", got, want[i])
		}
	}
}

// What cannot go over the session is refused, with a reason.
func TestSessionRefuses(t *testing.T) {
	g := newGateway(t)
	bea := newPhone(t, g.server, "bsuid").ID
	_, without := quiet(t)
	for _, c := range []struct {
		server  *httptest.Server
		person  string
		message string
		reason  string
	}{
		{g.server, bea, `{"type":"text","text":"hi","provider":"wasender"}`, "phone numbers"},
		{g.server, g.ann, `{"type":"button","id":"yes","title":"Yes","provider":"wasender"}`, "no buttons"},
		{g.server, g.ann, `{"type":"text","text":"hi","provider":"telex"}`, "provider must be"},
		{without, "15551234567", `{"type":"text","text":"hi","provider":"wasender"}`, "no session of WASenderApi"},
	} {
		status, answer := postJSON(t, c.server, "/sandbox/api/phones/"+c.person+"/messages", json.RawMessage(c.message))
		if status != http.StatusBadRequest || !strings.Contains(answer, c.reason) {
			t.Errorf("%s: %d %s", c.message, status, answer)
		}
	}
	if lines := view(t, g.server, bea).Lines; len(lines) != 1 || lines[0].Provider != faults.Meta {
		t.Errorf("lines of who has no phone number: %v", lines)
	}
	if status, answer := postJSON(t, without, "/sandbox/api/session", object{"do": "drop"}); status != http.StatusNotFound {
		t.Errorf("%d %s", status, answer)
	}
	for path, want := range map[string]int{"/sandbox/wasender/api/status": http.StatusNotFound, "/sandbox/api/session": http.StatusOK} {
		req, _ := http.NewRequest(http.MethodGet, without.URL+path, nil)
		if status, answer := do(t, req); status != want || strings.Contains(answer, "connected") {
			t.Errorf("%s where there is none: %d %s", path, status, answer)
		}
	}
}
