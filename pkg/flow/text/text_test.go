package text

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// filling is a map of slots whose dates and times show that they were asked.
type filling map[string]any

func (f filling) Lookup(slot string) any   { return f[slot] }
func (f filling) Date(value string) string { return "D" + value }
func (f filling) Time(value string) string { return "T" + value }

func TestRender(t *testing.T) {
	values := filling{
		"name": "{x} O'Neil", "contact.name": "Ada", "n": 1234.5, "one": 1.0, "two": 2.0, "zero": 0.0, "yes": true,
		"day": "2026-12-04", "hour": "15:30", "word": "many words that are longer than a number", "huge": 1e21, "int": 7,
		"list": []any{"a\"\\\n", 1.0, nil, true}, "place": map[string]any{"b": 0.5, "a": []any{}},
		"long": int64(math.MaxInt64), "nan": math.NaN(), "si": "sí",
	}
	for _, c := range []struct{ source, want string }{
		{"", ""},
		{"it's '{name}'", "it's '{x} O'Neil'"},
		{"Hi {contact.name} { name }!", "Hi Ada {x} O'Neil!"},
		{"#tag {{ } }} ## {missing}", "#tag { } }} ## "},
		{"{{{name}}}", "{{x} O'Neil}}"},
		{"{{a b}} {{name}", "{a b}} {name}"},
		{"{n} {int} {yes} {huge} {nan}", "1234.5 7 true 1000000000000000000000 NaN"},
		{"{long} {list} {place}", `9223372036854775807 ["a\"\\\u000a",1,null,true] {"a":[],"b":0.5}`},
		{"{n, number} {n,number,integer} {int , number}", "1,234.5 1,234 7"},
		{"{huge, number} {missing, number}|{yes, number} {word, number}", "1e+21 |true many words that are longer tha"},
		{"{day, date} {hour, time} {missing, date}{n, time}", "D2026-12-04 T15:30 1234.5"},
		{"{one, plural, one {# guest} other {# guests}}", "1 guest"},
		{"{n, plural,one{# guest}other{# guests}}", "1,234.5 guests"},
		{"{zero, plural, =0 {none} one {# guest} other {# guests}}", "none"},
		{"{word, plural, one {a} other {#}}", "many words that are longer tha"},
		{"{missing, plural, =0 {a} other {[#]}}", "[]"},
		{"{two, selectordinal, one {#st} two {#nd} few {#rd} other {#th}}", "2nd"},
		{"{yes, select, true {Yes} other {No}} {missing, select, true {Yes} other {No}}", "Yes No"},
		{"{int, select, 7 {seven} other {no}} {list, select, x {x} other {no}}", "seven no"},
		{"{word, select, sí {x} no-1 {y} other {z}}{si, select, sí {x} other {y}}", "zx"},
		{"{yes, select, other {{n}}}{n}", "1234.51234.5"},
		{"{yes, select, other {#, ## }}", "#, # "},
		{"{one, plural, other {##=#}}", "#=1"},
		{"{one, plural, other {{{x y}} {{{name}}} {{ }} }}", "{x y} {{x} O'Neil} { } "},
		{"{one, plural, other {a {{ b} }", "a { b"},
		{"{two, plural, other {{yes, select, true {#{one, plural, one {#}other{}}#} other{}}}}", "212"},
	} {
		text, err := Parse(c.source, language.English)
		if err != nil {
			t.Errorf("%q: %v", c.source, err)
		} else if got := text.Render(values); got != c.want {
			t.Errorf("%q\ngot  %q\nwant %q", c.source, got, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	const unclosed = `"{" opens a slot, such as {name}: close it with "}", or write "{{" for a brace`
	deep := strings.Repeat("{a, select, other {", DepthMax)
	many := strings.Repeat("b {} ", BranchesMax)
	for _, c := range []struct {
		source string
		offset int
		want   string
	}{
		{"é {", 2, unclosed},
		{"Your { name", 5, unclosed},
		{"{name b}", 0, unclosed},
		{"{}", 0, unclosed},
		{"{a,", 0, unclosed},
		{"{a, number, }", 0, unclosed},
		{"{a, number", 0, unclosed},
		{"éé{a, plural, one {b", 2, unclosed},
		{"{a, plural, one {b} ", 0, unclosed},
		{"{a, plural, one", 0, unclosed},
		{"{a, select, other {b {{ c d}}", 0, unclosed},
		{"é{{a.b}}", 1, "write {a.b} with single braces"},
		{"{{ name }}", 0, "write {name} with single braces"},
		{"{a, select, other {{{a}}}} {{a}}", 19, "write {a} with single braces"},
		{"{a, select, other {b {{a}}}}", 21, "write {a} with single braces"},
		{"é{ Name}", 3, `"Name" cannot be a slot: use a to z, 0 to 9 and _, beginning with a letter, or write "{{" for a brace`},
		{"{a..b}", 1, `"a..b" cannot be a slot: use a to z, 0 to 9 and _, beginning with a letter, or write "{{" for a brace`},
		{"{1a}", 1, `"1a" cannot be a slot: use a to z, 0 to 9 and _, beginning with a letter, or write "{{" for a brace`},
		{"{a, money}", 4, `unknown format "money": use number, date, time, plural, selectordinal or select`},
		{"{a, plain}", 4, `unknown format "plain": use number, date, time, plural, selectordinal or select`},
		{"{a, number, percent}", 12, `unknown style "percent": write {a, number} or {a, number, integer}`},
		{"{a, date, short}", 10, `unknown style "short": write {a, date}`},
		{"{a, plural}", 0, "{a, plural} has no branches: write {a, plural, other {…}}"},
		{"{a, plural,}", 0, `{a, plural} has no branch "other": add other {…} for all other values`},
		{"{a, select, x {}}", 0, `{a, select} has no branch "other": add other {…} for all other values`},
		{"{a, plural, {b}}", 12, "a branch has no name here: write other {…}"},
		{"{a, plural, one {b}, other {c}}", 19, "a branch has no name here: write other {…}"},
		{"{a, plural, one b other {c}}", 12, `branch "one" has no text: write one {…}`},
		{"{a, plural, single {b}}", 12, `unknown branch "single": use zero, one, two, few, many, other, or a number such as =0`},
		{"{a, plural, =x {b}}", 12, `"=x" cannot be a branch: write = and a whole number, such as =0`},
		{"{a, plural, =1.5 {b}}", 12, `"=1.5" cannot be a branch: write = and a whole number, such as =0`},
		{"{a, plural, offset:1 other {b}}", 12, `"offset:" is not supported: give the plural a slot that holds the number to show`},
		{"{a, select, =1 {b}}", 12, `"=1" cannot be a branch: use letters, digits, _ and -`},
		{"{a, plural, =1 {b} =01 {c}}", 19, `branch "=01" is here twice: keep one`},
		{"{a, select, x {b} x {c}}", 18, `branch "x" is here twice: keep one`},
		{deep + "{b, plural, other {}}", len(deep), "plural is inside of 4 others, the limit: split the text"},
		{"{a, select, " + distinct(many) + "c {}}", 12 + len(distinct(many)), "{a, select} has more than 100 branches, the limit: split it"},
	} {
		_, err := Parse(c.source, language.English)
		var failed *Error
		if !errors.As(err, &failed) {
			t.Errorf("%q compiled", c.source)
		} else if failed.Offset != c.offset || err.Error() != c.want {
			t.Errorf("%q\ngot  %d %s\nwant %d %s", c.source, failed.Offset, failed, c.offset, c.want)
		}
	}
}

// distinct makes the names of equal branches differ: b, bb, bbb.
func distinct(branches string) string {
	var all strings.Builder
	for i := range strings.Count(branches, "b") {
		all.WriteString(strings.Repeat("b", i+1) + " {} ")
	}
	return all.String()
}

func TestLimitsAreAllowed(t *testing.T) {
	parse(t, "en", strings.Repeat("{a, select, other {", DepthMax)+strings.Repeat("}}", DepthMax))
	parse(t, "en", "{a, select, "+distinct(strings.Repeat("b", BranchesMax-1))+"other {}}")
}

func TestUses(t *testing.T) {
	text := parse(t, "en", "é{a}{ b.c, number}{n, plural, one {{d, date}#} other {{t, time}}}{o, selectordinal, other{}}{s, select, other {}}{a}")
	want := []Use{
		{"a", Plain, 2},
		{"b.c", Number, 6},
		{"n", Plural, 19},
		{"d", Date, 36},
		{"t", Time, 55},
		{"o", Ordinal, 66},
		{"s", Select, 93},
		{"a", Plain, 114},
	}
	if got := text.Uses(); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	text.Uses()[0].Slot = "changed"
	if text.Uses()[0].Slot != "a" {
		t.Error("a caller changed the text")
	}
}

func TestCharactersMax(t *testing.T) {
	longest := func(slot string) int { return map[string]int{"a": 10, "b": 100, "endless": math.MaxInt}[slot] }
	for source, want := range map[string]int{
		"":                                    0,
		"é{{":                                 2,
		"{a}é{a}":                             21,
		"{a, number}":                         NumberCharactersMax,
		"{a, date}{b, time}":                  110,
		"{a, plural, other {#x}}":             NumberCharactersMax + 1,
		"{a, select, x {{b}} other {{a}123}}": 100,
		"{a, select, x {} other {é}}":         1,
		"{endless}{endless}":                  2 * slotCharactersMax,
	} {
		if got := parse(t, "en", source).CharactersMax(longest); got != want {
			t.Errorf("%q: got %d, want %d", source, got, want)
		}
	}
}

func TestZeroTextIsEmpty(t *testing.T) {
	var text Text
	if !text.IsStatic() || text.Render(nil) != "" || text.CharactersMax(nil) != 0 || text.Uses() != nil {
		t.Error("the zero text is not empty")
	}
}

func TestAllocations(t *testing.T) {
	values := filling{"a": "Ada", "b": 12.5, "n": 12345.5, "yes": true, "place": "here"}
	for _, c := range []struct {
		source string
		want   float64
	}{
		{"static {{ text", 0},
		{"{a}, {b} and {yes}", 1},
		{strings.Repeat("x", stackBytes-3) + "{a}", 1},
		{"{n, plural, one {# guest} other {# guests at {place}}}", 1},
		{"{yes, select, true {Yes} other {No}}", 1},
	} {
		text := parse(t, "de", c.source)
		if got := testing.AllocsPerRun(100, func() { text.Render(values) }); got != c.want {
			t.Errorf("%q: %v allocations, want %v", c.source, got, c.want)
		}
	}
}

func parse(t tester, tag, source string) Text {
	t.Helper()
	text, err := Parse(source, language.Make(tag))
	if err != nil {
		t.Fatalf("%q: %v", source, err)
	}
	return text
}

func charactersOf(s string) int { return utf8.RuneCountInString(s) }
