package flow

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are known wherever Parley runs

	"github.com/expr-lang/expr"
	"golang.org/x/text/language"
)

// Limits of a definition.
const (
	// SourceBytesMax is the size of the largest definition, in bytes. Sensible
	// files take milliseconds, but the YAML parser's time grows with the square
	// of the nesting.
	SourceBytesMax = 128 << 10
	// NameCharactersMax is the length of the longest name of a flow, step or slot.
	NameCharactersMax = 64
	// StepsMax is the number of steps that a flow can have, with its sub-flows.
	StepsMax = 500
	// LanguagesMax is the number of languages that a flow can speak.
	LanguagesMax = 20
	// OptionsMax is the number of options of a choice.
	OptionsMax = 200
)

var (
	namePattern     = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	languagePattern = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

// The fields of a definition, part by part. The JSON Schema is tested against them.
var (
	flowFields = []string{
		"name", "language", "languages", "countries", "zone", "entry", "slots", "keywords", "steps", "subflows", "completed",
		"unexpected", "stale_taps", "undelivered", "texts", "migrate", "expire", "quiet_hours", "handover", "files",
	}
	stepFields = []string{
		"name", "set", "language", "say", "expect", "form", "branch", "split", "run", "book", "hold", "reschedule", "cancel", "assign", "call",
		"handover", "end", "goto", "loop", "undelivered", "remind", "timeout",
	}
	completedFields = []string{"say", "again", "restart"}
	slotFields      = []string{"type", "default"}
	loopFields      = []string{"max", "then"}
	branchFields    = []string{"if", "goto"}
	splitFields     = []string{"test", "variants", "goal"}
	variantFields   = []string{"name", "weight", "goto"}
	runFields       = []string{"subflow", "with", "save"}
	keywordFields   = []string{"words", "say", "goto", "handover", "language"}
	entryFields     = []string{
		"keyword", "regex", "ad", "payload", "api", "default", "step", "channels", "priority", "language", "interrupt",
	}
)

// Parse reads one flow definition in YAML and compiles it. The error is a
// [Problems]: every error at once, each with its rule, its line, its column, an
// excerpt and what to do. Only broken YAML ends the search at its first problem.
func Parse(source []byte) (*Flow, error) {
	f, problems := Lint(source)
	if errs := problems.Errors(); len(errs) > 0 {
		return nil, errs
	}
	return f, nil
}

// Lint reads a definition as Parse does and returns warnings as well. The flow is
// nil if there are errors.
func Lint(source []byte) (*Flow, Problems) {
	c := newCompiler(source)
	if len(source) > SourceBytesMax {
		c.report(place{1, 1}, ruleLimit, "the file has %d bytes, the limit is %d: split the flow", len(source), SourceBytesMax)
		return nil, c.problems
	}
	c.root(c.document(strings.Join(c.lines, "\n")))
	c.settle()
	for _, check := range c.checks {
		check()
	}
	if len(c.problems.Errors()) == 0 {
		c.analyze()
	}
	c.problems.sort()
	slices.SortStableFunc(c.flow.texts, func(a, b TextInfo) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if len(c.problems.Errors()) > 0 {
		return nil, c.problems
	}
	return c.flow, c.problems
}

// compiler builds a flow in two passes. The first reads the file from the top
// and learns which slots, steps and languages there are; the second, the checks
// in the order in which the first came by, compiles what needs to know them.
type compiler struct {
	reader
	flow     *Flow
	checks   []func()
	uses     []use                     // where texts and expressions use slots
	subflows map[string]*subflow       // by name
	part     string                    // the sub-flow that is being read
	present  int                       // index of the step that is being read, or outside
	path     string                    // the way to it in the file
	phase    phase                     // as in use
	have     []string                  // as in use
	splits   map[string]*split         // by test
	textIDs  map[string]int            // how many texts have an id
	scopes   map[valueType]expr.Option // of expressions, by the type of the answer that they judge

	// For the analysis of the whole.
	edges     [][]edge        // the ways out of each step
	passes    map[string]bool // the sub-flows that need not wait for the person
	usedAtEnd set             // the slots that completed says

	assignments []func() // compile the computed values
}

// outside is the place of texts that are said at no step.
const outside = -1

// atEnd is the place of the texts of completed.
const atEnd = -2

type subflow struct {
	at    place
	first int // index of its first step
	last  int
	calls int
}

// use is a slot that must have a value where it is used.
type use struct {
	slot string
	at   place
	step int // index, outside or atEnd
	// phase is when in the step; have was set before in the same phase.
	phase phase
	have  []string
}

// phase is a part of a step's time.
type phase uint8

const (
	saying   phase = iota // after its set
	setting               // before it
	returned              // after the sub-flow that it runs
	done                  // after its action was done
)

func newCompiler(source []byte) *compiler {
	sum := sha256.Sum256(source)
	// What Windows puts around a text is no part of it: the YAML parser would count
	// lines and columns wrong.
	body := strings.ReplaceAll(string(bytes.TrimPrefix(source, []byte("\ufeff"))), "\r\n", "\n")
	return &compiler{
		reader: reader{lines: strings.Split(body, "\n")},
		flow: &Flow{
			digest: hex.EncodeToString(sum[:]), index: map[string]int{}, slots: map[string]*slot{}, zone: time.UTC,
			keywords: map[string]*keyword{}, unexpected: repeatTap, staleTaps: repeatTap, completed: ending{afterMs: -1},
		},
		subflows: map[string]*subflow{}, splits: map[string]*split{}, textIDs: map[string]int{}, present: outside, scopes: map[valueType]expr.Option{},
	}
}

// later runs a check after the whole file was read, at the place of now.
func (c *compiler) later(check func()) { c.checks = append(c.checks, c.here(check)) }

// here binds a check to the place of now.
func (c *compiler) here(check func()) func() {
	part, present, phase := c.part, c.present, c.phase
	return func() {
		c.part, c.present, c.phase = part, present, phase
		check()
	}
}

// settle compiles the computed values. Each gives its slot a type that others may
// need, whatever their order in the file: so those that fail are tried again while
// others succeed, and the last try reports.
func (c *compiler) settle() {
	const roundsMax = 10 // a bound for files that mean harm
	pending := c.assignments
	for range roundsMax {
		var failed []func()
		for _, compile := range pending {
			problems, uses := len(c.problems), len(c.uses)
			compile()
			if len(c.problems) > problems {
				failed = append(failed, compile)
				c.problems, c.uses = c.problems[:problems], c.uses[:uses]
			}
		}
		if len(failed) == 0 || len(failed) == len(pending) {
			pending = failed
			break
		}
		pending = failed
	}
	for _, compile := range pending {
		compile()
	}
}

func (c *compiler) root(in item) {
	all := c.fields(in, flowFields...)
	f := c.flow
	f.name = c.name(c.required(all, "name", "the name of the flow")).value
	c.speak(all)
	c.zone(all.of["zone"])
	c.slotList(all.of["slots"])
	c.fileList(all.of["files"])
	for _, in := range c.list(c.required(all, "steps", "the list of steps, in order")) {
		c.step(in)
	}
	for _, p := range c.pairs(all.of["subflows"], "names and lists of steps") {
		c.subflow(p)
	}
	c.part, c.present = "", outside
	c.keywordList(all.of["keywords"])
	c.entryList(all.of["entry"])
	f.unexpected, f.instead = c.unexpected(all.of["unexpected"])
	f.staleTaps = c.tapPolicy(all.of["stale_taps"], ignoreTap, repeatTap, jumpTap)
	c.target(all.of["undelivered"], &f.undelivered)
	c.handBack(all.of["handover"])
	c.expiry(all.of["expire"])
	c.quietHours(all.of["quiet_hours"])
	c.ownTexts(all.of["texts"])
	c.migrations(all.of["migrate"])
	c.completed(c.required(all, "completed", "what is said at the end"))
}

func (c *compiler) completed(in item) {
	c.present = atEnd
	all := c.fields(in, completedFields...)
	end := &c.flow.completed
	end.say = c.bubbles(c.required(all, "say", "the text at the end of the flow"), nil)
	if restart, ok := all.of["restart"]; ok {
		if c.isWord(restart, "message") {
			end.afterMs = 0
		} else {
			end.afterMs = c.duration(restart)
		}
	}
	if end.afterMs != 0 {
		c.required(all, "again", "the text for messages after the end")
	}
	end.again = c.bubbles(all.of["again"], nil)
}

// isWord reports whether a value is exactly this word.
func (c *compiler) isWord(in item, word string) bool {
	quiet := reader{lines: c.lines}
	return !in.absent() && quiet.scalar(in).value == word
}

func (c *compiler) zone(in item) {
	t := c.text(in)
	if t.value == "" {
		return
	}
	zone, err := time.LoadLocation(t.value)
	if err != nil || t.value == "Local" {
		c.report(t.at, ruleZone, "%q is no time zone: write one such as Europe/Madrid", t.value)
		return
	}
	c.flow.zone = zone
}

// speak reads which languages the flow speaks: every text needs to know.
func (c *compiler) speak(all fields) {
	main := c.language(c.required(all, "language", "the language of its texts, such as en"))
	if main == "" {
		main = "en" // reported; the texts are read all the same
	}
	c.flow.languages = []string{main}
	if in, ok := all.of["languages"]; ok {
		for _, in := range c.list(in) {
			if tag := c.language(in); tag != "" && c.languageIndex(tag) < 0 {
				c.flow.languages = append(c.flow.languages, tag)
			}
		}
	}
	if len(c.flow.languages) > LanguagesMax {
		c.report(all.of["languages"].at, ruleLimit, "%d languages, the limit is %d: remove some", len(c.flow.languages), LanguagesMax)
	}
	for _, name := range c.flow.languages {
		c.flow.tags = append(c.flow.tags, language.Make(name))
	}
	c.flow.countries = map[string]int{}
	for _, p := range c.pairs(all.of["countries"], "countries and languages") {
		if country := c.country(p.key); country == "" {
			continue
		}
		if i := c.declaredLanguage(c.text(p.value)); i >= 0 {
			c.flow.countries[strings.ToUpper(p.key.value)] = i
		}
	}
}

// country reads the code of a country.
func (c *compiler) country(t written) string {
	code := strings.ToUpper(t.value)
	if region, err := language.ParseRegion(code); t.value != "" && (err != nil || len(code) != 2 || !region.IsCountry()) {
		c.report(t.at, ruleValue, "%q is no country: write two letters such as ES", t.value)
		return ""
	}
	return code
}

// languageIndex is the place of a declared language; -1 if it is not.
func (c *compiler) languageIndex(tag string) int {
	for i, name := range c.flow.languages {
		if strings.EqualFold(name, tag) {
			return i
		}
	}
	return -1
}

func (c *compiler) declaredLanguage(t written) int {
	i := c.languageIndex(t.value)
	if i < 0 && t.value != "" {
		c.report(t.at, ruleLanguage, "language %q is not declared: add it to languages, which has %s", t.value, strings.Join(c.flow.languages, ", "))
	}
	return i
}

func (c *compiler) language(in item) string {
	t := c.text(in)
	if t.value != "" && !languagePattern.MatchString(t.value) {
		c.report(t.at, ruleLanguage, "%q is no language tag: write one such as en or pt-BR", t.value)
		return ""
	}
	return t.value
}

func (c *compiler) name(in item) written { return c.nameOf(c.text(in)) }

// nameOf returns a text that can be a name; the empty text if it cannot.
func (c *compiler) nameOf(t written) written {
	switch {
	case t.value == "":
		return t
	case !namePattern.MatchString(t.value):
		c.report(t.at, ruleName, "%q cannot be a name: use a to z, 0 to 9 and _, beginning with a letter", t.value)
	case len(t.value) > NameCharactersMax:
		c.report(t.at, ruleName, "the name has %d characters, the limit is %d: shorten it", len(t.value), NameCharactersMax)
	default:
		return t
	}
	return written{}
}

// word reads one of a few words.
func (c *compiler) word(in item, known ...string) string {
	if in.absent() {
		return ""
	}
	t := c.scalar(in)
	for _, word := range known {
		if t.value == word {
			return word
		}
	}
	if t.value != "" {
		c.report(t.at, ruleValue, "%s is %q: %s", in.key, t.value, suggestion(t.value, known))
	}
	return ""
}

func (c *compiler) tapPolicy(in item, known ...tapPolicy) tapPolicy {
	words := make([]string, len(known))
	for i, p := range known {
		words[i] = string(p)
	}
	if word := c.word(in, words...); word != "" {
		return tapPolicy(word)
	}
	return repeatTap
}

func (c *compiler) unexpected(in item) (tapPolicy, []bubble) {
	switch {
	case in.absent(), c.isWord(in, string(repeatTap)):
		return repeatTap, nil
	case c.isWord(in, string(ignoreTap)):
		return ignoreTap, nil
	}
	return repeatTap, c.bubbles(in, anyChoices)
}

// anyChoices stand for those of whatever step a text is said at.
var anyChoices = &expectation{kind: yesNoAnswer}

func (c *compiler) migrations(in item) {
	c.flow.migrate = map[string]string{}
	for _, p := range c.pairs(in, "old and new names of steps") {
		to := c.text(p.value)
		c.later(func() {
			if _, known := c.flow.index[to.value]; !known && to.value != "" {
				c.report(to.at, ruleTarget, "there is no step %q: name a step of this file%s", to.value, c.nearStep(to.value))
			}
		})
		c.flow.migrate[p.key.value] = to.value
	}
}
