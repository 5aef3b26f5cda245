package flow

import (
	"maps"
	"slices"
	"strings"
)

// Description is what a flow consists of, for people and tools.
type Description struct {
	Name      string            `json:"name"`
	Version   uint32            `json:"version,omitempty"`
	Digest    string            `json:"digest"`
	Languages []string          `json:"languages"`
	Steps     []StepInfo        `json:"steps"`
	Slots     map[string]string `json:"slots"` // name to type
	Entries   []EntryInfo       `json:"entries,omitempty"`
	Keywords  []KeywordInfo     `json:"keywords,omitempty"`
	Tests     []TestInfo        `json:"tests,omitempty"`
	// Services and Pools are those that the flow names: whose slots it offers, and to
	// whose agents it gives leads.
	Services []string `json:"services,omitempty"`
	Pools    []string `json:"pools,omitempty"`
}

// StepInfo is one step.
type StepInfo struct {
	Name     string `json:"name"`
	Subflow  string `json:"subflow,omitempty"`
	Position int    `json:"position"`
	Line     int    `json:"line"`
	// Kind is question, form, branch, split, run, handover, end or message.
	Kind string `json:"kind"`
	// Answer is the type of the answer, Slot where it is kept.
	Answer string `json:"answer,omitempty"`
	Slot   string `json:"slot,omitempty"`
	// Text is what is said in the main language, with {slots}.
	Text    string       `json:"text,omitempty"`
	Options []OptionInfo `json:"options,omitempty"`
	Ways    []Way        `json:"ways"`
}

// OptionInfo is one choice of a fixed list.
type OptionInfo struct {
	Value string `json:"value"`
	Title string `json:"title"`
}

// Way leads from a step to another, or to an end: "completed", "cancelled",
// "handover", "return".
type Way struct {
	To    string `json:"to"`
	Label string `json:"label,omitempty"`
}

// EntryInfo is one thing that begins the flow.
type EntryInfo struct {
	Label    string   `json:"label"`
	Step     string   `json:"step"`
	Channels []string `json:"channels,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Line     int      `json:"line"`
}

// KeywordInfo is one keyword with its words, folded.
type KeywordInfo struct {
	Name  string   `json:"name"`
	Words []string `json:"words"`
	To    string   `json:"to,omitempty"`
	// Pool is whose humans take over, Language what the session goes on in.
	Pool     string `json:"pool,omitempty"`
	Language string `json:"language,omitempty"`
}

// TestInfo is a split with its variants and goal.
type TestInfo struct {
	Name     string   `json:"name"`
	Variants []string `json:"variants"`
	Goal     string   `json:"goal"`
}

// Describe says what the flow consists of.
func (f *Flow) Describe() Description {
	d := Description{Name: f.name, Version: f.version, Digest: f.digest, Languages: f.languages, Slots: map[string]string{}}
	for _, s := range f.steps {
		d.Steps = append(d.Steps, f.stepInfo(s))
	}
	for name, s := range f.slots {
		d.Slots[name] = string(s.kind)
	}
	for _, e := range f.entries {
		step := f.steps[0].name
		if e.step.kind == toStep {
			step = f.targetName(e.step)
		}
		d.Entries = append(d.Entries, EntryInfo{Label: e.label(), Step: step, Channels: e.channels, Priority: e.priority, Line: e.at.line})
	}
	for _, t := range f.tests {
		info := TestInfo{Name: t.test, Goal: f.targetName(t.goal)}
		for _, v := range t.variants {
			info.Variants = append(info.Variants, v.name)
		}
		d.Tests = append(d.Tests, info)
	}
	d.Keywords = f.keywordInfos()
	d.Services, d.Pools = f.resources()
	return d
}

func (f *Flow) keywordInfos() []KeywordInfo {
	byName := map[string]*KeywordInfo{}
	for _, word := range slices.Sorted(maps.Keys(f.keywords)) {
		k := f.keywords[word]
		if byName[k.name] == nil {
			byName[k.name] = &KeywordInfo{Name: k.name, To: f.targetName(k.to), Pool: k.pool}
			if k.language > 0 {
				byName[k.name].Language = f.languages[k.language-1]
			}
		}
		byName[k.name].Words = append(byName[k.name].Words, word)
	}
	all := make([]KeywordInfo, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, *byName[name])
	}
	return all
}

func (f *Flow) stepInfo(s *step) StepInfo {
	info := StepInfo{Name: s.name, Subflow: s.subflow, Position: s.position, Line: s.at.line, Kind: s.kindName(), Text: shown(s.say)}
	if e := s.expect; e != nil {
		info.Answer, info.Slot = e.kind.String(), e.slot
		for _, o := range e.options {
			info.Options = append(info.Options, OptionInfo{o.value, o.title.in(0).Render(places{})})
		}
	}
	for _, e := range f.edges(s) {
		info.Ways = append(info.Ways, Way{To: f.targetName(e.to), Label: e.label})
	}
	return info
}

func (s *step) kindName() string {
	switch {
	case s.expect != nil && s.expect.form != nil:
		return "form"
	case s.expect != nil:
		return "question"
	case len(s.branches) > 0:
		return "branch"
	case s.split != nil:
		return "split"
	case s.run != nil:
		return "run"
	case s.action != nil:
		return s.action.verb
	case s.request != nil:
		return "call"
	case s.handover:
		return "handover"
	case s.next.kind == toCompleted || s.next.kind == toCancelled:
		return "end"
	}
	return "message"
}

func (f *Flow) targetName(t target) string {
	switch t.kind {
	case toStep:
		return f.steps[t.step].name
	case toCompleted:
		return stateCompleted
	case toCancelled:
		return stateCancelled
	case toHandover:
		return "handover"
	case toReturn:
		return "return"
	}
	return ""
}

// shown is what messages say in the main language.
func shown(say []bubble) string {
	var lines []string
	for _, b := range say {
		switch {
		case b.body != nil:
			lines = append(lines, b.body.in(0).Render(places{}))
		case b.media != nil:
			lines = append(lines, "["+b.media.kind+"]")
		case b.template != nil:
			lines = append(lines, "[template "+b.template.name+"]")
		case b.location != nil:
			lines = append(lines, "[location]")
		case b.contact != nil:
			lines = append(lines, "[contact]")
		}
	}
	return strings.Join(lines, "\n")
}

// places shows a text with its slots by name.
type places struct{}

func (places) Lookup(slot string) any   { return "{" + slot + "}" }
func (places) Date(value string) string { return value }
func (places) Time(value string) string { return value }

// TextInfo is one text of the file with its translations, for translators.
type TextInfo struct {
	// ID names the text by the way to it: the step and its fields, such as "age.say" or
	// "guests.check.1.say", with the numbers of entries of lists; elsewhere the way from
	// the top of the file, such as "keywords.help.say".
	ID string `json:"id"`
	// Step is the step that the text belongs to; empty for the others.
	Step string `json:"step,omitempty"`
	// Line and Column are where the text, or the mapping of its languages, begins.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Texts maps languages to sources. A plain text stands under the main language.
	Texts map[string]string `json:"texts"`
	// Words says that the text is a list of words that people type, one on a line.
	Words bool `json:"words,omitempty"`
	// Plain says that the file has one text and no languages.
	Plain bool `json:"plain,omitempty"`
	// CharactersMax is WhatsApp's limit for it; 0 is none.
	CharactersMax int `json:"characters_max,omitempty"`
}

// Texts returns every text of the flow in the order of the file.
func (f *Flow) Texts() []TextInfo { return f.texts }
