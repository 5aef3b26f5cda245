// Package grammar tells JSON from what is none, of bytes that anybody may have sent.
package grammar

import "errors"

// What Check finds.
var (
	ErrNotJSON = errors.New("not JSON")
	ErrTooDeep = errors.New("nested too deep")
)

// Check reads data once: whether it is one JSON value (RFC 8259), and not nested deeper
// than so many levels. closed is told where each container was, inner ones first; it may
// be nil. encoding/json takes three times as long for what is nested.
func Check(data []byte, depthMax int, closed func(depth, start, end int)) error {
	c := checker{data: data, depthMax: depthMax, closed: closed}
	end := c.checkValue(c.spaceEnd(0), 0)
	switch {
	case end == tooDeep:
		return ErrTooDeep
	case end == noJSON || c.spaceEnd(end) != len(data):
		return ErrNotJSON
	}
	return nil
}

type checker struct {
	data     []byte
	depthMax int
	closed   func(depth, start, end int)
}

// What stands in place of an end if there is none.
const (
	noJSON  = -1
	tooDeep = -2
)

// peek is the byte at at; 0, which is no JSON, behind the last one.
func (c *checker) peek(at int) byte {
	if at < len(c.data) {
		return c.data[at]
	}
	return 0
}

func (c *checker) spaceEnd(at int) int {
	for at < len(c.data) && (c.data[at] == ' ' || c.data[at] == '\n' || c.data[at] == '\t' || c.data[at] == '\r') {
		at++
	}
	return at
}

// checkValue is the index behind the value at at, or says that there is none.
func (c *checker) checkValue(at, depth int) (end int) {
	switch first := c.peek(at); first {
	case '{', '[':
		return c.checkContainer(at, depth, first+2) // "}" and "]" stand two behind in ASCII
	case '"':
		return c.checkString(at)
	case 't':
		return c.checkWord(at, "true")
	case 'f':
		return c.checkWord(at, "false")
	case 'n':
		return c.checkWord(at, "null")
	}
	return c.checkNumber(at)
}

func (c *checker) checkContainer(at, depth int, closing byte) (end int) {
	if depth == c.depthMax {
		return tooDeep
	}
	start := at
	at = c.spaceEnd(at + 1)
	for first := true; c.peek(at) != closing; first = false {
		if !first {
			if c.peek(at) != ',' {
				return noJSON
			}
			at = c.spaceEnd(at + 1)
		}
		if closing == '}' {
			if at = c.checkKey(at); at < 0 {
				return at
			}
		}
		if at = c.checkValue(at, depth+1); at < 0 {
			return at
		}
		at = c.spaceEnd(at)
	}
	if c.closed != nil {
		c.closed(depth, start, at+1)
	}
	return at + 1
}

// checkKey is the index of the value that the key at at belongs to.
func (c *checker) checkKey(at int) (value int) {
	if c.peek(at) != '"' {
		return noJSON
	}
	if at = c.checkString(at); at < 0 {
		return at
	}
	if at = c.spaceEnd(at); c.peek(at) != ':' {
		return noJSON
	}
	return c.spaceEnd(at + 1)
}

func (c *checker) checkString(at int) (end int) {
	for at++; at < len(c.data); at++ {
		switch b := c.data[at]; {
		case b == '"':
			return at + 1
		case b == '\\':
			size := c.escapeSize(at + 1)
			if size == 0 {
				return noJSON
			}
			at += size
		case b < ' ':
			return noJSON
		}
	}
	return noJSON
}

// escapeSize is how many bytes belong to the escape behind a backslash; 0 if it is none.
func (c *checker) escapeSize(at int) int {
	switch c.peek(at) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		for i := 1; i <= 4; i++ {
			if b := c.peek(at + i); !isDigit(b) && (b|0x20 < 'a' || b|0x20 > 'f') {
				return 0
			}
		}
		return len("u0000")
	}
	return 0
}

func (c *checker) checkWord(at int, word string) (end int) {
	if end = at + len(word); end <= len(c.data) && string(c.data[at:end]) == word {
		return end
	}
	return noJSON
}

// checkNumber: a sign, digits without leading zeros, a fraction, an exponent.
func (c *checker) checkNumber(at int) (end int) {
	if c.peek(at) == '-' {
		at++
	}
	whole := c.digitsEnd(at)
	if whole == at || c.data[at] == '0' && whole > at+1 {
		return noJSON
	}
	at = whole
	if c.peek(at) == '.' {
		if at = c.digitsEnd(at + 1); !isDigit(c.data[at-1]) {
			return noJSON
		}
	}
	if c.peek(at)|0x20 == 'e' {
		at++
		if b := c.peek(at); b == '+' || b == '-' {
			at++
		}
		if at = c.digitsEnd(at); !isDigit(c.data[at-1]) {
			return noJSON
		}
	}
	return at
}

func (c *checker) digitsEnd(at int) int {
	for isDigit(c.peek(at)) {
		at++
	}
	return at
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
