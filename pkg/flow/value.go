package flow

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// valueType is what a slot holds. Its values are what JSON has: a string for
// texts, dates ("2026-12-04") and times ("15:30"), a float64, a bool, and a
// map[string]any for places, files, cards and forms.
type valueType string

const (
	textValue     valueType = "text"
	numberValue   valueType = "number"
	booleanValue  valueType = "boolean"
	dateValue     valueType = "date"
	timeValue     valueType = "time"
	locationValue valueType = "location"
	mediaValue    valueType = "media"
	contactValue  valueType = "contact"
	formValue     valueType = "form"
)

// memberTypes are the fields of the values that have some. A form's are declared.
var memberTypes = map[valueType]map[string]valueType{
	locationValue: {"latitude": numberValue, "longitude": numberValue, "name": textValue, "address": textValue},
	mediaValue: {
		"kind": textValue, "id": textValue, "mime_type": textValue, "filename": textValue, "caption": textValue, "size": numberValue,
	},
	contactValue: {"name": textValue, "phone": textValue, "email": textValue},
}

// holds reports whether a value that comes from outside can be one of the type.
func (k valueType) holds(value any) bool {
	said, isText := value.(string)
	return (&slot{kind: k}).fits(value) && (!isText || said != "" && utf8.RuneCountInString(said) <= AnswerCharactersMax)
}

// fits reports whether a value, as it was stored, is one of the slot's type.
func (s *slot) fits(value any) bool {
	switch v := value.(type) {
	case string:
		_, problem := checkText(s.kind, v)
		return s.kind == textValue || (s.kind == dateValue || s.kind == timeValue) && (v == "" || problem == "")
	case map[string]any:
		return memberTypes[s.kind] != nil || s.kind == formValue && s.hasMembers(v)
	case float64:
		return s.kind == numberValue
	case bool:
		return s.kind == booleanValue
	}
	return false
}

func (s *slot) hasMembers(of map[string]any) bool {
	for name, kind := range s.members {
		if field := (&slot{kind: kind}); !field.fits(of[name]) {
			return false
		}
	}
	return true
}

// encodeValue writes a value as JSON. Values are made of what JSON has, so it
// cannot fail: what is no value (NaN) is a fault of the engine, and panics.
func encodeValue(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("flow: value %v cannot be stored: %v", value, err))
	}
	return data
}

// decodeValue reads what encodeValue wrote. Stored bytes that are no JSON were
// written by nobody; they become nil, because a fold must accept every event.
func decodeValue(data []byte) (value any) {
	if json.Unmarshal(data, &value) != nil {
		return nil
	}
	return value
}

// jsonUnlessText leaves a text to the field that holds it as it is.
func jsonUnlessText(value any) []byte {
	if _, isText := value.(string); isText {
		return nil
	}
	return encodeValue(value)
}

// textOf is what the history shows of an answer: a text value itself, else what
// the person said.
func textOf(a Pending) string {
	if value, isText := a.Value.(string); isText {
		return value
	}
	return a.Text
}

// plain writes a value without any language: as titles, filters and ids use it.
func plain(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return string(encodeValue(value))
}

// Numbers that are computed, or come from outside, are kept short enough to be
// shown: below numberEnd, and with so many decimals.
const (
	numberEnd = 1e15
	decimals  = 1e9
)

// number makes an expression's number a value; ok is false for one that is too
// large, and for what JSON lacks.
func number(value any) (n float64, ok bool) {
	switch v := value.(type) {
	case float64:
		n = v
	case int:
		n = float64(v)
	default:
		return 0, false
	}
	if !(math.Abs(n) < numberEnd) {
		return 0, false
	}
	if n != math.Trunc(n) {
		n = math.Round(n*decimals) / decimals
	}
	return n + 0, true // no negative zero
}
