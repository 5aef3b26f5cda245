package when

import (
	"strings"
	"unicode"
)

type tokenKind int

const (
	numberToken tokenKind = iota
	wordToken
	markToken
)

// token is a piece of a folded text.
type token struct {
	kind   tokenKind
	text   string
	number int
	dotted bool // a number with a dot that no number follows: "4. dezember"
	glued  bool // nothing stands between it and the token before: "4th", "15h"
}

// cutter cuts a folded text into tokens.
type cutter struct {
	text   []rune
	at     int
	gap    bool // something stood between the last token and here
	tokens []token
}

// tokensOf cuts a text. It is not ok if the text has anything that we know no
// meaning for.
func tokensOf(text string) (tokens []token, ok bool) {
	if !readable(text) {
		return nil, false
	}
	c := cutter{text: []rune(fold(text))}
	for c.at < len(c.text) {
		if len(c.tokens) == tokensMax || !c.next() {
			return nil, false
		}
	}
	return c.tokens, len(c.tokens) > 0
}

// next cuts one token, or skips what parts them.
func (c *cutter) next() bool {
	switch char := c.text[c.at]; {
	case isDigit(char):
		return c.number()
	case unicode.IsLetter(char):
		c.add(token{kind: wordToken, text: c.run(unicode.IsLetter)})
	case char == ' ' || char == ',':
		c.skip()
	case char == '\'':
		return c.apostrophe()
	case char == '-':
		return c.dash()
	case char == '.':
		return c.dot()
	case char == '/' || char == ':':
		return c.between() && c.mark()
	default:
		return false
	}
	return true
}

func (c *cutter) number() bool {
	text := c.run(isDigit)
	n, ok := digits(text)
	if !ok || len(text) > 4 {
		return false
	}
	c.add(token{kind: numberToken, text: text, number: n})
	return true
}

// apostrophe parts two words: "aujourd'hui", "o'clock".
func (c *cutter) apostrophe() bool {
	ok := c.last() == wordToken && !c.gap && c.at+1 < len(c.text) && unicode.IsLetter(c.text[c.at+1])
	c.skip()
	return ok
}

// dash is a mark between numbers, and a blank elsewhere, but never a sign: "-3".
func (c *cutter) dash() bool {
	if c.between() {
		return c.mark()
	}
	if c.gap || len(c.tokens) == 0 {
		if c.at+1 < len(c.text) && isDigit(c.text[c.at+1]) {
			return false
		}
	}
	c.skip()
	return true
}

// dot is a mark between numbers, says that the number is an ordinal, or ends an
// abbreviation.
func (c *cutter) dot() bool {
	switch {
	case c.between():
		return c.mark()
	case c.last() == wordToken:
		c.skip()
		return true
	case c.last() == numberToken && !c.gap && !c.tokens[len(c.tokens)-1].dotted:
		c.tokens[len(c.tokens)-1].dotted = true
		c.at++ // no gap: "1.º"
		return true
	}
	return false
}

// between reports whether a number stands on both sides, blanks aside.
func (c *cutter) between() bool {
	rest := strings.TrimLeft(string(c.text[c.at+1:]), " ")
	return c.last() == numberToken && !c.tokens[len(c.tokens)-1].dotted && rest != "" && isDigit(rune(rest[0]))
}

func (c *cutter) mark() bool {
	c.add(token{kind: markToken, text: string(c.text[c.at])})
	c.at++
	return true
}

// last is the kind of the last token; a mark if there is none.
func (c *cutter) last() tokenKind {
	if len(c.tokens) == 0 {
		return markToken
	}
	return c.tokens[len(c.tokens)-1].kind
}

func (c *cutter) skip() {
	c.at++
	c.gap = true
}

func (c *cutter) add(t token) {
	t.glued = !c.gap && len(c.tokens) > 0
	c.tokens = append(c.tokens, t)
	c.gap = false
}

// run cuts the longest piece of such characters.
func (c *cutter) run(is func(rune) bool) string {
	from := c.at
	for c.at < len(c.text) && is(c.text[c.at]) {
		c.at++
	}
	return string(c.text[from:c.at])
}

func isDigit(c rune) bool { return c >= '0' && c <= '9' }
