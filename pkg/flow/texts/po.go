package texts

import (
	"fmt"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// PO writes the texts for a translation into one language, as gettext has it
// (GNU gettext, The Format of PO Files). The id of a text is its context; file is
// what references name.
func PO(c Catalog, file, lang string) []byte {
	p := &poWriter{}
	p.line("# Texts of the flow %s, from %s into %s.", c.Flow, c.Languages[0], lang)
	p.line("# {name} is a value: keep it as it is. In {n, plural, …} translate what stands in the inner braces.")
	p.line(`msgid ""`)
	p.line(`msgstr ""`)
	for _, header := range []string{
		"Project-Id-Version: " + c.Flow, "Language: " + lang, "X-Source-Language: " + c.Languages[0], "MIME-Version: 1.0",
		"Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: 8bit",
	} {
		p.line("%s", poQuoted(header+"\n"))
	}
	for _, e := range c.Entries {
		p.line("")
		for _, note := range e.notes(lang) {
			p.line("#. %s", note)
		}
		p.line("#: %s:%d", file, e.Line)
		p.text("msgctxt", e.ID)
		p.text("msgid", e.Source)
		p.text("msgstr", e.Texts[lang])
	}
	return []byte(p.b.String())
}

type poWriter struct{ b strings.Builder }

func (p *poWriter) line(format string, args ...any) {
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

// text writes a keyword and its text, each line of it on a line.
func (p *poWriter) text(keyword, value string) {
	lines := strings.SplitAfter(value, "\n")
	if len(lines) == 1 {
		p.line("%s %s", keyword, poQuoted(value))
		return
	}
	p.line(`%s ""`, keyword)
	for _, line := range lines {
		p.line("%s", poQuoted(line))
	}
}

var (
	poEscapes   = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`)
	poUnescapes = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n", `\t`, "\t", `\r`, "\r")
)

func poQuoted(s string) string { return `"` + poEscapes.Replace(s) + `"` }

// notes tell translators what they must know about a text.
func (e Entry) notes(lang string) []string {
	var notes []string
	if e.CharactersMax > 0 && e.CharactersMax <= notedCharactersMax {
		notes = append(notes, fmt.Sprintf("At most %d characters, with the values filled in.", e.CharactersMax))
	}
	for _, s := range e.Slots {
		if s.Type == "" {
			notes = append(notes, fmt.Sprintf("Keep {%s}.", s.Name))
			continue
		}
		notes = append(notes, fmt.Sprintf("Keep {%s}: a %s.", s.Name, s.Type))
	}
	if e.Words {
		notes = append(notes, "Words that people type, one on a line: as many as you like.")
	}
	if strings.Contains(e.Source, "plural,") {
		notes = append(notes, "Plural forms of "+lang+": "+strings.Join(pluralForms(lang), ", ")+".")
	}
	return notes
}

// notedCharactersMax: nobody comes near the limit of a whole message by accident.
const notedCharactersMax = 1024

// pluralForms are the forms that a language has for some number up to a million.
func pluralForms(lang string) []string {
	names := map[plural.Form]string{
		plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other",
	}
	seen := map[plural.Form]bool{plural.Other: true}
	tag := language.Make(lang)
	for n := range 201 {
		seen[plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)] = true
	}
	seen[plural.Cardinal.MatchPlural(tag, 1_000_000, 0, 0, 0, 0)] = true
	var forms []string
	for _, form := range []plural.Form{plural.Zero, plural.One, plural.Two, plural.Few, plural.Many, plural.Other} {
		if seen[form] {
			forms = append(forms, names[form])
		}
	}
	return forms
}

// ReadPO reads a PO file. The error names the line.
func ReadPO(data []byte) ([]Translation, error) {
	r := &poReader{}
	for i, line := range strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n") {
		r.number = i + 1
		if err := r.read(strings.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w", r.number, err)
		}
	}
	r.close()
	if r.language == "" {
		return nil, fmt.Errorf(`line 1: the header does not say which language this is: add "Language: es\n" below the first msgstr`)
	}
	for i := range r.all {
		r.all[i].Language = r.language
	}
	return r.all, nil
}

// poReader collects the entries; an entry ends where the next begins.
type poReader struct {
	number   int
	language string
	all      []Translation
	now      Translation
	begun    bool
	into     *string // what a line that is only quoted goes on with
}

func (r *poReader) read(line string) error {
	switch {
	case line == "":
		r.close()
	case strings.HasPrefix(line, "#,"):
		r.after()
		r.now.Fuzzy = strings.Contains(line, "fuzzy")
	case strings.HasPrefix(line, "#"): // comments, and what is obsolete
	case strings.HasPrefix(line, `"`):
		if r.into == nil {
			return fmt.Errorf("a text without msgctxt, msgid or msgstr before it")
		}
		return r.append(line)
	default:
		return r.keyword(line)
	}
	return nil
}

func (r *poReader) keyword(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "msgctxt":
		r.after()
		r.now.Line, r.into = r.number, &r.now.ID
	case "msgid":
		if r.now.ID == "" {
			r.after()
			r.now.Line = r.number
		}
		r.into = &r.now.Source
	case "msgstr":
		r.into = &r.now.Text
	default:
		return fmt.Errorf("%q is not understood here: the texts of a flow have msgctxt, msgid and msgstr; plurals are within the text", word)
	}
	r.begun = true
	return r.append(strings.TrimSpace(rest))
}

// after closes the entry before if it has come to its text.
func (r *poReader) after() {
	if r.begun && r.into == &r.now.Text {
		r.close()
	}
}

func (r *poReader) append(quoted string) error {
	if len(quoted) < 2 || quoted[0] != '"' || quoted[len(quoted)-1] != '"' {
		return fmt.Errorf("a text must stand in quotes: %s", quoted)
	}
	*r.into += poUnescapes.Replace(quoted[1 : len(quoted)-1])
	return nil
}

// close keeps the entry that was read. The one without id is the header.
func (r *poReader) close() {
	switch {
	case !r.begun:
	case r.now.ID == "" && r.now.Source == "":
		for line := range strings.SplitSeq(r.now.Text, "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Language") {
				r.language = strings.ReplaceAll(strings.TrimSpace(value), "_", "-")
			}
		}
	default:
		r.all = append(r.all, r.now)
	}
	r.now, r.begun, r.into = Translation{}, false, nil
}
