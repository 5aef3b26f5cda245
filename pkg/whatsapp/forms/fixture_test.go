package forms_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"sync"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const (
	secret  = "test_app_secret"
	hidden  = "a secret for tokens"
	channel = "106540352242922"
	ann     = "15550002222"
)

// pair is a key as both sides have it.
type pair struct {
	keys        forms.Keys
	public      *rsa.PublicKey
	privatePEM  []byte
	publicBytes []byte
}

func newPair() pair {
	private, public, err := forms.GenerateKey()
	if err != nil {
		panic(err)
	}
	keys, err := forms.ParseKeys(private)
	if err != nil {
		panic(err)
	}
	block, _ := pem.Decode(public)
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	return pair{keys: keys, public: parsed.(*rsa.PublicKey), privatePEM: private, publicBytes: public}
}

// Making a key takes longer than most tests.
var (
	present  = sync.OnceValue(newPair)
	previous = sync.OnceValue(newPair)
)

func newTokens(t testing.TB, secrets ...string) *forms.Tokens {
	t.Helper()
	tokens, err := forms.NewTokens(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func newEndpoint(t testing.TB, keys ...forms.Key) *forms.Endpoint {
	t.Helper()
	return &forms.Endpoint{Secrets: []string{secret}, Keys: keys, Tokens: newTokens(t, hidden)}
}

var sent = forms.Token{
	Channel: channel, LaneKey: ann, Session: "p1.0123456789.ask_pain.form", Form: "1234567890123456", SentAt: 1_795_000_000,
}

func newToken(t testing.TB) string {
	t.Helper()
	token, err := newTokens(t, hidden).New(sent)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// envelope is a phone's request in the making: what it does otherwise is changed
// before it is posted. It shares no code with the package.
type envelope struct {
	aesKey, iv, plain []byte
	aad               []byte
	wrap              func(aesKey []byte) ([]byte, error)
}

func encrypt(plain string) envelope {
	aesKey, iv := make([]byte, 16), make([]byte, 16)
	rand.Read(aesKey)
	rand.Read(iv)
	public := present().public
	return envelope{aesKey: aesKey, iv: iv, plain: []byte(plain), wrap: func(aesKey []byte) ([]byte, error) {
		return rsa.EncryptOAEP(sha256.New(), rand.Reader, public, aesKey, nil)
	}}
}

func (e envelope) aead() cipher.AEAD {
	block, err := aes.NewCipher(e.aesKey)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(e.iv))
	if err != nil {
		panic(err)
	}
	return aead
}

func (e envelope) parts(t testing.TB) (data, wrapped, iv []byte) {
	t.Helper()
	wrapped, err := e.wrap(e.aesKey)
	if err != nil {
		t.Fatal(err)
	}
	return e.aead().Seal(nil, e.iv, e.plain, e.aad), wrapped, e.iv
}

func (e envelope) body(t testing.TB) []byte {
	t.Helper()
	return post(e.parts(t))
}

// post writes the body of a request.
func post(data, wrapped, iv []byte) []byte {
	body, err := json.Marshal(map[string]string{
		"encrypted_flow_data": base64.StdEncoding.EncodeToString(data),
		"encrypted_aes_key":   base64.StdEncoding.EncodeToString(wrapped),
		"initial_vector":      base64.StdEncoding.EncodeToString(iv),
	})
	if err != nil {
		panic(err)
	}
	return body
}

// read decrypts an answer as a phone does.
func (e envelope) read(t testing.TB, body []byte) string {
	t.Helper()
	sealed, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil {
		t.Fatalf("answer %q: %v", body, err)
	}
	flipped := make([]byte, len(e.iv))
	for i := range flipped {
		flipped[i] = e.iv[i] ^ 0xFF
	}
	plain, err := e.aead().Open(nil, flipped, sealed, nil)
	if err != nil {
		t.Fatalf("answer %q: %v", body, err)
	}
	return string(plain)
}

func receive(e *forms.Endpoint, body []byte) (*forms.Exchange, error) {
	return e.Receive(channel, body, fake.Sign(secret, body))
}

// undecryptable requires the one answer to all that cannot be decrypted.
func undecryptable(t testing.TB, e *forms.Endpoint, body []byte, what string) {
	t.Helper()
	x, err := receive(e, body)
	if x != nil || err == nil || !errors.Is(err, forms.ErrDecrypt) || err.Error() != forms.ErrDecrypt.Error() || forms.StatusOf(err) != 421 {
		t.Errorf("%s: %v, %v", what, x, err)
	}
}
