package flow

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// entryKind is what begins a session.
type entryKind string

// In the order in which they are tried at equal priority.
const (
	byAPI     entryKind = "api"
	byPayload entryKind = "payload"
	byAd      entryKind = "ad"
	byKeyword entryKind = "keyword"
	byRegex   entryKind = "regex"
	byDefault entryKind = "default"
)

var entryOrder = []entryKind{byAPI, byPayload, byAd, byKeyword, byRegex, byDefault}

// anyAd is the id of an entry for every advertisement.
const anyAd = "*"

// entry is one thing that begins the flow.
type entry struct {
	kind      entryKind
	words     []string // folded; of a keyword
	pattern   *regexp.Regexp
	id        string // of an ad or a payload
	step      target
	channels  []string
	priority  int
	language  int // index + 1; 0 is none
	interrupt bool
	at        place
}

// label says what the entry is, to people.
func (e *entry) label() string {
	switch e.kind {
	case byKeyword:
		return "keyword " + strings.Join(e.words, ", ")
	case byRegex:
		return "regex " + e.pattern.String()
	case byAd, byPayload:
		return string(e.kind) + " " + e.id
	}
	return string(e.kind)
}

func (c *compiler) entryList(in item) {
	for _, in := range c.listIfAny(in) {
		c.entry(in)
	}
	c.flow.ranked = slices.Clone(c.flow.entries)
	slices.SortStableFunc(c.flow.ranked, (*entry).compare)
	c.later(c.entryConflicts)
}

func (c *compiler) entry(in item) {
	all := c.fields(in, entryFields...)
	e := &entry{at: in.at}
	for _, kind := range entryOrder {
		in, ok := all.of[string(kind)]
		if !ok {
			continue
		}
		if e.kind != "" {
			c.report(in.at, ruleField, "an entry has %s or %s: write two", e.kind, kind)
			return
		}
		e.kind = kind
		c.entryOf(e, in)
	}
	if e.kind == "" {
		if all.of != nil {
			c.report(all.at, ruleMissing, "the entry says not what it is: add keyword, regex, ad, payload, api or default")
		}
		return
	}
	c.target(all.of["step"], &e.step)
	if in, ok := all.of["step"]; ok {
		c.later(func() {
			if e.step.kind != toStep {
				c.report(in.at, ruleTarget, "an entry begins at a step: name one, or leave it out for the first")
			}
		})
	}
	for _, in := range c.listIfAny(all.of["channels"]) {
		e.channels = append(e.channels, c.scalar(in).value)
	}
	e.priority = c.count(all.of["priority"], -1000, 1000)
	if in, ok := all.of["language"]; ok {
		e.language = c.declaredLanguage(c.text(in)) + 1
	}
	e.interrupt = c.boolean(all.of["interrupt"])
	c.flow.entries = append(c.flow.entries, e)
}

func (c *compiler) entryOf(e *entry, in item) {
	switch e.kind {
	case byKeyword:
		for _, word := range c.wordList(in) {
			e.words = append(e.words, c.folded(word))
		}
	case byRegex:
		c.entryPattern(e, in)
	case byAd, byPayload:
		e.id = c.scalar(in).value
	default:
		if !c.boolean(in) {
			c.report(in.at, ruleValue, "%s is there or not: write true, or remove it", in.key)
		}
	}
}

// entryPattern reads a regular expression; its named groups are slots.
func (c *compiler) entryPattern(e *entry, in item) {
	t := c.text(in)
	pattern := c.regexp(t, `(?i)`, "")
	if pattern == nil {
		pattern = regexp.MustCompile(`^$`) // reported
	}
	e.pattern = pattern
	for _, name := range pattern.SubexpNames() {
		c.later(func() {
			if s := c.flow.slots[name]; name != "" && (s == nil || s.kind != textValue || s.initial == nil) {
				c.report(t.at, ruleSlot, "group %q needs a slot: declare it under slots, with type text and a default for those who come otherwise", name)
			}
		})
	}
}

// folded is a word as it is compared; a word of blanks and punctuation matches
// nothing.
func (c *compiler) folded(word written) string {
	f := fold(word.value)
	if f == "" && word.value != "" {
		c.report(word.at, ruleKeyword, "%q has no letter or digit: nobody could type it", word.value)
	}
	return f
}

// entryConflicts finds entries of this flow that another one hides.
func (c *compiler) entryConflicts() {
	for i, e := range c.flow.entries {
		c.hiddenByKeyword(e)
		for _, earlier := range c.flow.entries[:i] {
			if e.priority == earlier.priority && e.overlaps(earlier) {
				c.report(e.at, ruleEntry, "%s also begins the flow by line %d: remove one, or give one a priority", e.label(), earlier.at.line)
			}
		}
	}
}

// hiddenByKeyword warns of a keyword that a regular expression also fits: the
// keyword goes first unless the other has a higher priority.
func (c *compiler) hiddenByKeyword(e *entry) {
	for _, o := range c.flow.entries {
		if e.kind != byRegex || o.kind != byKeyword || !sharesChannel(e.channels, o.channels) {
			continue
		}
		for _, word := range o.words {
			if e.pattern.MatchString(word) {
				first := o
				if e.priority > o.priority {
					first = e
				}
				c.warn(e.at, ruleEntry, "%q fits this and the keyword on line %d: line %d goes first", word, o.at.line, first.at.line)
			}
		}
	}
}

// overlaps reports whether one input surely fits both.
func (e *entry) overlaps(o *entry) bool {
	if e.kind != o.kind || !sharesChannel(e.channels, o.channels) {
		return false
	}
	switch e.kind {
	case byKeyword:
		for _, word := range e.words {
			if contains(o.words, word) {
				return true
			}
		}
		return false
	case byRegex:
		return e.pattern.String() == o.pattern.String()
	case byAd, byPayload:
		return e.id == o.id
	}
	return true
}

func sharesChannel(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	for _, channel := range a {
		if contains(b, channel) {
			return true
		}
	}
	return false
}

// keywordList reads the words that work at any step.
func (c *compiler) keywordList(in item) {
	for _, p := range c.pairs(in, "names of keywords") {
		c.keyword(p)
	}
}

func (c *compiler) keyword(p pair) {
	name := c.nameOf(p.key)
	k := &keyword{name: name.value}
	standard := k.name == keywordRestart || k.name == keywordStop
	in := p.value
	if in.isMapping() && in.hasKey("words") {
		all := c.fields(in, keywordFields...)
		c.keywordAction(k, all, standard)
		for _, key := range []string{"say", "goto", "handover", "language"} {
			if in, ok := all.of[key]; ok && standard && !(k.name == keywordStop && key == "say") {
				c.report(in.at, ruleField, "%s has its own meaning and no %s: remove it, or use another name", k.name, key)
			}
		}
		in = all.of["words"]
	} else if !standard {
		c.report(p.key.at, ruleMissing, "keyword %q does nothing: write {words: [...]} with say, goto, handover or language", k.name)
	}
	for _, word := range c.wordList(in) {
		c.claimKeyword(k, word)
	}
}

func (c *compiler) claimKeyword(k *keyword, word written) {
	if word.value == "" {
		return
	}
	folded := c.folded(word)
	if n := utf8.RuneCountInString(word.value); n > NameCharactersMax {
		c.report(word.at, ruleLimit, "the keyword has %d characters, the limit is %d: shorten it", n, NameCharactersMax)
	}
	if other := c.flow.keywords[folded]; other != nil && folded != "" {
		problem := "keyword %q is here twice: keep one"
		if other.name != k.name {
			problem = "keyword %q means " + other.name + " already: keep one"
		} else if c.flow.languages[0] != "" && len(c.flow.languages) > 1 {
			return // the same word in two languages
		}
		c.report(word.at, ruleKeyword, problem, word.value)
		return
	}
	c.flow.keywords[folded] = k
	c.flow.keywordBytes = max(c.flow.keywordBytes, len(folded))
}

func (c *compiler) keywordAction(k *keyword, all fields, standard bool) {
	k.say = c.bubbles(all.of["say"], nil)
	c.target(all.of["goto"], &k.to)
	if in, ok := all.of["handover"]; ok {
		k.to = target{kind: toHandover, at: in.at}
		if !c.isWord(in, "true") {
			k.pool = c.name(in).value
		}
	}
	if in, ok := all.of["language"]; ok {
		k.language = c.declaredLanguage(c.text(in)) + 1
	}
	acts := k.say != nil || !all.of["goto"].absent() || k.to.kind != toNothing || k.language > 0
	if !acts && !standard && all.of != nil {
		c.report(all.at, ruleMissing, "keyword %q does nothing: add say, goto, handover or language", k.name)
	}
}

// Keywords with a meaning of their own.
const (
	keywordRestart = "restart"
	keywordStop    = "stop"
)
