package forms

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// keyBits is the only size that Meta takes. Source: Meta, "WhatsApp Business Encryption".
	keyBits = 2048
	// keysMax bounds the work of a request that no key opens.
	keysMax = 4
	// keyIDBytes is how much of a public key's digest names it.
	keyIDBytes = 8
)

// errPassphrase meets who follows Meta's example, "openssl genrsa -des3". The
// command reads both kinds of protected keys, and writes PKCS#8.
var errPassphrase = errors.New("is protected by a passphrase; write it anew without: " +
	"openssl pkey -in private.pem -out flows.pem && chmod 600 flows.pem")

// Key is a private key whose public half phones encrypt with.
type Key struct {
	private *rsa.PrivateKey
	public  []byte // PEM
	id      string
}

// ID names the key in logs and metrics. It is a digest of the public half.
func (k Key) ID() string { return k.id }

// PublicPEM is the public half as Meta wants it: SPKI, PEM.
func (k Key) PublicPEM() []byte { return bytes.Clone(k.public) }

// String is the id: a key that is printed tells nothing.
func (k Key) String() string { return "key " + k.id }

// Keys are all keys that open requests, the one that phones should use first.
// Phones keep a public key for a while: after a new one was published, the one
// before it must stay, until nothing was opened with it for a month.
type Keys []Key

// ParseKeys reads a file of one or more private keys, PEM, PKCS#8 or PKCS#1, the
// newest first. A part of the file that is no such key is an error: a key that
// silently is not there answers 421 to everybody.
func ParseKeys(file []byte) (Keys, error) {
	var keys Keys
	blocks := 0
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		blocks++
		private, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("private key %d %w", blocks, err)
		}
		key, err := newKey(private)
		if err != nil {
			return nil, fmt.Errorf("private key %d %w", blocks, err)
		}
		if !slices.ContainsFunc(keys, func(k Key) bool { return k.id == key.id }) {
			keys = append(keys, key)
		}
	}
	switch begun := bytes.Count(file, []byte("-----BEGIN ")); {
	case begun > blocks:
		return nil, fmt.Errorf("of %d private keys %d are damaged: no PEM", begun, begun-blocks)
	case len(keys) == 0:
		return nil, errors.New("no private key: PEM that begins with -----BEGIN PRIVATE KEY----- is wanted")
	case len(keys) > keysMax:
		return nil, fmt.Errorf("%d private keys, the limit is %d: remove the oldest", len(keys), keysMax)
	}
	return keys, nil
}

// parseBlock reads one key. Its errors continue "private key 1".
func parseBlock(block *pem.Block) (*rsa.PrivateKey, error) {
	switch block.Type {
	case "ENCRYPTED PRIVATE KEY":
		return nil, errPassphrase
	case "RSA PRIVATE KEY":
		if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, errPassphrase
		}
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("is no PKCS#1: %w", err)
		}
		return key, nil
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("is no PKCS#8: %w", err)
		}
		private, isRSA := key.(*rsa.PrivateKey)
		if !isRSA {
			return nil, errors.New("is not RSA")
		}
		return private, nil
	}
	return nil, fmt.Errorf("is a %s", strings.ToLower(block.Type))
}

func newKey(private *rsa.PrivateKey) (Key, error) {
	if bits := private.N.BitLen(); bits != keyBits {
		return Key{}, fmt.Errorf("has %d bits, Meta takes only %d", bits, keyBits)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return Key{}, fmt.Errorf("has no public half: %w", err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return Key{private: private, public: public, id: keyID(der)}, nil
}

// keyID names a public key by its SPKI.
func keyID(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:keyIDBytes])
}

// GenerateKey makes a new key: PKCS#8 for ParseKeys, to be kept secret, and SPKI for
// Meta, both PEM.
func GenerateKey() (private, public []byte, err error) {
	generated, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(generated)
	if err != nil {
		return nil, nil, fmt.Errorf("write private key: %w", err)
	}
	key, err := newKey(generated)
	if err != nil {
		return nil, nil, fmt.Errorf("generated key %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), key.public, nil
}
