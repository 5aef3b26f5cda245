package flow

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// Limits of a definition.
const (
	// SourceBytesMax is the size of the largest definition, in bytes. Sensible
	// files take milliseconds, but the YAML parser's time grows with the square
	// of the nesting.
	SourceBytesMax = 128 << 10
	// NameCharactersMax is the length of the longest name of a flow, step or slot.
	NameCharactersMax = 64
	// TextCharactersMax is the length of the longest text message that WhatsApp
	// takes (Cloud API, text.body). A text counts with its slots filled.
	TextCharactersMax = 4096
)

var (
	namePattern     = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	languagePattern = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

// Parse reads one flow definition in YAML and compiles it. The error is a
// [Problems]: every problem at once, each with its line, its column, an excerpt
// and what to do. Only broken YAML ends the search at its first problem.
func Parse(source []byte) (*Flow, error) {
	sum := sha256.Sum256(source)
	body := string(bytes.TrimPrefix(source, []byte("\ufeff")))
	c := compiler{
		reader: reader{lines: strings.Split(body, "\n")},
		flow:   &Flow{digest: hex.EncodeToString(sum[:]), index: map[string]int{}},
		slots:  map[string]int{},
	}
	if len(source) > SourceBytesMax {
		c.report(place{1, 1}, "the file has %d bytes, the limit is %d: split the flow", len(source), SourceBytesMax)
		return nil, c.problems
	}
	c.root(c.document(body))
	if len(c.problems) > 0 {
		slices.SortStableFunc(c.problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, c.problems
	}
	return c.flow, nil
}

// compiler builds a flow in one pass from the first step to the last, so that
// slots holds exactly what the steps before the present one save.
type compiler struct {
	reader
	flow *Flow
	// slots gives the length of the longest value of each slot, in characters.
	slots map[string]int
}

func (c *compiler) root(in item) {
	all := c.fields(in, "name", "language", "keywords", "steps", "completed")
	c.flow.name = c.name(c.required(all, "name", "the name of the flow")).value
	c.flow.language = c.language(c.required(all, "language", "the language of its texts, such as en"))
	keywords := c.fields(c.required(all, "keywords", "the words that work at any step"), "restart")
	c.flow.restart = c.keywords(c.required(keywords, "restart", "the words that begin the flow again"))
	for _, in := range c.list(c.required(all, "steps", "the list of steps, in order")) {
		c.step(in)
	}
	completed := c.fields(c.required(all, "completed", "what is said at the end"), "say", "again")
	c.flow.completed = c.template(c.required(completed, "say", "the text at the end of the flow"))
	c.flow.again = c.template(c.required(completed, "again", "the text for messages after the end"))
}

func (c *compiler) step(in item) {
	all := c.fields(in, "name", "say", "expect")
	name := c.name(c.required(all, "name", "the name of the step"))
	s := step{
		name: name.value,
		say:  c.template(c.required(all, "say", "the text that the step sends")),
	}
	s.expect = c.expectation(c.required(all, "expect", "the answer that the step waits for"))
	if c.claim(name) {
		c.flow.index[s.name] = len(c.flow.steps)
	}
	c.flow.steps = append(c.flow.steps, s)
}

// claim reports whether a step may have this name.
func (c *compiler) claim(name text) bool {
	_, twice := c.flow.index[name.value]
	switch {
	case name.value == "":
		return false
	case name.value == stateCompleted || name.value == stateCancelled:
		// State.CurrentState shows a step and the end of a session in one column.
		c.report(name.at, "%q says that a session has ended: give the step another name", name.value)
	case twice:
		c.report(name.at, "step %q is here twice: give each step its own name", name.value)
	default:
		return true
	}
	return false
}

func (c *compiler) expectation(in item) expectation {
	all := c.fields(in, "type", "save", "invalid")
	e := expectation{kind: c.answerKind(c.required(all, "type", "text or email"))}
	if e.kind == emailAnswer {
		c.required(all, "invalid", "the text for an answer that is no e-mail address")
	}
	// The invalid text is compiled before the slot is saved: it is sent while the
	// slot has no value yet.
	e.invalid = c.template(all.of["invalid"])
	e.slot = c.save(c.name(all.of["save"]), e.kind)
	return e
}

func (c *compiler) answerKind(in item) answerKind {
	t := c.text(in)
	kind, known := answerKinds[t.value]
	if !known && t.value != "" {
		c.report(t.at, "unknown type %q: use text or email", t.value)
	}
	return kind
}

// save makes a slot known to the texts that follow.
func (c *compiler) save(slot text, kind answerKind) string {
	if slot.value == "" {
		return ""
	}
	if _, twice := c.slots[slot.value]; twice {
		c.report(slot.at, "slot %q is saved twice: give each step its own slot", slot.value)
	}
	c.slots[slot.value] = kind.charactersMax()
	return slot.value
}

func (c *compiler) name(in item) text {
	t := c.text(in)
	switch {
	case t.value == "":
		return t
	case !namePattern.MatchString(t.value):
		c.report(t.at, "%q cannot be a name: use a to z, 0 to 9 and _, beginning with a letter", t.value)
	case len(t.value) > NameCharactersMax:
		c.report(t.at, "the name has %d characters, the limit is %d: shorten it", len(t.value), NameCharactersMax)
	default:
		return t
	}
	return text{}
}

func (c *compiler) language(in item) string {
	t := c.text(in)
	if t.value != "" && !languagePattern.MatchString(t.value) {
		c.report(t.at, "%q is no language tag: write one such as en or pt-BR", t.value)
	}
	return t.value
}

func (c *compiler) keywords(in item) []string {
	var words []string
	for _, in := range c.list(in) {
		word := c.text(in)
		if word.value != "" && containsFold(words, word.value) {
			c.report(word.at, "keyword %q is here twice: keep one", word.value)
		}
		words = append(words, word.value)
	}
	return words
}

// template compiles a text and checks that every slot in it has a value when it
// is sent, and that it fits into one message whatever people answer.
func (c *compiler) template(in item) template {
	t := c.text(in)
	parts, err := parseTemplate(t.value)
	if err != nil {
		c.report(t.at, "%s: %s", t.key, err)
		return nil
	}
	characters := 0
	for _, p := range parts {
		longest, saved := c.slots[p.slot]
		if p.slot != "" && !saved {
			c.report(t.at, "no earlier step saves {%s}: save it in a step before, or remove it", p.slot)
		}
		characters += longest + p.characters()
	}
	if characters > TextCharactersMax {
		c.report(t.at, "%s can have %d characters, WhatsApp's limit is %d: shorten it", t.key, characters, TextCharactersMax)
	}
	return parts
}
