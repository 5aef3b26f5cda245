package wasender

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

const (
	// minSecretBytes keeps short words that stand where a secret can from being
	// taken for one. A session's API key has 64 bytes, a webhook secret 32.
	minSecretBytes = 12
	// maxSecrets bounds how many secrets of one POST are searched for elsewhere in it.
	maxSecrets = 8
)

// secretNames are the members whose value must not be stored, in lower case: what
// sessions and webhooks are opened with, and what a phone is linked with. sessionId
// holds the session's API key in the samples of messages.update and qrcode.updated.
// Source: WASenderApi, "Webhook: Message Status Update"; "Get session details".
var secretNames = map[string]bool{
	"sessionid": true, "session_id": true, "apikey": true, "api_key": true, "webhooksecret": true, "webhook_secret": true,
	"qr": true, "qrcode": true, "passkey": true,
}

// passkeyNames are secret in an event about a passkey, and no secret elsewhere.
var passkeyNames = map[string]bool{"token": true, "code": true, "requestid": true, "request_id": true}

// maxNameBytes is the length of the longest of them.
const maxNameBytes = len("webhook_secret")

// redact is body without secrets: not in the members that are named like one, and
// nowhere else either if they are long enough to be one, or known. It works on any
// bytes, as what is no JSON is stored too; JSON stays JSON. A body without secrets
// is not copied.
func redact(body []byte, known []string) []byte {
	var secrets []string
	for _, s := range known {
		if len(s) >= minSecretBytes {
			secrets = append(secrets, s)
		}
	}
	body, secrets = hideNamed(body, secrets)
	if len(secrets) == 0 {
		return body
	}
	for _, s := range secrets {
		if bytes.Contains(body, []byte(s)) {
			body = bytes.ReplaceAll(body, []byte(s), []byte(redacted))
		}
	}
	return hideEscaped(body, secrets)
}

// hideNamed redacts the members that are named like a secret, and adds what they
// held to the secrets.
func hideNamed(body []byte, secrets []string) ([]byte, []string) {
	var clean []byte
	copied, passkey := 0, bytes.Contains(body, []byte(eventPasskey))
	eachString(body, func(start, end int) int {
		colon := gapEnd(body, end)
		if colon == len(body) || body[colon] != ':' || !namesSecret(body[start:end], passkey) {
			return end
		}
		from := gapEnd(body, colon+1)
		to := valueEnd(body, from)
		if to-from <= len(`""`) || bytes.IndexByte([]byte(`"{[`), body[from]) < 0 && !passkey { // nothing, or a number
			return end
		}
		secrets = collect(secrets, body[from:to])
		clean = append(append(clean, body[copied:from]...), strconv.Quote(redacted)...)
		copied = to
		return to
	})
	if copied == 0 {
		return body, secrets
	}
	return append(clean, body[copied:]...), secrets
}

// eachString shows the strings of body, quotes included, where its walk goes on
// from wherever show says.
func eachString(body []byte, show func(start, end int) (next int)) {
	for at := 0; ; {
		quote := bytes.IndexByte(body[at:], '"')
		if quote < 0 {
			return
		}
		at = show(at+quote, stringEnd(body, at+quote))
	}
}

// namesSecret reports whether a key is one of the names, however it is spelt.
func namesSecret(quoted []byte, passkey bool) bool {
	if len(quoted) > maxNameBytes*len(`\u0000`)+len(`""`) || len(quoted) < len(`"qr"`) {
		return false
	}
	var space [maxNameBytes * len(`\u0000`)]byte
	name := unescape(space[:0], quoted[1:len(quoted)-1])
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			name[i] = c + 'a' - 'A'
		}
	}
	return secretNames[string(name)] || passkey && passkeyNames[string(name)]
}

// collect adds the strings of a value that can be secrets. A number, a phone and
// the address of a chat are none: to hide them everywhere would hide who wrote.
func collect(secrets []string, v []byte) []string {
	eachString(v, func(start, end int) int {
		s := string(unescape(nil, bytes.Trim(v[start:end], `"`)))
		isSecret := len(s) >= minSecretBytes && strings.Trim(s, "+0123456789") != "" && !strings.Contains(s, "@s.whatsapp.net") && !strings.HasSuffix(s, "@lid")
		if isSecret && len(secrets) < maxSecrets && !slices.Contains(secrets, s) {
			secrets = append(secrets, s)
		}
		return end
	})
	return secrets
}

// hideEscaped redacts the strings that hold a secret behind escapes, whole.
func hideEscaped(body []byte, secrets []string) []byte {
	var clean, buffer []byte
	copied := 0
	if bytes.IndexByte(body, '\\') < 0 {
		return body
	}
	var wanted [][]byte
	for _, s := range secrets {
		wanted = append(wanted, []byte(s))
	}
	eachString(body, func(start, end int) int {
		if bytes.IndexByte(body[start:end], '\\') < 0 {
			return end
		}
		buffer = unescape(buffer[:0], body[start:end])
		if slices.ContainsFunc(wanted, func(s []byte) bool { return bytes.Contains(buffer, s) }) {
			clean = append(append(clean, body[copied:start]...), strconv.Quote(redacted)...)
			copied = end
		}
		return end
	})
	if copied == 0 {
		return body
	}
	return append(clean, body[copied:]...)
}

// unescape appends what the inside of a string says, as far as it is ASCII: secrets
// are. It takes any bytes.
func unescape(dst, s []byte) []byte {
	for {
		escape := bytes.IndexByte(s, '\\')
		if escape < 0 || escape+1 == len(s) {
			return append(dst, s...)
		}
		dst = append(dst, s[:escape]...)
		s = s[escape+1:]
		size := 1
		if c, ok := asciiOf(s); ok {
			dst, size = append(dst, c), len(`u0000`)
		} else {
			dst = append(dst, s[0])
		}
		s = s[size:]
	}
}

// asciiOf reads the four digits of an escape ("u002f"); ok is false beyond ASCII.
func asciiOf(s []byte) (c byte, ok bool) {
	if len(s) < len(`u0000`) || s[0] != 'u' || s[1] != '0' || s[2] != '0' || s[3] > '7' {
		return 0, false
	}
	high, low := strings.IndexByte(hexDigits, s[3]), strings.IndexByte(hexDigits, s[4]|0x20)
	if s[4] <= '9' {
		low = strings.IndexByte(hexDigits, s[4])
	}
	return byte(high<<4 | low), high >= 0 && low >= 0
}

const hexDigits = "0123456789abcdef"

// structural are the bytes that a scan for the end of a container stops at.
var structural = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

// nextStructural is the index of the next of them at or behind at.
func nextStructural(data []byte, at int) int {
	for at < len(data) && !structural[data[at]] {
		at++
	}
	return at
}

// stringEnd is the index behind the string that starts at at, or the end of data
// if it does not end.
func stringEnd(data []byte, at int) int {
	for at++; at < len(data); at++ {
		switch data[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(data)
}

// valueEnd is the index behind the value that starts at at, or the end of data if
// it does not end.
func valueEnd(data []byte, at int) int {
	if at == len(data) || !structural[data[at]] {
		return at + scalarLength(data[at:])
	}
	for depth := 0; at < len(data); at = nextStructural(data, at) {
		switch data[at] {
		case '"':
			at = stringEnd(data, at)
		case '{', '[':
			depth++
			at++
		default:
			depth--
			at++
		}
		if depth <= 0 {
			return at
		}
	}
	return len(data)
}

// scalarLength is that of the number or the word that data begins with.
func scalarLength(data []byte) int {
	if n := bytes.IndexAny(data, ",:]} \n\t\r"); n >= 0 {
		return n
	}
	return len(data)
}

// gapEnd is the index of what follows the white space at at.
func gapEnd(data []byte, at int) int {
	for at < len(data) && data[at] <= ' ' {
		at++
	}
	return at
}
