package flow

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/parleyhq/parley/pkg/flow/text"
)

// The fields of an answer.
var (
	expectFields = []string{
		"type", "save", "min", "max", "integer", "pattern", "region", "kinds", "max_mb", "check", "table", "invalid", "attempts", "then",
		"quiet", "wait", "confirm", "options", "show", "button", "yes", "no", "share",
	}
	// kindFields are those that only some types have.
	kindFields = map[string][]answerKind{
		"min": {textAnswer, numberAnswer, dateAnswer, timeAnswer}, "max": {textAnswer, numberAnswer, dateAnswer, timeAnswer},
		"integer": {numberAnswer}, "pattern": {textAnswer}, "region": {phoneAnswer}, "kinds": {mediaAnswer}, "max_mb": {mediaAnswer},
		"quiet": {textAnswer}, "wait": {textAnswer}, "confirm": {dateAnswer, timeAnswer}, "options": {choiceAnswer},
		"show": {choiceAnswer}, "button": {choiceAnswer}, "yes": {yesNoAnswer}, "no": {yesNoAnswer},
		"share": {contactAnswer, locationAnswer, phoneAnswer},
	}
	checkFields   = []string{"if", "say"}
	tableFields   = []string{"name", "where", "first"}
	optionFields  = []string{"value", "title", "description", "synonyms", "goto"}
	dynamicFields = []string{"table", "free", "where", "value", "title", "description", "keep", "empty"}
	emptyFields   = []string{"say", "goto"}
	formFields    = []string{"id", "screen", "title", "data", "fields", "save", "partial", "received", "answers", "invalid", "attempts", "then"}
)

func (c *compiler) expectation(in item) *expectation {
	all := c.fields(in, expectFields...)
	e := &expectation{show: showAuto, invalid: map[string][]bubble{}}
	kind, guessed := c.answerKind(c.required(all, "type", "what the answer must be: "+strings.Join(answerNames(), ", ")))
	e.kind = kind
	for key, kinds := range kindFields {
		if in, given := all.of[key]; given && !guessed && !slices.Contains(kinds, e.kind) {
			c.report(in.at, ruleField, "a %s answer has no field %q: remove it", e.kind, key)
		}
	}
	c.bounds(e, all)
	c.ofKind(e, all)
	c.checkList(all.of["check"], e)
	c.tableCheck(all.of["table"], e)
	c.failures(e, all)
	e.slot = c.save(all.of["save"], e.kind.value(), nil, e.longest())
	return e
}

// answerKind reads a type. One that is not known is taken for the one that was
// probably meant, so that what follows from the mistake is not reported as well.
func (c *compiler) answerKind(in item) (kind answerKind, guessed bool) {
	t := c.text(in)
	kind, known := answerKinds[t.value]
	if !known && t.value != "" {
		c.report(t.at, ruleValue, "unknown type %q: %s", t.value, suggestion(t.value, answerNames()))
	}
	if !known {
		name, _ := nearest(t.value, answerNames())
		return answerKinds[cmp.Or(name, "text")], true
	}
	return kind, false
}

// bounds reads min and max: numbers, or expressions for dates and times.
func (c *compiler) bounds(e *expectation, all fields) {
	for key, to := range map[string]**float64{"min": &e.min, "max": &e.max} {
		in, given := all.of[key]
		if !given || e.kind == dateAnswer || e.kind == timeAnswer {
			continue
		}
		if n, ok := c.number(in); ok {
			*to = &n
		}
	}
	if e.kind == dateAnswer || e.kind == timeAnswer {
		c.moment(all.of["min"], e.kind, &e.earliest)
		c.moment(all.of["max"], e.kind, &e.latest)
	}
	if e.min != nil && e.max != nil && *e.min > *e.max {
		c.report(all.of["min"].at, ruleValue, "min is more than max: no answer passes")
	}
	if e.kind == textAnswer {
		c.characters(all.of["min"], e.min)
		c.characters(all.of["max"], e.max)
	}
}

// characters checks a bound of a text.
func (c *compiler) characters(in item, n *float64) {
	if n != nil && (*n != math.Trunc(*n) || *n < 1 || *n > AnswerCharactersMax) {
		c.report(in.at, ruleValue, "%s counts characters: write a whole number from 1 to %d", in.key, AnswerCharactersMax)
	}
}

// ofKind reads what only some types have.
func (c *compiler) ofKind(e *expectation, all fields) {
	e.integer, e.share = c.boolean(all.of["integer"]), c.boolean(all.of["share"])
	e.pattern = c.pattern(all.of["pattern"])
	e.region = c.country(c.text(all.of["region"]))
	e.quietMs, e.waitMs = c.duration(all.of["quiet"]), c.duration(all.of["wait"])
	switch {
	case e.quietMs == 0 && e.waitMs > 0:
		c.report(all.of["wait"].at, ruleMissing, "wait is the longest time to gather fragments: add quiet, such as 3s")
	case e.quietMs > 0 && e.waitMs == 0:
		e.waitMs = 10 * e.quietMs
	case e.waitMs < e.quietMs:
		c.report(all.of["wait"].at, ruleValue, "wait is shorter than quiet: make it longer")
	}
	e.confirm = c.textWith(all.of["confirm"], bodyMax, "value")
	e.yes, e.no = c.label(all.of["yes"], buttonMax), c.label(all.of["no"], buttonMax)
	c.later(func() { c.checkYesNo(e, all) })
	for _, in := range c.listIfAny(all.of["kinds"]) {
		if kind := c.word(in, mediaKinds...); kind != "" {
			e.kinds = append(e.kinds, kind)
		}
	}
	e.bytesMax = int64(c.count(all.of["max_mb"], 1, 100)) << 20
	if e.kind == choiceAnswer {
		c.options(e, c.required(all, "options", "what can be chosen"))
		if show := c.word(all.of["show"], string(showAuto), string(showButtons), string(showList), string(showNumbers)); show != "" {
			e.show = showAs(show)
		}
		e.button = c.label(all.of["button"], buttonMax)
		if show := all.of["show"]; e.button != nil && (e.show == showButtons || e.show == showNumbers) {
			c.report(show.at, ruleField, "button is the label of a list, and show says %s: remove one of them", e.show)
		}
		c.later(func() { c.checkOptions(e, all) })
	}
}

// checkYesNo sees to it that the two titles can be told apart, in each language.
func (c *compiler) checkYesNo(e *expectation, all fields) {
	for lang, name := range c.flow.languages {
		yes, no := c.flow.own[lang].text["yes"], c.flow.own[lang].text["no"]
		at := all.at
		if e.yes != nil {
			yes, at = e.yes.in(lang).static(), all.of["yes"].at
		}
		if e.no != nil {
			no, at = e.no.in(lang).static(), all.of["no"].at
		}
		if e.kind == yesNoAnswer && fold(yes) == fold(no) && fold(yes) != "" {
			c.report(at, ruleChoice, "yes and no are both %q in %s: give one another title", yes, name)
			return
		}
	}
}

func (c *compiler) listIfAny(in item) []item {
	if in.absent() {
		return nil
	}
	return c.list(in)
}

func (c *compiler) pattern(in item) *regexp.Regexp {
	t := c.text(in)
	if t.value == "" {
		return nil
	}
	return c.regexp(t, `^(?:`, `)$`)
}

// regexp compiles a regular expression with something around it; nil if it is none.
// The expression is tried alone first, because the error shows it.
func (c *compiler) regexp(t written, before, after string) *regexp.Regexp {
	pattern, err := regexp.Compile(t.value)
	if err == nil {
		pattern, err = regexp.Compile(before + t.value + after)
	}
	if err != nil {
		c.report(t.at, ruleValue, "%s is no regular expression (RE2): %s", t.key, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	return pattern
}

func (c *compiler) checkList(in item, e *expectation) {
	list := c.listIfAny(in)
	e.checks = make([]check, len(list))
	for i, in := range list {
		all := c.fields(in, checkFields...)
		when := c.scalar(c.required(all, "if", "the condition that the answer must meet"))
		c.later(func() { c.compileWith(when, wantBoolean, e, &e.checks[i].program) })
		e.checks[i].say = c.bubbles(c.required(all, "say", "the text for an answer that does not meet it"), e)
	}
	if len(list) == 0 {
		e.checks = nil
	}
}

func (c *compiler) tableCheck(in item, e *expectation) {
	if in.absent() {
		return
	}
	all := c.fields(in, tableFields...)
	e.table = &tableCheck{name: c.name(c.required(all, "name", "the name of the table")).value}
	c.filters(c.required(all, "where", "columns and the expressions that they must equal"), e, &e.table.where)
	c.keep(all.of["first"], nil, &e.table.first)
}

// filters reads columns and expressions. e is the answer that they may use; nil
// where there is none yet.
func (c *compiler) filters(in item, e *expectation, into *[]filter) {
	pairs := c.pairs(in, "columns and expressions")
	*into = make([]filter, len(pairs))
	for i, p := range pairs {
		(*into)[i].column = p.key.value
		source := c.scalar(p.value)
		c.later(func() { c.compileWith(source, wantAny, e, &(*into)[i].program) })
	}
}

// failures reads what happens to wrong answers.
func (c *compiler) failures(e *expectation, all fields) {
	switch in := all.of["invalid"]; {
	case in.isMapping() && c.isRules(in):
		for _, p := range c.pairs(in, "rules and texts") {
			if !slices.Contains(invalidRules, p.key.value) {
				c.report(p.key.at, ruleField, "unknown rule %q: %s", p.key.value, suggestion(p.key.value, invalidRules))
				continue
			}
			e.invalid[p.key.value] = c.bubbles(p.value, e)
		}
	case !in.absent():
		e.invalid[ruleOther] = c.bubbles(in, e)
	case e.kind == emailAnswer:
		c.required(all, "invalid", "the text for an answer that is no e-mail address")
	}
	e.attempts = uint32(c.count(all.of["attempts"], 1, 100))
	then, given := all.of["then"]
	switch {
	case given && e.attempts == 0:
		c.report(then.at, ruleMissing, "then is for too many failures: add attempts, such as 3")
	case !given && e.attempts > 0:
		c.report(all.of["attempts"].at, ruleMissing, "after %d failures the session must go somewhere: add then: a step, cancelled or handover", e.attempts)
	case given:
		c.target(then, &e.then)
	}
}

// isRules tells texts by rule from texts by language.
func (c *compiler) isRules(in item) bool {
	quiet := reader{lines: c.lines}
	for _, p := range quiet.pairs(in, "") {
		if c.languageIndex(p.key.value) >= 0 || slices.Contains(bubbleFields, p.key.value) {
			return false
		}
	}
	return true
}

// options reads the choices: a list, or a table.
func (c *compiler) options(e *expectation, in item) {
	if in.isMapping() {
		c.dynamic(e, in)
		return
	}
	list := c.list(in)
	if len(list) > OptionsMax {
		c.report(in.at, ruleLimit, "%d options, the limit is %d: ask in two steps", len(list), OptionsMax)
	}
	e.options = make([]option, len(list))
	for i, in := range list {
		c.option(&e.options[i], in)
	}
}

func (c *compiler) option(o *option, in item) {
	if !in.isMapping() {
		t := c.scalar(in)
		o.value, o.title = t.value, c.literal(t.value)
		return
	}
	all := c.fields(in, optionFields...)
	value := c.scalar(c.required(all, "value", "what is kept if it is chosen"))
	o.value, o.title = value.value, c.literal(value.value)
	if title, ok := all.of["title"]; ok {
		o.title = c.words(title, 0) // its limit depends on how it is shown
	}
	o.description = c.label(all.of["description"], descriptionMax)
	for _, word := range c.wordList(all.of["synonyms"]) {
		o.synonyms = append(o.synonyms, fold(word.value))
	}
	c.target(all.of["goto"], &o.to)
}

func (c *compiler) dynamic(e *expectation, in item) {
	all := c.fields(in, dynamicFields...)
	if _, free := all.of["free"]; free {
		c.free(e, all)
		return
	}
	d := &dynamicOptions{
		table: c.name(c.required(all, "table", "the name of the table")).value,
		value: c.text(c.required(all, "value", "the column that is kept")).value,
		limit: OptionsMax,
	}
	e.dynamic = d
	d.title, d.description = d.value, c.text(all.of["description"]).value
	if title := c.text(all.of["title"]).value; title != "" {
		d.title = title
	}
	if where, ok := all.of["where"]; ok {
		c.filters(where, nil, &d.where)
	}
	c.keep(all.of["keep"], nil, &d.keep)
	c.nothingFree(d, all)
}

// checkOptions sees to it that options can be told apart and shown.
func (c *compiler) checkOptions(e *expectation, all fields) {
	at := all.of["options"].at
	if e.show == showButtons && len(e.options) > buttonsMax {
		c.report(at, ruleLimit, "WhatsApp shows %d buttons at most, here are %d options: use show: list", buttonsMax, len(e.options))
	}
	if e.show == showButtons && e.dynamic != nil {
		c.report(at, ruleLimit, "a table can give more than %d options: use show: list or leave it out", buttonsMax)
	}
	byValue := map[string]bool{}
	for _, o := range e.options {
		if byValue[o.value] {
			c.report(at, ruleChoice, "two options have the value %q: give each its own", o.value)
		}
		byValue[o.value] = true
	}
	for lang := range c.flow.languages {
		c.checkTitles(e, lang, at)
	}
}

// mayBeList reports whether choices can come out as a list.
func (c *compiler) mayBeList(e *expectation) bool {
	long := func(o option) bool {
		return o.description != nil || slices.ContainsFunc(o.title, func(t text.Text) bool { return t.CharactersMax(c.longest) > buttonMax })
	}
	return e.dynamic != nil || e.show == showList || len(e.options) > buttonsMax || slices.ContainsFunc(e.options, long)
}

// checkTitles compares what people see and may type, in one language.
func (c *compiler) checkTitles(e *expectation, lang int, at place) {
	meaning := map[string]string{}
	claim := func(word, value string) {
		if other, taken := meaning[word]; taken && other != value && word != "" {
			c.report(at, ruleChoice, "%q chooses %q and %q (in %s): change a title or a synonym", word, other, value, c.flow.languages[lang])
		}
		meaning[word] = value
	}
	long := titleMax
	switch e.show {
	case showButtons:
		long = buttonMax
	case showNumbers:
		long = numberTitleMax
	}
	for _, o := range e.options {
		title := o.title.in(lang)
		if n := title.longest(c.longest); n > long {
			c.report(at, ruleLimit, "title %q can have %d characters in %s, the limit is %d: shorten it, and put the rest into description", o.value, n, c.flow.languages[lang], long)
		}
		claim(fold(title.static()), o.value)
		for _, word := range o.synonyms {
			claim(word, o.value)
		}
	}
}

// formReserved are the fields by which a phone reports that a form has failed: a
// form's own field of that name would be taken for it. [Meta, Flows error codes]
var formReserved = []string{"error", "error_key", "error_message"}

// formExpectation is a step that sends a form and waits for its result.
func (c *compiler) formExpectation(in item) *expectation {
	all := c.fields(in, formFields...)
	e := &expectation{kind: formAnswer, invalid: map[string][]bubble{}}
	e.form = &form{
		id:      c.scalar(c.required(all, "id", "WhatsApp's id of the form")).value,
		screen:  c.scalar(all.of["screen"]).value,
		title:   c.label(c.required(all, "title", "the label of the button that opens it"), formTitleMax),
		fields:  map[string]valueType{},
		partial: c.name(all.of["partial"]).value,
	}
	for _, p := range c.pairs(c.required(all, "fields", "names and types of what comes back"), "names and types") {
		if slices.Contains(formReserved, p.key.value) {
			c.report(p.key.at, ruleName, "WhatsApp reports the trouble of a form as a field %q: give the field of the form another name", p.key.value)
		}
		if kind := c.word(p.value, string(textValue), string(numberValue), string(booleanValue), string(dateValue), string(timeValue)); kind != "" {
			e.form.fields[p.key.value] = valueType(kind)
		}
	}
	data := c.pairs(all.of["data"], "names and expressions")
	e.form.data = make([]assignment, len(data))
	for i, p := range data {
		e.form.data[i].slot = p.key.value
		c.expression(c.scalar(p.value), wantAny, &e.form.data[i].program)
	}
	c.failures(e, all)
	if save := c.isWord(all.of["save"], e.form.partial); save && e.form.partial != "" {
		c.report(all.of["partial"].at, ruleName, "partial and save are both %q: what is unfinished needs a slot of its own", e.form.partial)
	} else if e.form.partial != "" {
		c.declare(written{key: "partial", at: all.of["partial"].at, value: e.form.partial}, &slot{name: e.form.partial, kind: formValue, members: e.form.fields, at: in.at, longest: AnswerCharactersMax})
	}
	e.slot = c.save(all.of["save"], formValue, e.form.fields, AnswerCharactersMax)
	c.exchange(e, all)
	return e
}

// save makes the slot of an answer known.
func (c *compiler) save(in item, kind valueType, members map[string]valueType, longest int) string {
	name := c.name(in)
	if name.value == "" {
		return ""
	}
	c.declare(name, &slot{name: name.value, kind: kind, members: members, longest: longest, at: name.at})
	return name.value
}

// declare makes a slot known. Several steps may fill it if they agree on its type.
func (c *compiler) declare(name written, s *slot) {
	known := c.flow.slots[name.value]
	switch {
	case reserved[name.value]:
		c.report(name.at, ruleName, "%q is a word of expressions: give the slot another name", name.value)
	case known == nil:
		c.flow.slots[name.value] = s
		clear(c.scopes)
	case known.kind != s.kind:
		c.report(name.at, ruleType, "slot %q is a %s on line %d and a %s here: give one another name", name.value, known.kind, known.at.line, s.kind)
	default:
		known.longest = max(known.longest, s.longest)
		if known.members != nil || s.members != nil {
			known.members = commonMembers(known.members, s.members)
		}
	}
}

// commonMembers are the fields that two forms of one slot both give.
func commonMembers(a, b map[string]valueType) map[string]valueType {
	common := map[string]valueType{}
	for name, kind := range a {
		if b[name] == kind {
			common[name] = kind
		}
	}
	return common
}

func (c *compiler) slotList(in item) {
	for _, p := range c.pairs(in, "slots with type and default") {
		name := c.nameOf(p.key)
		all := c.fields(p.value, slotFields...)
		kind := c.word(c.required(all, "type", "what it holds, such as text or number"), string(textValue), string(numberValue),
			string(booleanValue), string(dateValue), string(timeValue), string(locationValue), string(mediaValue), string(contactValue), string(formValue))
		if name.value == "" || kind == "" {
			continue
		}
		s := &slot{name: name.value, kind: valueType(kind), longest: longestOf(valueType(kind)), at: p.key.at}
		if value, ok := all.of["default"]; ok {
			s.initial = c.initial(value, s.kind)
		}
		c.declare(name, s)
	}
}

// initial reads a default, which has the type of its slot.
func (c *compiler) initial(in item, kind valueType) any {
	switch kind {
	case numberValue:
		if n, ok := c.number(in); ok {
			return n
		}
		return nil
	case booleanValue:
		return c.boolean(in)
	case textValue, dateValue, timeValue:
		if kind == textValue && in.isEmptyText() {
			return ""
		}
		t := c.scalar(in)
		if value, problem := checkText(kind, t.value); problem != "" {
			c.report(in.at, ruleType, "default: %s", problem)
		} else {
			return value
		}
		return nil
	}
	c.report(in.at, ruleType, "a %s has no default: ask for it", kind)
	return nil
}
