package flow

import (
	"fmt"
	"regexp"
	"time"

	"github.com/expr-lang/expr/vm"
	"golang.org/x/text/language"
)

// Flow is a compiled definition. It never changes, and may be used by many
// goroutines at a time.
type Flow struct {
	name    string
	digest  string
	version uint32

	languages []string // the first is the last of every fallback chain
	tags      []language.Tag
	countries map[string]int // country of a phone to the index of a language
	own       []ownWords     // what Parley says itself, by language
	zone      *time.Location

	steps []*step
	index map[string]int // name of a step to its place in steps
	slots map[string]*slot

	entries  []*entry            // as the file has them
	ranked   []*entry            // as they are tried
	keywords map[string]*keyword // by folded word
	// keywordBytes is the length of the longest of them.
	keywordBytes int
	completed    ending
	unexpected   tapPolicy // "repeat" or "ignore"
	instead      []bubble  // what is said to the unexpected; nil unless it is a text
	staleTaps    tapPolicy
	undelivered  target
	// handBack is nil if a human has a conversation for as long as they want.
	handBack *handBack
	tests    []*split
	// expireMs is how long a person may be silent; 0 is for ever.
	expireMs int64
	resume   resumePolicy
	quiet    *quietHours         // nil if there are none
	needs    map[string][]string // slots that must have a value at a step
	migrate  map[string]string
	texts    []TextInfo
	files    []File
}

// ending is what happens after the last step.
type ending struct {
	say   []bubble
	again []bubble
	// afterMs is how long after the end a message begins the flow again; -1 is never.
	afterMs int64
}

// tapPolicy is what is done with a tap on an old button: ignore, repeat, jump.
type tapPolicy string

const (
	ignoreTap tapPolicy = "ignore"
	repeatTap tapPolicy = "repeat"
	jumpTap   tapPolicy = "jump"
)

// slot is a place for a value.
type slot struct {
	name    string
	kind    valueType
	members map[string]valueType // of a form; others have memberTypes
	initial any                  // nil unless it has a default
	longest int                  // characters of the longest value
	at      place
	read    bool
}

// step is one step. In this order: set, language, say, and one of the rest.
type step struct {
	name     string
	subflow  string // empty in the main part
	position int    // from 1
	at       place

	sets     []assignment
	language *vm.Program
	say      []bubble

	expect   *expectation
	branches []branch
	split    *split
	run      *call
	action   *action
	request  *request
	handover bool
	pool     string
	next     target

	loopMax  uint32
	loopThen target
	// undelivered is where the session goes if the question does not arrive; toNothing
	// is what the flow says.
	undelivered target

	// Of a step that waits: what is said to who does not answer, and when the wait ends.
	reminders []reminder
	timeout   *timeout
}

// waits reports whether the session stops at the step: for the person, or for a
// system that was asked.
func (s *step) waits() bool { return s.expect != nil || s.request != nil }

type assignment struct {
	slot    string
	program *vm.Program
}

// target is where the session goes next.
type target struct {
	kind targetKind
	step int // index in steps
	at   place
}

type targetKind uint8

const (
	toNothing targetKind = iota // not given
	toStep
	toCompleted
	toCancelled
	toHandover
	toReturn // the end of a sub-flow
)

type branch struct {
	when *vm.Program // nil is "else"
	to   target
}

// split divides the sessions of a test at random, for good.
type split struct {
	test     string
	variants []variant
	total    uint32
	goal     target
}

type variant struct {
	name   string
	weight uint32
	to     target
}

// call runs a sub-flow.
type call struct {
	subflow string
	entry   int // index of its first step
	with    []assignment
	save    []assignment
}

// expectation is the answer that a step waits for.
type expectation struct {
	kind     answerKind
	slot     string // empty if the answer is not kept
	min, max *float64
	integer  bool
	share    bool // a button to share it stands below the question
	// earliest and latest bound a date or a time.
	earliest, latest *vm.Program
	pattern          *regexp.Regexp
	region           string
	kinds            []string // of media
	bytesMax         int64
	checks           []check
	table            *tableCheck
	invalid          map[string][]bubble // by rule; other is under ruleOther
	attempts         uint32              // 0 is without limit
	then             target
	quietMs, waitMs  int64
	confirm          words // nil for the built-in text

	options []option
	dynamic *dynamicOptions
	show    showAs
	button  words
	yes, no words

	form *form
}

// check is a rule of the flow's own.
type check struct {
	program *vm.Program
	say     []bubble
}

// tableCheck takes an answer only if a table has a row for it.
type tableCheck struct {
	name  string
	where []filter
	first []column // what is kept of the row
}

type filter struct {
	column  string
	program *vm.Program
}

type column struct{ slot, column string }

// option is one choice of a fixed list.
type option struct {
	value       string
	title       words
	description words
	synonyms    []string // folded, of all languages
	to          target
}

// dynamicOptions are choices from a table, or slots that are free.
type dynamicOptions struct {
	table, verb               string
	where                     []filter
	value, title, description string // columns
	keep                      []column
	limit                     uint32
	empty                     []bubble
	emptyTo                   target
}

type showAs string

const (
	showAuto    showAs = "auto"
	showButtons showAs = "buttons"
	showList    showAs = "list"
	showNumbers showAs = "numbers"
)

// form is a WhatsApp form.
type form struct {
	id      string
	screen  string
	title   words
	data    []assignment
	fields  map[string]valueType
	partial string
	// replies say what an open form is shown, received what it is shown if no answer
	// is in time, as JSON.
	replies  []reply
	received []byte
}

// reply is what one exchange of an open form is answered with, if when holds. Of
// several for the same exchange the first counts.
type reply struct {
	kind   string // of the exchange
	screen string // that was submitted, or gone back to
	when   *vm.Program
	// show is the next screen; finish closes the form instead.
	show    string
	finish  bool
	message words
	data    []assignment
	texts   []screenText
	rows    *screenRows
}

// screenText is a text that a screen is given under a name.
type screenText struct {
	name string
	text words
}

// screenRows are rows of a table, or free slots, that a screen is given under a
// name, as its lists want them: id, title, description.
type screenRows struct {
	name    string
	options dynamicOptions
	empty   words
}

// keyword is a word that is no answer, at any step.
type keyword struct {
	name     string
	say      []bubble
	to       target
	pool     string // of a handover
	language int    // index + 1; 0 is none
}

// Name returns the flow's name.
func (f *Flow) Name() string { return f.name }

// Digest returns the SHA-256 of the source as hexadecimal digits.
func (f *Flow) Digest() string { return f.digest }

// Version returns the number under which the flow was published; 0 until then.
func (f *Flow) Version() uint32 { return f.version }

// Languages returns the languages that the flow speaks, the default first.
func (f *Flow) Languages() []string { return f.languages }

// Zone returns the time zone in which the flow reads dates and times.
func (f *Flow) Zone() *time.Location { return f.zone }

// Migrations maps steps of earlier versions to steps of this one, as the file says.
func (f *Flow) Migrations() map[string]string { return f.migrate }

// WithVersion returns a copy that is bound to a published version.
func (f *Flow) WithVersion(v uint32) *Flow {
	published := *f
	published.version = v
	return &published
}

// Steps returns the names of the steps in order: the step at index i has
// position i+1. The steps of sub-flows come last.
func (f *Flow) Steps() []string {
	names := make([]string, len(f.steps))
	for i, s := range f.steps {
		names[i] = s.name
	}
	return names
}

// step returns a step by its name. A step that the flow does not have means that
// the caller pinned the session to another flow or version: nothing sensible can
// be decided.
func (f *Flow) step(name string) *step {
	i, ok := f.index[name]
	if !ok {
		panic(fmt.Sprintf("flow %s/%d has no step %q", f.name, f.version, name))
	}
	return f.steps[i]
}
