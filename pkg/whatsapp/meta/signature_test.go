package meta_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const secret = "test_app_secret"

// signatures were computed with two other implementations of HMAC-SHA256.
var signatures = []struct{ body, header string }{
	{`{"object":"whatsapp_business_account","entry":[]}`, "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756"},
	{`{"object": "whatsapp_business_account", "entry": []}`, "sha256=56cbbaf4961c6cfdae48b7f116c047e5eb513d2c931baae63a2bc1afd26f803a"},
	{`{"t":"caf\u00e9 \ud83d\ude00 \/x"}`, "sha256=4790cfc8ee4e5d6ca86315cb0e28f2cdc0cc8e29e3fe80e2d475ea5fdf4beee2"},
	{`{"t":"café 😀 /x"}`, "sha256=532f427fe97cfc3e62c04cbe2dcc7b310a88b5e8ff52448a39af58c28d815edd"},
}

func TestVerifySignature(t *testing.T) {
	for i, s := range signatures {
		if !meta.VerifySignature([]string{secret}, []byte(s.body), s.header) {
			t.Errorf("vector %d does not verify", i+1)
		}
		if got := fake.Sign(secret, []byte(s.body)); got != s.header {
			t.Errorf("vector %d: the fake signs %s", i+1, got)
		}
		for j, other := range signatures {
			if i != j && meta.VerifySignature([]string{secret}, []byte(s.body), other.header) {
				t.Errorf("body %d verifies with the signature of %d", i+1, j+1)
			}
		}
	}
}

func TestVerifySignatureRefusesEveryFlippedBit(t *testing.T) {
	body, header := []byte(signatures[0].body), []byte(signatures[0].header)
	for _, part := range [][]byte{body, header} {
		for bit := range len(part) * 8 {
			part[bit/8] ^= 1 << (bit % 8)
			if meta.VerifySignature([]string{secret}, body, string(header)) {
				t.Errorf("bit %d of %q flipped, and it verifies", bit, part)
			}
			part[bit/8] ^= 1 << (bit % 8)
		}
	}
	if !meta.VerifySignature([]string{secret}, body, string(header)) {
		t.Error("the untouched signature does not verify")
	}
}

func TestVerifySignatureIsStrict(t *testing.T) {
	body, good := []byte(signatures[0].body), signatures[0].header
	digits := strings.TrimPrefix(good, "sha256=")
	for _, header := range []string{
		"", "sha256=", digits, "sha1=" + digits[:40], "SHA256=" + digits, "sha256=" + strings.ToUpper(digits),
		good[:70], good + "0", good + " ", " " + good, good + "\n", good + "," + good, "sha256==" + digits[1:],
		strings.Repeat("0", 71), "sha256=" + strings.Repeat("0", 64), "sha256=" + strings.Repeat("z", 64),
	} {
		if meta.VerifySignature([]string{secret}, body, header) {
			t.Errorf("%q verifies", header)
		}
	}
}

func TestVerifySignatureWithSeveralSecrets(t *testing.T) {
	body, header := []byte(signatures[0].body), signatures[0].header
	for _, c := range []struct {
		secrets []string
		want    bool
	}{
		{[]string{secret, "previous"}, true},
		{[]string{"next", secret}, true},
		{[]string{"", secret}, true},
		{[]string{"next", "previous"}, false},
		{[]string{}, false},
		{nil, false},
	} {
		if got := meta.VerifySignature(c.secrets, body, header); got != c.want {
			t.Errorf("%q: %v", c.secrets, got)
		}
	}
	if meta.VerifySignature([]string{""}, body, fake.Sign("", body)) {
		t.Error("an empty secret verifies")
	}
}

func FuzzVerifySignature(f *testing.F) {
	for _, s := range signatures {
		f.Add([]byte(s.body), s.header)
	}
	f.Add([]byte(nil), "sha256=")
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		signed := fake.Sign(secret, body)
		if got := meta.VerifySignature([]string{secret}, body, header); got != (header == signed) {
			t.Errorf("header %q: %v", header, got)
		}
		if !meta.VerifySignature([]string{secret}, body, signed) {
			t.Error("a signed body does not verify")
		}
		if meta.VerifySignature([]string{secret}, append(bytes.Clone(body), ' '), signed) {
			t.Error("a longer body verifies")
		}
	})
}
