package forms

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// MaxRequestBytes bounds the body of a POST. Meta names no limit: a screen's
	// fields have a few KiB, the descriptions of thirty uploaded files some 40.
	MaxRequestBytes = 1 << 20
	// maxDepth is how deep the JSON of a request may be nested. Screens are flat.
	maxDepth = 64
	// maxNameBytes bounds versions, screens and the keys of notices.
	maxNameBytes = 128
	// maxNoticeBytes is how much is kept of a message that a phone wrote.
	maxNoticeBytes = 1024
)

// Kind says what a request wants.
type Kind uint8

// The kinds of requests.
const (
	Ping   Kind = iota + 1 // Meta asks whether the endpoint is there
	Notice                 // a phone could not use our last answer
	Init                   // the form opens, and asks for its first screen
	Back                   // somebody went back to a screen that asks again
	Submit                 // a screen was filled in, or something on it chosen
)

var kindNames = [...]string{"unknown", "ping", "notice", "init", "back", "submit"}

// String is the kind in a word, fit for logs and metric labels.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[0]
}

// kinds are the actions of Meta's. Source: "Implementing Endpoints for Flows".
var kinds = map[string]Kind{"ping": Ping, "INIT": Init, "BACK": Back, "data_exchange": Submit}

// noticeKeys are the reasons of a Notice, in Meta's spelling. Source: Meta, "Flows Error Codes".
var noticeKeys = []string{
	"timeout_error", "missing_capability", "cannot_be_served", "no_http_response_error", "unexpected_http_status_code",
	"public-key-missing", "public-key-signiture-verification", "response-decryption-error", "invalid-screen-transition",
	"payload-schema-error", "business-decryption-error",
}

// Request is what a phone sent.
type Request struct {
	Kind    Kind
	Version string // of the data API: "3.0", "4.0"
	Screen  string // that was sent; empty if none was
	Token   string // flow_token as it came, whatever it is; empty if it did not
	// TokenSignature is a JWT that version 4.0 may add: HS256 under the app secret.
	// The signature of the POST covers the token already.
	TokenSignature string
	// Data is a JSON object of at most maxDepth levels. It is personal data.
	Data json.RawMessage
	// NoticeKey is why a phone sent a Notice: one of Meta's words, else "other".
	NoticeKey string
	// NoticeMessage is what it adds, cut. It may quote what was filled in: never logged.
	NoticeMessage string
}

// ParseRequest reads a decrypted request. Its errors are ErrRequest.
func ParseRequest(plain []byte) (*Request, error) {
	if !utf8.Valid(plain) || tooDeep(plain) {
		return nil, fmt.Errorf("%w: not UTF-8, or nested deeper than %d levels", ErrRequest, maxDepth)
	}
	var wire struct {
		Version        string          `json:"version"`
		Action         string          `json:"action"`
		Screen         string          `json:"screen"`
		Token          string          `json:"flow_token"`
		TokenSignature string          `json:"flow_token_signature"`
		Data           json.RawMessage `json:"data"`
	}
	if json.Unmarshal(plain, &wire) != nil {
		return nil, fmt.Errorf("%w: not JSON of the right types", ErrRequest)
	}
	r := &Request{
		Kind: kinds[wire.Action], Version: wire.Version, Screen: wire.Screen, Token: wire.Token,
		TokenSignature: wire.TokenSignature, Data: wire.Data,
	}
	if len(r.Data) == 0 || string(r.Data) == "null" {
		r.Data = json.RawMessage("{}")
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	// What a phone reports comes as any action: Meta says to look here first.
	r.readNotice()
	if r.Kind == 0 {
		return nil, fmt.Errorf("%w: unknown action", ErrRequest)
	}
	return r, nil
}

// check refuses what would break later, in a log or a database. What a token may be
// is for Tokens to say.
func (r *Request) check() error {
	switch {
	case r.Data[0] != '{':
		return fmt.Errorf("%w: data is no object", ErrRequest)
	case !isName(r.Version, maxNameBytes), !isName(r.Screen, maxNameBytes):
		return fmt.Errorf("%w: version or screen is no name", ErrRequest)
	}
	return nil
}

// readNotice recognises a Notice by its data. Meta's table calls the member
// error_key, its examples call it error. So a form has no fields of these names.
func (r *Request) readNotice() {
	var data map[string]json.RawMessage
	if json.Unmarshal(r.Data, &data) != nil {
		return
	}
	key := textOf(data["error"])
	if key == "" {
		key = textOf(data["error_key"])
	}
	if key == "" {
		return
	}
	r.Kind, r.NoticeKey = Notice, "other"
	if slices.Contains(noticeKeys, key) {
		r.NoticeKey = key
	}
	r.NoticeMessage = clip(textOf(data["error_message"]), maxNoticeBytes)
}

// RepeatKey is the same for a request that is sent again, in whatever spelling: it
// covers token, kind, screen and data. It holds no personal data.
func (r *Request) RepeatKey() string {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(r.Token), {byte(r.Kind)}, []byte(r.Screen), canonical(r.Data)} {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// canonical writes JSON with sorted members, without spaces, and strings with the
// same escapes. Numbers stay as they were written. Where a member is repeated, the
// last one counts, as for everybody who reads it with encoding/json.
func canonical(data []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return data
	}
	sorted, err := json.Marshal(value)
	if err != nil {
		return data
	}
	return sorted
}

// tooDeep reports whether JSON is nested deeper than maxDepth. Any bytes will do.
func tooDeep(data []byte) bool {
	depth := 0
	for at := 0; at < len(data); at++ {
		switch data[at] {
		case '"':
			for at++; at < len(data) && data[at] != '"'; at++ {
				if data[at] == '\\' {
					at++
				}
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// isName reports whether s is empty or printable ASCII of at most so many bytes.
func isName(s string, limit int) bool {
	return len(s) <= limit && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// textOf is what a JSON string says; empty for any other value.
func textOf(raw json.RawMessage) (text string) {
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// clip cuts a text, between characters.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
