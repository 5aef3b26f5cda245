package ingress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var (
	ada  = fake.Person{Phone: "16505551234", BSUID: "US.13491208655302741918", Name: "Ada"}
	bob  = fake.Person{Phone: "4915112345678", Name: "Bob"}
	hide = fake.Person{BSUID: "DE.ENT.9876543210", Name: "No number"}
)

// One POST with everything: each update goes to the stream it belongs to, in
// order, on the shard and subject of its contact, with its own bytes.
func TestStore(t *testing.T) {
	i := install(t)
	body := fake.Payload(waba, channel,
		fake.Text(ada, "wamid.a1", at, "hello/\u00e9"),
		fake.Text(bob, "wamid.b1", at, "hi"),
		fake.Receipt(ada, "wamid.out1", "sent", at, ""),
		fake.Receipt(ada, "wamid.out1", "delivered", at, ""),
		fake.Text(hide, "wamid.h1", at, "hey"), // PEERS C27: known by BSUID only
		fake.Message(bob, "wamid.b2", at, "hologram", map[string]any{"x": 1}),
		fake.Raw("message_template_status_update", map[string]any{"event": "APPROVED"}),
		fake.Receipt(bob, "wamid.out2", "evaporated", at, ""), // an unknown status has no rank: kept with the updates
	)
	i.post(t, body, http.StatusOK)

	in, status := i.contents(t, bus.StreamIn), i.contents(t, bus.StreamStatus)
	notice := in[4].envelope.Id
	wantIDs(t, in, "wamid.a1", "wamid.b1", "wamid.h1", "wamid.b2", notice, "wamid.out2/evaporated")
	wantIDs(t, status, "wamid.out1/sent", "wamid.out1/delivered")
	if k := in[4].envelope.Kind; k != parleyv1.Kind_KIND_ACCOUNT {
		t.Errorf("a notice is of kind %s", k)
	}
	for n, lane := range []string{ada.BSUID, bob.Phone, hide.BSUID, bob.Phone} {
		want := bus.SubjectIn(bus.ShardOf(portfolio(channel), lane, shards), channel, lane)
		if in[n].subject != want {
			t.Errorf("%s is on %s, want %s", in[n].envelope.Id, in[n].subject, want)
		}
	}
	for _, s := range append(in, status...) {
		if !bytes.Contains(body, s.envelope.Raw) || len(s.envelope.Raw) == 0 {
			t.Errorf("%s: its raw bytes are not part of the POST", s.envelope.Id)
		}
		if s.envelope.Portfolio != portfolio(channel) && s.envelope.Channel == channel {
			t.Errorf("%s: portfolio %q", s.envelope.Id, s.envelope.Portfolio)
		}
		if s.envelope.ReceivedAtMs != at.UnixMilli() {
			t.Errorf("%s: received at %d", s.envelope.Id, s.envelope.ReceivedAtMs)
		}
	}
}

// A receipt that echoes our delivery id goes to the shard that sent the message,
// whatever identity it names; any other goes to its contact's.
func TestStoreReceiptShard(t *testing.T) {
	own := bus.ShardOf(portfolio(channel), ada.BSUID, shards)
	sender := (own + 5) % shards
	for callback, want := range map[string]int{
		store.DeliveryID(sender, 77):                                     sender,
		store.Callback(store.DeliveryKey{Shard: sender, Offset: 77}, at): sender,
		store.DeliveryID(own, 1):                                         own,
		store.DeliveryID(shards, 77):                                     own, // no such shard
		"p1.3.0":                                                         own,
		"p2.3.77":                                                        own,
		"p1.03.77":                                                       own,
		"another system's":                                               own,
		"":                                                               own,
	} {
		status := &shelf{}
		body := fake.Payload(waba, channel, fake.Receipt(ada, "wamid.out", "delivered", at, callback))
		if w := do(newHandler(&shelf{}, status, &bytes.Buffer{}), request(body)); w.Code != http.StatusOK {
			t.Fatalf("%q answered %d", callback, w.Code)
		}
		if got := status.messages[0].Subject; got != bus.SubjectStatus(want, channel, ada.BSUID) {
			t.Errorf("%q is on %s, want shard %d", callback, got, want)
		}
	}
}

// Meta posts up to 1,000 updates at once (WIRE 1.3).
func TestStoreThousand(t *testing.T) {
	i := install(t)
	var items []fake.Item
	var messages, receipts []string
	for n := range 1000 {
		if n%3 == 2 {
			items = append(items, fake.Receipt(bob, fmt.Sprintf("wamid.o%d", n), "read", at, ""))
			receipts = append(receipts, fmt.Sprintf("wamid.o%d/read", n))
			continue
		}
		items = append(items, fake.Text(bob, fmt.Sprintf("wamid.%d", n), at, "x"))
		messages = append(messages, fmt.Sprintf("wamid.%d", n))
	}
	i.post(t, fake.Payload(waba, channel, items...), http.StatusOK)
	wantIDs(t, i.contents(t, bus.StreamIn), messages...)
	wantIDs(t, i.contents(t, bus.StreamStatus), receipts...)
}

// PEERS C5, C16: two quick messages, in one POST or in two, are two updates.
// The same POST again is stored again: only the inbox may drop it.
func TestStoreNeverDrops(t *testing.T) {
	i := install(t)
	i.post(t, message("wamid.1"), http.StatusOK)
	i.post(t, message("wamid.1"), http.StatusOK)
	i.post(t, message("wamid.2"), http.StatusOK)
	wantIDs(t, i.contents(t, bus.StreamIn), "wamid.1", "wamid.1", "wamid.2")
}

// Concurrent POSTs share their commits; each is there when it is answered.
func TestStoreConcurrently(t *testing.T) {
	i := install(t)
	const posts = 40
	var group sync.WaitGroup
	codes := make([]int, posts)
	for n := range posts {
		group.Go(func() { codes[n] = do(i, request(message(fmt.Sprintf("wamid.%d", n)))).Code })
	}
	group.Wait()
	got := ids(i.contents(t, bus.StreamIn))
	for n, code := range codes {
		if id := fmt.Sprintf("wamid.%d", n); code != http.StatusOK || !slices.Contains(got, id) {
			t.Errorf("%s answered %d, stored is %t", id, code, slices.Contains(got, id))
		}
	}
	if len(got) != posts {
		t.Errorf("stored %d updates of %d", len(got), posts)
	}
}

// Authentic payloads that cannot be decoded are kept whole, and answered 200:
// repeating them would not help.
func TestStoreUnreadable(t *testing.T) {
	i := install(t)
	bodies := []string{
		"", "nonsense", `{"object":"page","entry":[]}`, `[]`, `{"object":"whatsapp_business_account","entry":{}}`,
		strings.Repeat("[", 100), "\xff\xfe\x00", `{"object":"whatsapp_business_account","entry":[`,
	}
	for _, body := range bodies {
		i.post(t, []byte(body), http.StatusOK)
	}
	list := i.contents(t, bus.StreamIn)
	if len(list) != len(bodies) {
		t.Fatalf("stored %d, want %d", len(list), len(bodies))
	}
	for n, s := range list {
		if s.envelope.Kind != parleyv1.Kind_KIND_UNREADABLE || string(s.envelope.Raw) != bodies[n] || s.envelope.Reason == "" {
			t.Errorf("%q is kept as %s %q: %s", bodies[n], s.envelope.Kind, s.envelope.Raw, s.envelope.Reason)
		}
	}
}

// RELIABILITY A6: names, texts and ids with bytes that protobuf or PostgreSQL
// refuse must not make the webhook fail for ever.
func TestStoreOddText(t *testing.T) {
	i := install(t)
	const frame = `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{` +
		`"metadata":{"phone_number_id":"2"},"contacts":[{"profile":{"name":"%s"},"wa_id":"3"}],` +
		`"messages":[{"from":"3","id":"wamid.%d","timestamp":"%s","type":"text","text":{"body":"%[1]s"}}]}}]}]}`
	odd := []string{"\xff\xfe", `\u0000`, `\ud800`, `\udc00\ud800`, "\xed\xa0\x80", `\u202e`, strings.Repeat(`\u0000`, 1000)}
	for n, text := range odd {
		i.post(t, fmt.Appendf(nil, frame, text, n, "1e400"), http.StatusOK)
	}
	list := i.contents(t, bus.StreamIn)
	for n, s := range list {
		if s.envelope.Kind != parleyv1.Kind_KIND_MESSAGE || !bytes.Contains(s.envelope.Raw, []byte(odd[n])) {
			t.Errorf("%q is kept as %s with raw %q", odd[n], s.envelope.Kind, s.envelope.Raw)
		}
	}
	if len(list) != len(odd) {
		t.Errorf("stored %d updates of %d", len(list), len(odd))
	}
}

func TestStoreNothing(t *testing.T) {
	in := &shelf{}
	body := []byte(`{"object":"whatsapp_business_account","entry":[]}`)
	if w := do(newHandler(in, in, &bytes.Buffer{}), request(body)); w.Code != http.StatusOK || in.count() != 0 {
		t.Errorf("answered %d, stored %d", w.Code, in.count())
	}
}

// PEERS C35, C34: what is not known to be on disk is not acknowledged. Both
// streams count.
func TestNotStored(t *testing.T) {
	failing := func(err error) Publisher {
		return publisherFunc(func(context.Context, ...bus.Message) error { return err })
	}
	both := fake.Payload(waba, channel, fake.Text(ada, "wamid.1", at, "x"), fake.Receipt(ada, "wamid.o", "sent", at, ""))
	for name, c := range map[string]struct {
		in, status Publisher
		want       int
	}{
		"stored":           {&shelf{}, &shelf{}, http.StatusOK},
		"updates fail":     {failing(errDisk), &shelf{}, http.StatusServiceUnavailable},
		"receipts fail":    {&shelf{}, failing(errDisk), http.StatusServiceUnavailable},
		"both fail":        {failing(errDisk), failing(errDisk), http.StatusServiceUnavailable},
		"overloaded":       {failing(bus.ErrOverloaded), &shelf{}, http.StatusServiceUnavailable},
		"stream full":      {failing(bus.ErrFull), &shelf{}, http.StatusServiceUnavailable},
		"timeout":          {failing(context.DeadlineExceeded), &shelf{}, http.StatusServiceUnavailable},
		"publisher closed": {&shelf{}, failing(bus.ErrClosed), http.StatusServiceUnavailable},
	} {
		if w := do(newHandler(c.in, c.status, &bytes.Buffer{}), request(both)); w.Code != c.want {
			t.Errorf("%s: answered %d, want %d", name, w.Code, c.want)
		}
	}
}

// A disk that hangs is a 503 after publishTimeout, not a request that hangs.
func TestHangingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := publisherFunc(func(ctx context.Context, _ ...bus.Message) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
		started := time.Now()
		w := do(newHandler(hang, hang, &bytes.Buffer{}), request(message("wamid.1")))
		if took := time.Since(started); w.Code != http.StatusServiceUnavailable || took != publishTimeout {
			t.Errorf("answered %d after %s", w.Code, took)
		}
	})
}

// The real thing: with NATS gone nothing is acknowledged.
func TestNATSGone(t *testing.T) {
	i := install(t)
	i.post(t, message("wamid.1"), http.StatusOK)
	i.js.Conn().Close()
	i.post(t, message("wamid.2"), http.StatusServiceUnavailable)
}

// Whatever happens to a webhook, who wrote what stays out of the log.
func TestLogNamesNobody(t *testing.T) {
	var log bytes.Buffer
	canary := fake.Person{Phone: "15559990000", BSUID: "US.CANARYBSUID", Name: "Canaria Name"}
	body := fake.Payload(waba, channel,
		fake.Text(canary, "wamid.CANARYID", at, "canary text"), fake.Receipt(canary, "wamid.CANARYOUT", "read", at, "canary callback"))
	fail := publisherFunc(func(context.Context, ...bus.Message) error { return errors.Join(errDisk, bus.ErrOverloaded) })
	var answers strings.Builder
	for _, r := range []*http.Request{request(body), request(body[:len(body)/2]), request(append([]byte("x"), body...))} {
		answers.WriteString(do(newHandler(fail, fail, &log), r).Body.String())
		r.Header.Del("X-Hub-Signature-256")
		answers.WriteString(do(newHandler(fail, fail, &log), r).Body.String())
	}
	if !strings.Contains(log.String(), "webhook not stored") {
		t.Fatal("nothing was logged, so this test shows nothing")
	}
	for _, word := range []string{canary.Phone, canary.BSUID, "Canaria", "CANARY", "canary", secret, "sha256="} {
		if strings.Contains(log.String()+answers.String(), word) {
			t.Errorf("%q stands in the log or in an answer:\n%s", word, log.String())
		}
	}
}
