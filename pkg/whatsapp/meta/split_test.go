package meta_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var (
	ann = fake.Person{Phone: "15550002222", Name: "Ann"}
	bea = fake.Person{BSUID: "US.100200300", Name: "Bea"}
	cem = fake.Person{Phone: "15550003333", BSUID: "DE.400500600", Name: "Cem"}
	at  = time.Unix(1776000000, 0)
)

const (
	account = "200000000000001"
	number  = "100000000000001"
)

// webhook is a POST whose change value holds the given members.
func webhook(members string) []byte {
	return []byte(`{"object":"whatsapp_business_account","entry":[{"id":"` + account + `","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"` + number + `"},` + members + `}}]}]}`)
}

// split splits a body and checks what holds of every body.
func split(t *testing.T, body []byte) []*parleyv1.Envelope {
	t.Helper()
	envelopes := meta.Split(body, receivedAt)
	for _, e := range envelopes {
		checkEnvelope(t, body, e)
	}
	checkCoverage(t, body, envelopes)
	return envelopes
}

func TestSplitReadsWhatTheFakePosts(t *testing.T) {
	envelopes := split(t, fake.Payload(account, number,
		fake.Text(ann, "wamid.1", at, "héllo 😀 </script>"),
		fake.Text(bea, "wamid.2", at, "hi"),
		fake.Receipt(cem, "wamid.OUT", "delivered", at, "d-1"),
		fake.Image(cem, "wamid.3", at, "my house"),
		fake.Raw("account_update", map[string]any{"event": "ACCOUNT_DELETED"}),
		fake.Receipt(cem, "wamid.OUT", "failed", at, "d-1"),
	))
	want := []struct{ id, lane, phone, bsuid, name string }{
		{"wamid.1", "15550002222", "15550002222", "", "Ann"},
		{"wamid.2", "US.100200300", "", "US.100200300", "Bea"},
		{"wamid.OUT/delivered", "DE.400500600", "15550003333", "DE.400500600", "Cem"},
		{"wamid.3", "DE.400500600", "15550003333", "DE.400500600", "Cem"},
		{"", account, "", "", ""},
		{"wamid.OUT/failed", "15550003333", "15550003333", "", ""}, // Meta names only the phone it was sent to
	}
	if len(envelopes) != len(want) {
		t.Fatalf("%d envelopes, want %d", len(envelopes), len(want))
	}
	for i, w := range want {
		e, c := envelopes[i], envelopes[i].GetContact()
		if w.id != "" && e.GetId() != w.id {
			t.Errorf("envelope %d: id %s", i, e.GetId())
		}
		if e.GetLaneKey() != w.lane || c.GetPhone() != w.phone || c.GetBsuid() != w.bsuid || c.GetName() != w.name {
			t.Errorf("envelope %d: lane %s, contact %v", i, e.GetLaneKey(), c)
		}
	}
	if msg, ok, err := meta.DecodeMessage(envelopes[0]); err != nil || !ok || msg.GetText() != "héllo 😀 </script>" {
		t.Errorf("decoded %v, %v, %v", msg, ok, err)
	}
}

// Meta's most is 1,000 updates and 3 MB in a POST.
func TestSplitKeepsEveryUpdateOfABatch(t *testing.T) {
	body := mixed(1000)
	if len(body) < 1<<20 || len(body) > 3<<20 {
		t.Fatalf("%d bytes", len(body))
	}
	kinds := map[parleyv1.Kind]int{}
	for i, e := range split(t, body) {
		kinds[e.GetKind()]++
		if phone := fmt.Sprintf("1555%07d", i); e.GetLaneKey() != phone || e.GetContact().GetName() != "Ann" {
			t.Fatalf("envelope %d is of %v", i, e.GetContact())
		}
	}
	want := map[parleyv1.Kind]int{
		parleyv1.Kind_KIND_MESSAGE: 500, parleyv1.Kind_KIND_RECEIPT: 167, parleyv1.Kind_KIND_ECHO: 167, parleyv1.Kind_KIND_PREFERENCE: 166,
	}
	if !maps.Equal(kinds, want) {
		t.Errorf("kinds %v", kinds)
	}
}

// A retry may be batched differently: what has no id of its own must keep its digest.
func TestSplitGivesAnUpdateOneIDHoweverItIsBatched(t *testing.T) {
	notice := fake.Raw("account_update", map[string]any{"event": "ACCOUNT_DELETED"})
	alone := split(t, fake.Payload(account, number, notice))
	batched := split(t, fake.Payload(account, number, fake.Text(ann, "wamid.1", at, "hi"), notice, notice))
	if alone[0].GetId() != batched[1].GetId() || batched[1].GetId() != batched[2].GetId() {
		t.Errorf("one change has the ids %s, %s and %s", alone[0].GetId(), batched[1].GetId(), batched[2].GetId())
	}
	other := split(t, fake.Payload("200000000000002", number, notice))
	if other[0].GetId() == alone[0].GetId() {
		t.Error("changes of two accounts have one id")
	}
}

func TestSplitKeepsWhatIsNoWebhookWhole(t *testing.T) {
	nested := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	deepest := string(webhook(`"messages":[{"id":"m","from":"1","x":` + nested(56) + `}]`))
	if got := split(t, []byte(deepest)); got[0].GetKind() != parleyv1.Kind_KIND_MESSAGE {
		t.Errorf("64 levels: %s", got[0].GetReason())
	}
	for name, body := range map[string]string{
		"empty": "", "space": " ", "null": "null", "list": "[]", "number": "1e400", "text": "hello", "html": "<html></html>",
		"two values": `{"object":"whatsapp_business_account","entry":[]}{}`,
		"no entry":   `{"object":"whatsapp_business_account"}`,
		"odd entry":  `{"object":"whatsapp_business_account","entry":{}}`,
		"no object":  `{"entry":[]}`,
		"quote":      `"`, "brace": "{", "escape": `"\`, "nbsp": "\u00a0{}",
		"65 levels":        strings.Replace(deepest, "[[", "[[[", 1) + "]",
		"65 levels, valid": string(webhook(`"messages":[{"id":"m","from":"1","x":` + nested(57) + `}]`)),
		"10k levels":       nested(10_000),
		"1M levels":        strings.Repeat(`{"a":`, 1_000_000),
		"too many updates": string(webhook(`"messages":[` + strings.Repeat("0,", 20_000) + `0]`)),
	} {
		envelopes := split(t, []byte(body))
		if len(envelopes) != 1 {
			t.Errorf("%s: %d envelopes", name, len(envelopes))
			continue
		}
		e := envelopes[0]
		if e.GetKind() != parleyv1.Kind_KIND_UNREADABLE || string(e.GetRaw()) != body || e.GetLaneKey() != "unreadable" {
			t.Errorf("%s: %s, lane %s, %d bytes", name, e.GetKind(), e.GetLaneKey(), len(e.GetRaw()))
		}
	}
}

func TestSplitToleratesOddText(t *testing.T) {
	body := webhook(`"contacts":[{"wa_id":"15550002222","profile":{"name":"A` + "\xff" + `\u0000nn\ud800"}}],` +
		`"messages":[{"id":"wamid.1","from":"15550002222","type":"text","text":{"body":"a` + "\xc3\x28" + `\u0000b\udc00"}}]`)
	e := split(t, body)[0]
	if name := e.GetContact().GetName(); name != "A\ufffdnn\ufffd" {
		t.Errorf("name %q", name)
	}
	if msg, ok, err := meta.DecodeMessage(e); err != nil || !ok || msg.GetText() != "a\ufffd(b\ufffd" {
		t.Errorf("decoded %v, %v, %v", msg, ok, err)
	}
}

// What stands once in a POST goes with each of its updates, so it has an end: 1,000
// messages beside a name of 1 MB would be 1 GB.
func TestSplitBoundsWhatIsRepeated(t *testing.T) {
	long := strings.Repeat("n", 1<<20)
	messages := strings.Repeat(`{"id":"m","from":"15550002222","type":"text","text":{"body":"hi"}},`, 999) + `{"id":"m","from":"15550002222"}`
	body := webhook(`"contacts":[{"wa_id":"15550002222","profile":{"name":"` + long + `","username":"` + long + `"}}],"messages":[` + messages + `]`)
	size := 0
	for _, e := range meta.Split(body, receivedAt) {
		size += proto.Size(e)
	}
	if size > 2*len(body) {
		t.Errorf("%d bytes of envelopes out of %d", size, len(body))
	}
}

func TestSplitBoundsIDs(t *testing.T) {
	long := strings.Repeat("9", 513)
	for _, member := range []string{
		`"messages":[{"id":"` + long + `","from":"15550002222"}]`,
		`"messages":[{"id":"a\u0000b c","from":"15550002222"}]`,
		`"messages":[{"id":"wamid.1","from":"` + long + `","from_user_id":"` + long + `"}]`,
		`"statuses":[{"id":"` + long + `","status":"sent"}]`,
		`"statuses":[{"id":"wamid.1","status":"` + long + `"}]`,
	} {
		if e := split(t, webhook(member))[0]; e.GetKind() != parleyv1.Kind_KIND_UNREADABLE {
			t.Errorf("%.60s is %s", member, e.GetKind())
		}
	}
}

func TestDecodeRefusesWhatIsNoUpdate(t *testing.T) {
	for _, raw := range []string{"", "null", "[]", "{", `{"id":"wamid.1",}`, `"text"`} {
		e := &parleyv1.Envelope{Raw: []byte(raw)}
		if _, _, err := meta.DecodeMessage(e); err == nil {
			t.Errorf("%q is a message", raw)
		}
		if _, err := meta.DecodeReceipt(e); err == nil {
			t.Errorf("%q is a receipt", raw)
		}
	}
	if _, err := meta.DecodeReceipt(&parleyv1.Envelope{Raw: []byte(`{"status":"sent"}`)}); err == nil {
		t.Error("a receipt without an id is one")
	}
}

// A change that was kept whole is taken apart later as if it came today, so that nothing
// that has come since has its effect twice.
func TestAgain(t *testing.T) {
	for _, item := range []fake.Item{fake.Past(ann, "wamid.p", at, true, "text", map[string]any{"body": "x"}), fake.Call(ann, "wacid.1", at, "connect", 0)} {
		body := fake.Payload(account, number, item)
		today := split(t, body)[0]
		whole := body[bytes.Index(body, []byte(`"changes":[`))+len(`"changes":[`) : bytes.Index(body, []byte(`],"id":"`+account))]
		again := meta.Again(&parleyv1.Envelope{Channel: number, Raw: whole})
		if len(again) != 1 || again[0].GetId() != today.GetId() || again[0].GetLaneKey() != today.GetLaneKey() || again[0].GetOurs() != today.GetOurs() || !bytes.Equal(again[0].GetRaw(), today.GetRaw()) {
			t.Errorf("%v, today %v", again, today)
		}
	}
	for _, raw := range []string{"", "7", "]}]}", `{"field":`} {
		for _, e := range meta.Again(&parleyv1.Envelope{Channel: "\xff\"", Raw: []byte(raw)}) {
			if k := e.GetKind(); k != parleyv1.Kind_KIND_UNREADABLE {
				t.Errorf("%q is %s", raw, k)
			}
		}
	}
}

// bigBody is a webhook of a size in bytes that is as nested as it may be.
func bigBody(size int) []byte {
	nest := strings.Repeat(`{"a":[`, 27) + `"x"` + strings.Repeat("]}", 27)
	return webhook(`"messages":[{"from":"15550002222","id":"wamid.1","type":"text","text":{"body":"hi"},"x":[` +
		strings.Repeat(nest+",", size/(len(nest)+1)) + `0]}]`)
}

// TestSplitIsLinear would take minutes if a level of nesting or a member cost a
// look at the whole body. The race detector makes it ten times slower than it is.
func TestSplitIsLinear(t *testing.T) {
	bodies := map[string][]byte{
		"nested":        bigBody(1 << 20),
		"keys":          webhook(strings.Repeat(`"messages":0,`, 75_000) + `"x":[1]`),
		"errors":        webhook(`"errors":[` + strings.Repeat(`{},`, 9_000) + `"` + strings.Repeat("x", 1<<20) + `"]`),
		"people":        webhook(`"contacts":[` + strings.Repeat(`{"wa_id":"1"},`, 50_000) + `{}],"messages":[` + strings.Repeat(`{"id":"m","from":"1"},`, 9_000) + `{}]`),
		"backslashes":   webhook(`"messages":[{"id":"m","from":"1","type":"` + strings.Repeat(`\\`, 1<<19) + `"}]`),
		"many brackets": bytes.Repeat([]byte("["), 1<<20),
	}
	for name, body := range bodies {
		start := time.Now()
		if len(meta.Split(body, receivedAt)) == 0 {
			t.Errorf("%s: nothing left", name)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: %v for %d bytes", name, took, len(body))
		}
	}
}

// BenchmarkSplit takes a POST apart and reads what its messages say, as ingress and
// session do.
func BenchmarkSplit(b *testing.B) {
	one := fake.Payload(account, number, fake.Text(cem, "wamid.1", at, "hello there"))
	for name, body := range map[string][]byte{"one": one, "1000": mixed(1000), "4MB": bigBody(4 << 20)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				for _, e := range meta.Split(body, receivedAt) {
					_, _, _ = meta.DecodeMessage(e)
				}
			}
		})
	}
}

// mixed is a POST of n updates of all kinds, of as many people.
func mixed(n int) []byte {
	items := make([]fake.Item, n)
	for i := range items {
		person, id := fake.Person{Phone: fmt.Sprintf("1555%07d", i), Name: "Ann"}, fmt.Sprintf("wamid.%d", i)
		items[i] = []fake.Item{
			fake.Text(person, id, at, strings.Repeat("héllo ", 700)), fake.Receipt(person, id, "read", at, "p1.3.4"),
			fake.Image(person, id, at, "my house"), fake.Echo(person, id, at, "text", map[string]any{"body": "I call you"}),
			fake.Message(person, id, at, "reaction", map[string]any{"message_id": "wamid.T", "emoji": "👍"}), fake.Preference(person, at, "stop"),
		}[i%6]
	}
	return fake.Payload(account, number, items...)
}

func FuzzSplit(f *testing.F) {
	payloads, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range payloads {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, e := range split(t, body) {
			if msg, ok, err := meta.DecodeMessage(e); (msg != nil) != ok || (ok && err != nil) {
				t.Errorf("decoded %v, %v, %v", msg, ok, err)
			}
			if r, err := meta.DecodeReceipt(e); err == nil && (r.WAMID == "" || r.Status == "") {
				t.Errorf("receipt %v", r)
			}
			_, _ = meta.DecodePast(e)
			_, _ = meta.DecodeVoiceCall(e)
			if kept := meta.WithoutSession(e); kept != nil && !json.Valid(kept) {
				t.Errorf("without its session: %q", kept)
			}
			meta.DecodeAction(e)
			meta.DecodeGroupMessage(e)
			meta.DecodeNotice(e)
		}
	})
}
