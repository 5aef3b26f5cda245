package forms_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
)

var drawToken = rapid.Custom(func(t *rapid.T) forms.Token {
	text := rapid.StringN(0, 16, 60)
	return forms.Token{
		Channel: text.Draw(t, "channel"), LaneKey: text.Draw(t, "lane"), Session: text.Draw(t, "session"), Form: text.Draw(t, "form"),
		SentAt: rapid.Int64().Draw(t, "at"),
	}
})

func TestTokensComeBack(t *testing.T) {
	tokens := newTokens(t, hidden)
	rapid.Check(t, func(rt *rapid.T) {
		want := drawToken.Draw(rt, "token")
		text, err := tokens.New(want)
		if err != nil {
			rt.Fatal(err)
		}
		if got, err := tokens.Parse(text); err != nil || got != want {
			rt.Errorf("%+v, %v", got, err)
		}
		if again, err := tokens.New(want); err != nil || again != text {
			rt.Errorf("the same token is %s and %s", text, again)
		}
	})
}

func TestEveryFlippedBitOfATokenIsRefused(t *testing.T) {
	tokens := newTokens(t, hidden)
	text := []byte(newToken(t))
	for bit := range len(text) * 8 {
		text[bit/8] ^= 1 << (bit % 8)
		if got, err := tokens.Parse(string(text)); err == nil {
			t.Errorf("bit %d flipped in %s: %+v", bit, text, got)
		}
		text[bit/8] ^= 1 << (bit % 8)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(string(text), "pf1."))
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(sealed) * 8 {
		changed := bytes.Clone(sealed)
		changed[bit/8] ^= 1 << (bit % 8)
		if _, err := tokens.Parse("pf1." + base64.RawURLEncoding.EncodeToString(changed)); !errors.Is(err, forms.ErrTokenForged) {
			t.Errorf("bit %d flipped in what it says: %v", bit, err)
		}
	}
}

func TestTokensHaveOneSpelling(t *testing.T) {
	tokens, text := newTokens(t, hidden), newToken(t)
	for i := range len(text) {
		for _, changed := range []string{text[:i], text[:i] + "\n" + text[i:], text[:i] + text[i+1:], text[:i] + "=" + text[i:]} {
			if got, err := tokens.Parse(changed); err == nil {
				t.Errorf("%q: %+v", changed, got)
			}
		}
	}
	for _, changed := range []string{text + "A", text + "=", text + "\r\n", " " + text, text + text, strings.ToUpper(text)} {
		if got, err := tokens.Parse(changed); err == nil {
			t.Errorf("%q: %+v", changed, got)
		}
	}
}

func TestWhyTokensAreRefused(t *testing.T) {
	tokens, text := newTokens(t, hidden), newToken(t)
	for given, want := range map[string]error{
		"": forms.ErrTokenUnused, "unused": forms.ErrTokenUnused,
		"UNUSED": forms.ErrTokenForeign, sent.Session: forms.ErrTokenForeign, "T": forms.ErrTokenForeign, "pf2." + text[4:]: forms.ErrTokenForeign,
		"pf1.": forms.ErrTokenForged, "pf1.AAAA": forms.ErrTokenForged, "pf1." + strings.Repeat("A", 22): forms.ErrTokenForged,
		"pf1." + strings.Repeat("A", 1000): forms.ErrTokenForged, text[:len(text)-4]: forms.ErrTokenForged, "pf1.?": forms.ErrTokenForged,
	} {
		if got, err := tokens.Parse(given); !errors.Is(err, want) || got != (forms.Token{}) {
			t.Errorf("%q: %+v, %v, want %v", given, got, err, want)
		}
	}
}

func TestSecretsOfTokensRotate(t *testing.T) {
	const first, second = "the first secret of tokens", "the second secret of tokens"
	made, err := newTokens(t, first).New(sent)
	if err != nil {
		t.Fatal(err)
	}
	rotated := newTokens(t, second, first)
	if got, err := rotated.Parse(made); err != nil || got != sent {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := newTokens(t, second).Parse(made); !errors.Is(err, forms.ErrTokenForged) {
		t.Errorf("after the rotation: %v", err)
	}
	anew, err := rotated.New(sent)
	if err != nil || anew == made {
		t.Errorf("%s, %v", anew, err)
	}
	if got, err := newTokens(t, second).Parse(anew); err != nil || got != sent {
		t.Errorf("%+v, %v", got, err)
	}
	for _, secrets := range [][]string{nil, {""}, {"short"}, {first, "fifteen letters"}} {
		if _, err := forms.NewTokens(secrets...); err == nil || strings.Contains(err.Error(), "short") {
			t.Errorf("%q: %v", secrets, err)
		}
	}
}

func TestTokensHideWhomTheyAreFor(t *testing.T) {
	tokens := newTokens(t, hidden)
	text := newToken(t)
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, "pf1."))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{ann, channel, sent.Session, sent.Form} {
		if strings.Contains(text, part) || bytes.Contains(sealed, []byte(part)) {
			t.Errorf("%s shows %s", text, part)
		}
	}
	if len(text) > 160 {
		t.Errorf("a usual token has %d bytes", len(text))
	}
	next := sent
	next.LaneKey = "15550002223"
	other, err := tokens.New(next)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for i := 4; i < min(len(text), len(other)); i++ {
		if text[i] == other[i] {
			same++
		}
	}
	if same > 20 {
		t.Errorf("tokens of two people share %d characters", same)
	}
	// The longest that can happen fits: a BSUID of 135, a step of a sub-flow with two names of 64.
	longest := forms.Token{
		Channel: strings.Repeat("1", 20), LaneKey: strings.Repeat("B", 135), Form: strings.Repeat("1", 20), SentAt: 1 << 33,
		Session:  "p1.0123456789." + strings.Repeat("s", 64) + "." + strings.Repeat("s", 64) + ".form",
		Received: strings.Repeat("r", 160),
	}
	if text, err := tokens.New(longest); err != nil || len(text) > forms.MaxTokenBytes {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	longest.LaneKey = strings.Repeat("B", 270)
	if text, err := tokens.New(longest); err == nil {
		t.Errorf("a token of %d bytes", len(text))
	}
}
