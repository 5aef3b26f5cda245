package wasender

import (
	"crypto/sha256"
	"crypto/subtle"
)

// VerifySecret reports whether header, the X-Webhook-Signature of a POST, is one of
// a session's webhook secrets. WASenderApi sends the secret itself: there is no sum
// over the body, so whoever has seen the header once can post anything. Never log
// it. It takes the same time whatever the header says; an empty secret, as of a
// session without one, verifies nothing.
// Source: WASenderApi, "Webhook setup".
func VerifySecret(header string, secrets ...string) bool {
	got, verified := sha256.Sum256([]byte(header)), false
	for _, secret := range secrets {
		want := sha256.Sum256([]byte(secret))
		if subtle.ConstantTimeCompare(got[:], want[:]) == 1 && secret != "" {
			verified = true
		}
	}
	return verified
}

// redacted stands where a secret was.
const redacted = "[redacted]"

// Secret is a key that must not be written down by accident.
type Secret string

// String hides the secret from logs and errors.
func (Secret) String() string { return redacted }

// GoString hides it from %#v.
func (Secret) GoString() string { return redacted }

// MarshalText hides it from JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }
