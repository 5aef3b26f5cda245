package ingress

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// twoSecrets has an old and a new app secret, as during a rotation.
func twoSecrets(in, status Publisher) http.Handler {
	mux := http.NewServeMux()
	New(Options{
		Secrets: []string{"old", secret}, VerifyToken: token, Shards: shards, Portfolio: portfolio,
		In: in, Status: status, Now: time.Now, Log: zerolog.Nop(),
	}).Routes(mux)
	return mux
}

// message is a body that stores one update.
func message(id string) []byte {
	return fake.Payload(waba, channel, fake.Text(fake.Person{Phone: "16505551234"}, id, at, "hi"))
}

func TestSignature(t *testing.T) {
	body := message("wamid.1")
	good := fake.Sign(secret, body)
	for name, c := range map[string]struct {
		headers []string
		want    int
	}{
		"right":                 {[]string{good}, http.StatusOK},
		"of the old secret":     {[]string{fake.Sign("old", body)}, http.StatusOK},
		"missing":               {nil, http.StatusUnauthorized},
		"empty":                 {[]string{""}, http.StatusUnauthorized},
		"twice":                 {[]string{good, good}, http.StatusUnauthorized},
		"wrong and right":       {[]string{fake.Sign("x", body), good}, http.StatusUnauthorized},
		"two in one":            {[]string{good + ", " + good}, http.StatusUnauthorized},
		"of an unknown secret":  {[]string{fake.Sign("x", body)}, http.StatusUnauthorized},
		"of an empty secret":    {[]string{fake.Sign("", body)}, http.StatusUnauthorized},
		"of another body":       {[]string{fake.Sign(secret, message("wamid.2"))}, http.StatusUnauthorized},
		"upper-case hex":        {[]string{"sha256=" + strings.ToUpper(good[7:])}, http.StatusUnauthorized},
		"upper-case prefix":     {[]string{"SHA256=" + good[7:]}, http.StatusUnauthorized},
		"no prefix":             {[]string{good[7:]}, http.StatusUnauthorized},
		"SHA-1 prefix":          {[]string{"sha1=" + good[7:]}, http.StatusUnauthorized},
		"a digit short":         {[]string{good[:len(good)-1]}, http.StatusUnauthorized},
		"a digit more":          {[]string{good + "0"}, http.StatusUnauthorized},
		"a blank before":        {[]string{" " + good}, http.StatusUnauthorized},
		"not hexadecimal":       {[]string{"sha256=" + strings.Repeat("g", 64)}, http.StatusUnauthorized},
		"longer than a webhook": {[]string{good + strings.Repeat("0", 1<<16)}, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			in := &shelf{}
			r := request(body)
			r.Header["X-Hub-Signature-256"] = c.headers
			w := do(twoSecrets(in, &shelf{}), r)
			if w.Code != c.want {
				t.Fatalf("answered %d, want %d", w.Code, c.want)
			}
			if want := map[int]int{http.StatusOK: 1}[c.want]; in.count() != want {
				t.Errorf("stored %d updates, want %d", in.count(), want)
			}
		})
	}
}

// Every bit of the body and of the digest counts.
func TestSignatureBitFlips(t *testing.T) {
	body := message("wamid.1")
	in := &shelf{}
	h := newHandler(in, in, io.Discard)
	for bit := range 8 * len(body) {
		flipped := append([]byte(nil), body...)
		flipped[bit/8] ^= 1 << (bit % 8)
		r := request(flipped)
		r.Header.Set("X-Hub-Signature-256", fake.Sign(secret, body))
		if w := do(h, r); w.Code != http.StatusUnauthorized {
			t.Fatalf("bit %d of the body flipped: answered %d, want 401", bit, w.Code)
		}
	}
	header := fake.Sign(secret, body)
	for bit := range 8 * len(header) {
		flipped := []byte(header)
		flipped[bit/8] ^= 1 << (bit % 8)
		r := request(body)
		r.Header["X-Hub-Signature-256"] = []string{string(flipped)}
		if w := do(h, r); w.Code != http.StatusUnauthorized {
			t.Fatalf("bit %d of the header flipped: answered %d, want 401", bit, w.Code)
		}
	}
	if in.count() != 0 {
		t.Errorf("stored %d forged updates", in.count())
	}
}

// The digest is over the bytes as received: bodies that decode to the same JSON
// have different ones. Source: WIRE 1.2, test vectors.
func TestSignatureVectors(t *testing.T) {
	for body, digest := range map[string]string{
		`{"object":"whatsapp_business_account","entry":[]}`:    "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
		`{"object": "whatsapp_business_account", "entry": []}`: "56cbbaf4961c6cfdae48b7f116c047e5eb513d2c931baae63a2bc1afd26f803a",
		`{"t":"caf\u00e9 \ud83d\ude00 \/x"}`:                   "4790cfc8ee4e5d6ca86315cb0e28f2cdc0cc8e29e3fe80e2d475ea5fdf4beee2",
		`{"t":"café 😀 /x"}`:                                    "532f427fe97cfc3e62c04cbe2dcc7b310a88b5e8ff52448a39af58c28d815edd",
	} {
		r := request([]byte(body))
		r.Header.Set("X-Hub-Signature-256", "sha256="+digest)
		if w := do(newHandler(&shelf{}, &shelf{}, io.Discard), r); w.Code != http.StatusOK {
			t.Errorf("%s: answered %d, want 200", body, w.Code)
		}
	}
}
