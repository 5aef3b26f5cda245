package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/pkg/flow/texts"
)

type flowExportTexts struct {
	File     string `arg:"" help:"The flow file."`
	Format   string `enum:"po,csv" default:"po" help:"What to write: ${enum}. po has one language, csv all of them."`
	Language string `placeholder:"TAG" help:"The language to translate into. Needed for po if the flow speaks more than two."`
	Write    bool   `short:"w" help:"Write files beside the flow instead: of each language, for po."`
}

// Help shows examples below the usage.
func (flowExportTexts) Help() string {
	return `Translators get each text with its limit and the values in it. parley flow import-texts puts what comes back into the flow.

Examples:
  parley flow export-texts booking.yaml --language es > booking.es.po
  parley flow export-texts booking.yaml -w                 booking.es.po, booking.fr.po, ...
  parley flow export-texts booking.yaml --format csv -w    booking.texts.csv

Exit codes: 0 written, 1 the flow has errors or a file could not be written, 2 wrong usage.`
}

// Run exports.
func (c flowExportTexts) Run(line *kong.Context) error {
	to := newOutput(line)
	s, err := readFlow(to, c.File)
	if err != nil {
		return err
	}
	catalog := texts.Of(s.flow)
	base := strings.TrimSuffix(c.File, filepath.Ext(c.File))
	if c.Format == "csv" {
		return deliver(to, c.path(base+".texts.csv"), texts.CSV(catalog))
	}
	languages, err := c.languages(to, catalog)
	if err != nil {
		return err
	}
	for _, lang := range languages {
		po := texts.PO(catalog, filepath.Base(c.File), lang)
		if err := deliver(to, c.path(base+"."+lang+".po"), po); err != nil {
			return err
		}
	}
	return nil
}

// path is where to write; empty is standard output.
func (c flowExportTexts) path(path string) string {
	if !c.Write {
		return ""
	}
	return path
}

// languages are those to translate into.
func (c flowExportTexts) languages(to output, catalog texts.Catalog) ([]string, error) {
	main, others := catalog.Languages[0], catalog.Languages[1:]
	switch {
	case c.Language == main:
		return nil, misused(to.stderr, "%s is what %s is translated from: give another --language", main, c.File)
	case c.Language != "" && !slices.Contains(others, c.Language):
		return nil, misused(to.stderr, "%s does not speak %q: add it to languages, which has %s", c.File, c.Language, strings.Join(catalog.Languages, ", "))
	case c.Language != "":
		return []string{c.Language}, nil
	case len(others) == 0:
		return nil, misused(to.stderr, "%s speaks %s alone: add a language to languages, such as languages: [%[2]s, es]", c.File, main)
	case len(others) > 1 && !c.Write:
		return nil, misused(to.stderr, "%s speaks %s: choose one with --language, or write a file for each with -w", c.File, strings.Join(others, ", "))
	}
	return others, nil
}

type flowImportTexts struct {
	File         string `arg:"" help:"The flow file."`
	Translations string `arg:"" help:"What came back: a .po or a .csv file."`
	Check        bool   `help:"Only say what would be done."`
	Skip         bool   `help:"Leave out translations with problems, and take the others."`
	Output       string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
}

// Help shows examples below the usage.
func (flowImportTexts) Help() string {
	return `Only texts change in the file: comments, order and quotes stay. It is written only if every translation is one of a text that
still says the same, has the same values, and fits; or with --skip, without those that do not.

Examples:
  parley flow import-texts booking.yaml booking.es.po --check
  parley flow import-texts booking.yaml booking.texts.csv

Exit codes: 0 done, 1 something has problems and nothing was written, 2 wrong usage.`
}

// Run imports.
func (c flowImportTexts) Run(line *kong.Context) error {
	to := newOutput(line)
	s, err := readFlow(to, c.File)
	if err != nil {
		return err
	}
	translations, err := c.read(to, s)
	if err != nil {
		return err
	}
	result, err := texts.Merge(s.text, translations)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if err := c.print(to, result); err != nil {
		return err
	}
	if len(result.Problems) > 0 && !c.Skip {
		return fmt.Errorf("%s in %s, nothing was written: have them corrected, or take the others with: parley flow import-texts %s %[2]s --skip",
			counted(len(result.Problems), "problem"), c.Translations, c.File)
	}
	if len(result.Changes) > 0 && !c.Check {
		if err := writeFile(c.File, bytes.TrimSuffix(result.Source, []byte(s.added))); err != nil {
			return fmt.Errorf("%s could not be written: %s", c.File, reason(err))
		}
	}
	if c.Output == "table" {
		to.printf("%s %s\n", to.paint(green, "✓"), c.summary(result))
	}
	return nil
}

func (c flowImportTexts) read(to output, s source) ([]texts.Translation, error) {
	data, err := readFile(to.stderr, c.Translations)
	if err != nil {
		return nil, err
	}
	var all []texts.Translation
	switch extension := filepath.Ext(c.Translations); extension {
	case ".po", ".pot":
		all, err = texts.ReadPO(data)
	case ".csv":
		all, err = texts.ReadCSV(data, s.flow.Languages()[0])
	default:
		return nil, misused(to.stderr, "%s is neither .po nor .csv: give what parley flow export-texts wrote", c.Translations)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Translations, err)
	}
	return all, nil
}

// importReport is the result for programs.
type importReport struct {
	Changes      []texts.Change  `json:"changes"`
	Problems     []texts.Problem `json:"problems"`
	Untranslated int             `json:"untranslated"`
	Fuzzy        int             `json:"fuzzy"`
	Written      bool            `json:"written"`
}

func (c flowImportTexts) print(to output, result texts.Result) error {
	if c.Output == "json" {
		writes := !c.Check && len(result.Changes) > 0 && (c.Skip || len(result.Problems) == 0)
		return to.json(importReport{result.Changes, result.Problems, result.Untranslated, result.Fuzzy, writes})
	}
	for _, change := range result.Changes {
		to.printf("%s\n", to.paint(bold, change.ID+" ("+change.Language+")"))
		to.field(fieldChange{Old: change.Old, New: change.New})
	}
	for _, p := range result.Problems {
		place := to.paint(bold, fmt.Sprintf("%s:%d:", c.Translations, p.Line))
		to.printf("%s %s %s (%s): %s %s\n", place, to.paint(red, "error:"), p.ID, p.Language, p.Message, to.paint(dim, "["+p.Kind+"]"))
	}
	return nil
}

func (c flowImportTexts) summary(result texts.Result) string {
	words := []string{counted(len(result.Changes), "text") + " changed"}
	if result.Untranslated > 0 {
		words = append(words, fmt.Sprintf("%d not translated yet", result.Untranslated))
	}
	if result.Fuzzy > 0 {
		words = append(words, fmt.Sprintf("%d marked as fuzzy and left out", result.Fuzzy))
	}
	if len(result.Problems) > 0 {
		words = append(words, counted(len(result.Problems), "problem")+" left out")
	}
	next := "Next: parley flow lint " + c.File
	if c.Check {
		next = "Nothing was written. Next: the same without --check"
	}
	return strings.Join(words, ", ") + ". " + next
}
