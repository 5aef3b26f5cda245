package texts

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/text"
)

// Result is what came of a merge.
type Result struct {
	// Source is the flow file with all translations that have no problem. It
	// compiles. It is the old file, byte by byte, if nothing changed.
	Source   []byte
	Changes  []Change
	Problems []Problem
	// Untranslated and Fuzzy count what was left out without being a problem.
	Untranslated, Fuzzy int
}

// Change is one text that is now another.
type Change struct {
	ID       string `json:"id"`
	Language string `json:"language"`
	Old      string `json:"old,omitempty"`
	New      string `json:"new"`
}

// Problem is a translation that cannot be taken.
type Problem struct {
	ID       string `json:"id"`
	Language string `json:"language"`
	// Line is where it stands in the file of the translations.
	Line int `json:"line"`
	// Kind is unknown, language, source, slots, syntax or rule.
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// Kinds of problems.
const (
	KindUnknown  = "unknown"  // the flow has no such text
	KindLanguage = "language" // the flow does not speak the language
	KindSource   = "source"   // the text changed since it was sent to translators
	KindSlots    = "slots"    // a slot was lost or invented
	KindSyntax   = "syntax"   // the text does not compile
	KindRule     = "rule"     // the flow would break a rule with it, such as a limit
)

// Merge puts translations into a flow file. It fails if the file itself cannot be
// edited: if it has errors, the error is a flow.Problems.
func Merge(source []byte, translations []Translation) (Result, error) {
	mark, body, newline, err := opened(source)
	if err != nil {
		return Result{}, err
	}
	f, err := flow.Parse([]byte(body))
	if err != nil {
		return Result{}, err
	}
	m := &merge{source: body, flow: f, catalog: Of(f)}
	for _, t := range translations {
		m.check(t)
	}
	m.result.Source = source
	edited := m.apply()
	if len(m.result.Changes) > 0 {
		m.result.Source = []byte(mark + strings.ReplaceAll(edited, "\n", newline))
	}
	return m.result, nil
}

// opened takes what Windows puts around a text off: a mark of the encoding, and
// carriage returns. A YAML parser counts lines wrong that end with two characters.
func opened(source []byte) (mark, body, newline string, err error) {
	body, newline = string(source), "\n"
	if cut, ok := strings.CutPrefix(body, "\ufeff"); ok {
		mark, body = "\ufeff", cut
	}
	if returns := strings.Count(body, "\r\n"); returns > 0 {
		if returns < strings.Count(body, "\n") {
			return "", "", "", fmt.Errorf("some lines end as on Windows and some do not: save the file with one kind of line ends")
		}
		body, newline = strings.ReplaceAll(body, "\r\n", "\n"), "\r\n"
	}
	return mark, body, newline, nil
}

// merge is one merge under way.
type merge struct {
	source  string
	flow    *flow.Flow
	catalog Catalog
	taken   []Translation
	result  Result
}

func (m *merge) report(t Translation, kind, format string, args ...any) {
	m.result.Problems = append(m.result.Problems, Problem{t.ID, t.Language, t.Line, kind, fmt.Sprintf(format, args...)})
}

// check takes a translation, leaves it out, or reports it.
func (m *merge) check(t Translation) {
	e, known := m.catalog.entry(t.ID)
	t.Text, t.Source = e.tidy(t.Text), e.tidy(t.Source)
	main := m.catalog.Languages[0]
	switch {
	case t.ID == "":
		m.report(t, KindUnknown, "the translation of %q does not say of which text: export the texts again, and keep msgctxt", t.Source)
	case !known:
		m.report(t, KindUnknown, "the flow has no text %s any more: export the texts again", t.ID)
	case t.Source != e.Source:
		m.report(t, KindSource, "the text is now %q, and this is a translation of %q: export the texts again", e.Source, t.Source)
	case t.Language == main: // a column of a table
	case !slices.Contains(m.catalog.Languages, t.Language):
		m.report(t, KindLanguage, "the flow does not speak %q: add it to languages, which has %s", t.Language, strings.Join(m.catalog.Languages, ", "))
	case t.Text == "":
		m.result.Untranslated++
	case t.Fuzzy:
		m.result.Fuzzy++
	case t.Text != e.Texts[t.Language]:
		m.compare(t, e)
	}
}

// tidy is a text as the flow file keeps it: of words, each line.
func (e Entry) tidy(s string) string {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
	if !e.Words {
		return s
	}
	var words []string
	for word := range strings.SplitSeq(s, "\n") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, "\n")
}

// compare takes a translation that uses the slots of its source.
func (m *merge) compare(t Translation, e Entry) {
	if _, err := text.Parse(t.Text, language.Make(t.Language)); err != nil && !e.Words {
		m.report(t, KindSyntax, "%s", err)
		return
	}
	want, got := e.slotsOf(e.Source, m.catalog.Languages[0]), e.slotsOf(t.Text, t.Language)
	lost, invented := without(want, got), without(got, want)
	switch {
	case len(lost) > 0 && len(invented) > 0:
		m.report(t, KindSlots, "%s became %s: write the names in braces as they are in the source", braces(lost), braces(invented))
	case len(lost) > 0:
		m.report(t, KindSlots, "%s is missing: put it where the value belongs", braces(lost))
	case len(invented) > 0:
		m.report(t, KindSlots, "%s is not in the source: remove it", braces(invented))
	default:
		m.taken = append(m.taken, t)
	}
}

func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

func braces(names []string) string { return "{" + strings.Join(names, "}, {") + "}" }

// apply writes what was taken, and makes sure that the flow is what it should be. If
// the flow would break, translations are tried one after the other, and those that
// break it are left out: two options that get one title break it only together.
func (m *merge) apply() (edited string) {
	edited, problems := m.write(m.taken)
	if problems == nil {
		m.keep()
		return edited
	}
	all := m.taken
	m.taken = nil
	for _, t := range all {
		with := append(slices.Clip(m.taken), t)
		if tried, problems := m.write(with); problems != nil {
			m.report(t, KindRule, "%s", problems[0].Message)
		} else {
			m.taken, edited = with, tried
		}
	}
	m.keep()
	return edited
}

func (m *merge) keep() {
	for _, t := range m.taken {
		e, _ := m.catalog.entry(t.ID)
		m.result.Changes = append(m.result.Changes, Change{t.ID, t.Language, e.Texts[t.Language], t.Text})
	}
}

// write edits the file. It says why the result is no flow, or not the one with these
// translations.
func (m *merge) write(translations []Translation) (edited string, problems flow.Problems) {
	d, err := newDocument(m.source)
	if err != nil {
		return "", flow.Problems{{Message: err.Error()}}
	}
	wanted := map[string]map[string]string{}
	for _, t := range translations {
		if wanted[t.ID] == nil {
			wanted[t.ID] = map[string]string{}
		}
		wanted[t.ID][t.Language] = t.Text
	}
	for _, info := range m.flow.Texts() {
		if wanted[info.ID] == nil {
			continue
		}
		d.words = info.Words
		if err := d.set(place{info.Line, info.Column}, m.catalog.Languages[0], m.catalog.Languages, wanted[info.ID]); err != nil {
			return "", flow.Problems{{Line: info.Line, Message: err.Error()}}
		}
	}
	edited = d.String()
	return edited, m.verify(edited, wanted)
}

// verify reads what was written: every text must be what it was, or its translation.
func (m *merge) verify(edited string, wanted map[string]map[string]string) flow.Problems {
	f, problems := flow.Lint([]byte(edited))
	if f == nil {
		return problems.Errors()
	}
	after := Of(f)
	for _, before := range m.catalog.Entries {
		texts := maps.Clone(before.Texts)
		maps.Copy(texts, wanted[before.ID])
		if now, _ := after.entry(before.ID); !maps.Equal(texts, now.Texts) {
			return flow.Problems{{Line: before.Line, Message: fmt.Sprintf("text %s on line %d is written in a way that cannot be edited: put it in quotes", before.ID, before.Line)}}
		}
	}
	return nil
}
