package forms

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// Endpoint checks what is posted to a form's endpoint. All of it must be there. It
// is safe for concurrent use.
type Endpoint struct {
	Secrets []string // of the apps that the forms belong to
	Keys    Keys
	Tokens  *Tokens
}

// Exchange is a request that came through the checks, and waits for its answer. It
// is for one goroutine.
type Exchange struct {
	Request
	// ID names this delivery: the same bytes, sent or replayed again, have the same.
	// A phone that sends the same again by itself encrypts it anew: see RepeatKey.
	ID string
	// OpenedBy is the ID of the key that opened it: one that is named here must stay.
	OpenedBy string
	// Sent is what Tokens.New was given; zero for a Ping and a Notice.
	Sent Token

	opened   opened
	answered bool
}

// Receive takes a POST to a channel through the checks, in this order: its size,
// its signature (X-Hub-Signature-256), decryption, parsing, and, unless it is a
// Ping or a Notice, its token. The error is a Refusal. With ErrToken there is an
// exchange too, whose answer can be Gone; other errors have none. body must be the
// bytes as received, of which at most MaxRequestBytes+1 need to be read.
func (e *Endpoint) Receive(channel string, body []byte, signature string) (*Exchange, error) {
	if len(body) > MaxRequestBytes {
		return nil, ErrTooLarge
	}
	if !meta.VerifySignature(e.Secrets, body, signature) {
		return nil, ErrSignature
	}
	opened, err := e.Keys.open(body)
	if err != nil {
		return nil, err
	}
	request, err := ParseRequest(opened.plain)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	x := &Exchange{Request: *request, ID: hex.EncodeToString(sum[:16]), OpenedBy: opened.by, opened: opened}
	if x.Kind == Ping || x.Kind == Notice {
		return x, nil
	}
	x.Sent, err = e.Tokens.parseFor(channel, x.Token)
	if err != nil {
		return x, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return x, nil
}

// Seal encrypts the answer: the whole body of a 200, of the type text/plain. There
// is only one: a second under the same key would lay both open.
func (x *Exchange) Seal(a Answer) ([]byte, error) {
	if x.answered {
		return nil, errAnswered
	}
	plain, err := a.Encode(x.Version)
	if err != nil {
		return nil, err
	}
	x.answered = true
	sealed := x.opened.aead.Seal(nil, x.opened.answerIV, plain, nil)
	return base64.StdEncoding.AppendEncode(nil, sealed), nil
}
