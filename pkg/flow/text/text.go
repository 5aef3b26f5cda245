// Package text compiles the texts of flows and fills in the values of slots, in
// many languages. It reads the part of ICU MessageFormat that translators use:
//
//	Hello {contact.name}, {{ is a brace.
//	{price, number}   {floor, number, integer}   {day, date}   {hour, time}
//	{n, plural, =0 {nobody} one {# guest} other {# guests}}
//	{n, selectordinal, one {#st} two {#nd} few {#rd} other {#th}}
//	{vip, select, true {Welcome back} other {Welcome}}
//
// It differs from ICU where a message to a person would come out wrong: an
// apostrophe is an apostrophe, and a closing brace outside of a placeholder is
// text. In a branch, ## is #, {{ is {, and }} is } if a {{ before it in the same
// branch has none yet; else }} ends the branch and its placeholder, as in ICU.
//
// Languages follow the CLDR version of golang.org/x/text. The package is pure:
// a text and values always give the same characters.
package text

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// Limits of a text. NumberCharactersMax is what a formatted number can take in
// any language; it holds because of numberExponentFrom.
const (
	DepthMax            = 4 // plurals and selects inside of each other
	BranchesMax         = 100
	NumberCharactersMax = 30

	// slotCharactersMax keeps the sums of CharactersMax far from overflow.
	slotCharactersMax = 1 << 30
	// stackBytes is what Render puts together without the heap: most messages.
	stackBytes = 1024
)

// Kind is how a text uses a slot.
type Kind uint8

// The kinds, and the type of value that each is made for. Render takes any type.
const (
	Plain   Kind = iota // any: the value as it is
	Number              // number
	Plural              // number: one item, two items
	Ordinal             // number: first, second
	Select              // any, compared as Plain writes it: true, false, a choice
	Date                // what Values.Date takes
	Time                // what Values.Time takes
)

var kindNames = [...]string{"plain", "number", "plural", "selectordinal", "select", "date", "time"}

// String gives the word that a text writes for the kind.
func (k Kind) String() string { return kindNames[k] }

// Use is one place where a text uses a slot. Offset counts runes up to its name.
type Use struct {
	Slot   string
	Kind   Kind
	Offset int
}

// Error says what is wrong with a text. Offset is that of a rune of the source.
type Error struct {
	Offset  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Values are what a text is filled with.
type Values interface {
	// Lookup gives the value of a slot, such as "guests" or "contact.name", as
	// JSON has it: nil (written as nothing), string, float64, bool, []any or
	// map[string]any. It is asked once a use, and once a #.
	Lookup(slot string) any
	// Date and Time write what a slot holds, such as 2026-12-04 and 15:30, for
	// people who read the language of the text.
	Date(value string) string
	Time(value string) string
}

// Text is a compiled text in one language. It does not change: it is safe for
// concurrent use. The zero Text is the empty text.
type Text struct {
	parts   []part
	uses    []Use
	numbers numbers
}

// part is a piece of a text: literal if slot is empty, else a use of the slot.
type part struct {
	literal  string
	slot     string
	kind     Kind
	integer  bool     // of Number: no decimals
	branches []branch // of Plural, Ordinal and Select, with "other"
}

// Uses gives every use of a slot, in the order of the source. The # of a plural
// belongs to the use of the plural.
func (t Text) Uses() []Use { return slices.Clone(t.uses) }

// IsStatic reports whether the text has no slots. Its Render ignores the values,
// which may be nil, and allocates nothing.
func (t Text) IsStatic() bool { return len(t.uses) == 0 }

// Render fills the slots. Values are put in as they are: a placeholder inside of
// a value is not looked at. Every value gives a text, also one of another type
// than the text was written for.
func (t Text) Render(values Values) string {
	if len(t.parts) == 0 {
		return ""
	}
	if t.IsStatic() { // one part: Parse joins literals
		return t.parts[0].literal
	}
	var stack [stackBytes]byte
	return string(t.appendParts(stack[:0], t.parts, values))
}

func (t *Text) appendParts(b []byte, parts []part, values Values) []byte {
	for i := range parts {
		p := &parts[i]
		if p.slot == "" {
			b = append(b, p.literal...)
			continue
		}
		value := values.Lookup(p.slot)
		switch p.kind {
		case Number:
			b = t.numbers.append(b, value, p.integer)
		case Plural, Ordinal, Select:
			b = t.appendParts(b, p.choose(value, t.numbers.tag), values)
		case Date, Time:
			b = appendMoment(b, p.kind, value, values)
		default:
			b = appendPlain(b, value)
		}
	}
	return b
}

// appendMoment leaves alone what is no text, such as the nil of a slot that has
// no value yet: the caller's functions only see what a slot can hold.
func appendMoment(b []byte, kind Kind, value any, values Values) []byte {
	moment, isText := value.(string)
	switch {
	case !isText:
		return appendPlain(b, value)
	case kind == Date:
		return append(b, values.Date(moment)...)
	default:
		return append(b, values.Time(moment)...)
	}
}

// CharactersMax gives the largest number of characters that Render can give: of
// each plural and select the longest branch, and NumberCharactersMax a number.
// For a slot that is used as a date or time, longest has to count what Date and
// Time make of it.
func (t Text) CharactersMax(longest func(slot string) int) int {
	return charactersMax(t.parts, longest)
}

func charactersMax(parts []part, longest func(slot string) int) int {
	sum := 0
	for i := range parts {
		p := &parts[i]
		switch {
		case p.slot == "":
			sum += utf8.RuneCountInString(p.literal)
		case p.kind == Number:
			sum += NumberCharactersMax
		case p.branches != nil:
			most := 0
			for _, b := range p.branches {
				most = max(most, charactersMax(b.parts, longest))
			}
			sum += most
		default:
			sum += min(max(longest(p.slot), 0), slotCharactersMax)
		}
	}
	return sum
}

// Parse compiles a text. Its error is an *Error. Of the extensions of a tag only
// -u-nu-latn counts: ar-u-nu-latn has Latin digits.
func Parse(source string, tag language.Tag) (Text, error) {
	p := parser{source: source}
	parts, err := p.sequence(scope{})
	if err != nil {
		return Text{}, err
	}
	t := Text{parts: parts, uses: p.uses, numbers: numbers{tag: tag}}
	countRunes(source, t.uses)
	// Only a text with numbers pays for finding out how its language writes them.
	if slices.ContainsFunc(t.uses, Use.counts) {
		t.numbers = numbersOf(tag)
	}
	return t, nil
}

func (u Use) counts() bool { return u.Kind == Number || u.Kind == Plural || u.Kind == Ordinal }

// countRunes turns the offsets from bytes into runes: in one pass, as the uses
// are in the order of the source.
func countRunes(source string, uses []Use) {
	bytes, runes := 0, 0
	for i := range uses {
		runes += utf8.RuneCountInString(source[bytes:uses[i].Offset])
		bytes, uses[i].Offset = uses[i].Offset, runes
	}
}

func failure(source string, at int, format string, arguments ...any) error {
	return &Error{Offset: utf8.RuneCountInString(source[:at]), Message: fmt.Sprintf(format, arguments...)}
}
