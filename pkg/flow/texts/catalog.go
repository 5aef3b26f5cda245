package texts

import (
	"cmp"
	"slices"

	"golang.org/x/text/language"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/text"
)

// Catalog is all texts of a flow.
type Catalog struct {
	Flow string
	// Languages are those of the flow. The first is what translators translate from.
	Languages []string
	Entries   []Entry
}

// Entry is one text.
type Entry struct {
	ID   string
	Line int
	// Source is the text in the main language, Texts is it in every language.
	Source string
	Texts  map[string]string
	// CharactersMax is WhatsApp's limit; 0 is none.
	CharactersMax int
	Slots         []Slot
	// Words says that it is a list of words that people type, one on a line.
	Words bool
}

// Slot is a value that a text shows.
type Slot struct{ Name, Type string }

// Of lists the texts of a flow in the order of its file.
func Of(f *flow.Flow) Catalog {
	d := f.Describe()
	c := Catalog{Flow: d.Name, Languages: d.Languages}
	for _, t := range f.Texts() {
		e := Entry{ID: t.ID, Line: t.Line, Source: t.Texts[d.Languages[0]], Texts: t.Texts, CharactersMax: t.CharactersMax, Words: t.Words}
		for _, name := range e.slotsOf(e.Source, d.Languages[0]) {
			e.Slots = append(e.Slots, Slot{name, d.Slots[name]})
		}
		c.Entries = append(c.Entries, e)
	}
	slices.SortStableFunc(c.Entries, func(a, b Entry) int { return cmp.Compare(a.Line, b.Line) })
	return c
}

// entry finds a text by its id.
func (c Catalog) entry(id string) (Entry, bool) {
	i := slices.IndexFunc(c.Entries, func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return c.Entries[i], true
}

// slotsOf lists the slots of a text, each once. Words, and a text that does not
// compile, have none.
func (e Entry) slotsOf(source, lang string) []string {
	t, err := text.Parse(source, language.Make(lang))
	if err != nil || e.Words {
		return nil
	}
	var names []string
	for _, u := range t.Uses() {
		if !slices.Contains(names, u.Slot) {
			names = append(names, u.Slot)
		}
	}
	return names
}

// Translation is one text that came back.
type Translation struct {
	ID       string
	Language string
	// Source is the text that was translated, Text what it became; empty if it was
	// not translated.
	Source, Text string
	// Fuzzy says that somebody has to look at it again.
	Fuzzy bool
	// Line is where it stands in the file of the translations.
	Line int
}
