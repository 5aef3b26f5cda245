package forms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

const (
	// MaxTokenBytes bounds a flow_token, of ours as of others. Meta names no limit.
	MaxTokenBytes = 768
	// tokenPrefix says how a token of ours is made. The engine's own begin with "p1.".
	tokenPrefix = "pf1."
	// tokenUnused is what Meta sends of a form that was sent without a token.
	tokenUnused = "unused"
	// minSecretBytes is 128 bits in the densest writing; app secrets have 32 digits.
	minSecretBytes = 16
	tagBytes       = 16
	// tokenFieldsFirst is how many texts the first tokens had.
	tokenFieldsFirst = 4
)

// Why a token is refused. None of them says whose it could be.
var (
	ErrTokenUnused  = errors.New("the form was sent without a token")
	ErrTokenForeign = errors.New("the token is not ours")
	ErrTokenForged  = errors.New("the token was made with another secret, or changed")
	ErrTokenChannel = errors.New("the token belongs to another channel")
)

var errTokenLong = fmt.Errorf("form token: longer than %d bytes", MaxTokenBytes)

// Token is what joins a form to the session that sent it: all that is needed to put
// what is filled in into the session's lane. The portfolio follows from the channel.
type Token struct {
	Channel string // phone_number_id that the form was sent from
	LaneKey string // of the person's lane: BSUID or phone
	Session string // the engine's name of session and step, as Form.token has it
	Form    string // WhatsApp's id of the form, as Form.form_id has it: results do not name it
	SentAt  int64  // Unix seconds
	// Received is what the form shows if no answer is in time, as JSON of an Answer:
	// with it nobody has to be asked. Tokens of before have none.
	Received string
}

// Tokens makes and reads flow_tokens. Nobody can guess one, change one, or read in
// one whom it is for; the same Token always gives the same text, so a message that
// is sent again has the same form in it. It is safe for concurrent use.
type Tokens struct {
	secrets []tokenSecret
}

// tokenSecret are the two keys that are drawn from a secret.
type tokenSecret struct {
	macKey []byte
	block  cipher.Block
}

// NewTokens makes tokens under the first secret, and reads those of all.
func NewTokens(secrets ...string) (*Tokens, error) {
	if len(secrets) == 0 {
		return nil, errors.New("form tokens: no secret")
	}
	t := &Tokens{}
	for i, secret := range secrets {
		if len(secret) < minSecretBytes {
			return nil, fmt.Errorf("form tokens: secret %d has fewer than %d bytes", i+1, minSecretBytes)
		}
		keys, err := hkdf.Key(sha256.New, []byte(secret), nil, "parley form token 1", sha256.Size+aesKeyBytes)
		if err != nil {
			return nil, fmt.Errorf("form tokens: %w", err)
		}
		block, err := aes.NewCipher(keys[sha256.Size:])
		if err != nil {
			return nil, fmt.Errorf("form tokens: %w", err)
		}
		t.secrets = append(t.secrets, tokenSecret{macKey: keys[:sha256.Size], block: block})
	}
	return t, nil
}

// New is the flow_token of a form.
func (t *Tokens) New(token Token) (string, error) {
	secret, plain := t.secrets[0], token.encode()
	tag := secret.tag(plain)
	text := tokenPrefix + base64.RawURLEncoding.EncodeToString(append(tag, secret.crypt(tag, plain)...))
	if len(text) > MaxTokenBytes {
		return "", errTokenLong
	}
	return text, nil
}

// Parse reads a flow_token that came back. Its errors are ErrTokenUnused,
// ErrTokenForeign and ErrTokenForged.
func (t *Tokens) Parse(text string) (Token, error) {
	if text == "" || text == tokenUnused {
		return Token{}, ErrTokenUnused
	}
	encoded, ours := strings.CutPrefix(text, tokenPrefix)
	if !ours {
		return Token{}, ErrTokenForeign
	}
	sealed, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(text) > MaxTokenBytes || len(sealed) < tagBytes ||
		base64.RawURLEncoding.EncodeToString(sealed) != encoded { // another spelling of the same bytes
		return Token{}, ErrTokenForged
	}
	for _, secret := range t.secrets {
		if plain, ok := secret.open(sealed); ok {
			return decodeToken(plain)
		}
	}
	return Token{}, ErrTokenForged
}

// parseFor reads a token that came in on a channel.
func (t *Tokens) parseFor(channel, text string) (Token, error) {
	token, err := t.Parse(text)
	if err == nil && token.Channel != channel {
		return Token{}, ErrTokenChannel
	}
	return token, err
}

// tag authenticates what a token says, and is the IV that hides it: tokens that say
// different things never share one, and no chance is needed (SIV, as in RFC 5297).
func (s tokenSecret) tag(plain []byte) []byte {
	mac := hmac.New(sha256.New, s.macKey)
	mac.Write(plain)
	return mac.Sum(nil)[:tagBytes:tagBytes]
}

// crypt hides what a token says, or shows it again.
func (s tokenSecret) crypt(iv, in []byte) []byte {
	out := make([]byte, len(in))
	cipher.NewCTR(s.block, iv).XORKeyStream(out, in)
	return out
}

func (s tokenSecret) open(sealed []byte) (plain []byte, ok bool) {
	tag := sealed[:tagBytes]
	plain = s.crypt(tag, sealed[tagBytes:])
	return plain, hmac.Equal(tag, s.tag(plain))
}

// encode writes a token: the time, and its texts with their lengths.
func (t Token) encode() []byte {
	b := binary.AppendVarint(nil, t.SentAt)
	for _, s := range []string{t.Channel, t.LaneKey, t.Session, t.Form, t.Received} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// decodeToken reads what encode wrote. What is behind it is left to a later version.
func decodeToken(plain []byte) (t Token, err error) {
	at, n := binary.Varint(plain)
	if n <= 0 {
		return Token{}, ErrTokenForged
	}
	t.SentAt, plain = at, plain[n:]
	for i, field := range []*string{&t.Channel, &t.LaneKey, &t.Session, &t.Form, &t.Received} {
		if i == tokenFieldsFirst && len(plain) == 0 {
			return t, nil
		}
		length, n := binary.Uvarint(plain)
		if n <= 0 || length > uint64(len(plain)-n) {
			return Token{}, ErrTokenForged
		}
		plain = plain[n:]
		*field, plain = string(plain[:length]), plain[length:]
	}
	return t, nil
}
