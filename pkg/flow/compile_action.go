package flow

import (
	"slices"
	"strconv"
)

// actionFields are the fields of each action, by its verb.
var actionFields = map[string][]string{
	VerbBook:       {"slot", "places", "keep", ResultTaken},
	VerbHold:       {"slot", "places", "for", "keep", ResultTaken},
	VerbReschedule: {"booking", "service", "slot", "keep", ResultTaken, ResultMissing},
	VerbCancel:     {"booking", "service", "keep", ResultMissing},
	VerbAssign:     {"pool", "skills", "keep", ResultQueued, ResultNone},
}

// actionVerbs are the fields of a step that are actions, in the order of the
// documentation.
var actionVerbs = []string{VerbBook, VerbHold, VerbReschedule, VerbCancel, VerbAssign}

var (
	// slotColumns and leadColumns are what can be kept of an outcome; the first also
	// of a free slot.
	slotColumns = []string{"slot", "service", "calendar", "day", "time", "booking"}
	leadColumns = []string{"lead", "pool", "agent", "agent_name"}

	wayFields  = []string{"say", "goto"}
	freeFields = []string{"service", "calendar", "day", "places", "next"}
)

// action reads what a step does to slots, bookings and leads.
func (c *compiler) action(verb string, in item) *action {
	all := c.fields(in, actionFields[verb]...)
	a := &action{verb: verb, fixed: map[string]string{}}
	switch verb {
	case VerbBook, VerbHold, VerbReschedule:
		c.required(all, "slot", "an expression that gives the slot, such as the one that a choice of free slots saves")
	case VerbAssign:
		if pool := c.name(c.required(all, "pool", "the name of the pool")).value; pool != "" {
			a.fixed["pool"] = pool
		}
	}
	if verb == VerbHold {
		if ms := c.duration(c.required(all, "for", "how long it is held, such as 10m")); ms > 0 {
			a.fixed["for"] = strconv.FormatInt(ms, 10)
		}
	}
	c.particulars(all, []string{"slot", "places", "booking", "service", "skills"}, &a.where)
	columns := slotColumns
	if verb == VerbAssign {
		columns = leadColumns
	}
	c.keep(all.of["keep"], columns, &a.keep)
	c.outcomeWays(a, all)
	return a
}

// particulars reads expressions of which an action or a choice has some.
func (c *compiler) particulars(all fields, names []string, into *[]filter) {
	var list []filter
	for _, name := range names {
		if _, given := all.of[name]; given {
			list = append(list, filter{column: name})
		}
	}
	*into = list
	for i := range list {
		source := c.scalar(all.of[list[i].column])
		c.later(func() { c.compileWith(source, wantAny, nil, &list[i].program) })
	}
}

// outcomeWays reads where the step goes when it was not done; queued may be left out.
func (c *compiler) outcomeWays(a *action, all fields) {
	for _, result := range []string{ResultTaken, ResultMissing, ResultQueued, ResultNone} {
		if !slices.Contains(actionFields[a.verb], result) {
			continue
		}
		_, given := all.of[result]
		if !given && result == ResultQueued {
			continue
		}
		if !given {
			c.required(all, result, "where to go then, such as {goto: STEP}")
			continue
		}
		a.ways = append(a.ways, outcomeWay{result: result})
	}
	for i := range a.ways {
		way := c.fields(all.of[a.ways[i].result], wayFields...)
		a.ways[i].say = c.bubbles(way.of["say"], nil)
		c.target(c.required(way, "goto", "the step to go to then"), &a.ways[i].to)
	}
}

// keep reads which columns are kept in which slots. columns are those that there can
// be; nil where only the table knows.
func (c *compiler) keep(in item, columns []string, into *[]column) {
	for _, p := range c.pairs(in, "slots and columns") {
		if c.nameOf(p.key).value == "" {
			continue
		}
		col := column{slot: p.key.value}
		switch {
		case columns == nil:
			col.column = c.text(p.value).value
		default:
			col.column = c.word(p.value, columns...)
		}
		s := &slot{name: p.key.value, kind: textValue, longest: AnswerCharactersMax, at: p.key.at}
		if columns != nil {
			s.kind, s.longest = columnKind(col.column), columnLongest(col.column)
		}
		c.declare(p.key, s)
		*into = append(*into, col)
	}
}

// columnKind is the type of what a column of slots or leads holds.
func columnKind(column string) valueType {
	switch column {
	case "day":
		return dateValue
	case "time":
		return timeValue
	}
	return textValue
}

// columnLongest is the length of the longest value of such a column.
func columnLongest(column string) int {
	switch columnKind(column) {
	case dateValue:
		return dateMax
	case timeValue:
		return timeMax
	}
	return ChoiceCharactersMax
}

// free reads choices of slots that are free.
func (c *compiler) free(e *expectation, all fields) {
	in := c.fields(all.of["free"], freeFields...)
	d := &dynamicOptions{verb: VerbFree, value: "slot", description: "calendar", limit: OptionsMax}
	e.dynamic = d
	for _, other := range []string{"table", "where", "value", "title"} {
		if field, given := all.of[other]; given {
			c.report(field.at, ruleField, "free slots have no %s: remove it", other)
		}
	}
	if description := c.word(all.of["description"], slotColumns...); description != "" {
		d.description = description
	}
	c.required(in, "service", "an expression that gives the service, such as \"haircut\" in quotes")
	c.particulars(in, []string{"service", "calendar", "day", "places"}, &d.where)
	if n := c.count(in.of["next"], 1, OptionsMax); n > 0 {
		d.limit = uint32(n)
	}
	c.keep(all.of["keep"], slotColumns[:5], &d.keep)
	c.nothingFree(d, all)
}

// nothingFree reads what happens if there is nothing to choose.
func (c *compiler) nothingFree(d *dynamicOptions, all fields) {
	empty := c.fields(c.required(all, "empty", "what happens if there is nothing to choose"), emptyFields...)
	d.empty = c.bubbles(c.required(empty, "say", "the text if there is nothing to choose"), nil)
	c.target(c.required(empty, "goto", "the step to go to then"), &d.emptyTo)
}
