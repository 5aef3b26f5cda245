package texts_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/texts"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files")

var samples = []string{"rich", "shapes"}

func load(t testing.TB, name string) ([]byte, *flow.Flow) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := flow.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return source, f
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs: run the test with -rewrite and read the diff (%v)\n%s", path, err, got)
	}
}

func TestExport(t *testing.T) {
	_, f := load(t, "rich")
	golden(t, "rich.es.po", texts.PO(texts.Of(f), "rich.yaml", "es"))
	golden(t, "rich.csv", texts.CSV(texts.Of(f)))
}

func mustMerge(t testing.TB, source []byte, translations []texts.Translation) texts.Result {
	t.Helper()
	result, err := texts.Merge(source, translations)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestNothingChangesNothing: what was exported comes back, and the file is the same.
func TestNothingChangesNothing(t *testing.T) {
	for _, name := range samples {
		source, f := load(t, name)
		catalog := texts.Of(f)
		fromCSV, err := texts.ReadCSV(texts.CSV(catalog), catalog.Languages[0])
		if err != nil {
			t.Fatal(err)
		}
		all := [][]texts.Translation{fromCSV}
		for _, lang := range catalog.Languages[1:] {
			fromPO, err := texts.ReadPO(texts.PO(catalog, name, lang))
			if err != nil {
				t.Fatal(err)
			}
			if len(fromPO) != len(catalog.Entries) {
				t.Errorf("%d of %d texts came back", len(fromPO), len(catalog.Entries))
			}
			all = append(all, fromPO)
		}
		for _, translations := range all {
			result := mustMerge(t, source, translations)
			if !bytes.Equal(result.Source, source) || len(result.Changes)+len(result.Problems) > 0 {
				t.Errorf("%s: %v %v", name, result.Changes, result.Problems)
			}
		}
	}
}

// TestTranslatesEveryShape reads as a diff of the file: what a translation does to
// each way of writing a text.
func TestTranslatesEveryShape(t *testing.T) {
	source, f := load(t, "shapes")
	var all []texts.Translation
	for _, e := range texts.Of(f).Entries {
		for _, lang := range []string{"es", "pt-BR"} {
			if e.ID == "several.say.2.link.url" {
				continue // an address stays one
			}
			all = append(all, texts.Translation{ID: e.ID, Language: lang, Source: e.Source, Text: strings.ToUpper(lang[:1]) + "-" + upper(e.Source)})
		}
	}
	result := mustMerge(t, source, all)
	if len(result.Problems) > 0 {
		t.Fatalf("%+v", result.Problems)
	}
	golden(t, "shapes.translated.yaml", result.Source)
}

// upper writes everything but the slots in capitals.
func upper(s string) string {
	return strings.NewReplacer("{NAME}", "{name}", "{VALUE}", "{value}").Replace(strings.ToUpper(s))
}

// TestKeepsWhatItIsGiven: any translations of any texts are in the file afterwards,
// nothing else has changed, and to merge them again changes nothing.
func TestKeepsWhatItIsGiven(t *testing.T) {
	piece := rapid.OneOf(rapid.StringOf(rapid.SampledFrom([]rune("ab ,:#'\"\n\t-|>{}[]&*!%@`?\\é日0~"))), rapid.String(), rapid.SampledFrom([]string{"yes", "true", "null", "1", "- a", "a: b", "a #b", "=x"}))
	source, f := load(t, "shapes")
	catalog := texts.Of(f)
	rapid.Check(t, func(r *rapid.T) {
		wanted := map[string]map[string]string{}
		var all []texts.Translation
		for range rapid.IntRange(1, 6).Draw(r, "texts") {
			e := rapid.SampledFrom(catalog.Entries).Draw(r, "text")
			lang := rapid.SampledFrom(catalog.Languages[1:]).Draw(r, "language")
			text := strings.TrimSpace(strings.ToValidUTF8(strings.NewReplacer("{", "{{", "\r", "", "\x00", "", "\ufffd", "").Replace(piece.Draw(r, "said")), ""))
			for _, s := range e.Slots {
				text += " {" + s.Name + "}"
			}
			if wanted[e.ID] == nil {
				wanted[e.ID] = map[string]string{}
			}
			if text = tidy(e, text); text != "" && wanted[e.ID][lang] == "" {
				wanted[e.ID][lang] = text
				all = append(all, texts.Translation{ID: e.ID, Language: lang, Source: e.Source, Text: text})
			}
		}
		result := mustMerge(t, source, all)
		for _, p := range result.Problems { // such as too long, or a title that is there twice
			if p.Kind != texts.KindRule || strings.Contains(p.Message, "cannot be edited") {
				r.Fatalf("%+v", p)
			}
			delete(wanted[p.ID], p.Language)
		}
		after, err := flow.Parse(result.Source)
		if err != nil {
			r.Fatal(err)
		}
		for _, e := range texts.Of(after).Entries {
			before := catalog.Entries[slices.IndexFunc(catalog.Entries, func(b texts.Entry) bool { return b.ID == e.ID })]
			want := maps.Clone(before.Texts)
			maps.Copy(want, wanted[e.ID])
			if !maps.Equal(e.Texts, want) {
				r.Fatalf("%s: %q, want %q", e.ID, e.Texts, want)
			}
		}
		again := mustMerge(t, result.Source, all)
		if len(result.Problems) == 0 && !bytes.Equal(again.Source, result.Source) {
			r.Fatal("the second merge changed the file")
		}
	})
}

// tidy is a text as the flow file keeps it.
func tidy(e texts.Entry, text string) string {
	if !e.Words {
		return strings.TrimSpace(text)
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return line == "" }), "\n")
}

func TestReportsWhatCannotBeTaken(t *testing.T) {
	source, f := load(t, "rich")
	sourceOf := func(id string) string {
		for _, e := range texts.Of(f).Entries {
			if e.ID == id {
				return e.Source
			}
		}
		t.Fatalf("no text %s", id)
		return ""
	}
	es := func(id, text string) texts.Translation {
		return texts.Translation{ID: id, Language: "es", Source: sourceOf(id), Text: text, Line: 7}
	}
	changed := es("day.say", "¿Cuándo?")
	changed.Source = "When?"
	french := es("day.say", "Quand ?")
	french.Language = "fr"
	fuzzy := es("day.say", "¿Cuándo?")
	fuzzy.Fuzzy = true
	for name, c := range map[string]struct {
		given texts.Translation
		want  string
	}{
		"unknown id":        {texts.Translation{ID: "gone.say", Language: "es", Text: "x"}, "unknown: the flow has no text gone.say any more: export the texts again"},
		"no id":             {texts.Translation{Language: "es", Source: "x", Text: "y"}, `unknown: the translation of "x" does not say of which text: export the texts again, and keep msgctxt`},
		"changed source":    {changed, `source: the text is now "Which day?", and this is a translation of "When?": export the texts again`},
		"unknown language":  {french, `language: the flow does not speak "fr": add it to languages, which has en, es`},
		"lost slot":         {es("noted.say", "Anotado"), "slots: {why} is missing: put it where the value belongs"},
		"translated slot":   {es("noted.say", "Anotado: {porque}"), "slots: {why} became {porque}: write the names in braces as they are in the source"},
		"invented slot":     {es("day.say", "¿Qué día, {name}?"), "slots: {name} is not in the source: remove it"},
		"broken":            {es("noted.say", "Anotado: {why"), `syntax: "{" opens a slot, such as {name}: close it with "}", or write "{{" for a brace`},
		"too long":          {es("menu.options.2.title", "Quiero cambiar mi reserva"), `rule: title "change" can have 25 characters in es, the limit is 24: shorten it, and put the rest into description`},
		"not translated":    {es("day.say", " "), ""},
		"to be looked at":   {fuzzy, ""},
		"the same as it is": {es("day.say", "¿Qué día?"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			result := mustMerge(t, source, []texts.Translation{c.given, es("again.say", "Otra vez, pues.")})
			got := ""
			for _, p := range result.Problems {
				got += p.Kind + ": " + p.Message
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if want := "es: \"Otra vez, pues.\""; !bytes.Contains(result.Source, []byte(want)) || len(result.Changes) != 1 {
				t.Errorf("the good translation was not taken: %v", result.Changes)
			}
		})
	}
}

func TestReadsWhatToolsWrite(t *testing.T) {
	po := "\ufeffmsgid \"\"\r\nmsgstr \"\"\r\n\"Language: pt_BR\\n\"\r\n\r\n# note\r\n#. hint\r\n#: a.yaml:3\r\n#, fuzzy, c-format\r\n#| msgid \"old\"\r\nmsgctxt \"a.say\"\r\nmsgid \"\"\r\n\"One\\n\"\r\n\"\\\"two\\\" \\\\n\"\r\nmsgstr \"Um\"\r\nmsgctxt \"b.say\"\r\nmsgid \"B\"\r\nmsgstr \"\"\r\n\r\nmsgid \"C\"\r\nmsgstr \"c\"\r\n#~ msgctxt \"gone\"\r\n#~ msgid \"x\"\r\n"
	got, err := texts.ReadPO([]byte(po))
	want := []texts.Translation{
		{ID: "a.say", Language: "pt-BR", Source: "One\n\"two\" \\n", Text: "Um", Fuzzy: true, Line: 10},
		{ID: "b.say", Language: "pt-BR", Source: "B", Line: 15},
		{Language: "pt-BR", Source: "C", Text: "c", Line: 19},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v (%v)", got, err)
	}
	got, err = texts.ReadCSV([]byte("\ufeffid;en;es;notes\r\na.say;\"One\r\ntwo\";Uno\r\n;;;\r\nb.say;B;\"\"\r\n"), "en")
	if err != nil || len(got) != 6 || got[1] != (texts.Translation{ID: "a.say", Language: "es", Source: "One\ntwo", Text: "Uno", Line: 2}) {
		t.Errorf("got %+v (%v)", got, err)
	}
}

func TestSaysWhereAFileIsBroken(t *testing.T) {
	for source, want := range map[string]string{
		"msgctxt \"a\"\nmsgid \"b\"\nmsgstr \"c\"\n":    `line 1: the header does not say which language this is: add "Language: es\n" below the first msgstr`,
		"msgid \"\"\nmsgstr \"\"\n\nmsgid_plural \"x\"": `line 4: "msgid_plural" is not understood here: the texts of a flow have msgctxt, msgid and msgstr; plurals are within the text`,
		"\"x\"":   "line 1: a text without msgctxt, msgid or msgstr before it",
		"msgid x": "line 1: a text must stand in quotes: x",
	} {
		if _, err := texts.ReadPO([]byte(source)); fmt.Sprint(err) != want {
			t.Errorf("%q: %v", source, err)
		}
	}
	if _, err := texts.ReadCSV([]byte("key,en\n"), "en"); fmt.Sprint(err) != "line 1: the columns are key, en: there must be id and en" {
		t.Error(err)
	}
}

func FuzzReadPO(f *testing.F) {
	f.Add([]byte("msgid \"\"\nmsgstr \"Language: es\\n\"\n\nmsgctxt \"a\"\nmsgid \"b\"\nmsgstr \"c\"\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = texts.ReadPO(data)
		_, _ = texts.ReadCSV(data, "en")
	})
}

// TestKeepsForeignLineEnds edits a file that was written on Windows.
func TestKeepsForeignLineEnds(t *testing.T) {
	source, _ := load(t, "shapes")
	source = append([]byte("\ufeff"), bytes.ReplaceAll(source, []byte("\n"), []byte("\r\n"))...)
	f, err := flow.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	var all []texts.Translation
	for _, e := range texts.Of(f).Entries {
		if e.ID != "several.say.2.link.url" {
			all = append(all, texts.Translation{ID: e.ID, Language: "es", Source: e.Source, Text: upper(e.Source) + "!"})
		}
	}
	result := mustMerge(t, source, all)
	if len(result.Problems) > 0 || len(result.Changes) != len(all) {
		t.Fatalf("%+v", result.Problems)
	}
	if bare := bytes.Count(result.Source, []byte("\n")) - bytes.Count(result.Source, []byte("\r\n")); bare != 0 || !bytes.HasPrefix(result.Source, source[:20]) {
		t.Errorf("%d lines end otherwise:\n%q", bare, result.Source)
	}
}
