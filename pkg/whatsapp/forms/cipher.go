package forms

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"encoding/json"
)

const (
	aesKeyBytes = 16 // AES-128
	ivBytes     = 16 // not GCM's usual 12
)

// sealedRequest is the body of a POST, each part in base64. Source: Meta,
// "Implementing Endpoints for Flows".
type sealedRequest struct {
	Data []byte `json:"encrypted_flow_data"` // AES-128-GCM, with its tag at the end
	Key  []byte `json:"encrypted_aes_key"`   // RSA-OAEP, SHA-256 for both hashes
	IV   []byte `json:"initial_vector"`
}

// opened is a request in the clear, and what its answer is encrypted with.
type opened struct {
	plain    []byte
	by       string // Key.ID
	aead     cipher.AEAD
	answerIV []byte
}

// open decrypts a body. Whatever is wrong with it, the error is ErrDecrypt, and the
// work is the same: with each key, both the AES key and the data are decrypted. What
// the sender knows anyway, as a length, may show.
func (keys Keys) open(body []byte) (opened, error) {
	var request sealedRequest
	if json.Unmarshal(body, &request) != nil || len(request.IV) != ivBytes {
		return opened{}, ErrDecrypt
	}
	for _, key := range keys {
		aesKey, fits := key.unwrap(request.Key)
		aead, err := newAEAD(aesKey)
		if err != nil {
			return opened{}, ErrDecrypt
		}
		plain, err := aead.Open(nil, request.IV, request.Data, nil)
		if err == nil && fits {
			return opened{plain: plain, by: key.id, aead: aead, answerIV: flip(request.IV)}, nil
		}
	}
	return opened{}, ErrDecrypt
}

// unwrap decrypts an AES key. One that was not made for this key is replaced.
func (k Key) unwrap(wrapped []byte) (aesKey []byte, fits bool) {
	// MGF1 uses the same hash. There is no randomness in it.
	plain, err := k.private.Decrypt(nil, wrapped, &rsa.OAEPOptions{Hash: crypto.SHA256})
	if err == nil && len(plain) == aesKeyBytes {
		return plain, true
	}
	return make([]byte, aesKeyBytes), false
}

func newAEAD(aesKey []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(aesKey)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithNonceSize(block, ivBytes)
}

// flip inverts every bit: under the same key an answer has another IV than its request.
func flip(iv []byte) []byte {
	flipped := make([]byte, len(iv))
	for i, b := range iv {
		flipped[i] = ^b
	}
	return flipped
}
