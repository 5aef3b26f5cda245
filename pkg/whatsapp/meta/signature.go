package meta

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// VerifySignature reports whether header, the X-Hub-Signature-256 of a POST, is
// "sha256=" and the 64 lower-case hex digits of the HMAC-SHA256 of the body under
// one of the app secrets. The body must be the bytes as received: Meta signs them
// with their escapes, so JSON that was decoded and written again has another
// signature. It takes the same time whatever the header says. An empty secret
// verifies nothing.
func VerifySignature(secrets []string, body []byte, header string) bool {
	verified := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		want := "sha256=" + hex.EncodeToString(mac.Sum(nil))
		if hmac.Equal([]byte(header), []byte(want)) && secret != "" {
			verified = true
		}
	}
	return verified
}
