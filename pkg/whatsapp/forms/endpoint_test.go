package forms_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// Of several faults the first in the order of the checks is answered.
func TestOrderOfTheChecks(t *testing.T) {
	endpoint := newEndpoint(t, present().keys...)
	token := newToken(t)
	elsewhere, err := endpoint.Tokens.New(forms.Token{Channel: "another", LaneKey: ann})
	if err != nil {
		t.Fatal(err)
	}
	wrongKey := encrypt("{")
	otherwise["other key"](&wrongKey)
	long := bytes.Repeat([]byte(" "), forms.MaxRequestBytes+1)
	ask := func(action, token, data string) []byte {
		return encrypt(fmt.Sprintf(`{"version":"3.0","action":%q,"screen":"S","flow_token":%q,"data":%s}`, action, token, data)).body(t)
	}
	for _, c := range []struct {
		name   string
		body   []byte
		signed string // another body that is signed
		want   error
		status int
	}{
		{"too large, not signed", long, "x", forms.ErrTooLarge, 413},
		{"not signed, not encrypted", []byte("{}"), "x", forms.ErrSignature, 432},
		{"not signed, all else right", ask("INIT", token, "{}"), "x", forms.ErrSignature, 432},
		{"wrong key, no JSON", wrongKey.body(t), "", forms.ErrDecrypt, 421},
		{"no JSON", encrypt("{").body(t), "", forms.ErrRequest, 400},
		{"unknown action, wrong token", ask("GO", "T", "{}"), "", forms.ErrRequest, 400},
		{"notice, wrong token", ask("INIT", "T", `{"error":"timeout_error"}`), "", nil, 200},
		{"ping, wrong token", ask("ping", "T", "{}"), "", nil, 200},
		{"foreign token", ask("INIT", "T", "{}"), "", forms.ErrTokenForeign, 427},
		{"no token", ask("BACK", "", "{}"), "", forms.ErrTokenUnused, 427},
		{"unused token", ask("data_exchange", "unused", "{}"), "", forms.ErrTokenUnused, 427},
		{"forged token", ask("data_exchange", token[:len(token)-1], "{}"), "", forms.ErrTokenForged, 427},
		{"token of another channel", ask("data_exchange", elsewhere, "{}"), "", forms.ErrTokenChannel, 427},
		{"all right", ask("data_exchange", token, `{"a":1}`), "", nil, 200},
		{"largest", append(ask("data_exchange", token, `{"a":1}`), long...)[:forms.MaxRequestBytes], "", nil, 200},
	} {
		signed := c.body
		if c.signed != "" {
			signed = []byte(c.signed)
		}
		x, err := endpoint.Receive(channel, c.body, fake.Sign(secret, signed))
		if !errors.Is(err, c.want) || forms.StatusOf(err) != c.status {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if hasOne := x != nil; hasOne != (c.status == 200 || c.status == 427) || (c.status == 427) != errors.Is(err, forms.ErrToken) {
			t.Errorf("%s: exchange %t, %v", c.name, hasOne, err)
		}
		if err != nil && (strings.Contains(err.Error(), "1555") || strings.Contains(err.Error(), channel)) {
			t.Errorf("%s: the error says too much: %v", c.name, err)
		}
	}
}

func TestStatusOfOurOwnFault(t *testing.T) {
	if status := forms.StatusOf(errors.New("disk full")); status != 500 {
		t.Errorf("status %d", status)
	}
}

func TestExchange(t *testing.T) {
	endpoint := newEndpoint(t, present().keys...)
	plain := `{"version":"3.0","action":"data_exchange","screen":"S1","flow_token":"` + newToken(t) + `","data":{"pain":"7"}}`
	first, second := encrypt(plain), encrypt(plain)
	body := first.body(t)
	x, err := receive(endpoint, body)
	if err != nil || x.Sent != sent || x.Kind != forms.Submit || x.Screen != "S1" || string(x.Data) != `{"pain":"7"}` {
		t.Fatalf("%+v, %v", x, err)
	}
	again, err := receive(endpoint, body)
	if err != nil || again.ID != x.ID || again.RepeatKey() != x.RepeatKey() {
		t.Errorf("delivered again: %+v, %v", again, err)
	}
	anew, err := receive(endpoint, second.body(t))
	if err != nil || anew.ID == x.ID || anew.RepeatKey() != x.RepeatKey() {
		t.Errorf("encrypted anew: %+v, %v", anew, err)
	}
	answer, err := forms.ShowMessage("S1", nil, "really?")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := x.Seal(answer)
	if err != nil || first.read(t, sealed) != `{"version":"3.0","screen":"S1","data":{"error_message":"really?"}}` {
		t.Errorf("%s, %v", sealed, err)
	}
	if same, err := again.Seal(answer); err != nil || !bytes.Equal(same, sealed) {
		t.Errorf("the same answer to the same delivery differs: %v", err)
	}
}

func TestGoneCanBeEncryptedOrNot(t *testing.T) {
	e := encrypt(`{"version":"3.0","action":"INIT","flow_token":"T"}`)
	x, err := receive(newEndpoint(t, present().keys...), e.body(t))
	if !errors.Is(err, forms.ErrToken) {
		t.Fatal(err)
	}
	sealed, err := x.Seal(forms.Gone("closed"))
	if err != nil || e.read(t, sealed) != `{"error_msg":"closed"}` {
		t.Errorf("%s, %v", sealed, err)
	}
}

// An answer that cannot be written leaves the request open for one that can.
func TestSealAfterAnAnswerThatCannotBeWritten(t *testing.T) {
	e := encrypt(`{"version":"3.0","action":"ping"}`)
	x, err := receive(newEndpoint(t, present().keys...), e.body(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Seal(forms.Answer{Data: []byte("{")}); err == nil {
		t.Error("sealed")
	}
	if _, err := x.Seal(forms.Active()); err != nil {
		t.Error(err)
	}
}
