package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A secret is base64 after this prefix, of this many bytes.
const (
	secretPrefix   = "whsec_"
	secretBytesMin = 24
	secretBytesMax = 64
)

// Secrets sign what is posted. While a secret is exchanged there are two, and both sign.
type Secrets [][]byte

// ParseSecrets reads secrets. Its error does not repeat them.
func ParseSecrets(list []string) (Secrets, error) {
	var secrets Secrets
	var errs []error
	for i, text := range list {
		secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, secretPrefix))
		if err != nil || len(secret) < secretBytesMin || len(secret) > secretBytesMax {
			errs = append(errs, fmt.Errorf("secret %d is not whsec_ and %d to %d bytes in base64: `echo whsec_$(openssl rand -base64 32)` makes one",
				i+1, secretBytesMin, secretBytesMax))
		}
		secrets = append(secrets, secret)
	}
	return secrets, errors.Join(errs...)
}

// sign returns the header webhook-signature: one signature a secret, apart by a space.
func (s Secrets) sign(id string, at time.Time, body []byte) string {
	signatures := make([]string, len(s))
	for i, secret := range s {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}
