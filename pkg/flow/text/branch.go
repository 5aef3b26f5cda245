package text

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// branch is one of the texts between which a value decides.
type branch struct {
	key   string
	exact float64     // of a plural's =N, else notExact
	form  plural.Form // of a plural's category
	parts []part
}

const (
	notExact = -1
	// exactDigitsMax keeps N a number that a float64 holds.
	exactDigitsMax = 15
)

// categories of CLDR, in its order. A text may have more of them than its
// language: tools for translators write all, and newer versions of CLDR know more.
var categories = [...]string{
	plural.Other: "other", plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many",
}

// newBranch gives a branch without text, or a problem with its key.
func newBranch(kind Kind, key string) (b branch, problem string) {
	b = branch{key: key, exact: notExact}
	digits, isExact := strings.CutPrefix(key, "=")
	switch {
	case kind == Select:
		if strings.ContainsFunc(key, isNoKey) {
			problem = fmt.Sprintf("%q cannot be a branch: use letters, digits, _ and -", key)
		}
	case isExact:
		if len(digits) > exactDigitsMax || digits == "" || strings.Trim(digits, "0123456789") != "" {
			return b, fmt.Sprintf("%q cannot be a branch: write = and a whole number, such as =0", key)
		}
		b.exact, _ = strconv.ParseFloat(digits, 64) // only digits
	case strings.HasPrefix(key, "offset:"):
		problem = `"offset:" is not supported: give the plural a slot that holds the number to show`
	default:
		index := slices.Index(categories[:], key)
		if index < 0 {
			problem = fmt.Sprintf("unknown branch %q: use zero, one, two, few, many, other, or a number such as =0", key)
		}
		b.form = plural.Form(max(index, 0))
	}
	return b, problem
}

func isNoKey(r rune) bool {
	return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
}

func (b branch) isOther() bool { return b.key == "other" }

// same reports whether both are for the same values: =1 and =01 are.
func (b branch) same(as branch) bool {
	return b.key == as.key || b.exact != notExact && b.exact == as.exact
}

// choose gives the branch for a value. A plural of what is no number is "other".
func (p *part) choose(value any, tag language.Tag) []part {
	if p.kind == Select {
		return p.named(value)
	}
	if n, isNumber := numberOf(value); isNumber {
		return p.counted(n, formOf(p.kind, n, tag)).parts
	}
	return p.other().parts
}

func (p *part) named(value any) []part {
	var scratch [64]byte
	plain, isText := value.(string)
	if !isText {
		plain = string(appendPlain(scratch[:0], value))
	}
	for i := range p.branches {
		if p.branches[i].key == plain {
			return p.branches[i].parts
		}
	}
	return p.other().parts
}

// counted gives the branch for a number: its own first, then that of its
// category, then "other".
func (p *part) counted(n float64, form plural.Form) *branch {
	for i := range p.branches {
		if b := &p.branches[i]; b.exact != notExact && b.exact == n {
			return b
		}
	}
	for i := range p.branches {
		if b := &p.branches[i]; b.exact == notExact && b.form == form {
			return b
		}
	}
	return p.other()
}

// other is there: Parse made sure.
func (p *part) other() *branch {
	return &p.branches[slices.IndexFunc(p.branches, branch.isOther)]
}

func rulesOf(kind Kind) *plural.Rules {
	if kind == Ordinal {
		return plural.Ordinal
	}
	return plural.Cardinal
}

// formOf gives the category of a number in a language: that of the number as #
// writes it, so that 1.0001, which is shown as 1, is one.
func formOf(kind Kind, n float64, tag language.Tag) plural.Form {
	if math.Abs(n) >= numberExponentFrom {
		n = operandBig // no person reads the last of so many digits
	}
	var scratch [numberBytes]byte
	d := newDigits(scratch[:0], n, false)
	v, f := len(d.fraction), operand(d.fraction)
	return rulesOf(kind).MatchPlural(tag, operand(d.integer), v, v, f, f) // no zeros at the end: w is v, t is f
}

// operandBig is where rules end: none looks at more than the last six digits and
// at whether the number is larger.
const operandBig = 1_000_000

// operand makes a number of digits, of which it keeps the last six. The advice of
// MatchPlural, to pass it modulo 10,000,000, would make 10,000,001 a "one".
func operand(digits []byte) int {
	n := 0
	for _, digit := range digits {
		n = 10*n + int(digit-'0')
		if n >= operandBig {
			n = operandBig + n%operandBig
		}
	}
	return n
}

// MissingPlurals gives the categories that whole numbers have in the language,
// and for which a plural of the text falls back to "other" because it has neither
// the category nor all its numbers as =N. They are in the order of CLDR.
func (t Text) MissingPlurals() []string {
	var missing [len(categories)]bool
	t.markMissing(t.parts, &missing)
	var names []string
	for form, isMissing := range missing {
		if isMissing {
			names = append(names, categories[form])
		}
	}
	return names
}

func (t Text) markMissing(parts []part, missing *[len(categories)]bool) {
	for i := range parts {
		p := &parts[i]
		for _, b := range p.branches {
			t.markMissing(b.parts, missing)
		}
		if p.kind != Plural && p.kind != Ordinal {
			continue
		}
		for n := range wholeNumbers {
			form := rulesOf(p.kind).MatchPlural(t.numbers.tag, n, 0, 0, 0, 0)
			if form != plural.Other && p.counted(float64(n), form).isOther() {
				missing[form] = true
			}
		}
	}
}

// wholeNumbers yields numbers of every category that whole numbers have in any
// language: rules look at the last three digits, and one at whole millions. None
// is larger than operandBig, where MatchPlural begins to need care.
func wholeNumbers(yield func(int) bool) {
	for n := range 1001 {
		if !yield(n) {
			return
		}
	}
	_ = yield(10_000) && yield(100_000) && yield(operandBig)
}
