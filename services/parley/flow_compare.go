package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
)

// changes is what is different between two versions of a flow.
type changes struct {
	Flow      string   `json:"flow"`
	OldDigest string   `json:"old_digest"`
	NewDigest string   `json:"new_digest"`
	Steps     []change `json:"steps"`
	Slots     []change `json:"slots"`
	Languages []change `json:"languages"`
	Keywords  []change `json:"keywords"`
	Entries   []change `json:"entries"`
	// Texts are those of no step: of keywords, and at the end.
	Texts []change `json:"texts"`
	// Unmapped are removed steps that migrate does not map: people who stand on one
	// cannot go on in the new version.
	Unmapped []unmapped `json:"unmapped"`
}

// change is one thing that was added, removed or changed.
type change struct {
	Name   string        `json:"name"`
	Kind   kind          `json:"change"`
	Fields []fieldChange `json:"fields,omitempty"`
}

type kind string

const (
	added   kind = "added"
	removed kind = "removed"
	changed kind = "changed"
)

// fieldChange is what changed in it. Old or New is empty if there was none.
type fieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

type unmapped struct {
	Step string `json:"step"`
	// Perhaps is an added step that looks like it.
	Perhaps string `json:"perhaps,omitempty"`
}

// compare says what is different between two flows.
func compare(before, after *flow.Flow) changes {
	a, b := before.Describe(), after.Describe()
	c := changes{
		Flow: a.Name, OldDigest: a.Digest, NewDigest: b.Digest,
		Steps:     difference(stepsOf(before, a), stepsOf(after, b)),
		Slots:     difference(slotsOf(a), slotsOf(b)),
		Languages: difference(languagesOf(a), languagesOf(b)),
		Keywords:  difference(keywordsOf(a), keywordsOf(b)),
		Entries:   difference(entriesOf(a), entriesOf(b)),
		Texts:     difference(otherTexts(before), otherTexts(after)),
		Unmapped:  []unmapped{},
	}
	for _, s := range c.Steps {
		if _, mapped := after.Migrations()[s.Name]; s.Kind == removed && !mapped {
			c.Unmapped = append(c.Unmapped, unmapped{s.Name, lookalike(s.Name, a, b)})
		}
	}
	return c
}

// same reports that nothing was found.
func (c changes) same() bool {
	return len(c.Steps)+len(c.Slots)+len(c.Languages)+len(c.Keywords)+len(c.Entries)+len(c.Texts) == 0
}

// thing is something with a name and fields, in the order of the file.
type thing struct {
	name   string
	fields []fieldValue
}

type fieldValue struct{ name, value string }

// difference compares things by their names: what is gone first, then the rest in
// the new order.
func difference(before, after []thing) []change {
	all := []change{}
	for _, old := range before {
		if find(after, old.name) == nil {
			all = append(all, change{Name: old.name, Kind: removed})
		}
	}
	for _, now := range after {
		old := find(before, now.name)
		if old == nil {
			all = append(all, change{Name: now.name, Kind: added})
		} else if fields := fieldChanges(old.fields, now.fields); fields != nil {
			all = append(all, change{now.name, changed, fields})
		}
	}
	return all
}

func find(things []thing, name string) *thing {
	i := slices.IndexFunc(things, func(t thing) bool { return t.name == name })
	if i < 0 {
		return nil
	}
	return &things[i]
}

func fieldChanges(before, after []fieldValue) []fieldChange {
	var all []fieldChange
	for _, f := range before {
		if now := valueOf(after, f.name); now != f.value {
			all = append(all, fieldChange{f.name, f.value, now})
		}
	}
	for _, f := range after {
		isNew := !slices.ContainsFunc(before, func(b fieldValue) bool { return b.name == f.name })
		if isNew && f.value != "" {
			all = append(all, fieldChange{f.name, "", f.value})
		}
	}
	return all
}

// valueOf is the value of a field; empty if there is none.
func valueOf(fields []fieldValue, name string) string {
	for _, f := range fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

func stepsOf(f *flow.Flow, d flow.Description) []thing {
	all := make([]thing, len(d.Steps))
	for i, s := range d.Steps {
		t := thing{name: s.Name, fields: []fieldValue{{"kind", s.Kind}, {"answer", s.Answer}, {"saves", s.Slot}}}
		t.fields = append(t.fields, textsOf(f, s.Name)...)
		for _, o := range s.Options {
			t.fields = append(t.fields, fieldValue{"option " + o.Value, o.Title})
		}
		t.fields = append(t.fields, waysOf(s)...)
		all[i] = t
	}
	return all
}

// waysOf lists the ways by what they are for.
func waysOf(s flow.StepInfo) []fieldValue {
	var all []fieldValue
	for _, w := range s.Ways {
		name := strings.TrimSpace("way " + w.Label)
		if strings.HasSuffix(w.Label, " failures") {
			name = "way after failures"
		}
		all = append(all, fieldValue{name, w.To})
	}
	return all
}

// textsOf are the texts of a step, in every language.
func textsOf(f *flow.Flow, step string) []fieldValue {
	var all []fieldValue
	for _, t := range f.Texts() {
		if t.Step != step {
			continue
		}
		field := strings.TrimPrefix(t.ID, step+".")
		for _, lang := range slices.Sorted(maps.Keys(t.Texts)) {
			all = append(all, fieldValue{field + " (" + lang + ")", t.Texts[lang]})
		}
	}
	return all
}

// otherTexts are the texts of no step.
func otherTexts(f *flow.Flow) []thing {
	var all []thing
	for _, t := range f.Texts() {
		if t.Step != "" || t.Words { // words are with their keywords and entries
			continue
		}
		one := thing{name: t.ID}
		for _, lang := range slices.Sorted(maps.Keys(t.Texts)) {
			one.fields = append(one.fields, fieldValue{lang, t.Texts[lang]})
		}
		all = append(all, one)
	}
	return all
}

func slotsOf(d flow.Description) []thing {
	var all []thing
	for _, name := range slices.Sorted(maps.Keys(d.Slots)) {
		all = append(all, thing{name, []fieldValue{{"type", d.Slots[name]}}})
	}
	return all
}

func languagesOf(d flow.Description) []thing {
	var all []thing
	for _, name := range d.Languages {
		all = append(all, thing{name: name})
	}
	return all
}

func keywordsOf(d flow.Description) []thing {
	var all []thing
	for _, k := range d.Keywords {
		all = append(all, thing{k.Name, []fieldValue{{"words", strings.Join(k.Words, ", ")}, {"goto", k.To}, {"pool", k.Pool}, {"language", k.Language}}})
	}
	return all
}

func entriesOf(d flow.Description) []thing {
	var all []thing
	for _, e := range d.Entries {
		priority := ""
		if e.Priority != 0 {
			priority = fmt.Sprint(e.Priority)
		}
		all = append(all, thing{e.Label, []fieldValue{{"step", e.Step}, {"priority", priority}, {"channels", strings.Join(e.Channels, ", ")}}})
	}
	return all
}

// lookalike is the added step that is most like a removed one: the same question
// under another name. It is empty if none is.
func lookalike(name string, a, b flow.Description) string {
	old := stepNamed(a, name)
	best, score := "", 1
	for _, s := range b.Steps {
		if stepNamed(a, s.Name).Name != "" {
			continue
		}
		points := 0
		for _, alike := range []bool{s.Text == old.Text && s.Text != "", s.Answer == old.Answer && s.Kind == old.Kind, s.Slot == old.Slot && s.Slot != ""} {
			if alike {
				points++
			}
		}
		if cmp.Compare(points, score) > 0 {
			best, score = s.Name, points
		}
	}
	return best
}

func stepNamed(d flow.Description, name string) flow.StepInfo {
	i := slices.IndexFunc(d.Steps, func(s flow.StepInfo) bool { return s.Name == name })
	if i < 0 {
		return flow.StepInfo{}
	}
	return d.Steps[i]
}
