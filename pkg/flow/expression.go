package flow

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"github.com/parleyhq/parley/pkg/flow/when"
)

// Limits of an expression. Without loops its cost is linear in its size, and its
// memory in that times the longest text.
const (
	// ExpressionBytesMax is the length of the longest expression.
	ExpressionBytesMax = 500
	// ExpressionNodesMax is the number of its parts.
	ExpressionNodesMax = 200
)

// want is the type that the place of an expression needs.
type want uint8

const (
	wantAny want = iota
	wantText
	wantBoolean
)

// builtins are the functions of expr that depend on their arguments alone and
// make nothing that is much larger than them.
var builtins = []string{"lower", "upper", "trim", "len", "round", "floor", "ceil", "abs", "min", "max", "int", "float", "string"}

// answerName is what rules call the answer that they judge.
const answerName = "value"

// variables are what every expression sees besides the slots.
var variables = types.Map{
	"today": types.String, "time_now": types.String, "language": types.String, "channel": types.String,
	"contact": types.Map{"name": types.String, "phone": types.String, types.Extra: types.Nil},
}

// reserved are words that no slot can have as a name.
var reserved = func() map[string]bool {
	words := map[string]bool{
		answerName: true, "weekday": true, "days": true, "add_days": true, "in": true, "not": true, "and": true, "or": true, "true": true,
		"false": true, "nil": true, "let": true, "if": true, "else": true, "matches": true, "contains": true,
	}
	for name := range variables {
		words[name] = true
	}
	for _, name := range builtins {
		words[name] = true
	}
	return words
}()

// expression compiles an expression once all slots are known.
func (c *compiler) expression(source written, w want, into **vm.Program) {
	c.later(func() { c.compileWith(source, w, nil, into) })
}

// moment compiles a bound of a date or time: an expression, or a fixed one as it
// is written.
func (c *compiler) moment(in item, kind answerKind, into **vm.Program) {
	if in.absent() {
		return
	}
	source := c.scalar(in)
	c.later(func() {
		if value, problem := checkText(kind.value(), source.value); problem == "" {
			source.value = fmt.Sprintf("%q", value)
		}
		c.compileWith(source, wantText, nil, into)
	})
}

// compileWith compiles an expression that sees the slots, and the answer that it
// judges; nil if there is none.
func (c *compiler) compileWith(source written, w want, answer *expectation, into **vm.Program) valueType {
	if source.value == "" {
		return ""
	}
	if len(source.value) > ExpressionBytesMax {
		c.report(source.at, ruleLimit, "the expression has %d bytes, the limit is %d: compute parts of it in a set before", len(source.value), ExpressionBytesMax)
		return ""
	}
	options := []expr.Option{c.scope(answer)}
	switch w {
	case wantBoolean:
		options = append(options, expr.AsBool())
	case wantText:
		options = append(options, expr.AsKind(reflect.String))
	}
	program, err := expr.Compile(source.value, options...)
	if err != nil {
		c.report(source.at, ruleExpression, "%s: %s", source.key, c.explain(err))
		return ""
	}
	kind := typeOfProgram(program)
	if kind == "" {
		c.report(source.at, ruleType, "%s must be a text, a number or a truth value: name a field, or write what it is to be", source.key)
		return ""
	}
	*into = program
	c.usesIn(program, source, answer)
	return kind
}

// explain gives the message of an expression that does not compile. A name that
// the expression lacks is most often a slot that nothing saves.
func (c *compiler) explain(err error) string {
	message := err.Error()
	if e, ok := err.(*file.Error); ok { //nolint:errorlint // expr returns it as it is
		message = fmt.Sprintf("%s at character %d", e.Message, e.Column+1)
	}
	if name, ok := strings.CutPrefix(message, "unknown name "); ok {
		name, _, _ = strings.Cut(name, " ")
		return fmt.Sprintf("nothing is called %q: save it in a step before, or declare it under slots", name)
	}
	return message
}

// scope is how an expression is compiled: with the types of all that it sees, the
// slots and the answer that it judges. It is made once for each type of answer,
// until declare forgets it: it takes more time than all the rest.
func (c *compiler) scope(judged *expectation) expr.Option {
	var answer valueType
	var members map[string]valueType
	if judged != nil {
		answer = judged.kind.value()
	}
	if answer == formValue {
		members = judged.form.fields
		delete(c.scopes, answer) // the next form has other fields
	}
	if c.scopes[answer] == nil {
		visible := maps.Clone(variables)
		for name, s := range c.flow.slots {
			visible[name] = typeIn(s)
		}
		if judged != nil {
			visible[answerName] = typeIn(&slot{kind: answer, members: members})
		}
		c.scopes[answer] = once(append([]expr.Option{expr.Env(visible)}, commonOptions...))
	}
	return c.scopes[answer]
}

// once is options in one: they are applied the first time, and from then on what
// came of it is copied. C is the configuration of expr, which has no name here.
func once[Option ~func(*C), C any](options []Option) Option {
	var made *C
	return func(config *C) {
		if made == nil {
			for _, option := range options {
				option(config)
			}
			made = new(C)
			*made = *config
		}
		*config = *made
	}
}

func typeIn(s *slot) types.Type {
	switch s.kind {
	case numberValue:
		return types.Float64
	case booleanValue:
		return types.Bool
	case textValue, dateValue, timeValue:
		return types.String
	}
	fields := types.Map{}
	for name, kind := range s.fields() {
		fields[name] = typeIn(&slot{kind: kind})
	}
	return fields
}

// usesIn notes the slots that an expression reads. The answer has a value, as value
// and under the name of its slot.
func (c *compiler) usesIn(program *vm.Program, source written, answer *expectation) {
	names := namesIn{}
	node := program.Node()
	ast.Walk(&node, names)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		switch {
		case name == "$env":
			c.report(source.at, ruleExpression, "%s: $env hides which slots are used: name the slot itself", source.key)
		case answer == nil || name != answer.slot:
			c.use(name, source.at)
		}
	}
}

// namesIn collects the names of an expression.
type namesIn map[string]bool

func (n namesIn) Visit(node *ast.Node) {
	if identifier, ok := (*node).(*ast.IdentifierNode); ok {
		n[identifier.Value] = true
	}
}

// typeOfProgram is the type of what an expression gives; "" if it is no value.
func typeOfProgram(p *vm.Program) valueType {
	t := p.Node().Type()
	if t == nil {
		return ""
	}
	switch t.Kind() {
	case reflect.String:
		return textValue
	case reflect.Bool:
		return booleanValue
	case reflect.Float64, reflect.Int:
		return numberValue
	}
	return ""
}

// assignment compiles a computed value; its slot takes the type unless it has
// one. It happens in a phase of its step, after the slots of have were set.
func (c *compiler) assignment(slotName, source written, p phase, have []string, into **vm.Program) {
	c.assignments = append(c.assignments, c.here(func() {
		c.phase, c.have = p, have
		kind := c.compileWith(source, wantAny, nil, into)
		c.phase, c.have = saying, nil
		known := c.flow.slots[slotName.value]
		switch {
		case *into == nil:
		case known == nil:
			c.declare(slotName, &slot{name: slotName.value, kind: kind, longest: longestGiven(kind, (*into).Node()), at: slotName.at})
		case known.kind != kind && !(kind == textValue && (known.kind == dateValue || known.kind == timeValue)):
			c.report(source.at, ruleType, "slot %q is a %s, and the expression gives a %s: give the value another slot", slotName.value, known.kind, kind)
		case known.kind == textValue:
			known.longest = max(known.longest, longestGiven(kind, (*into).Node()))
		}
	}))
}

// longestGiven is the number of characters of the longest text that an expression
// gives, as far as it says so itself: slots may grow.
func longestGiven(kind valueType, node ast.Node) int {
	switch n := node.(type) {
	case *ast.StringNode:
		return min(utf8.RuneCountInString(n.Value), AnswerCharactersMax)
	case *ast.ConditionalNode:
		return max(longestGiven(kind, n.Exp1), longestGiven(kind, n.Exp2))
	case *ast.IdentifierNode:
		if n.Value == "today" || n.Value == "time_now" {
			return timeMax
		}
	}
	return longestOf(kind)
}

// commonOptions are those of every expression.
var commonOptions = func() []expr.Option {
	options := append([]expr.Option{expr.DisableAllBuiltins(), expr.MaxNodes(ExpressionNodesMax)}, functions...)
	for _, name := range builtins {
		options = append(options, expr.EnableBuiltin(name))
	}
	return options
}()

// functions are Parley's own: of dates as values have them.
var functions = []expr.Option{
	expr.Function("weekday", func(args ...any) (any, error) {
		d, err := when.ParseISODate(args[0].(string))
		return strings.ToLower(d.Weekday().String()), err
	}, new(func(string) string)),
	expr.Function("days", func(args ...any) (any, error) {
		from, err := when.ParseISODate(args[0].(string))
		if err != nil {
			return nil, err
		}
		to, err := when.ParseISODate(args[1].(string))
		return from.DaysUntil(to), err
	}, new(func(string, string) int)),
	expr.Function("add_days", func(args ...any) (any, error) {
		d, err := when.ParseISODate(args[0].(string))
		return d.AddDays(args[1].(int)).String(), err
	}, new(func(string, int) string)),
}

// memoryMax bounds what one expression can allocate, in expr's units.
const memoryMax = 100_000

// run computes an expression, which was type-checked. What cannot be computed (a
// division by zero, no such day, too much memory) is an empty text, 0 or false: a
// person must not be left without an answer because of it.
func (t *turn) run(program *vm.Program, more map[string]any) any {
	machine := vm.VM{MemoryBudget: memoryMax}
	value, err := machine.Run(program, t.environment(more))
	kind := typeOfProgram(program)
	if err != nil {
		value = nil
	}
	switch kind {
	case textValue:
		said, _ := value.(string)
		return clip(valid(said), AnswerCharactersMax)
	case booleanValue:
		yes, _ := value.(bool)
		return yes
	}
	n, _ := number(value)
	return n
}

// holds computes a condition.
func (t *turn) holds(program *vm.Program, more map[string]any) bool {
	yes, _ := t.run(program, more).(bool)
	return yes
}

func (t *turn) environment(more map[string]any) map[string]any {
	now := time.UnixMilli(t.in.GetAtMs()).In(t.flow.zone)
	env := make(map[string]any, len(t.flow.slots)+len(more)+len(variables))
	for name, s := range t.flow.slots {
		if s.initial != nil {
			env[name] = s.initial
		}
	}
	for name, value := range t.state.Answers {
		env[name] = value
	}
	env["today"], env["time_now"] = now.Format(time.DateOnly), now.Format("15:04")
	env["language"], env["channel"] = t.state.Language, t.in.GetChannel()
	env["contact"] = map[string]any{"name": t.contactName(), "phone": t.in.GetContact().GetPhone()}
	for name, value := range more {
		env[name] = value
	}
	return env
}

// clip bounds a text to a number of characters.
func clip(s string, characters int) string {
	if len(s) <= characters {
		return s
	}
	runes := []rune(s)
	return string(runes[:min(len(runes), characters)])
}
