package flow

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// small is a valid definition; the tests break it one piece at a time.
const small = `name: small
language: en
keywords:
  restart: [AGAIN]
steps:
  - name: first
    say: Your name?
    expect:
      type: text
      save: who
  - name: second
    say: Hello {who}, your address?
    expect:
      type: email
      save: mail
      invalid: Not an address, {who}.
completed:
  say: Thanks {who}, {mail}.
  again: Write AGAIN.
`

func TestParse(t *testing.T) {
	f := compile(t, small)
	if f.Name() != "small" || !slices.Equal(f.Steps(), []string{"first", "second"}) {
		t.Errorf("name %q, steps %v", f.Name(), f.Steps())
	}
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte(small))); f.Digest() != want {
		t.Errorf("digest %s, want %s", f.Digest(), want)
	}
	seventh := f.WithVersion(7)
	if f.Version() != 0 || seventh.Version() != 7 || seventh.Digest() != f.Digest() {
		t.Errorf("versions %d and %d", f.Version(), seventh.Version())
	}
}

// TestParseDespite checks what editors on other systems leave in a file.
func TestParseDespite(t *testing.T) {
	for name, source := range map[string]string{
		"byte order mark": "\ufeff" + small,
		"carriage return": strings.ReplaceAll(small, "\n", "\r\n"),
		"dashes":          "---\n" + small + "...\n",
		"json":            `{"name":"j","language":"en","keywords":{"restart":["R"]},"steps":[{"name":"a","say":"?","expect":{"type":"text"}}],"completed":{"say":"x","again":"y"}}`,
	} {
		if f, err := Parse([]byte(source)); err != nil {
			t.Errorf("%s:\n%v", name, err)
		} else if got := f.steps[0].say[0].body.in(0).static(); strings.ContainsAny(got, "\r\n") {
			t.Errorf("%s: text %q", name, got)
		}
	}
}

// TestParseProblems breaks the small definition: old becomes new, and want is
// the whole error without its excerpt.
func TestParseProblems(t *testing.T) {
	long := strings.Repeat("é", TextCharactersMax)
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown field", "    say: Your", "    sya: Your", `[6:5] field "say" is missing: add it: the text that the step sends|[7:5] unknown field "sya": did you mean "say"?`},
		{"unknown top field", "language: en", "language: en\nspeech: [en]", `[3:1] unknown field "speech": use name, language, languages, countries, zone, entry, slots, keywords, steps, subflows, completed, unexpected, stale_taps, undelivered, texts, migrate, expire, quiet_hours, handover, files`},
		{"merge key", "language: en", "language: en\n<<: {a: b}", `[3:1] unknown field "<<": use name, language, languages, countries, zone, entry, slots, keywords, steps, subflows, completed, unexpected, stale_taps, undelivered, texts, migrate, expire, quiet_hours, handover, files`},
		{"repeated field", "language: en", "language: en\nlanguage: es", `[3:1] field "language" is here twice: keep one`},
		{"missing field", "language: en\n", "", `[1:1] field "language" is missing: add it: the language of its texts, such as en`},
		{"missing invalid", "      invalid: Not an address, {who}.\n", "", `[14:7] field "invalid" is missing: add it: the text for an answer that is no e-mail address`},
		{"missing type", "      type: text\n", "", `[9:7] field "type" is missing: add it: what the answer must be: text, number, email, phone, date, time, yes_no, choice, location, media, contact`},
		{"missing again", "  again: Write AGAIN.\n", "", `[18:3] field "again" is missing: add it: the text for messages after the end`},
		{"empty text", "say: Your name?", "say:", `[7:5] "say" is empty: write its text`},
		{"blank text", "say: Your name?", `say: "  "`, `[7:10] "say" is empty: write its text`},
		{"number", "say: Your name?", "say: 12", `[7:10] "say" must be text: put it in quotes`},
		{"alias", "say: Your name?", "say: *a", `[7:10] "say" uses an anchor, alias or tag: write the text itself`},
		{"NUL", "say: Your name?", `say: "a\0b"`, `[7:10] "say" holds a character that is no text: remove the escape`},
		{"text as mapping", "keywords:\n  restart: [AGAIN]", "keywords: AGAIN", `[3:11] "keywords" must be a mapping of names of keywords`},
		{"no keyword", "restart: [AGAIN]", "restart: []", `[4:12] "restart" must be a list with at least one entry`},
		{"blank keyword", "restart: [AGAIN]", `restart: [AGAIN, " "]`, `[4:20] an entry of "restart" is empty: write its text`},
		{"repeated keyword", "restart: [AGAIN]", `restart: [AGAIN, again]`, `[4:20] keyword "again" is here twice: keep one`},
		{"step as text", "steps:\n", "steps:\n  - zero\n", `[6:5] an entry of "steps" must have fields: write it as {name: …, set: …}; it may have name, set, language, say, expect, form, branch, split, run, book, hold, reschedule, cancel, assign, call, handover, end, goto, loop, undelivered, remind, timeout`},
		{"repeated step", "- name: second", "- name: first", `[11:11] step "first" is here twice: give each step its own name`},
		{"ending as step", "- name: second", "- name: completed", `[11:11] "completed" says that a session has ended: give the step another name`},
		{"repeated slot", "save: mail", "save: who", `[18:8] no step saves {mail}: save it in a step before, or remove it`},
		{"name of a step", "- name: first", "- name: First-Step", `[6:11] "First-Step" cannot be a name: use a to z, 0 to 9 and _, beginning with a letter`},
		{"name of a slot", "save: mail", "save: e-mail", `[15:13] "e-mail" cannot be a name: use a to z, 0 to 9 and _, beginning with a letter|[18:8] no step saves {mail}: save it in a step before, or remove it`},
		{"long name", "name: small", "name: " + strings.Repeat("a", 65), `[1:7] the name has 65 characters, the limit is 64: shorten it`},
		{"language", "language: en", "language: English please", `[2:11] "English please" is no language tag: write one such as en or pt-BR`},
		{"type", "type: email", "type: mail", `[14:13] unknown type "mail": did you mean "email"?`},
		{"own slot", "Not an address, {who}", "Odd {mail}", `[16:16] "mail" may have no value here (on the way first > second): save it in a step before, or give it a default under slots: {mail: {type: text, default: …}}`},
		{"later slot", "say: Your name?", "say: Your name, {mail}?", `[7:10] "mail" may have no value here (on the way first): save it in a step before, or give it a default under slots: {mail: {type: text, default: …}}`},
		{"open brace", "say: Your name?", "say: Your { name", `[7:10] "say": "{" opens a slot, such as {name}: close it with "}", or write "{{" for a brace`},
		{"double braces", "Hello {who}", "Hello {{who}}", `[12:10] "say": write {who} with single braces`},
		{"long text", "Your name?", long + "é", `[7:10] "say" can have 4097 characters, WhatsApp's limit is 4096: shorten it, or give the answers in it a max`},
		{"long with slots", "Hello {who}", "Hello {who}{who}{who}{who}, " + strings.Repeat("x", 100), `[12:10] "say" can have 4123 characters, WhatsApp's limit is 4096: shorten it, or give the answers in it a max`},
		{"no steps", small[strings.Index(small, "steps"):strings.Index(small, "completed")], "steps: []\n", `[5:8] "steps" must be a list with at least one entry|[7:8] no step saves {who}: save it in a step before, or remove it|[7:8] no step saves {mail}: save it in a step before, or remove it`},
		{"empty file", small, "# nothing\n", `[1:1] the file is empty: write a flow with name, language, steps and completed`},
		{"a list", small, "- a\n", `[1:1] the flow must have fields: write it as {name: …, language: …}; it may have name, language, languages, countries, zone, entry, slots, keywords, steps, subflows, completed, unexpected, stale_taps, undelivered, texts, migrate, expire, quiet_hours, handover, files`},
		{"two flows", "completed:", "completed: &a\n---\ncompleted:", `[17:12] "completed" must have fields: write it as {say: …, again: …}; it may have say, again, restart|[19:1] a second document begins here: write one flow in a file`},
		{"tab", "  restart", "\trestart", `[4:1] this is not YAML: found character '	' that cannot start any token: check the indent, and put a text with : or { in quotes`},
		{"quote", "say: Your", "say: 'Your", `[7:10] this is not YAML: could not find end character of single-quoted text: check the indent, and put a text with : or { in quotes`},
		{"brace first", "Hello {who}", "{who}", `[12:15] this is not YAML: value is not allowed in this context: check the indent, and put a text with : or { in quotes`},
		{"Latin-1", "Your", "\xfcr", `[7:1] the line is not valid UTF-8 text: save the file as UTF-8`},
		{"size", small, strings.Repeat("# much\n", 20_000), `[1:1] the file has 140000 bytes, the limit is 131072: split the flow`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(small, c.old) {
				t.Fatalf("%q is not in the definition", c.old)
			}
			_, err := Parse([]byte(strings.Replace(small, c.old, c.new, 1)))
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error %v, want problems", err)
			}
			if got := brief(problems); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestParseAllows checks what an older version of the language refused.
func TestParseAllows(t *testing.T) {
	for _, c := range []struct{ old, new string }{
		{"keywords:\n  restart: [AGAIN]\n", ""},
		{"steps:", "slots: {note: {type: text, default: \"\"}}\nsteps:"},
		{"say: Your name?", "say: [Hello!, Your name?]"},
		{"restart: [AGAIN]", "restart: AGAIN"},
		{"restart: [AGAIN]", "restart: [true]"},
		{"language: en", "language: en\nlanguages: [en, es]"},
	} {
		compile(t, strings.Replace(small, c.old, c.new, 1))
	}
}

// TestParseLimits checks that what is just allowed is allowed.
func TestParseLimits(t *testing.T) {
	for _, c := range []struct{ old, new string }{
		{"Your name?", strings.Repeat("é", TextCharactersMax)},
		{"Hello {who}", "x{who}{who}{who}{who}" + strings.Repeat("x", 95-len(", your address?"))},
		{"name: small", "name: " + strings.Repeat("a", NameCharactersMax)},
	} {
		compile(t, strings.Replace(small, c.old, c.new, 1))
	}
}

func TestProblemsShowAllWithExcerpts(t *testing.T) {
	broken := strings.NewReplacer("    say: Your", "    sya: Your", "type: email", "type: fax").Replace(small)
	_, err := Parse([]byte(broken))
	const want = `[6:5] field "say" is missing: add it: the text that the step sends (missing)
   6 |   - name: first
           ^
[7:5] unknown field "sya": did you mean "say"? (field)
   7 |     sya: Your name?
           ^
[14:13] unknown type "fax": use text, number, email, phone, date, time, yes_no, choice, location, media, contact (value)
  14 |       type: fax
                   ^`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if _, err := Parse([]byte(strings.ReplaceAll(broken, "\n", "\r\n"))); err == nil || err.Error() != want {
		t.Errorf("of a file from Windows:\n%v\nwant\n%s", err, want)
	}
}

// TestExcerpts looks at lines that are too long to be shown whole.
func TestExcerpts(t *testing.T) {
	long := strings.Repeat("é", 200)
	for _, c := range []struct {
		line, want string
		column     int
	}{
		{"abc\r", "   1 | abc\n         ^", 3},
		{long, "   1 | " + long[:2*excerptColumnsMax] + "\n       ^", 1},
		{long, "", excerptColumnsMax + 1},
	} {
		if got := excerpt([]string{c.line}, 1, c.column); got != c.want {
			t.Errorf("column %d: got\n%s\nwant\n%s", c.column, got, c.want)
		}
	}
	far := Problem{Rule: ruleValue, Line: 1, Column: 500, Message: "wrong: mend it"}
	if got := far.String(); got != "[1:500] wrong: mend it (value)" {
		t.Errorf("got %q", got)
	}
}

// brief gives the problems without their excerpts.
func brief(problems Problems) string {
	var all []string
	for _, p := range problems {
		all = append(all, fmt.Sprintf("[%d:%d] %s", p.Line, p.Column, p.Message))
	}
	return strings.Join(all, "|")
}
