package forms

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
)

// Question is a request as a phone makes it, for the sandbox and for tests.
type Question struct {
	Body []byte // what is posted; it still wants a signature
	// answer's: only who asked can read it
	aesKey, iv []byte
}

// Ask encrypts a request for the public key of a business, SPKI in PEM.
func Ask(public, plain []byte) (*Question, error) {
	key, _, err := parsePublic(public)
	if err != nil {
		return nil, err
	}
	q := &Question{aesKey: make([]byte, aesKeyBytes), iv: make([]byte, ivBytes)}
	rand.Read(q.aesKey) //nolint:errcheck // it never fails
	rand.Read(q.iv)     //nolint:errcheck // it never fails
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, key, q.aesKey, nil)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	aead, err := newAEAD(q.aesKey)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	q.Body, err = json.Marshal(sealedRequest{Data: aead.Seal(nil, q.iv, plain, nil), Key: wrapped, IV: q.iv})
	return q, err
}

// Read decrypts the answer.
func (q *Question) Read(body []byte) (plain []byte, err error) {
	sealed, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	aead, err := newAEAD(q.aesKey)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return aead.Open(nil, flip(q.iv), sealed, nil)
}

// parsePublic reads an RSA public key, and names it.
func parsePublic(public []byte) (key *rsa.PublicKey, id string, err error) {
	block, _ := pem.Decode(public)
	if block == nil {
		return nil, "", errors.New("public key is no PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, "", fmt.Errorf("public key is no SPKI: %w", err)
	}
	key, isRSA := parsed.(*rsa.PublicKey)
	if !isRSA {
		return nil, "", errors.New("public key is not RSA")
	}
	return key, keyID(block.Bytes), nil
}
