package wasender_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const accountToken = "personal-access-token"

// options lead to a server with the keys of the tests.
func options(url string) wasender.Options {
	return wasender.Options{BaseURL: url + "/api", AccountToken: accountToken, JoinWithin: 200 * time.Millisecond, Key: func(c string) string {
		if c == channel {
			return apiKey
		}
		return ""
	}}
}

// serve serves h and gives a client of it; change adjusts its options.
func serve(t *testing.T, h http.Handler, change ...func(*wasender.Options)) *wasender.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	transport := meta.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	o := options(server.URL)
	o.HTTP = &http.Client{Transport: transport}
	for _, f := range change {
		f(&o)
	}
	return wasender.NewClient(o)
}

// gateway is a fake with one connected session.
func gateway(onSend func(context.Context, fake.Send) fake.Answer) *fake.Server {
	s := &fake.Server{AccountToken: accountToken, OnSend: onSend, Phones: map[string]string{"987654321@lid": "15550004444"}}
	s.Add(fake.Session{ID: 7, Name: "Shop", Phone: "15550001111", APIKey: apiKey, WebhookSecret: secret, Status: "connected"})
	return s
}

func always(a fake.Answer) func(context.Context, fake.Send) fake.Answer {
	return func(context.Context, fake.Send) fake.Answer { return a }
}

func text(phone, bsuid, body string) *parleyv1.MessageQueued {
	return &parleyv1.MessageQueued{Phone: phone, Bsuid: bsuid, Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: body}}}
}

var toAnn = wasender.Outgoing{Channel: channel, Message: text("15550002222", "", "hello"), DeliveryID: "d-1"}

// refused sends and gives the error, which must be a SendError of the class.
func refused(t *testing.T, ctx context.Context, c *wasender.Client, m wasender.Outgoing, want wasender.Class) *wasender.SendError {
	t.Helper()
	id, err := c.Send(ctx, m)
	var e *meta.SendError // what the dispatcher looks for
	if !errors.As(err, &e) || id != "" {
		t.Fatalf("send: %q, %v", id, err)
	}
	if e.Class != want {
		t.Errorf("class %s, want %s: %v", e.Class, want, e)
	}
	for _, secret := range []string{"1555000", "987654321", "hello", apiKey, accountToken, "canary"} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, e, e), secret) {
			t.Errorf("the error says too much: %v", err)
		}
	}
	return e
}

func TestSendGivesWhatsAppsID(t *testing.T) {
	var got fake.Send
	api := gateway(func(_ context.Context, s fake.Send) fake.Answer { got = s; return fake.Answer{} })
	api.JoinAfter = 2
	client := serve(t, api)
	for i, c := range []struct{ phone, bsuid, to string }{
		{"15550002222", "", "+15550002222"}, {"", "987654321@lid", "+15550004444"}, {"15550002222", "987654321@lid", "+15550002222"},
	} {
		id, err := client.Send(t.Context(), wasender.Outgoing{Channel: channel, Message: text(c.phone, c.bsuid, "héllo </b>")})
		if err != nil || id == "" || id != api.WhatsAppID(int64(100_000+i)) {
			t.Fatalf("send: %q, %v", id, err)
		}
		if got.To != c.to || got.Kind != "text" || got.Text != "héllo </b>" {
			t.Errorf("%+v: WASenderApi got %+v", c, got)
		}
	}
}

func TestSendGivesARefWhileWhatsAppHasNoID(t *testing.T) {
	api := gateway(nil)
	api.JoinAfter = 1
	client := serve(t, api, func(o *wasender.Options) { o.JoinWithin = -1 })
	ref, err := client.Send(t.Context(), toAnn)
	if msgID, ok := wasender.ParseRef(ref); err != nil || !ok || msgID != 100_000 || ref != wasender.Ref(msgID) {
		t.Fatalf("send: %q, %v", ref, err)
	}
	if id, err := client.Join(t.Context(), channel, ref); err != nil || id != "" {
		t.Errorf("at first: %q, %v", id, err)
	}
	if id, err := client.Join(t.Context(), channel, ref); err != nil || id != api.WhatsAppID(100_000) {
		t.Errorf("then: %q, %v", id, err)
	}
	if id, err := client.Join(t.Context(), channel, "3EB0"); err != nil || id != "3EB0" {
		t.Errorf("what is no ref: %q, %v", id, err)
	}
	for _, ref := range []string{"", "wasender:", "wasender:0", "wasender:-1", "wasender:x", "100000"} {
		if _, ok := wasender.ParseRef(ref); ok {
			t.Errorf("%q is a ref", ref)
		}
	}
	api.JoinAfter = 1 << 30
	slow := serve(t, api)
	if ref, err := slow.Send(t.Context(), toAnn); err != nil || ref != wasender.Ref(100_001) {
		t.Errorf("never: %q, %v", ref, err)
	}
}

func TestSendEveryKind(t *testing.T) {
	var got fake.Send
	client := serve(t, gateway(func(_ context.Context, s fake.Send) fake.Answer { got = s; return fake.Answer{} }))
	file := func(kind string) *parleyv1.Media {
		return &parleyv1.Media{Kind: kind, Link: "https://f.example/" + kind, Caption: "c", Filename: "f.pdf"}
	}
	for _, c := range []struct {
		content    any
		kind, text string
	}{
		{file("image"), "image", "c"},
		{file("video"), "video", "c"},
		{file("document"), "document", "c"},
		{file("audio"), "audio", ""},
		{file("sticker"), "sticker", ""},
		{&parleyv1.Media{Kind: "image", Id: "https://files.example/1"}, "image", ""},
		{&parleyv1.GeoPoint{Latitude: 0, Longitude: -2.5, Name: "Home"}, "location", ""},
		{&parleyv1.ContactCard{Name: "Dan", Phone: "+1555", Email: "d@example.com"}, "contact", ""},
		{&parleyv1.Buttons{Body: "Colour?", Buttons: []*parleyv1.Button{{Id: "a", Title: "Red"}}}, "text", "Colour?\n1. Red"},
		{&parleyv1.Buttons{Header: &parleyv1.Header{Media: file("image")}, Body: "Colour?", Buttons: []*parleyv1.Button{{Id: "a", Title: "Red"}}}, "image", "Colour?\n1. Red"},
		{&parleyv1.List{Body: "When?", Sections: []*parleyv1.Section{{Rows: []*parleyv1.Row{{Id: "a", Title: "Now"}}}}}, "text", "When?\n1. Now"},
		{&parleyv1.Link{Body: "Pay", Title: "Here", Url: "https://p.example"}, "text", "Pay\nHere: https://p.example"},
		{&parleyv1.Typing{MessageId: "3EB0"}, "typing", ""},
	} {
		m := queued(c.content)
		m.Phone = "15550002222"
		id, err := client.Send(t.Context(), wasender.Outgoing{Channel: channel, Message: m})
		if err != nil || (id == "") != (c.kind == "typing") {
			t.Errorf("%v: %q, %v", c.content, id, err)
		}
		if got.Kind != c.kind || got.Text != c.text {
			t.Errorf("%v: WASenderApi got %+v", c.content, got)
		}
	}
}

func queued(content any) *parleyv1.MessageQueued {
	switch c := content.(type) {
	case *parleyv1.Media:
		return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Media{Media: c}}
	case *parleyv1.GeoPoint:
		return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Location{Location: c}}
	case *parleyv1.ContactCard:
		return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Contact{Contact: c}}
	case *parleyv1.Buttons:
		return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Buttons{Buttons: c}}
	case *parleyv1.List:
		return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_List{List: c}}
	case *parleyv1.Link:
		return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Link{Link: c}}
	case *parleyv1.Typing:
		return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Typing{Typing: c}}
	case *parleyv1.Form:
		return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Form{Form: c}}
	case *parleyv1.Template:
		return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Template{Template: c}}
	case *parleyv1.Reaction:
		return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Reaction{Reaction: c}}
	}
	return &parleyv1.MessageQueued{}
}

func TestSendRefusesWhatCannotGo(t *testing.T) {
	api := gateway(nil)
	client := serve(t, api)
	for _, content := range []any{
		&parleyv1.Form{}, &parleyv1.Template{}, &parleyv1.Reaction{}, nil, &parleyv1.Media{Kind: "image", Id: "123"},
		&parleyv1.Media{Kind: "odd", Link: "https://f.example"}, &parleyv1.Media{Kind: "image", Link: "file:///etc/passwd"},
	} {
		m := queued(content)
		m.Phone = "15550002222"
		refused(t, t.Context(), client, wasender.Outgoing{Channel: channel, Message: m}, wasender.Permanent)
	}
	for _, m := range []*parleyv1.MessageQueued{text("", "", "hello"), text("US.1", "US.100", "hello"), text("", "555@lid", "hello"), text("", "../x@lid", "hello")} {
		refused(t, t.Context(), client, wasender.Outgoing{Channel: channel, Message: m}, wasender.Permanent)
	}
	refused(t, t.Context(), client, wasender.Outgoing{Message: toAnn.Message}, wasender.Permanent)
	refused(t, t.Context(), client, wasender.Outgoing{Channel: "other", Message: toAnn.Message}, wasender.StopNumber)
	refused(t, t.Context(), serve(t, api, func(o *wasender.Options) { o.Key = nil }), toAnn, wasender.StopNumber)
	wrongKey := serve(t, api, func(o *wasender.Options) { o.Key = func(string) string { return "wrong" } })
	if e := refused(t, t.Context(), wrongKey, toAnn, wasender.StopNumber); e.Status != 401 {
		t.Errorf("%+v", e)
	}
	if api.Accepted() != 0 {
		t.Errorf("%d were sent", api.Accepted())
	}
}

func TestSendClasses(t *testing.T) {
	wrong := map[string][]string{"to": {"canary 15550002222"}}
	for name, c := range map[string]struct {
		answer fake.Answer
		class  wasender.Class
		wait   time.Duration
	}{
		"validation":       {fake.Refusal(422, "canary 15550002222 not connected", wrong), wasender.Permanent, 0},
		"bad request":      {fake.Refusal(400, "canary", nil), wasender.Permanent, 0},
		"too many":         {fake.TooMany(60), wasender.RetryNumber, time.Minute},
		"too many, header": {fake.Answer{Status: 429, Header: http.Header{"Retry-After": {"3"}}, Body: []byte("<html>")}, wasender.RetryNumber, 3 * time.Second},
		"too many, string": {fake.Answer{Status: 429, Body: []byte(`{"retry_after":"1.5"}`)}, wasender.RetryNumber, 2 * time.Second},
		"too many, silent": {fake.Answer{Status: 429, Body: []byte(`{}`)}, wasender.RetryNumber, 0},
		"too many, years":  {fake.Answer{Status: 429, Body: []byte(`{"retry_after":1e300}`)}, wasender.RetryNumber, 24 * time.Hour},
		"not connected":    {fake.NotConnected(), wasender.RetryNumber, 10 * time.Second},
		"not connected 5x": {fake.Refusal(500, "Your session is NOT CONNECTED", nil), wasender.RetryNumber, 10 * time.Second},
		"not connected 2x": {fake.Refusal(200, "session is not connected", nil), wasender.RetryNumber, 10 * time.Second},
		"error key":        {fake.Answer{Status: 400, Body: []byte(`{"success":false,"error":"session is not connected"}`)}, wasender.RetryNumber, 10 * time.Second},
		"logged out":       {fake.Refusal(400, "Session logged out", nil), wasender.StopNumber, 0},
		"payment":          {fake.Refusal(402, "Subscription expired", nil), wasender.StopNumber, 0},
		"forbidden":        {fake.Refusal(403, "canary", nil), wasender.StopNumber, 0},
		"a page instead":   {fake.Answer{Status: 403, Body: []byte("<html>Just a moment</html>")}, wasender.RetryNumber, 10 * time.Second},
		"not reached":      {fake.Answer{Status: 521, Body: []byte("<html>")}, wasender.RetryNumber, 10 * time.Second},
		"perhaps reached":  {fake.Answer{Status: 524, Body: []byte("<html>")}, wasender.Ambiguous, 0},
		"nobody":           {fake.Refusal(404, "The number is not registered on WhatsApp", nil), wasender.Permanent, 0},
		"nobody with 200":  {fake.Refusal(200, "JID does not exist on WhatsApp", nil), wasender.Permanent, 0},
		"no such path":     {fake.Answer{Status: 404, Body: []byte("<html>")}, wasender.StopNumber, 0},
		"request timeout":  {fake.Refusal(408, "canary", nil), wasender.Ambiguous, 0},
		"server error":     {fake.Answer{Status: 500, Body: []byte(`{"message":"Server Error"}`)}, wasender.Ambiguous, 0},
		"bad gateway":      {fake.Answer{Status: 502, Body: []byte("<html>oops</html>")}, wasender.Ambiguous, 0},
		"unavailable":      {fake.Answer{Status: 503, Body: []byte("{}")}, wasender.Ambiguous, 0},
		"refused with 200": {fake.Refusal(200, "canary", nil), wasender.Retry, 0},
		"wrong with 200":   {fake.Refusal(200, "canary", wrong), wasender.Permanent, 0},
		"no id":            {fake.Answer{Body: []byte(`{"success":true,"data":{}}`)}, wasender.Ambiguous, 0},
		"odd id":           {fake.Answer{Body: []byte(`{"success":true,"data":{"msgId":"x"}}`)}, wasender.Ambiguous, 0},
		"truncated":        {fake.Answer{Body: []byte(`{"success":true,"data":{"msg`)}, wasender.Ambiguous, 0},
		"empty":            {fake.Answer{Body: []byte{}}, wasender.Ambiguous, 0},
		"deep":             {fake.Answer{Body: bytes.Repeat([]byte(`{"a":`), 10_000)}, wasender.Ambiguous, 0},
		"redirect":         {fake.Answer{Status: 307, Header: http.Header{"Location": {"/api/send-message"}}}, wasender.Ambiguous, 0},
		"other host":       {fake.Answer{Status: 302, Header: http.Header{"Location": {"http://parley.invalid/"}}, Body: []byte("{}")}, wasender.Ambiguous, 0},
		"shorter body":     {fake.Answer{Header: http.Header{"Content-Length": {"1000"}}, Body: []byte(`{"success":true,"data":{"msgId":1}}`)}, wasender.Ambiguous, 0},
		"hangup":           {fake.Answer{Hangup: true}, wasender.Ambiguous, 0},
		"accepted, lost":   {fake.Answer{Lost: true}, wasender.Ambiguous, 0},
		"dropped":          {fake.Answer{Drop: true}, wasender.RetryNumber, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			api := gateway(always(c.answer))
			e := refused(t, t.Context(), serve(t, api), toAnn, c.class)
			if e.RetryAfter != c.wait {
				t.Errorf("wait %v, want %v: %v", e.RetryAfter, c.wait, e)
			}
			if n := api.Requests("POST /send-message"); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestSendIsAmbiguousWhenTheAnswerIsLate(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	client := serve(t, gateway(func(context.Context, fake.Send) fake.Answer {
		close(arrived)
		<-release
		return fake.Answer{}
	}))
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if e := refused(t, ctx, client, toAnn, wasender.Ambiguous); !errors.Is(e, context.Canceled) {
		t.Errorf("%v", e)
	}
}

// A keep-alive connection that dies under a send must not make the transport send twice.
func TestSendIsNotRepeatedOnAReusedConnection(t *testing.T) {
	var sends atomic.Int32
	client := serve(t, gateway(func(context.Context, fake.Send) fake.Answer { return fake.Answer{Hangup: sends.Add(1) == 2} }))
	if _, err := client.Send(t.Context(), toAnn); err != nil {
		t.Fatal(err)
	}
	refused(t, t.Context(), client, toAnn, wasender.Ambiguous)
	if n := sends.Load(); n != 2 {
		t.Errorf("%d sends", n)
	}
}

// Before there is a connection nothing can have been sent; nor when the phone of a
// LID could not be found out.
func TestSendCanBeRepeatedWhenNothingWasSent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	listener.Close()
	for _, url := range []string{closed, "http://parley.invalid", "://"} {
		if e := refused(t, t.Context(), wasender.NewClient(options(url)), toAnn, wasender.Retry); e.Err == nil || e.Status != 0 {
			t.Errorf("%s: %+v", url, e)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	refused(t, ended, serve(t, gateway(nil)), toAnn, wasender.Retry)
	broken := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	toCem := wasender.Outgoing{Channel: channel, Message: text("", "987654321@lid", "hello")}
	refused(t, t.Context(), broken, toCem, wasender.Retry)
}

func TestSendReadsABoundedAnswer(t *testing.T) {
	const size = 100 << 20
	written := make(chan int64, 1)
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.CopyN(w, endless{}, size) // fails when the client hangs up
		written <- n
	}))
	refused(t, t.Context(), client, toAnn, wasender.Ambiguous)
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

func TestRates(t *testing.T) {
	now := time.Unix(1776000000, 0)
	rates := make(chan wasender.Rate, 4)
	api := gateway(nil)
	api.Now = func() time.Time { return now }
	api.Add(fake.Session{ID: 8, APIKey: "limited-key", Status: "CONNECTED", PerMinute: 2})
	client := serve(t, api, func(o *wasender.Options) {
		o.Now, o.JoinWithin, o.Key = api.Now, -1, func(string) string { return "limited-key" }
		o.OnRate = func(c string, r wasender.Rate) {
			if c != channel {
				t.Errorf("rate of %s", c)
			}
			rates <- r
		}
	})
	for left := 1; left >= 0; left-- {
		if _, err := client.Send(t.Context(), toAnn); err != nil {
			t.Fatal(err)
		}
		if r := <-rates; r.Limit != 2 || r.Remaining != left || !r.Reset.Equal(now.Add(time.Minute)) {
			t.Errorf("rate %+v", r)
		}
	}
	if e := refused(t, t.Context(), client, toAnn, wasender.RetryNumber); e.RetryAfter != time.Minute {
		t.Errorf("%+v", e)
	}
	daily := http.Header{"X-Ratelimit-Daily-Limit": {"50"}, "X-Ratelimit-Daily-Remaining": {"0"}, "X-Ratelimit-Daily-Reset": {"7200"}}
	api.OnSend = always(fake.Answer{Status: 429, Header: daily, Body: []byte("{}")})
	now = now.Add(time.Minute)
	if e := refused(t, t.Context(), client, toAnn, wasender.RetryNumber); e.RetryAfter != 2*time.Hour {
		t.Errorf("%+v", e)
	}
}

func TestSessionsOverTheirLife(t *testing.T) {
	api := gateway(nil)
	client, ctx := serve(t, api), t.Context()
	if status, err := client.Status(ctx, channel); err != nil || status != wasender.Connected {
		t.Errorf("status %s, %v", status, err)
	}
	if err := errors.Join(client.Restart(ctx, 7), client.Disconnect(ctx, 7)); err != nil {
		t.Error(err)
	}
	refused(t, ctx, client, toAnn, wasender.RetryNumber)
	var call *wasender.CallError
	if err := client.Restart(ctx, 7); !errors.As(err, &call) || call.Refusal.Class != wasender.RetryNumber || call.Call != "restart" {
		t.Errorf("restart: %v", err)
	}
	p, err := client.Connect(ctx, 7, "passkey")
	if err != nil || p.Status != wasender.NeedPasskey || p.Passkey.Reveal() == "" || p.Expires.IsZero() {
		t.Errorf("passkey: %+v, %v", p, err)
	}
	p, err = client.Connect(ctx, 7, "qr")
	if err != nil || p.Status != wasender.NeedScan || !strings.HasPrefix(p.QR.Reveal(), "2@") {
		t.Errorf("qr: %+v, %v", p, err)
	}
	again, err := client.QRCode(ctx, 7)
	if err != nil || again.QR != p.QR || again.Status != wasender.NeedScan {
		t.Errorf("qr: %+v, %v", again, err)
	}
	api.SetStatus(7, "connected")
	if p, err := client.Connect(ctx, 7, "qr"); err != nil || p.Status != wasender.Connected {
		t.Errorf("connected: %+v, %v", p, err)
	}
	list, err := client.Sessions(ctx)
	if err != nil || len(list) != 1 || list[0].ID != 7 || list[0].APIKey != "" {
		t.Errorf("sessions %+v, %v", list, err)
	}
	s, err := client.Session(ctx, 7)
	if err != nil || s.APIKey.Reveal() != apiKey || s.WebhookSecret.Reveal() != secret || s.Status != wasender.Connected {
		t.Errorf("session %+v, %v", s, err)
	}
	data, _ := json.Marshal(s)
	if all := fmt.Sprintf("%v %+v %#v %s %s", s, s, s, s.APIKey, data); strings.Contains(all, apiKey) || strings.Contains(all, secret) {
		t.Errorf("a secret is printed: %s", all)
	}
	if _, err := client.Session(ctx, 99); err == nil || strings.Contains(err.Error(), "not found") {
		t.Errorf("unknown session: %v", err)
	}
}

func contentOf(t *testing.T, file *meta.File) string {
	t.Helper()
	defer file.Body.Close()
	content, err := io.ReadAll(file.Body)
	if err != nil {
		t.Error(err)
	}
	return string(content)
}

func TestOtherCalls(t *testing.T) {
	api := gateway(nil)
	client, ctx := serve(t, api), t.Context()
	if link, err := client.Upload(ctx, channel, "image/png", []byte("png")); err != nil || link != "https://files.example/3" {
		t.Errorf("upload: %q, %v", link, err)
	}
	image := split(t, fake.Received(apiKey, at, fake.File(ann, "3EB0AA", at, "image", "image/png", nil)))[0]
	api.File = func(id string) (string, []byte) { return "image/png", []byte("png of " + id) }
	if file, err := client.Media(ctx, channel, image.GetRaw()); err != nil || file.MimeType != "image/png" || contentOf(t, file) != "png of 3EB0AA" {
		t.Errorf("media: %+v, %v", file, err)
	}
	hello := split(t, fake.Received(apiKey, at, fake.Text(ann, "3EB0AB", at, "hi")))[0]
	if _, err := client.Media(ctx, channel, hello.GetRaw()); !errors.Is(err, meta.ErrMediaGone) {
		t.Errorf("the file of a text: %v", err)
	}
	if _, err := client.Media(ctx, channel, []byte("{")); err == nil {
		t.Error("decrypted nothing")
	}
	if err := client.MarkRead(ctx, channel, ann.Phone, "3EB0AA"); err != nil {
		t.Error(err)
	}
	id, err := client.Send(ctx, toAnn)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := client.MessageInfo(ctx, channel, 100_000); err != nil || info.ID != id || info.Status != "sent" {
		t.Errorf("info %+v, %v", info, err)
	}
	logs, more, err := client.MessageLogs(ctx, 7, 1, 10)
	if err != nil || more || len(logs) != 1 || logs[0].MsgID != 100_000 || logs[0].To != "+15550002222" || logs[0].Status != "sent" || logs[0].At.IsZero() {
		t.Errorf("logs %+v, %v, %v", logs, more, err)
	}
	if err := client.Resend(ctx, channel, 100_000); err != nil {
		t.Error(err)
	}
	if _, err := client.MessageInfo(ctx, channel, 1); err == nil {
		t.Error("info of nothing")
	}
}

func TestClientSendsKeysWhereTheyBelong(t *testing.T) {
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := "Bearer " + apiKey
		if strings.HasPrefix(r.URL.Path, "/api/whatsapp-sessions") {
			want = "Bearer " + accountToken
		}
		if r.Header.Get("Authorization") != want || strings.Contains(r.URL.String(), apiKey) {
			t.Errorf("%s with %s", r.URL, r.Header.Get("Authorization"))
		}
		w.Write([]byte(`{"success":true,"data":{"status":"connected","msgId":1,"id":1}}`))
	}))
	if _, err := client.Send(t.Context(), toAnn); err != nil {
		t.Error(err)
	}
	if _, err := client.Session(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

func TestClientIsSafeForConcurrentUse(t *testing.T) {
	api := gateway(nil)
	client := serve(t, api)
	var ids sync.Map
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 5 {
				id, err := client.Send(t.Context(), toAnn)
				if _, doubled := ids.LoadOrStore(id, true); err != nil || doubled {
					t.Errorf("send: %q, %v", id, err)
				}
			}
		})
	}
	wg.Wait()
	if api.Accepted() != 100 {
		t.Errorf("%d accepted", api.Accepted())
	}
}
