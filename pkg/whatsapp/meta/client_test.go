package meta_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// graph serves a fake Graph API and gives a client of it, and its URL.
func graph(t *testing.T, h http.Handler) (*meta.Client, string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	transport := meta.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	return meta.NewClient(server.URL, "token", &http.Client{Transport: transport}), server.URL
}

var toAnn = meta.Outgoing{Channel: number, Message: text("15550002222", "", "hello"), DeliveryID: "d-1"}

// text is a queued text message.
func text(phone, bsuid, body string) *parleyv1.MessageQueued {
	return &parleyv1.MessageQueued{
		Phone: phone, Bsuid: bsuid, Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: body}},
	}
}

// refused sends and gives the error, which must be a SendError of the class.
func refused(t *testing.T, ctx context.Context, c *meta.Client, m meta.Outgoing, want meta.Class) *meta.SendError {
	t.Helper()
	wamid, err := c.Send(ctx, m)
	var e *meta.SendError
	if !errors.As(err, &e) || wamid != "" {
		t.Fatalf("send: %q, %v", wamid, err)
	}
	if e.Class != want {
		t.Errorf("class %s, want %s: %v", e.Class, want, e)
	}
	if strings.Contains(err.Error(), "1555000") || strings.Contains(err.Error(), "hello") || strings.Contains(err.Error(), "token") {
		t.Errorf("the error says too much: %v", err)
	}
	return e
}

func TestSendAddressesPhonesAndBSUIDs(t *testing.T) {
	var got fake.Send
	client, _ := graph(t, &fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		got = s
		return fake.Answer{WAMID: "wamid.MINE"}
	}})
	for _, c := range []struct{ phone, bsuid, to, recipient string }{
		{"15550002222", "", "15550002222", ""},
		{"", "US.100", "", "US.100"},
		{"15550002222", "US.100", "15550002222", ""},
		{"US.200", "US.100", "", "US.100"},
	} {
		wamid, err := client.Send(t.Context(), meta.Outgoing{Channel: number, Message: text(c.phone, c.bsuid, "héllo </b>"), DeliveryID: "d-7"})
		if err != nil || wamid != "wamid.MINE" {
			t.Fatalf("send: %q, %v", wamid, err)
		}
		want := fake.Send{Channel: number, To: c.to, Recipient: c.recipient, Type: "text", Text: "héllo </b>", Callback: "d-7", Body: got.Body}
		if got.Channel != want.Channel || got.To != want.To || got.Recipient != want.Recipient ||
			got.Type != want.Type || got.Text != want.Text || got.Callback != want.Callback {
			t.Errorf("%+v: the Graph API got %+v", c, got)
		}
		if bytes.Contains(got.Body, []byte(`"to"`)) == bytes.Contains(got.Body, []byte(`"recipient"`)) {
			t.Errorf("body %s", got.Body)
		}
	}
}

func TestSendRefusesWhatHasNoAddress(t *testing.T) {
	client, _ := graph(t, &fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer {
		t.Error("sent")
		return fake.Answer{}
	}})
	refused(t, t.Context(), client, meta.Outgoing{Channel: number, Message: text("", "", "hello")}, meta.Permanent)
	refused(t, t.Context(), client, meta.Outgoing{Channel: number, Message: text("US.100", "", "hello")}, meta.Permanent)
	refused(t, t.Context(), client, meta.Outgoing{Message: text("15550002222", "", "hello")}, meta.Permanent)
}

func TestSendReportsRefusals(t *testing.T) {
	var answer fake.Answer
	client, _ := graph(t, &fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer { return answer }})

	answer = fake.Refusal(http.StatusBadRequest, 131056, "pair rate limit hit for 15550002222")
	if e := refused(t, t.Context(), client, toAnn, meta.RetryPair); e.Code != 131056 || e.Status != 400 {
		t.Errorf("%+v", e)
	}
	answer = fake.Answer{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"3"}}}
	if e := refused(t, t.Context(), client, toAnn, meta.RetryNumber); e.RetryAfter != 3*time.Second {
		t.Errorf("%+v", e)
	}
	answer = fake.Answer{} // the fake itself refuses what is too long
	tooLong := meta.Outgoing{Channel: number, Message: text("15550002222", "", strings.Repeat("é", 4097))}
	if e := refused(t, t.Context(), client, tooLong, meta.Permanent); e.Code != 100 {
		t.Errorf("%+v", e)
	}
	if _, err := client.Send(t.Context(), meta.Outgoing{Channel: number, Message: text("15550002222", "", strings.Repeat("é", 4096))}); err != nil {
		t.Errorf("the longest text: %v", err)
	}
}

// Whatever happens after the request may have reached Meta is ambiguous.
func TestSendIsAmbiguousAfterTheRequestWasWritten(t *testing.T) {
	answers := map[string]fake.Answer{
		"hangup":       {Hangup: true},
		"HTML":         {Status: http.StatusInternalServerError, Body: []byte("<html>oops</html>")},
		"bad gateway":  {Status: http.StatusBadGateway, Body: []byte("{}")},
		"truncated":    {Body: []byte(`{"messages":[{"id":"wam`)},
		"no id":        {Body: []byte(`{"messaging_product":"whatsapp"}`)},
		"redirect":     {Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"/v25.0/" + number + "/messages?again"}}},
		"see other":    {Status: http.StatusSeeOther, Header: http.Header{"Location": {"/v25.0/other"}}},
		"shorter body": {Header: http.Header{"Content-Length": {"1000"}}, Body: []byte(`{"messages":[{"id":"wamid.X"}]}`)},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			api := &fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer { return answer }}
			client, _ := graph(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				api.ServeHTTP(w, r)
			}))
			refused(t, t.Context(), client, toAnn, meta.Ambiguous)
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// A keep-alive connection that dies under a send must not make the transport send twice.
func TestSendIsNotRepeatedOnAReusedConnection(t *testing.T) {
	var sends atomic.Int32
	client, _ := graph(t, &fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer {
		return fake.Answer{Hangup: sends.Add(1) == 2}
	}})
	if _, err := client.Send(t.Context(), toAnn); err != nil {
		t.Fatal(err)
	}
	refused(t, t.Context(), client, toAnn, meta.Ambiguous)
	if n := sends.Load(); n != 2 {
		t.Errorf("%d sends", n)
	}
}

func TestSendIsAmbiguousWhenTheAnswerIsLate(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	client, _ := graph(t, &fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer {
		close(arrived)
		<-release
		return fake.Answer{}
	}})
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	e := refused(t, ctx, client, toAnn, meta.Ambiguous)
	if !errors.Is(e, context.Canceled) {
		t.Errorf("%v", e)
	}
}

func TestSendReadsABoundedAnswer(t *testing.T) {
	const size = 100 << 20
	written := make(chan int64, 1)
	client, _ := graph(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.CopyN(w, endless{}, size) // fails when the client hangs up
		written <- n
	}))
	refused(t, t.Context(), client, toAnn, meta.Ambiguous)
	if n := <-written; n >= size {
		t.Errorf("the client took %d bytes", n)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// Before there is a connection nothing can have been sent.
func TestSendCanBeRepeatedWhenThereWasNoConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	listener.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	noTLS := strings.Replace(plain.URL, "http://", "https://", 1)
	unknown := httptest.NewUnstartedServer(http.NotFoundHandler()) // its certificate is not trusted
	unknown.Config.ErrorLog = log.New(io.Discard, "", 0)
	unknown.StartTLS()
	t.Cleanup(unknown.Close)
	for name, url := range map[string]string{
		"refused": closed, "no name": "http://parley.invalid", "no TLS": noTLS, "certificate": unknown.URL, "no URL": "://",
	} {
		client := meta.NewClient(url, "token", nil)
		if e := refused(t, t.Context(), client, toAnn, meta.Retry); e.Err == nil || e.Status != 0 {
			t.Errorf("%s: %+v", name, e)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	refused(t, ended, meta.NewClient(plain.URL, "token", nil), toAnn, meta.Retry)
}

func TestClientPaths(t *testing.T) {
	paths := make(chan string, 1)
	client, base := graph(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", r.Header)
		}
		paths <- r.URL.EscapedPath()
		w.Write([]byte(`{"messages":[{"id":"wamid.X"}]}`))
	}))
	for _, c := range []struct {
		client  *meta.Client
		channel string
		want    string
	}{
		{client, number, "/v25.0/" + number + "/messages"},
		{meta.NewClient(base+"/", "token", nil), number, "/v25.0/" + number + "/messages"},
		{meta.NewClient(base+"/v26.0", "token", nil), number, "/v26.0/" + number + "/messages"},
		{meta.NewClient(base+"/sandbox/graph/v25.0/", "token", nil), number, "/sandbox/graph/v25.0/" + number + "/messages"},
		{client, "../me", "/v25.0/..%2Fme/messages"},
	} {
		m := toAnn
		m.Channel = c.channel
		if _, err := c.client.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if got := <-paths; got != c.want {
			t.Errorf("path %s, want %s", got, c.want)
		}
	}
}

func TestSendsShareConnections(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(&fake.Graph{})
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := meta.NewClient(server.URL, "token", nil)
	var wamids sync.Map
	for range 10 {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				wamid, err := client.Send(t.Context(), toAnn)
				if _, doubled := wamids.LoadOrStore(wamid, true); err != nil || doubled {
					t.Errorf("send: %q, %v", wamid, err)
				}
			})
		}
		wg.Wait()
	}
	if n := connections.Load(); n > 40 {
		t.Errorf("%d connections for 200 sends, 20 at a time", n)
	}
}

func TestSendErrorRepeatsNothingOfMeta(t *testing.T) {
	client, _ := graph(t, &fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer {
		return fake.Refusal(http.StatusBadRequest, 131026, "canary 15550002222")
	}})
	e := refused(t, t.Context(), client, toAnn, meta.Permanent)
	if data, err := json.Marshal(e); err != nil || bytes.Contains(data, []byte("canary")) {
		t.Errorf("%s, %v", data, err)
	}
}
