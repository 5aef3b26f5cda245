package text

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

const (
	// fractionDigitsMax is the default of CLDR's decimal format.
	fractionDigitsMax = 3
	// numberExponentFrom is from where numbers have an exponent instead of
	// grouping: with more digits, they would not keep NumberCharactersMax.
	numberExponentFrom = 1e18
	// numberBytes holds the digits of any number below numberExponentFrom.
	numberBytes = 32
)

// numbers is how a language writes numbers. It is asked of x/text once, by
// looking at examples, for its printers take four times as long a number and
// allocate eight times. TestNumbersAreThoseOfXText holds both together.
type numbers struct {
	tag              language.Tag
	zero             rune   // the digits follow each other in Unicode
	before, after    string // of a negative number
	group, decimal   string
	groupFirst, next int // digits of the last group, and of those before it
}

func numbersOf(tag language.Tag) numbers {
	printer := message.NewPrinter(printable(tag))
	l := numbers{tag: tag}
	l.zero, _ = utf8.DecodeRuneInString(printer.Sprint(number.Decimal(0)))
	if pieces := nonDigits(printer.Sprint(number.Decimal(-1))); len(pieces) == 2 {
		l.before, l.after = pieces[0], pieces[1]
	}
	if pieces := nonDigits(printer.Sprint(number.Decimal(0.5))); len(pieces) == 3 {
		l.decimal = pieces[1]
	}
	l.learnGroups(printer.Sprint(number.Decimal(123456789012)))
	return l
}

// printable leaves of a tag what a printer can be asked for: of the extensions
// only -u-nu-latn, as in ar-u-nu-latn. Of others, x/text v0.43.0 never returns:
// message.NewPrinter(language.Make("zh-Hant-u-nu-hant")) is an endless loop.
func printable(tag language.Tag) language.Tag {
	base, script, region := tag.Raw()
	clean, err := language.Raw.Compose(base, script, region)
	if err != nil {
		return language.Und
	}
	if tag.TypeForKey("nu") != "latn" {
		return clean
	}
	if latin, err := clean.SetTypeForKey("nu", "latn"); err == nil {
		return latin
	}
	return clean
}

// nonDigits gives what stands before, between and after the runs of digits.
func nonDigits(formatted string) []string {
	pieces, inside := []string{""}, false
	for _, r := range formatted {
		if !unicode.IsDigit(r) {
			pieces[len(pieces)-1] += string(r)
		} else if !inside {
			pieces = append(pieces, "")
		}
		inside = unicode.IsDigit(r)
	}
	return pieces
}

// learnGroups reads an example with at least three groups, or with none.
func (l *numbers) learnGroups(example string) {
	pieces := nonDigits(example)
	if len(pieces) < 4 {
		return
	}
	l.group = pieces[1]
	groups := strings.Split(example, l.group)
	l.groupFirst = utf8.RuneCountInString(groups[len(groups)-1])
	l.next = utf8.RuneCountInString(groups[len(groups)-2])
}

// append writes a value as a number. What is no number is put in as it is, but
// never longer than a number: CharactersMax counts on it.
func (l *numbers) append(b []byte, value any, integer bool) []byte {
	n, isNumber := numberOf(value)
	switch {
	case !isNumber:
		return appendCut(b, value)
	case math.Abs(n) >= numberExponentFrom:
		return strconv.AppendFloat(b, n, 'g', -1, 64)
	}
	var scratch [numberBytes]byte
	d := newDigits(scratch[:0], n, integer)
	if d.negative {
		b = append(b, l.before...)
	}
	for i, digit := range d.integer {
		if i > 0 && l.groupsAt(len(d.integer)-i) {
			b = append(b, l.group...)
		}
		b = l.appendDigit(b, digit)
	}
	if len(d.fraction) > 0 {
		b = append(b, l.decimal...)
	}
	for _, digit := range d.fraction {
		b = l.appendDigit(b, digit)
	}
	if d.negative {
		b = append(b, l.after...)
	}
	return b
}

// groupsAt reports whether a group begins where so many digits are left.
func (l *numbers) groupsAt(left int) bool {
	if l.groupFirst == 0 || left < l.groupFirst {
		return false
	}
	return (left-l.groupFirst)%l.next == 0
}

func (l *numbers) appendDigit(b []byte, digit byte) []byte {
	return utf8.AppendRune(b, l.zero+rune(digit-'0'))
}

// appendCut writes a value as it is, up to NumberCharactersMax.
func appendCut(b []byte, value any) []byte {
	start := len(b)
	b = appendPlain(b, value)
	end := start
	for range NumberCharactersMax {
		if end == len(b) {
			break
		}
		_, size := utf8.DecodeRune(b[end:])
		end += size
	}
	return b[:end]
}

// digits are those of a number as it is shown: rounded, without zeros at the end
// of the fraction, and without the sign of a zero.
type digits struct {
	negative          bool
	integer, fraction []byte // '0' to '9'
}

func newDigits(scratch []byte, n float64, integer bool) digits {
	decimals := fractionDigitsMax
	if integer {
		decimals = 0
	}
	shown := strconv.AppendFloat(scratch, math.Abs(n), 'f', decimals, 64)
	whole, fraction, _ := bytes.Cut(shown, []byte("."))
	fraction = bytes.TrimRight(fraction, "0")
	isZero := len(fraction) == 0 && len(whole) == 1 && whole[0] == '0'
	return digits{negative: n < 0 && !isZero, integer: whole, fraction: fraction}
}
