package text

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/language"
	"pgregory.net/rapid"
)

// TestAnyStringParsesOrSaysWhere looks at strings made of pieces of the syntax.
func TestAnyStringParsesOrSaysWhere(t *testing.T) {
	pieces := rapid.SampledFrom([]string{
		"{", "}", "{{", "}}", "#", "##", " ", ",", "é", "\xff", "a", "a.b", "{a}", "{a, ", "number", "integer", "plural, ", "select, ",
		"selectordinal, ", "date", "one {", "other {", "=0 {", "=", "offset:1 ", "\n", "true {",
	})
	rapid.Check(t, func(t *rapid.T) {
		source := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOfN(pieces, 0, 20), join)).Draw(t, "source")
		checkSource(t, source, language.Make(rapid.SampledFrom(tags).Draw(t, "tag")))
	})
}

func join(pieces []string) string { return strings.Join(pieces, "") }

// FuzzParse: any source in any language.
func FuzzParse(f *testing.F) {
	for _, source := range []string{
		"Hello {contact.name}, {{ } #", "{{name}}", "{n, number, integer} {d, date} {t, time}",
		"{n, plural, =0 {none} one {# guest} other {{x, select, yes {## {{a}}} other {#}}}}",
		"{n, selectordinal, one {#st} two {#nd} few {#rd} other {#th}}", "{n, plural, offset:1 other {",
	} {
		f.Add(source, "ar")
	}
	f.Fuzz(func(t *testing.T, source, tag string) { checkSource(t, source, language.Make(tag)) })
}

// tester is what rapid, fuzzing and plain tests have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkSource checks what holds for every source.
func checkSource(t tester, source string, tag language.Tag) {
	t.Helper()
	text, err := Parse(source, tag)
	if err != nil {
		var failed *Error
		if !errors.As(err, &failed) || failed.Message == "" || failed.Offset < 0 || failed.Offset >= charactersOf(source) {
			t.Fatalf("%q: error %#v is not inside", source, err)
		}
		return
	}
	runes, last := []rune(source), -1
	for _, use := range text.Uses() {
		if got := string(runes[use.Offset:][:len(use.Slot)]); got != use.Slot || use.Offset <= last {
			t.Fatalf("%q: %q at %d is %q", source, use.Slot, use.Offset, got)
		}
		last = use.Offset
	}
	for _, values := range []filling{nil, {"a": 1.0, "n": -2.5}, {"a": "true", "n": 1e300}, {"a": true}} {
		checkRender(t, text, values)
	}
	text.MissingPlurals()
}

// checkRender checks that the longest text is never exceeded, and that the same
// values give the same text.
func checkRender(t tester, text Text, values filling) {
	t.Helper()
	longest := func(slot string) int {
		plain := string(appendPlain(nil, values[slot]))
		return max(charactersOf(plain), charactersOf(values.Date(plain)), charactersOf(values.Time(plain)))
	}
	got := text.Render(values)
	if most := text.CharactersMax(longest); charactersOf(got) > most {
		t.Fatalf("%q has %d characters, more than %d", got, charactersOf(got), most)
	}
	if again := text.Render(values); again != got {
		t.Fatalf("the same values gave %q and %q", got, again)
	}
}

// TestRandomTexts compiles texts that are right by construction.
func TestRandomTexts(t *testing.T) {
	value := rapid.OneOf(
		rapid.Map(rapid.String(), wrap[string]), rapid.Map(rapid.Float64(), wrap[float64]), rapid.Map(rapid.IntRange(-5, 120), wrap[int]),
		rapid.Map(rapid.Bool(), wrap[bool]), rapid.SampledFrom([]any{nil, "yes", []any{"a", nil}, map[string]any{"b": 1.0}}),
	)
	rapid.Check(t, func(t *rapid.T) {
		source := randomSource(t, 0)
		text := parse(t, rapid.SampledFrom(tags).Draw(t, "tag"), source)
		checkRender(t, text, filling{"a": value.Draw(t, "a"), "b.c": value.Draw(t, "b.c")})
	})
}

func wrap[T any](value T) any { return value }

func randomSource(t *rapid.T, depth int) string {
	var source strings.Builder
	for range rapid.IntRange(0, 4).Draw(t, "parts") {
		slot := rapid.SampledFrom([]string{"a", "b.c"}).Draw(t, "slot")
		kinds := 6
		if depth == DepthMax {
			kinds = 4
		}
		switch rapid.IntRange(0, kinds).Draw(t, "kind") {
		case 0:
			source.WriteString(rapid.SampledFrom([]string{"text", "é ", "##", "{{ }}"}).Draw(t, "literal"))
		case 1:
			fmt.Fprintf(&source, "{%s}", slot)
		case 2:
			fmt.Fprintf(&source, "{%s, number}", slot)
		case 3:
			fmt.Fprintf(&source, "{%s, date}", slot)
		case 4:
			source.WriteString("#")
		case 5:
			fmt.Fprintf(&source, "{%s, plural, =0 {%s} one {%s} other {%s}}", slot,
				randomSource(t, depth+1), randomSource(t, depth+1), randomSource(t, depth+1))
		case 6:
			fmt.Fprintf(&source, "{%s, select, yes {%s} other {%s}}", slot, randomSource(t, depth+1), randomSource(t, depth+1))
		}
	}
	return source.String()
}

// TestLiteralsRoundTrip: with its braces doubled, any text is a text without
// slots that gives itself. The habit of other tools is the one exception.
func TestLiteralsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		literal := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("{}#a '")))).Draw(t, "literal")
		text, err := Parse(strings.ReplaceAll(literal, "{", "{{"), language.English)
		if err != nil {
			if !strings.HasSuffix(err.Error(), "with single braces") {
				t.Fatalf("%q: %v", literal, err)
			}
			return
		}
		if got := text.Render(nil); got != literal || !text.IsStatic() {
			t.Fatalf("got %q, want %q", got, literal)
		}
		if most := text.CharactersMax(nil); most != charactersOf(literal) {
			t.Fatalf("%q: at most %d characters", literal, most)
		}
	})
}
