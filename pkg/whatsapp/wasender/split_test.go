package wasender_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	channel = "shop"
	apiKey  = "75075a7bf6417bff59e76fb7205382c2dc74cf1769e76f382c2dc74cf176c0bf"
	secret  = "fb61be92ddb7935e0cedcec58e470f6c"
)

var (
	ann = fake.Person{Phone: "15550002222", Name: "Ann"}
	bea = fake.Person{Phone: "15550003333", LID: "123456789", Name: "Bea"}
	cem = fake.Person{LID: "987654321", Name: "Cem"}
	at  = time.Unix(1776000000, 0)
)

func TestVerifySecret(t *testing.T) {
	for _, c := range []struct {
		header  string
		secrets []string
		want    bool
	}{
		{secret, []string{secret}, true},
		{secret, []string{"old", secret}, true},
		{secret, []string{secret, ""}, true},
		{secret + " ", []string{secret}, false},
		{secret[1:], []string{secret}, false},
		{"", []string{secret}, false},
		{"", []string{""}, false},
		{"", nil, false},
		{secret, nil, false},
	} {
		if got := wasender.VerifySecret(c.header, c.secrets...); got != c.want {
			t.Errorf("%q with %d secrets: %v", c.header, len(c.secrets), got)
		}
	}
}

// A message comes as upsert, received and personal, in any shape, and is one.
func TestAMessageHasOneIDHoweverItComes(t *testing.T) {
	for _, person := range []fake.Person{ann, bea, cem} {
		m := fake.Text(person, "3EB0AA", at, "hi")
		lane := person.Phone
		if lane == "" {
			lane = person.LID + "@lid"
		}
		for _, event := range []string{"messages.upsert", "messages.received", "messages-personal.received"} {
			for _, shape := range []fake.Shape{fake.Object, fake.List, fake.Bare, fake.Naked} {
				for _, when := range []time.Time{at, at.Add(3 * time.Millisecond)} {
					list := split(t, fake.Event(event, apiKey, when, shape, "messages", m))
					e := list[0]
					if len(list) != 1 || e.GetKind() != parleyv1.Kind_KIND_MESSAGE || e.GetId() != "3EB0AA" || e.GetLaneKey() != lane ||
						e.GetContact().GetName() != person.Name || e.GetProviderAtMs() != at.UnixMilli() || e.GetField() != event {
						t.Errorf("%s, shape %d: %d envelopes, %v", event, shape, len(list), e)
					}
					if msg, ok, err := wasender.DecodeMessage(e); err != nil || !ok || msg.GetText() != "hi" {
						t.Errorf("%s, shape %d: decoded %v, %v, %v", event, shape, msg, ok, err)
					}
				}
			}
		}
	}
}

func TestOursAreReceiptsAndNoInputs(t *testing.T) {
	ours := fake.Message(ann, fake.Key(ann, "3EB0OURS", true), at, "hi", map[string]any{"conversation": "hi"})
	for name, body := range map[string][]byte{
		"upsert": fake.Event("messages.upsert", apiKey, at, fake.List, "messages", ours),
		"sent":   fake.Sent(apiKey, ann, "3EB0OURS", at, ""),
		"update": fake.Receipt(apiKey, ann, "3EB0OURS", 2, at),
		"word":   fake.Receipt(apiKey, ann, "3EB0OURS", "SENT", at),
	} {
		e := split(t, body)[0]
		r, err := wasender.DecodeReceipt(e)
		if e.GetKind() != parleyv1.Kind_KIND_RECEIPT || e.GetId() != "3EB0OURS/sent" || err != nil || r.WAMID != "3EB0OURS" || r.Rank != 1 || r.Failed {
			t.Errorf("%s: %v, %+v, %v", name, e, r, err)
		}
		e.Kind = parleyv1.Kind_KIND_MESSAGE
		if _, ok, _ := wasender.DecodeMessage(e); ok && name == "upsert" {
			t.Errorf("%s is an input", name)
		}
	}
}

func TestReceiptsRankAsMetas(t *testing.T) {
	for status, want := range map[any]wasender.Receipt{
		0: {Status: "failed", Failed: true}, 1: {Status: "pending"}, 2: {Status: "sent", Rank: 1}, 3: {Status: "delivered", Rank: 2},
		4: {Status: "read", Rank: 3}, 5: {Status: "played", Rank: 4}, "ERROR": {Status: "failed", Failed: true}, "4": {Status: "read", Rank: 3},
		"Delivered": {Status: "delivered", Rank: 2}, "SERVER_ACK": {Status: "sent", Rank: 1}, "other": {Status: "other"},
	} {
		got, err := wasender.DecodeReceipt(split(t, fake.Receipt("", ann, "R", status, at))[0])
		if err != nil || got.Status != want.Status || got.Rank != want.Rank || got.Failed != want.Failed || !got.At.Equal(at) || got.Callback != "" {
			t.Errorf("%v: %+v, %v", status, got, err)
		}
	}
	for _, isRead := range []bool{false, true} {
		e := split(t, fake.GroupReceipt(apiKey, bea, "1203@g.us", "R", isRead, at))[0]
		r, err := wasender.DecodeReceipt(e)
		if want := map[bool]string{false: "R/delivered/123456789@lid", true: "R/read/123456789@lid"}[isRead]; err != nil || e.GetId() != want || r.WAMID != "R" {
			t.Errorf("%v, %+v, %v", e, r, err)
		}
	}
}

func TestDecodeRefusesWhatIsNoUpdate(t *testing.T) {
	for _, raw := range []string{"", "null", "[]", "{", `{"id":"x",}`, `"text"`, strings.Repeat("[", 1<<20)} {
		e := &parleyv1.Envelope{Raw: []byte(raw)}
		if _, _, err := wasender.DecodeMessage(e); err == nil {
			t.Errorf("%.20q is a message", raw)
		}
		if _, err := wasender.DecodeReceipt(e); err == nil {
			t.Errorf("%.20q is a receipt", raw)
		}
		if _, ok := wasender.DecodeSession(e); ok {
			t.Errorf("%.20q is about a session", raw)
		}
	}
}

// Whatever is put into POSTs of whatever shape, as many envelopes come out, each
// with the id and the text that went in.
func TestSplitLosesNothing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var updates []fake.Update
		var texts []string
		for i := range rapid.IntRange(1, 40).Draw(r, "updates") {
			person := rapid.SampledFrom([]fake.Person{ann, bea, cem}).Draw(r, "person")
			text := rapid.StringMatching(`[a-zé😀"\\/<\x01 ]{1,20}`).Draw(r, "text")
			texts = append(texts, text)
			updates = append(updates, fake.Text(person, fmt.Sprintf("ID%d", i), at, text))
		}
		shape := rapid.SampledFrom([]fake.Shape{fake.List, fake.Naked}).Draw(r, "shape")
		body := fake.Event("messages.upsert", apiKey, at, shape, "messages", updates...)
		if rapid.Bool().Draw(r, "indented") {
			var b bytes.Buffer
			if err := json.Indent(&b, body, " ", "\t"); err != nil {
				r.Fatal(err)
			}
			body = b.Bytes()
		}
		list := wasender.Split(body, channel, receivedAt)
		if len(list) != len(updates) {
			r.Fatalf("%d envelopes of %d updates", len(list), len(updates))
		}
		for i, e := range list {
			msg, ok, err := wasender.DecodeMessage(e)
			if e.GetId() != fmt.Sprintf("ID%d", i) || err != nil || !ok || msg.GetText() != texts[i] {
				r.Errorf("%v: %v, %v, want %q", e, msg, err, texts[i])
			}
			if bytes.Contains(e.GetRaw(), []byte(apiKey)) {
				r.Errorf("the key survived: %s", e.GetRaw())
			}
		}
	})
}

// holds is whether anything of an envelope holds a secret, however JSON spells it.
func holds(e *parleyv1.Envelope, secret string) bool {
	all := fmt.Sprintln(e.GetId(), e.GetChannel(), e.GetLaneKey(), e.GetContact(), e.GetField(), e.GetReason(), string(e.GetRaw()))
	var decoded any
	if json.Unmarshal(e.GetRaw(), &decoded) == nil {
		all += fmt.Sprintln(decoded)
	}
	return strings.Contains(all, secret)
}

func TestNoSecretSurvives(t *testing.T) {
	escaped := ""
	for _, c := range apiKey {
		escaped += fmt.Sprintf(`\u%04x`, c)
	}
	message := `{"key":{"id":"1","fromMe":false,"remoteJid":"15550002222@s.whatsapp.net","x":"%s"},"pushName":"%s","message":{"conversation":"a %s b"}}`
	bodies := map[string]string{
		"status":      string(fake.Status(apiKey, "connected", at)),
		"qr":          string(fake.QR(apiKey, "2@pairing-code", at)),
		"receipt":     string(fake.Receipt(apiKey, ann, "R", 2, at)),
		"receipts":    `[` + string(fake.Receipt(apiKey, ann, "R", 2, at)) + `,` + string(fake.Sent(apiKey, ann, "R", at, apiKey)) + `]`,
		"everywhere":  `{"sessionId":"` + apiKey + `","event":"messages.received","data":{"messages":` + strings.ReplaceAll(message, "%s", apiKey) + `}}`,
		"escaped":     `{"sessionId":"` + escaped + `","event":"messages.received","data":{"messages":` + strings.ReplaceAll(message, "%s", apiKey) + `}}`,
		"elsewhere":   `{"sessionId":"` + apiKey + `","event":"messages.received","data":{"messages":` + strings.ReplaceAll(message, "%s", escaped) + `}}`,
		"after":       `{"event":"messages.received","data":{"messages":` + strings.ReplaceAll(message, "%s", apiKey) + `},"session\u0049d" : "` + apiKey + `"}`,
		"event":       `{"event":"x` + apiKey + `","sessionId":"` + apiKey + `"}`,
		"passkey":     `{"event":"passkey.updated","data":{"stage":"request","token":"` + apiKey + `","code":"pairing-code","requestId":"` + apiKey + `"}}`,
		"qrCode":      `{"event":"qrcode.updated","data":{"qrCode":"2@pairing-code"}}`,
		"spelling":    `{"event":"new","data":{"API_KEY":"` + apiKey + `","webhook_secret":["` + apiKey + `"],"passkey":{"token":"` + apiKey + `"}}}`,
		"truncated":   `{"event":"messages.received","sessionId":"` + apiKey,
		"truncated 2": `{"event":"messages.received","data":"` + apiKey + `","sessionId":"` + apiKey + `"`,
		"too deep":    strings.Repeat("[", 100) + `{"sessionId":"` + apiKey + `"}`,
		"no JSON":     `sessionId="` + apiKey + `" "sessionId":"` + apiKey + `"`,
		"doubled":     `{"sessionId":"other-session-key","sessionId":"` + apiKey + `","event":"x","y":"other-session-key ` + apiKey + `"}`,
	}
	for name, body := range bodies {
		for _, e := range split(t, []byte(body)) {
			if holds(e, apiKey) || holds(e, "pairing-code") || holds(e, "other-session-key") {
				t.Errorf("%s: a secret survived: %v", name, e)
			}
			if name == "everywhere" || name == "after" {
				if msg, ok, err := wasender.DecodeMessage(e); err != nil || !ok || msg.GetText() != "a [redacted] b" {
					t.Errorf("%s: decoded %v, %v, %v", name, msg, ok, err)
				}
			}
		}
	}
	for _, e := range split(t, fake.Received("", at, fake.Text(ann, "1", at, "my key is "+secret)), secret, "") {
		if holds(e, secret) {
			t.Errorf("a known secret survived: %v", e)
		}
	}
}

// What stands where a secret can, and is none, must not hide who wrote.
func TestRedactionKeepsPeople(t *testing.T) {
	for _, session := range []string{"37637", "15550002222", "+15550002222", "15550002222@s.whatsapp.net", "Ann", "hi", ""} {
		e := split(t, fake.Received(session, at, fake.Text(ann, "1", at, "hi")))[0]
		if msg, ok, err := wasender.DecodeMessage(e); err != nil || !ok || msg.GetText() != "hi" || e.GetLaneKey() != ann.Phone || e.GetContact().GetName() != "Ann" {
			t.Errorf("session %q: %v, %v", session, e, err)
		}
	}
}

func TestSplitKeepsWhatIsNoEventWhole(t *testing.T) {
	nested := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	for name, body := range map[string]string{
		"empty": "", "space": " ", "null": "null", "list": "[]", "number": "1e400", "text": "hello", "html": "<html></html>",
		"two values": `{"event":"x"}{}`, "no event": `{"data":{}}`, "odd event": `{"event":{}}`, "long event": `{"event":"` + strings.Repeat("x", 129) + `"}`,
		"quote": `"`, "brace": "{", "escape": `"\`, "nbsp": "\u00a0{}", "qr": `"qr":`, "qr 2": `"qr":]`,
		"65 levels": nested(65), "10k levels": nested(10_000), "1M levels": strings.Repeat(`{"a":`, 1_000_000),
		"too many updates": `{"event":"messages.upsert","data":[` + strings.Repeat("0,", 10_000) + `0]}`,
	} {
		list := split(t, []byte(body))
		if e := list[0]; len(list) != 1 || e.GetKind() != parleyv1.Kind_KIND_UNREADABLE || name != "qr 2" && string(e.GetRaw()) != strings.TrimSpace(body) && string(e.GetRaw()) != body {
			t.Errorf("%s: %d envelopes, %s, %d bytes", name, len(list), e.GetKind(), len(e.GetRaw()))
		}
	}
}

func TestSessions(t *testing.T) {
	for status, want := range map[string]wasender.Status{"connected": wasender.Connected, "LOGGED_OUT": wasender.LoggedOut, "odd": "odd"} {
		if got, ok := wasender.DecodeSession(split(t, fake.Status(apiKey, status, at))[0]); !ok || got != want {
			t.Errorf("%s: %s, %v", status, got, ok)
		}
	}
	if got, ok := wasender.DecodeSession(split(t, fake.QR(apiKey, "2@x", at))[0]); !ok || !got.NeedsPerson() {
		t.Errorf("a QR code: %s, %v", got, ok)
	}
	for body, want := range map[string]wasender.Status{
		`{"event":"session.status","data":"connected"}`:                      wasender.Connected,
		`{"event":"session.status","data":{"session":{"status":"expired"}}}`: wasender.Expired,
		`{"event":"session.status","data":{"connection":"close"}}`:           wasender.Disconnected,
		`{"event":"session.status","status":"LOGGED_OUT"}`:                   wasender.LoggedOut,
		`{"event":"qrcode.updated","data":{"qrCode":"2@x"}}`:                 wasender.NeedScan,
		`{"event":"passkey.updated","data":{"stage":"confirmation"}}`:        wasender.NeedPasskey,
		`{"event":"passkey.updated","data":{"stage":"fallback_qr"}}`:         wasender.NeedScan,
	} {
		facts := wasender.DecodeNotice(split(t, []byte(body))[0]).GetFacts()
		if len(facts) != 1 || facts[0].GetKind() != wasender.NoticeSession || facts[0].GetValue() != string(want) {
			t.Errorf("%s says %v", body, facts)
		}
	}
	if code := wasender.CodeOf([]byte(`{"event":"qrcode.updated","data":{"qrCode":"2@x"}}`)).Reveal(); code != "2@x" {
		t.Errorf("the code is %q", code)
	}
	if _, ok := wasender.DecodeSession(split(t, fake.PollResults(apiKey, ann, "P", at, "A"))[0]); ok {
		t.Error("the results of a poll say something about the session")
	}
}

// A call is the same one whichever event brings it.
func TestCalls(t *testing.T) {
	for _, event := range []string{"call", "call.received"} {
		e := split(t, fake.Call(event, apiKey, ann, "C", at))[0]
		call, err := wasender.DecodeVoiceCall(e)
		if err != nil || e.GetKind() != parleyv1.Kind_KIND_VOICE_CALL || e.GetId() != "C/offer" || e.GetLaneKey() != ann.Phone || call.GetState() != "ringing" {
			t.Errorf("%v: %v, %v", e, call, err)
		}
	}
}

func TestDeletionsAndReactionsAreNoInputs(t *testing.T) {
	list := split(t, fake.Deleted(apiKey, ann, at, "1", "2", "3"))
	list = append(list, split(t, fake.Reaction(apiKey, ann, "R1", "OURS", "👍", at))...)
	ids := map[string]bool{}
	for _, e := range list {
		ids[e.GetId()] = true
		if _, ok, err := wasender.DecodeMessage(e); ok || err != nil || e.GetKind() != parleyv1.Kind_KIND_MESSAGE || e.GetLaneKey() != ann.Phone {
			t.Errorf("%v: %v, %v", e, ok, err)
		}
	}
	if len(ids) != 4 || ids["1"] || ids["OURS"] {
		t.Errorf("ids %v", ids)
	}
}

func big(filling string, size int) []byte {
	return []byte(`{"event":"messages.upsert","sessionId":"` + apiKey + `","data":{"messages":[{"key":{"id":"m","fromMe":false,"remoteJid":"1@s.whatsapp.net"},"message":{"conversation":"hi"},"x":[` +
		strings.Repeat(filling+",", size/(len(filling)+1)) + `0]}]}}`)
}

func nest() string { return strings.Repeat(`{"a":[`, 27) + `"x"` + strings.Repeat("]}", 27) }

// bigBodies are as bad as a body of a size can be.
func bigBodies(size int) map[string][]byte {
	return map[string][]byte{
		"nested":      big(nest(), size),
		"escapes":     big(`"\u0041\/b"`, size),
		"numbers":     big("1", size),
		"strings":     big(`""`, size),
		"secrets":     big(`{"sessionId":"`+apiKey+`"}`, size),
		"names":       big(`{"qr":""}`, size),
		"colons":      big(`{"qqqqqqqq":1}`, size),
		"keys":        []byte(`{` + strings.Repeat(`"data":0,`, size/9) + `"event":"messages.upsert"}`),
		"updates":     []byte(`{"event":"messages.upsert","data":[` + strings.Repeat(`{},`, 9_000) + `"` + strings.Repeat("x", size) + `"]}`),
		"backslashes": []byte(`{"event":"messages.upsert","data":{"key":{"id":"` + strings.Repeat(`\\`, size/2) + `"}}}`),
		"brackets":    bytes.Repeat([]byte("["), size),
		"quotes":      bytes.Repeat([]byte(`"`), size),
		"open names":  bytes.Repeat([]byte(`"qr":{`), size/6),
	}
}

// TestSplitIsLinear would take minutes if a level of nesting or a member cost a
// look at the whole body. The race detector makes it ten times slower than it is.
func TestSplitIsLinear(t *testing.T) {
	for name, body := range bigBodies(1 << 20) {
		start := time.Now()
		list := wasender.Split(body, channel, receivedAt)
		for _, e := range list {
			_, _, _ = wasender.DecodeMessage(e)
			_, _ = wasender.DecodeReceipt(e)
		}
		if took := time.Since(start); took > 5*time.Second || len(list) == 0 {
			t.Errorf("%s: %v for %d bytes, %d envelopes", name, took, len(body), len(list))
		}
	}
}

func BenchmarkSplit(b *testing.B) {
	bodies := bigBodies(4 << 20)
	bodies["one"] = fake.Received(apiKey, at, fake.Text(bea, "3EB0AA", at, "hello there"))
	for name, body := range bodies {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				wasender.Split(body, channel, receivedAt)
			}
		})
	}
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
	f.Add([]byte(`{"event":"qrcode.updated","data":{"qr":"2@the-code-to-scan"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		code := wasender.CodeOf(body).Reveal()
		for _, e := range split(t, body, secret) {
			if len(code) > 12 && bytes.Count(body, []byte(code)) == 1 && bytes.Contains(e.GetRaw(), []byte(code)) {
				t.Errorf("the code that links a phone survived: %v", e)
			}
			if holds(e, secret) {
				t.Errorf("the secret survived: %v", e)
			}
			if msg, ok, err := wasender.DecodeMessage(e); (msg != nil) != ok || (ok && err != nil) {
				t.Errorf("decoded %v, %v, %v", msg, ok, err)
			}
			r, err := wasender.DecodeReceipt(e)
			if (e.GetKind() == parleyv1.Kind_KIND_RECEIPT) != (err == nil && e.GetKind() == parleyv1.Kind_KIND_RECEIPT) || err == nil && (r.WAMID == "" || r.Status == "") {
				t.Errorf("receipt %v, %v", r, err)
			}
			_, _ = wasender.DecodeSession(e)
			_, _ = wasender.DecodeVoiceCall(e)
			wasender.DecodeAside(e)
			wasender.DecodeGroupMessage(e)
			wasender.DecodeNotice(e)
		}
	})
}

// FuzzDecode reads any content of a message.
func FuzzDecode(f *testing.F) {
	body, err := os.ReadFile("testdata/content.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range wasender.Split(body, channel, receivedAt) {
		var m struct{ Message json.RawMessage }
		if json.Unmarshal(e.GetRaw(), &m) == nil && m.Message != nil {
			f.Add([]byte(m.Message))
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		raw := append(append([]byte(`{"key":{"id":"m","remoteJid":"1@s.whatsapp.net"},"message":`), content...), '}')
		msg, ok, err := wasender.DecodeMessage(&parleyv1.Envelope{Raw: raw, Field: "messages.received"})
		if (msg != nil) != ok || (ok && (err != nil || msg.GetType() == "")) {
			t.Errorf("decoded %v, %v, %v", msg, ok, err)
		}
		if data := compactJSON(msg); ok && !json.Valid([]byte(data)) {
			t.Errorf("cannot be stored: %s", data)
		}
	})
}

// WhatsApp Web tells of a message that it could not decrypt, and brings it later under
// the same id, as a message or as an update of one: the first must not take its id.
func TestUndecryptedMessageComesLater(t *testing.T) {
	key := `"key":{"id":"3EB0CC","fromMe":false,"remoteJid":"15550002222@s.whatsapp.net"}`
	stub := split(t, []byte(`{"event":"messages.upsert","data":{"messages":{`+key+`,"messageStubType":2}}}`))[0]
	if aside := wasender.DecodeAside(stub); aside.GetKind() != "undecrypted" || stub.GetId() == "3EB0CC" {
		t.Errorf("%v is %v", stub, aside)
	}
	for _, later := range []string{
		`{"event":"messages.upsert","data":{"messages":{` + key + `,"message":{"conversation":"hi"}}}}`,
		`{"event":"messages.update","data":{` + key + `,"update":{"message":{"conversation":"hi"}}}}`,
	} {
		e := split(t, []byte(later))[0]
		msg, ok, err := wasender.DecodeMessage(e)
		if e.GetId() != "3EB0CC" || !ok || err != nil || msg.GetText() != "hi" || wasender.DecodeAside(e) != nil {
			t.Errorf("%v is %v, %v", e, msg, err)
		}
	}
}

// What a person does to a message comes as a message of its own and as an event about
// the other one: one id, and one meaning.
func TestOneActIsOneUpdate(t *testing.T) {
	const person = `"fromMe":false,"remoteJid":"15550002222@s.whatsapp.net"`
	of := func(event, data string) *parleyv1.Envelope {
		return split(t, []byte(`{"event":"`+event+`","timestamp":1776000009,"data":`+data+`}`))[0]
	}
	message := func(id, content string) *parleyv1.Envelope {
		return of("messages.upsert", `{"messages":[{"key":{"id":"`+id+`",`+person+`},"messageTimestamp":1776000008,"message":`+content+`}]}`)
	}
	update := func(content string) *parleyv1.Envelope {
		return of("messages.update", `[{"key":{"id":"M1",`+person+`},"update":`+content+`}]`)
	}
	for name, pair := range map[string][2]*parleyv1.Envelope{
		"edit": {
			message("E1", `{"protocolMessage":{"key":{"id":"M1","fromMe":true},"type":"MESSAGE_EDIT","editedMessage":{"conversation":"new"},"timestampMs":"1776000007505"}}`),
			update(`{"message":{"editedMessage":{"message":{"conversation":"new"}}},"messageTimestamp":1776000007}`),
		},
		"edit, wrapped": {
			message("E2", `{"editedMessage":{"message":{"protocolMessage":{"key":{"id":"M1"},"type":14,"editedMessage":{"conversation":"new"}}}}}`),
			update(`{"message":{"editedMessage":{"message":{"conversation":"new"}}},"messageTimestamp":1776000008}`),
		},
		"revoke": {
			message("D1", `{"protocolMessage":{"key":{"id":"M1","fromMe":true},"type":"REVOKE"}}`),
			update(`{"message":null,"messageStubType":1,"key":{"id":"D1",` + person + `}}`),
		},
		"reaction": {
			message("R1", `{"reactionMessage":{"key":{"id":"M1","fromMe":true},"text":"👍"}}`),
			of("messages.reaction", `[{"key":{"id":"M1","fromMe":true,"remoteJid":"15550002222@s.whatsapp.net"},"reaction":{"text":"👍","key":{"id":"R1",`+person+`}}}]`),
		},
	} {
		a, b := wasender.DecodeAside(pair[0]), wasender.DecodeAside(pair[1])
		if pair[0].GetId() != pair[1].GetId() || a == nil || !proto.Equal(a, b) || a.GetMessageId() != "M1" {
			t.Errorf("%s: %s is %v, %s is %v", name, pair[0].GetId(), a, pair[1].GetId(), b)
		}
	}
	again := update(`{"message":{"editedMessage":{"message":{"conversation":"newer"}}},"messageTimestamp":1776000099}`)
	if first := update(`{"message":{"editedMessage":{"message":{"conversation":"new"}}},"messageTimestamp":1776000007}`); again.GetId() == first.GetId() {
		t.Error("two edits are one")
	}
}

// A message without an id is the same one however it comes, and another one when it is
// said again.
func TestMessageWithoutAnID(t *testing.T) {
	id := func(event, seconds, text string) string {
		return split(t, []byte(`{"event":"`+event+`","timestamp":`+seconds+`,"data":{"messages":{"key":{"remoteJid":"15550002222@s.whatsapp.net"},"messageTimestamp":`+
			seconds+`,"messageBody":"`+text+`"}}}`))[0].GetId()
	}
	first := id("messages.received", "1776000000", "yes")
	if id("messages.upsert", "1776000000", "yes") != first {
		t.Error("one message is two")
	}
	if id("messages.received", "1776000007", "yes") == first || id("messages.received", "1776000000", "no") == first {
		t.Error("two messages are one")
	}
}
