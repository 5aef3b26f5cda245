package text

import (
	"math"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
	"pgregory.net/rapid"
)

// every names its category, after the number.
const (
	everyCardinal = "{n, plural, zero {# zero} one {# one} two {# two} few {# few} many {# many} other {# other}}"
	everyOrdinal  = "{n, selectordinal, zero {zero} one {one} two {two} few {few} many {many} other {other}}"
)

var counts = []float64{0, 1, 2, 5, 11, 21, 22, 1.5, 1000000}

// TestPlurals has the categories of CLDR 32, for the counts above.
func TestPlurals(t *testing.T) {
	for tag, want := range map[string]string{
		"en":    "0 other|1 one|2 other|5 other|11 other|21 other|22 other|1.5 other|1,000,000 other",
		"de":    "0 other|1 one|2 other|5 other|11 other|21 other|22 other|1,5 other|1.000.000 other",
		"es":    "0 other|1 one|2 other|5 other|11 other|21 other|22 other|1,5 other|1.000.000 other",
		"fr":    "0 one|1 one|2 other|5 other|11 other|21 other|22 other|1,5 one|1 000 000 other",
		"pt-BR": "0 one|1 one|2 other|5 other|11 other|21 other|22 other|1,5 one|1.000.000 other",
		"pt-PT": "0 other|1 one|2 other|5 other|11 other|21 other|22 other|1,5 other|1 000 000 other",
		"pl":    "0 many|1 one|2 few|5 many|11 many|21 many|22 few|1,5 other|1 000 000 many",
		"ru":    "0 many|1 one|2 few|5 many|11 many|21 one|22 few|1,5 other|1 000 000 many",
		"ar":    "٠ zero|١ one|٢ two|٥ few|١١ many|٢١ many|٢٢ many|١٫٥ other|١٬٠٠٠٬٠٠٠ other",
		"ja":    "0 other|1 other|2 other|5 other|11 other|21 other|22 other|1.5 other|1,000,000 other",
		"hi":    "0 one|1 one|2 other|5 other|11 other|21 other|22 other|1.5 other|10,00,000 other",
	} {
		if got := renderCounts(t, tag, everyCardinal); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", tag, got, want)
		}
	}
}

func TestOrdinals(t *testing.T) {
	for tag, want := range map[string]string{
		"en": "other|one|two|other|other|one|two|other|other",
		"fr": "other|one|other|other|other|other|other|other|other",
		"it": "other|other|other|other|many|other|other|other|other",
		"ru": "other|other|other|other|other|other|other|other|other",
	} {
		if got := renderCounts(t, tag, everyOrdinal); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", tag, got, want)
		}
	}
}

func renderCounts(t *testing.T, tag, source string) string {
	t.Helper()
	text := parse(t, tag, source)
	var all []string
	for _, n := range counts {
		// Languages group with a space that does not break.
		all = append(all, strings.ReplaceAll(text.Render(filling{"n": n}), "\u00a0", " "))
	}
	return strings.Join(all, "|")
}

// TestPluralsOfLargeNumbers: only the last digits count, and no larger number is
// taken for a small one.
func TestPluralsOfLargeNumbers(t *testing.T) {
	for _, c := range []struct {
		tag  string
		n    float64
		want plural.Form
	}{
		{"en", 10_000_001, plural.Other},
		{"en", -1, plural.One},
		{"en", 1.0001, plural.One}, // shown as 1
		{"en", 1e300, plural.Other},
		{"ru", 1_000_021, plural.One},
		{"ru", 10_000_022, plural.Few},
		{"ru", -1e300, plural.Many},
		{"br", 3_000_000, plural.Many},
		{"br", 1_000_000_000_000, plural.Many},
		{"lv", 0.21, plural.One},
		{"lv", 0.011, plural.One},
		{"lv", 0.11, plural.Zero},
		{"lv", 0.22, plural.Other},
	} {
		if got := formOf(Plural, c.n, language.Make(c.tag)); got != c.want {
			t.Errorf("%s %v: got %s, want %s", c.tag, c.n, categories[got], categories[c.want])
		}
	}
}

func TestMissingPlurals(t *testing.T) {
	for _, c := range []struct{ tag, source, want string }{
		{"en", "{n}", ""},
		{"en", "{n, plural, other {}}", "one"},
		{"en", "{n, plural, =1 {} other {}}", ""},
		{"ru", "{n, plural, =1 {} other {}}", "one few many"},
		{"pl", "{n, plural, one {} other {}}", "few many"},
		{"pl", "{n, plural, one {} few {} many {} other {}}", ""},
		{"ar", "{n, plural, =0 {} one {} =02 {} other {}}", "few many"},
		{"ja", "{n, plural, other {}}", ""},
		{"br", "{n, plural, one {} two {} few {} other {}}", "many"},
		{"en", "{n, selectordinal, one {} other {}}", "two few"},
		{"en", "{x, select, a {{n, plural, other {}}} other {{n, selectordinal, one {} two {} other {}}}}", "one few"},
		{"und", "{n, plural, other {}}", ""},
	} {
		if got := strings.Join(parse(t, c.tag, c.source).MissingPlurals(), " "); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.tag, c.source, got, c.want)
		}
	}
}

// TestWholeNumbersHaveAllCategories compares with four times as many numbers.
func TestWholeNumbersHaveAllCategories(t *testing.T) {
	for _, tag := range tags {
		for _, kind := range []Kind{Plural, Ordinal} {
			var probed []plural.Form
			for n := range wholeNumbers {
				probed = append(probed, formOf(kind, float64(n), language.Make(tag)))
			}
			for n := range 4000 {
				form := formOf(kind, float64(n*n), language.Make(tag))
				if !slices.Contains(probed, form) {
					t.Errorf("%s %s: %d is %s", tag, kind, n*n, categories[form])
				}
			}
		}
	}
}

// tags are languages with all kinds of digits, signs, grouping and plurals.
var tags = []string{
	"en", "es", "es-MX", "pt-BR", "pt-PT", "fr", "fr-CH", "de", "de-CH", "de-AT", "it", "nl", "pl", "ru", "uk", "cs", "sl", "lt", "lv",
	"ga", "gd", "cy", "br", "mt", "ar", "ar-EG", "ar-MA", "he", "fa", "ur", "ps", "hi", "en-IN", "bn", "mr", "ne", "ta", "te", "my",
	"km", "lo", "th", "ja", "ko", "zh", "zh-Hant", "vi", "id", "tr", "az", "ka", "hy", "sv", "nb", "da", "fi", "et", "hu", "ro", "bg",
	"sr", "hr", "mk", "sq", "el", "sw", "am", "dz", "bo", "ckb", "und", "tlh", "ar-u-nu-latn", "en-u-nu-arab", "th-u-nu-thai",
	"ja-u-nu-hanidec", "zh-Hant-u-nu-hant", "en-u-nu-mathbold", "en-u-nu-fullwide", "en-u-nu-roman", "en-u-nu-adlm",
}

// TestNumbersAreThoseOfXText: no number is written otherwise than x/text does,
// except for halves (0.0005), which it rounds after a detour by decimal digits,
// the sign of zero, and numbers that are too long.
func TestNumbersAreThoseOfXText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tag := language.Make(rapid.SampledFrom(tags).Draw(t, "tag"))
		n := float64(rapid.Int64Range(-1e15, 1e15).Draw(t, "n")) / rapid.SampledFrom([]float64{1, 10, 1000}).Draw(t, "by")
		integer := rapid.Bool().Draw(t, "integer") && math.Abs(n-math.Trunc(n)) != 0.5
		option := number.MaxFractionDigits(fractionDigitsMax)
		if integer {
			option = number.MaxFractionDigits(0)
		}
		want := message.NewPrinter(printable(tag)).Sprint(number.Decimal(n, option))
		l := numbersOf(tag)
		if got := string(l.append(nil, n, integer)); got != want && math.Abs(n) >= 1 {
			t.Fatalf("%s %v: got %q, want %q", tag, n, got, want)
		}
	})
}

func TestNumbersAreShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := numbersOf(language.Make(rapid.SampledFrom(tags).Draw(t, "tag")))
		n := rapid.OneOf(rapid.Float64(), rapid.Float64Range(-numberExponentFrom, numberExponentFrom)).Draw(t, "n")
		if got := string(l.append(nil, n, false)); charactersOf(got) > NumberCharactersMax {
			t.Fatalf("%v has %d characters: %q", n, charactersOf(got), got)
		}
	})
	for _, tag := range tags {
		l := numbersOf(language.Make(tag))
		for _, n := range []float64{-999999999999999.875, -4503599627370495.5, -999999999999999872, -math.MaxFloat64, -math.SmallestNonzeroFloat64, -1.2345678901234567e-300} {
			if got := string(l.append(nil, n, false)); charactersOf(got) > NumberCharactersMax {
				t.Errorf("%s: %v has %d characters: %q", tag, n, charactersOf(got), got)
			}
		}
	}
}
