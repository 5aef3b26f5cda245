package fake_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

var (
	ann = fake.Person{Phone: "15550002222", Name: "Ann"}
	bea = fake.Person{BSUID: "US.100", Name: "Bea"}
	cem = fake.Person{Phone: "15550003333", BSUID: "DE.200", Name: "Cem"}
	at  = time.Unix(1776000000, 999)
)

// sameJSON compares a payload with the JSON that it should mean.
func sameJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(g)
	b, _ := json.Marshal(w)
	if string(a) != string(b) {
		t.Errorf("got  %s\nwant %s", a, b)
	}
}

func TestPayload(t *testing.T) {
	got := fake.Payload("W", "N",
		fake.Text(ann, "m1", at, "hi"),
		fake.Text(bea, "m2", at, "ho"),
		fake.Text(ann, "m3", at, "hi again"),
		fake.Receipt(cem, "w1", "read", at, "d1"),
		fake.Raw("account_update", map[string]any{"event": "X"}),
		fake.Message(cem, "m4", at, "contacts", []any{}),
		fake.Message(cem, "m5", at, "request_welcome", nil),
	)
	sameJSON(t, got, `{"object":"whatsapp_business_account","entry":[{"id":"W","changes":[
{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550001111","phone_number_id":"N"},
 "contacts":[{"profile":{"name":"Ann"},"wa_id":"15550002222"},{"profile":{"name":"Bea"},"user_id":"US.100"}],
 "messages":[{"from":"15550002222","id":"m1","timestamp":"1776000000","type":"text","text":{"body":"hi"}},
             {"from_user_id":"US.100","id":"m2","timestamp":"1776000000","type":"text","text":{"body":"ho"}},
             {"from":"15550002222","id":"m3","timestamp":"1776000000","type":"text","text":{"body":"hi again"}}]}},
{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550001111","phone_number_id":"N"},
 "contacts":[{"profile":{"name":"Cem"},"wa_id":"15550003333","user_id":"DE.200"}],
 "statuses":[{"id":"w1","status":"read","timestamp":"1776000000","recipient_id":"15550003333","recipient_user_id":"DE.200","biz_opaque_callback_data":"d1"}]}},
{"field":"account_update","value":{"event":"X"}},
{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550001111","phone_number_id":"N"},
 "contacts":[{"profile":{"name":"Cem"},"wa_id":"15550003333","user_id":"DE.200"}],
 "messages":[{"from":"15550003333","from_user_id":"DE.200","id":"m4","timestamp":"1776000000","type":"contacts","contacts":[]},
             {"from":"15550003333","from_user_id":"DE.200","id":"m5","timestamp":"1776000000","type":"request_welcome"}]}}]}]}`)
	sameJSON(t, fake.Payload("W", "N"), `{"object":"whatsapp_business_account","entry":[{"id":"W","changes":[]}]}`)
}

// A failed receipt names no contact, and a BSUID only if the send went to one.
func TestFailedReceipts(t *testing.T) {
	for person, recipient := range map[fake.Person]string{
		cem: `"recipient_id":"15550003333"`,
		bea: `"recipient_user_id":"US.100"`,
	} {
		sameJSON(t, fake.Payload("W", "N", fake.Receipt(person, "w1", "failed", at, "")), `{"object":"whatsapp_business_account","entry":[{"id":"W","changes":[
{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550001111","phone_number_id":"N"},
 "statuses":[{"id":"w1","status":"failed","timestamp":"1776000000",`+recipient+`,
  "errors":[{"code":131026,"title":"Message undeliverable","message":"Message undeliverable","error_data":{"details":"Message undeliverable."}}]}]}}]}]}`)
	}
}

func TestPayloadIsEscapedASCII(t *testing.T) {
	body := string(fake.Payload("W", "N", fake.Text(ann, "m1", at, "café 😀 /x <b>")))
	if !strings.Contains(body, `"caf\u00e9 \ud83d\ude00 \/x \u003cb\u003e"`) {
		t.Errorf("%s", body)
	}
	if i := strings.IndexFunc(body, func(r rune) bool { return r > 0x7f }); i >= 0 {
		t.Errorf("byte %d is not ASCII: %s", i, body)
	}
}
