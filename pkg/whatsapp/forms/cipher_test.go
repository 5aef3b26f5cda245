package forms_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
)

// The vectors were computed with two other implementations. OAEP is random, so only
// the AES half has some.
const (
	vectorKey     = "000102030405060708090a0b0c0d0e0f"
	vectorIV      = "101112131415161718191a1b1c1d1e1f"
	vectorRequest = "vryB0w/BTee4OvmgkgEf9dnfQfwZb8iWi7yl5iotFMJeuQl749lOptdzv/L1T2V2PA=="
	vectorAnswer  = "IHgL0mWXHJ6FDPLH6+aygF5BfT+mPzwvzktiKvlmYpg8eFKqJX/07YVStaI="
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	e := encrypt("")
	e.aesKey, e.iv = unhex(vectorKey), unhex(vectorIV)
	_, wrapped, iv := e.parts(t)
	data, err := base64.StdEncoding.DecodeString(vectorRequest)
	if err != nil {
		t.Fatal(err)
	}
	x, err := receive(newEndpoint(t, present().keys...), post(data, wrapped, iv))
	if err != nil || x.Kind != forms.Ping || x.Version != "3.0" {
		t.Fatalf("%+v, %v", x, err)
	}
	if answer, err := x.Seal(forms.Active()); err != nil || string(answer) != vectorAnswer {
		t.Errorf("answer %s, %v", answer, err)
	}
}

func TestAnswersAreEncryptedWithTheFlippedIV(t *testing.T) {
	e := encrypt(`{"version":"3.0","action":"ping"}`)
	x, err := receive(newEndpoint(t, present().keys...), e.body(t))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := x.Seal(forms.Active())
	if err != nil || e.read(t, answer) != `{"data":{"status":"active"}}` {
		t.Fatalf("%s, %v", answer, err)
	}
	sealed, _ := base64.StdEncoding.DecodeString(string(answer))
	if plain, err := e.aead().Open(nil, e.iv, sealed, nil); err == nil {
		t.Errorf("the IV of the request reads the answer: %s", plain)
	}
	if again, err := x.Seal(forms.Acknowledged()); err == nil {
		t.Errorf("a second answer under the same key: %s", again)
	}
}

// otherwise is what phones do not do, and an attacker might.
var otherwise = map[string]func(*envelope){
	"SHA-1": func(e *envelope) {
		e.wrap = func(k []byte) ([]byte, error) {
			return rsa.EncryptOAEP(sha1.New(), rand.Reader, present().public, k, nil)
		}
	},
	"SHA-1 in MGF1": func(e *envelope) {
		e.wrap = func(k []byte) ([]byte, error) {
			return rsa.EncryptOAEPWithOptions(rand.Reader, present().public, k, &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1})
		}
	},
	"label": func(e *envelope) {
		e.wrap = func(k []byte) ([]byte, error) {
			return rsa.EncryptOAEP(sha256.New(), rand.Reader, present().public, k, []byte("label"))
		}
	},
	"other key": func(e *envelope) {
		e.wrap = func(k []byte) ([]byte, error) {
			return rsa.EncryptOAEP(sha256.New(), rand.Reader, previous().public, k, nil)
		}
	},
	"not wrapped": func(e *envelope) { e.wrap = func(k []byte) ([]byte, error) { return k, nil } },
	"no key":      func(e *envelope) { e.wrap = func([]byte) ([]byte, error) { return nil, nil } },
	"zeros":       func(e *envelope) { e.wrap = func([]byte) ([]byte, error) { return make([]byte, 256), nil } },
	"long":        func(e *envelope) { e.wrap = func([]byte) ([]byte, error) { return make([]byte, 512), nil } },
	"the key that replaces one that does not fit": func(e *envelope) {
		e.aesKey = make([]byte, 16)
		e.wrap = func([]byte) ([]byte, error) { return make([]byte, 256), nil }
	},
	"AES-192":       func(e *envelope) { e.aesKey = bytes.Repeat([]byte{7}, 24) },
	"AES-256":       func(e *envelope) { e.aesKey = bytes.Repeat([]byte{7}, 32) },
	"12-byte IV":    func(e *envelope) { e.iv = e.iv[:12] },
	"32-byte IV":    func(e *envelope) { e.iv = append(e.iv, e.iv...) },
	"authenticated": func(e *envelope) { e.aad = []byte("data") },
}

func TestRefusesWhatIsEncryptedOtherwise(t *testing.T) {
	endpoint := newEndpoint(t, present().keys...)
	for name, change := range otherwise {
		e := encrypt(`{"version":"3.0","action":"ping"}`)
		change(&e)
		undecryptable(t, endpoint, e.body(t), name)
	}
	data, wrapped, iv := encrypt(`{"version":"3.0","action":"ping"}`).parts(t)
	for name, body := range map[string][]byte{
		"no tag":         post(data[:len(data)-16], wrapped, iv),
		"cut tag":        post(data[:len(data)-1], wrapped, iv),
		"longer":         post(append(bytes.Clone(data), 0), wrapped, iv),
		"no data":        post(nil, wrapped, iv),
		"no IV":          post(data, wrapped, nil),
		"flipped IV":     post(data, wrapped, invert(iv)),
		"cut key":        post(data, wrapped[:255], iv),
		"empty":          nil,
		"no JSON":        []byte("{"),
		"no object":      []byte("[]"),
		"no members":     []byte("{}"),
		"no base64":      []byte(`{"encrypted_flow_data":"?","encrypted_aes_key":"?","initial_vector":"?"}`),
		"numbers":        []byte(`{"encrypted_flow_data":1,"encrypted_aes_key":2,"initial_vector":3}`),
		"not encrypted":  []byte(`{"version":"3.0","action":"ping"}`),
		"deeply nested":  []byte(strings.Repeat("[", forms.MaxRequestBytes)),
		"nothing but IV": post(nil, nil, iv),
	} {
		undecryptable(t, endpoint, body, name)
	}
	undecryptable(t, newEndpoint(t), post(data, wrapped, iv), "an endpoint without keys")
}

func invert(in []byte) []byte {
	out := bytes.Clone(in)
	for i := range out {
		out[i] ^= 0xFF
	}
	return out
}

func TestRefusesEveryFlippedBit(t *testing.T) {
	endpoint := newEndpoint(t, present().keys...)
	data, wrapped, iv := encrypt(`{"action":"ping"}`).parts(t)
	for name, part := range map[string][]byte{"data": data, "IV": iv, "key": wrapped[:8]} {
		for bit := range len(part) * 8 {
			part[bit/8] ^= 1 << (bit % 8)
			undecryptable(t, endpoint, post(data, wrapped, iv), name)
			part[bit/8] ^= 1 << (bit % 8)
		}
	}
	if _, err := receive(endpoint, post(data, wrapped, iv)); err != nil {
		t.Errorf("the untouched request: %v", err)
	}
}

func TestKeysAreValidSideBySide(t *testing.T) {
	both := newEndpoint(t, present().keys[0], previous().keys[0])
	old := encrypt(`{"version":"3.0","action":"ping"}`)
	otherwise["other key"](&old)
	for _, c := range []struct {
		e  envelope
		by string
	}{{encrypt(`{"version":"3.0","action":"ping"}`), present().keys[0].ID()}, {old, previous().keys[0].ID()}} {
		x, err := receive(both, c.e.body(t))
		if err != nil || x.OpenedBy != c.by {
			t.Fatalf("%+v, %v", x, err)
		}
		if answer, err := x.Seal(forms.Active()); err != nil || c.e.read(t, answer) != `{"data":{"status":"active"}}` {
			t.Errorf("%s, %v", answer, err)
		}
	}
	undecryptable(t, newEndpoint(t, present().keys...), old.body(t), "the key that was taken away")
}

// A phone of another make: openssl wraps the AES key.
func TestOpensslWrapsKeysForUs(t *testing.T) {
	openssl := lookFor(t, "openssl")
	public := filepath.Join(t.TempDir(), "public.pem")
	if err := os.WriteFile(public, present().publicBytes, 0o600); err != nil {
		t.Fatal(err)
	}
	e := encrypt(`{"version":"3.0","action":"ping"}`)
	for md, fits := range map[string]bool{"sha256": true, "sha1": false} {
		e.wrap = func(aesKey []byte) ([]byte, error) {
			cmd := exec.CommandContext(t.Context(), openssl, "pkeyutl", "-encrypt", "-pubin", "-inkey", public,
				"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:"+md, "-pkeyopt", "rsa_mgf1_md:"+md)
			cmd.Stdin = bytes.NewReader(aesKey)
			return cmd.Output()
		}
		body := e.body(t)
		if !fits {
			undecryptable(t, newEndpoint(t, present().keys...), body, md)
		} else if x, err := receive(newEndpoint(t, present().keys...), body); err != nil || x.Kind != forms.Ping {
			t.Errorf("%+v, %v", x, err)
		}
	}
}

func lookFor(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed: %v", program, err)
	}
	return path
}

func TestWhatIsAskedIsReceived(t *testing.T) {
	endpoint := newEndpoint(t, present().keys...)
	token := newToken(t)
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.String().Draw(rt, "text")
		plain := encode(map[string]any{
			"version": "3.0", "action": "data_exchange", "screen": "S", "flow_token": token, "data": map[string]any{"t": text},
		})
		question, err := forms.Ask(present().publicBytes, plain)
		if err != nil {
			rt.Fatal(err)
		}
		x, err := receive(endpoint, question.Body)
		if err != nil {
			rt.Fatal(err)
		}
		answer, err := forms.Show("NEXT", x.Data)
		if err != nil {
			rt.Fatal(err)
		}
		body, err := x.Seal(answer)
		if err != nil {
			rt.Fatal(err)
		}
		back, err := question.Read(body)
		want := encode(map[string]any{"version": "3.0", "screen": "NEXT", "data": map[string]any{"t": text}})
		if err != nil || !sameJSON(back, want) {
			rt.Errorf("%s, %v", back, err)
		}
	})
}
