package sandbox

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
)

const wamidPrefix = "wamid."

// maxWAMIDBytes bounds the names that others give us. Ours are shorter.
const maxWAMIDBytes = 512

// newWAMID names a message on a phone. Like Meta's, the name holds whose phone it
// is: who marks a message as read names the message only, and may do so after the
// sandbox was restarted.
func newWAMID(phone string) string {
	return wamidPrefix + base64.RawURLEncoding.EncodeToString([]byte(phone+" "+rand.Text()))
}

// phoneOf is the phone that has the message. ok is false if the name is not ours.
func phoneOf(wamid string) (phone string, ok bool) {
	text, ours := strings.CutPrefix(wamid, wamidPrefix)
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if !ours || err != nil {
		return "", false
	}
	phone, _, _ = strings.Cut(string(decoded), " ")
	_, ok = personOf(phone)
	return phone, ok
}
