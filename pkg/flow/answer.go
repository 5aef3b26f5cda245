package flow

import (
	"net/mail"
	"strings"
	"unicode/utf8"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Reasons of AnswerRejected: the rule that an answer broke.
const (
	// ReasonType: another kind of message was expected, or the text was blank.
	ReasonType = "type"
	// ReasonLength: the text is longer than AnswerCharactersMax.
	ReasonLength = "length"
	// ReasonEmail: the text is no e-mail address.
	ReasonEmail = "email"
)

// Limits of an answer. They bound what a text with slots can grow to.
const (
	// AnswerCharactersMax is the length of the longest text that is accepted.
	AnswerCharactersMax = 1000
	// EmailBytesMax is the length of the longest address that SMTP can carry in
	// a path (RFC 5321, 4.5.3.1.3, less the angle brackets).
	EmailBytesMax = 254
)

// answerKind is a type of answer.
type answerKind uint8

const (
	textAnswer answerKind = iota
	emailAnswer
)

// answerKinds are the types by the names that definitions use.
var answerKinds = map[string]answerKind{"text": textAnswer, "email": emailAnswer}

// charactersMax is the length of the longest value that check lets pass.
func (k answerKind) charactersMax() int {
	if k == emailAnswer {
		return EmailBytesMax // no character is shorter than a byte
	}
	return AnswerCharactersMax
}

// check returns the rule that a value breaks, or "" if it passes. The value is
// not blank.
func (k answerKind) check(value string) (reason string) {
	switch {
	case k == emailAnswer && !isEmail(value):
		return ReasonEmail
	case k == textAnswer && utf8.RuneCountInString(value) > AnswerCharactersMax:
		return ReasonLength
	}
	return ""
}

// isEmail reports whether value is a bare address ("ada@example.org", without a
// name or angle brackets) at a domain that has a dot.
func isEmail(value string) bool {
	if len(value) > EmailBytesMax {
		return false
	}
	address, err := mail.ParseAddress(value)
	if err != nil || address.Address != value {
		return false
	}
	domain := value[strings.LastIndexByte(value, '@')+1:]
	return strings.Contains(domain, ".") && !strings.HasPrefix(domain, "[") // no literal IP address
}

// answerOf returns what a message says: the typed text, or the title of the
// tapped choice, without blanks around it. It is empty for every other type of
// message, a caption included. The value can be stored anywhere: it is valid
// UTF-8 and has no NUL, which jsonb refuses.
func answerOf(message *parleyv1.IncomingMessage) string {
	switch message.GetType() {
	case "text", "button", "interactive":
		value := strings.ToValidUTF8(message.GetText(), "\ufffd")
		return strings.TrimSpace(strings.ReplaceAll(value, "\x00", ""))
	}
	return ""
}
