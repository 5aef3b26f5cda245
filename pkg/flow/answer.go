package flow

import (
	"maps"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"github.com/parleyhq/parley/pkg/flow/when"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Reasons of AnswerRejected: the rule that an answer broke.
const (
	// ReasonType: another kind of message was expected, or the text was blank.
	ReasonType = "type"
	// ReasonLength: the text is too long or too short.
	ReasonLength = "length"
	// ReasonEmail: the text is no e-mail address.
	ReasonEmail = "email"
	// ReasonNumber, ReasonPhone, ReasonDate, ReasonTime: the text is none.
	ReasonNumber = "number"
	ReasonPhone  = "phone"
	ReasonDate   = "date"
	ReasonTime   = "time"
	// ReasonAmbiguous: a date or a time has two readings.
	ReasonAmbiguous = "ambiguous"
	// ReasonRange: a number, a date or a time is out of its bounds.
	ReasonRange = "range"
	// ReasonPattern: the text does not match.
	ReasonPattern = "pattern"
	// ReasonChoice: no such choice, or none any more.
	ReasonChoice = "choice"
	// ReasonKind: another kind of file was expected; ReasonSize: it is too large.
	ReasonKind = "kind"
	ReasonSize = "size"
	// ReasonCheck: a rule of the flow's own.
	ReasonCheck = "check"
	// ReasonTable: the table of allowed values has no such row.
	ReasonTable = "table"
	// ReasonForm: the form came back with a field missing or of another type.
	ReasonForm = "form"
	// ReasonYesNo: neither yes nor no.
	ReasonYesNo = "yes_no"

	ruleOther = "other"
)

// invalidRules are the keys of invalid.
var invalidRules = []string{
	ReasonType, ReasonLength, ReasonEmail, ReasonNumber, ReasonPhone, ReasonDate, ReasonTime, ReasonAmbiguous, ReasonRange, ReasonPattern,
	ReasonChoice, ReasonKind, ReasonSize, ReasonTable, ReasonForm, ReasonYesNo, ruleOther,
}

// Limits of an answer. They bound what a text with slots can grow to.
const (
	// AnswerCharactersMax is the length of the longest text that is accepted.
	AnswerCharactersMax = 1000
	// EmailBytesMax is the length of the longest address that SMTP can carry in
	// a path (RFC 5321, 4.5.3.1.3, less the angle brackets).
	EmailBytesMax = 254
	// ChoiceCharactersMax is the length of the longest value of a choice from a table.
	ChoiceCharactersMax = 200

	contactNameMax = 100
	phoneMax       = 16 // E.164 with its plus
	numberMax      = 30
	dateMax        = 60
	timeMax        = 12
	placeMax       = 200 // name or address of a location
	filenameMax    = 240
)

// answerKind is a type of answer.
type answerKind uint8

const (
	noAnswer answerKind = iota
	textAnswer
	numberAnswer
	emailAnswer
	phoneAnswer
	dateAnswer
	timeAnswer
	yesNoAnswer
	choiceAnswer
	locationAnswer
	mediaAnswer
	contactAnswer
	formAnswer
)

// answerKinds are the types by the names that definitions use; a form is a step
// of its own.
var answerKinds = map[string]answerKind{
	"text": textAnswer, "number": numberAnswer, "email": emailAnswer, "phone": phoneAnswer, "date": dateAnswer, "time": timeAnswer,
	"yes_no": yesNoAnswer, "choice": choiceAnswer, "location": locationAnswer, "media": mediaAnswer, "contact": contactAnswer,
}

func answerNames() []string {
	names := slices.Collect(maps.Keys(answerKinds))
	slices.SortFunc(names, func(a, b string) int { return int(answerKinds[a]) - int(answerKinds[b]) })
	return names
}

// String is the name that definitions use.
func (k answerKind) String() string {
	for name, kind := range answerKinds {
		if kind == k {
			return name
		}
	}
	return "form"
}

// value is the type of what an answer gives.
func (k answerKind) value() valueType {
	switch k {
	case numberAnswer:
		return numberValue
	case yesNoAnswer:
		return booleanValue
	case dateAnswer:
		return dateValue
	case timeAnswer:
		return timeValue
	case locationAnswer:
		return locationValue
	case mediaAnswer:
		return mediaValue
	case contactAnswer:
		return contactValue
	case formAnswer:
		return formValue
	}
	return textValue
}

// longest is the number of characters of the longest value that passes.
func (e *expectation) longest() int {
	switch e.kind {
	case emailAnswer:
		return EmailBytesMax // no character is shorter than a byte
	case phoneAnswer:
		return phoneMax
	case numberAnswer:
		return numberMax
	case dateAnswer:
		return dateMax
	case timeAnswer, yesNoAnswer:
		return timeMax
	case textAnswer:
		if e.max != nil {
			return min(int(*e.max), AnswerCharactersMax)
		}
	case choiceAnswer:
		return e.longestChoice()
	}
	return AnswerCharactersMax
}

func (e *expectation) longestChoice() int {
	if e.dynamic != nil {
		return ChoiceCharactersMax
	}
	longest := 0
	for _, o := range e.options {
		longest = max(longest, utf8.RuneCountInString(o.value))
	}
	return longest
}

// interactive reports whether the question has choices below its text.
func (e *expectation) interactive() bool {
	return e.kind == choiceAnswer && e.show != showNumbers || e.kind == yesNoAnswer || e.kind == formAnswer || e.share
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

// parsePhone reads a number in any notation and writes it as E.164. Region is
// the country of numbers without a country code; it may be empty.
func parsePhone(value, region string) (e164 string, ok bool) {
	if len(value) > 2*numberMax {
		return "", false
	}
	n, err := phonenumbers.Parse(value, region)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
}

// regionOf is the country of a phone with country code; empty if there is none.
func regionOf(digits string) string {
	n, err := phonenumbers.Parse("+"+digits, "")
	if digits == "" || err != nil {
		return ""
	}
	return phonenumbers.GetRegionCodeForNumber(n)
}

// checkText reads a value of a slot whose type is written as text.
func checkText(kind valueType, source string) (value, problem string) {
	switch kind {
	case dateValue:
		if _, err := when.ParseISODate(source); err != nil {
			return "", "write a date as 2026-12-04"
		}
	case timeValue:
		if _, err := when.ParseISOClock(source); err != nil {
			return "", "write a time as 15:30"
		}
	}
	return source, ""
}

// answerOf returns what a message says: the typed text, or the title of the
// tapped choice, without blanks around it. It is empty for every other type of
// message, a caption included. The value can be stored anywhere: it is valid
// UTF-8 and has no NUL, which jsonb refuses.
func answerOf(message *parleyv1.IncomingMessage) string {
	switch message.GetType() {
	case "text", "button", "interactive":
		if message.GetForm() == nil {
			return storable(message.GetText())
		}
	}
	return ""
}

// storable is a text that can be kept anywhere, without blanks around it.
func storable(s string) string { return strings.TrimSpace(valid(s)) }

// valid is a text that can be kept anywhere.
func valid(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "") }

func contains(words []string, word string) bool { return slices.Contains(words, word) }
