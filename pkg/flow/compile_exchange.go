package flow

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/vm"
)

// The fields of what an open form is answered.
var (
	receivedFields = []string{"screen", "data"}
	replyFields    = []string{"to", "if", "show", "finish", "message", "data", "texts", "rows"}
	rowsFields     = []string{"name", "table", "free", "where", "value", "title", "description", "limit", "empty"}
)

const (
	// ReceivedBytesMax bounds the screen that is shown when no answer is in time: it
	// travels in the flow_token of the form.
	ReceivedBytesMax = 160
	repliesMax       = 50
	screenSuccess    = "SUCCESS" // closes a form, and is no screen [Meta]
)

// screenPattern is what WhatsApp takes as the id of a screen.
var screenPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,79}$`)

// exchange reads what an open form is answered.
func (c *compiler) exchange(e *expectation, all fields) {
	f, in := e.form, all.of["answers"]
	if received, given := all.of["received"]; given {
		c.received(f, received)
	}
	if in.absent() {
		return
	}
	c.required(all, "received", "the screen that is shown when no answer is in time, such as received: THANKS")
	list := c.list(in)
	if len(list) > repliesMax {
		c.report(in.at, ruleLimit, "%d answers, the limit is %d: use several forms", len(list), repliesMax)
		list = list[:repliesMax]
	}
	f.replies = make([]reply, len(list))
	for i, in := range list {
		c.reply(e, &f.replies[i], in)
	}
	c.checkReplies(f, list, all)
}

// received reads the screen that needs nobody: its data is written as it is.
func (c *compiler) received(f *form, in item) {
	screen, data := in, map[string]string{}
	if in.isMapping() {
		all := c.fields(in, receivedFields...)
		screen = c.required(all, "screen", "the screen that is shown")
		for _, p := range c.pairs(all.of["data"], "names and texts") {
			data[c.screenField(p.key)] = c.scalar(p.value).value
		}
	}
	shown := struct {
		Screen string            `json:"screen"`
		Data   map[string]string `json:"data,omitempty"`
	}{c.screen(screen), data}
	f.received, _ = json.Marshal(shown) // texts always can be
	if len(f.received) > ReceivedBytesMax {
		c.report(in.at, ruleLimit, "received has %d bytes as JSON, the limit is %d, because it travels with the form: put the texts into the form itself", len(f.received), ReceivedBytesMax)
	}
}

// screen reads the name of a screen.
func (c *compiler) screen(in item) string {
	t := c.scalar(in)
	switch {
	case t.value == "":
	case t.value == screenSuccess || t.value == ExchangeOpen:
		c.report(t.at, ruleName, "%q cannot be a screen: WhatsApp or Parley means something else by it", t.value)
	case !screenPattern.MatchString(t.value):
		c.report(t.at, ruleName, "%q cannot be a screen: use letters, digits and _, as in the form", t.value)
	default:
		return t.value
	}
	return ""
}

// screenField is a name under which a screen is given something.
func (c *compiler) screenField(name written) string {
	if slices.Contains(formReserved, name.value) {
		c.report(name.at, ruleName, "%q is how WhatsApp reports trouble: use message for what is shown at the bottom of the screen, and another name else", name.value)
	}
	return name.value
}

func (c *compiler) reply(e *expectation, r *reply, in item) {
	all := c.fields(in, replyFields...)
	r.kind, r.screen = c.exchangeOf(c.required(all, "to", "what is answered: open, a screen, or back and a screen"))
	if when, given := all.of["if"]; given {
		c.expressionOf(e, when, wantBoolean, &r.when)
	}
	show, shows := all.of["show"]
	r.finish = c.boolean(all.of["finish"])
	switch {
	case shows == r.finish:
		c.report(in.at, ruleMissing, "an answer shows a screen or finishes the form: add either show or finish: true")
	case shows:
		r.show = c.screen(show)
	}
	r.message = c.label(all.of["message"], bodyMax)
	if message, given := all.of["message"]; given && r.finish {
		c.report(message.at, ruleField, "a form that is finished shows no message: remove it")
	}
	for _, p := range c.pairs(all.of["texts"], "names and texts") {
		r.texts = append(r.texts, screenText{c.screenField(p.key), c.words(p.value, bodyMax)})
	}
	data := c.pairs(all.of["data"], "names and expressions")
	r.data = make([]assignment, len(data))
	for i, p := range data {
		r.data[i].slot = c.screenField(p.key)
		c.expressionOf(e, p.value, wantAny, &r.data[i].program)
	}
	if rows, given := all.of["rows"]; given {
		r.rows = c.rows(e, rows)
	}
}

// expressionOf compiles an expression that sees what the form has sent, as value.
func (c *compiler) expressionOf(e *expectation, in item, w want, into **vm.Program) {
	source := c.scalar(in)
	c.later(func() { c.compileWith(source, w, e, into) })
}

// exchangeOf reads what is answered.
func (c *compiler) exchangeOf(in item) (kind, screen string) {
	t := c.scalar(in)
	if t.value == ExchangeOpen {
		return ExchangeOpen, ""
	}
	if name, back := strings.CutPrefix(t.value, ExchangeBack+" "); back {
		if !screenPattern.MatchString(name) {
			c.report(t.at, ruleName, "%q cannot be a screen: use letters, digits and _, as in the form", name)
		}
		return ExchangeBack, name
	}
	return ExchangeSubmit, c.screen(in)
}

func (c *compiler) rows(e *expectation, in item) *screenRows {
	all := c.fields(in, rowsFields...)
	r := &screenRows{name: c.screenField(c.text(c.required(all, "name", "the name under which the screen gets the list")))}
	r.empty = c.label(all.of["empty"], bodyMax)
	o := &r.options
	o.limit, o.description = OptionsMax, c.text(all.of["description"]).value
	if n := c.count(all.of["limit"], 1, OptionsMax); n > 0 {
		o.limit = uint32(n)
	}
	if _, given := all.of["free"]; given {
		c.freeRows(e, o, all)
		return r
	}
	o.table = c.name(c.required(all, "table", "the name of the table")).value
	o.value = c.text(c.required(all, "value", "the column that comes back as the choice")).value
	if o.title = c.text(all.of["title"]).value; o.title == "" {
		o.title = o.value
	}
	if where, given := all.of["where"]; given {
		c.filters(where, e, &o.where)
	}
	return r
}

// freeRows reads the particulars of free slots.
func (c *compiler) freeRows(e *expectation, o *dynamicOptions, all fields) {
	for _, other := range []string{"table", "where", "value", "title"} {
		if field, given := all.of[other]; given {
			c.report(field.at, ruleField, "free slots have no %s: remove it", other)
		}
	}
	particulars := freeFields[:4]
	in := c.fields(all.of["free"], particulars...)
	c.required(in, "service", "an expression that gives the service, such as \"haircut\" in quotes")
	o.verb, o.value = VerbFree, "slot"
	o.where = make([]filter, 0, len(particulars))
	for _, name := range particulars {
		source, given := in.of[name]
		if !given {
			continue
		}
		o.where = append(o.where, filter{column: name})
		into := &o.where[len(o.where)-1].program
		c.later(func() { c.compileWith(c.scalar(source), wantAny, e, into) })
	}
}

// checkReplies sees to it that every exchange is answered whatever was filled in, and
// that the screens hang together.
func (c *compiler) checkReplies(f *form, list []item, all fields) {
	type exchange struct{ kind, screen string }
	always, last := map[exchange]bool{}, map[exchange]item{}
	shown := map[string]bool{f.screen: f.screen != ""}
	for i, r := range f.replies {
		x := exchange{r.kind, r.screen}
		if always[x] {
			c.report(list[i].at, ruleUnreachable, "an answer before it has no if: this one is never given")
		}
		always[x] = always[x] || r.when == nil && list[i].isMapping() && !list[i].hasKey("if")
		last[x], shown[r.show] = list[i], true
	}
	for i, r := range f.replies {
		x := exchange{r.kind, r.screen}
		if !always[x] && last[x] == list[i] {
			c.report(list[i].at, ruleDeadEnd, "nothing answers if this if does not hold: add an answer to the same without if")
		}
		if r.screen != "" && !shown[r.screen] {
			c.report(list[i].at, ruleUnreachable, "no answer shows %s%s: the form never comes there through Parley", r.screen, nearScreen(r.screen, shown))
		}
		if r.show != "" && !always[exchange{ExchangeSubmit, r.show}] && last[exchange{ExchangeSubmit, r.show}].absent() && !c.isReceived(f, r.show) {
			c.report(list[i].at, ruleDeadEnd, "%s is shown, and nothing answers it: add an answer to: %s", r.show, r.show)
		}
	}
	if f.screen == "" && !always[exchange{kind: ExchangeOpen}] {
		c.report(all.of["answers"].at, ruleMissing, "without screen the form asks where to open: add an answer to: open, or a screen")
	}
}

// isReceived reports whether a screen is the one that needs no answer.
func (c *compiler) isReceived(f *form, screen string) bool {
	received, _ := decodeValue(f.received).(map[string]any)
	return received["screen"] == screen
}

func nearScreen(name string, shown map[string]bool) string {
	names := []string{}
	for screen, yes := range shown {
		if yes && screen != "" {
			names = append(names, screen)
		}
	}
	slices.Sort(names)
	if near, ok := nearest(name, names); ok {
		return " (is " + near + " meant?)"
	}
	return ""
}
