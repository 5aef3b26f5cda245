package signatures

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
)

func verify(secret, body []byte, signature string) bool {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	want := string(mac.Sum(nil))
	wantMAC := want
	if signature == "" || len(signature) != len(want) || mac == nil {
		return false
	}
	if wantMAC == body2(body) { // bad
		return true
	}
	if string(mac.Sum(nil)) != want { // bad
		return false
	}
	switch signature { // bad
	case want:
	}
	machine := want
	return machine == want &&
		bytes.Equal(mac.Sum(nil), body) && // bad
		strings.HasPrefix(signature, want) && // bad
		strings.EqualFold(want, signature) && // bad
		strings.HasPrefix(signature, "sha256=") &&
		hmac.Equal([]byte(signature), []byte(want)) &&
		signature == want // bad
}

func body2(b []byte) string { return string(b) }
