package dialogue

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads the dialogues of a file. The error is a [Problems], with the lines.
func Parse(source string) ([]Dialogue, error) {
	p := &parser{given: Given{}}
	p.open(1)
	for i, line := range strings.Split(strings.TrimPrefix(source, "\ufeff"), "\n") {
		p.number = i + 1
		p.line(strings.TrimRight(line, " \t\r"))
	}
	p.close()
	if p.problems != nil {
		return nil, p.problems
	}
	return p.all, nil
}

// rowsOf are the lines of a table, and where it goes.
type rowsOf struct {
	name  string
	into  map[string]Table
	lines []string
}

type parser struct {
	number   int
	given    Given // for all dialogues of the file
	all      []Dialogue
	now      Dialogue
	parts    int // dialogues begun, what is given for all included
	problems Problems
	// more takes an indented line; nil if there is nothing to go on with.
	more func(line string)
	// blank counts the blank lines before this one.
	blank int
}

func (p *parser) report(format string, args ...any) {
	p.problems = append(p.problems, Problem{p.number, fmt.Sprintf(format, args...)})
}

func (p *parser) open(line int) {
	p.parts++
	p.now = Dialogue{Line: line, Given: p.given.clone()}
	p.more, p.blank = nil, 0
}

func (g Given) clone() Given {
	g.Files, g.Tables, g.Variants = maps.Clone(g.Files), maps.Clone(g.Tables), maps.Clone(g.Variants)
	g.Slots, g.Pools = maps.Clone(g.Slots), maps.Clone(g.Pools)
	return g
}

// close keeps the dialogue that was read.
func (p *parser) close() {
	p.settle()
	switch {
	case len(p.now.acts) > 0:
		p.all = append(p.all, p.now)
	case p.parts == 1:
		p.given = p.now.Given
	default:
		p.problems = append(p.problems, Problem{p.now.Line, "nobody says anything in this dialogue: write a line that begins with >"})
	}
}

// settle reads what could not be read before its last line was known.
func (p *parser) settle() {
	for i := range p.now.acts {
		a := &p.now.acts[i]
		if a.kind != saying || a.says.kind != "" {
			continue
		}
		s, err := parseSays(a.says.text)
		if err != nil {
			p.problems = append(p.problems, Problem{a.line, err.Error()})
		}
		a.says = s
	}
	for what, rows := range p.now.rows {
		table, err := ParseTable(strings.Join(rows.lines, "\n"))
		if err != nil {
			p.problems = append(p.problems, Problem{p.now.Line, fmt.Sprintf("%s: %v", what, err)})
		}
		rows.into[rows.name] = table
	}
	p.now.rows = nil
}

func (p *parser) line(line string) {
	switch {
	case line == "":
		p.blank++
		return
	case strings.HasPrefix(line, "  "):
		if p.more == nil {
			p.report("an indented line goes on with a message or a table, and there is none before it")
			break
		}
		for range p.blank {
			p.more("")
		}
		p.more(line[2:])
	case strings.HasPrefix(line, "#"):
		if p.now.Title == "" {
			p.now.Title = strings.TrimSpace(line[1:])
		}
	case line == "---":
		p.close()
		p.open(p.number + 1)
	case line[0] == '>':
		p.act(act{says: says{text: strings.TrimPrefix(line[1:], " ")}})
		p.more = func(line string) {
			a := &p.now.acts[len(p.now.acts)-1]
			a.says.text += "\n" + line
		}
	case line[0] == '<', line == "...":
		p.expect(line)
	default:
		p.more = nil
		p.command(line)
	}
	p.blank = 0
}

func (p *parser) act(a act) {
	a.line, a.from, a.to = p.number, p.number+1, p.number+1
	p.now.acts = append(p.now.acts, a)
}

func (p *parser) expect(line string) {
	p.more = nil
	a := p.last(line)
	if a == nil {
		return
	}
	if len(a.checks) > 0 {
		p.report("what the flow says stands before what must be so afterwards: move it up")
	}
	e := expect{rest: line == "..."}
	switch pattern, isPattern := strings.CutPrefix(line, "<~"); {
	case isPattern:
		var err error
		if e.pattern, err = regexp.Compile("(?s)" + strings.TrimPrefix(pattern, " ")); err != nil {
			p.report("%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	case !e.rest:
		e.lines = []string{strings.TrimPrefix(line[1:], " ")}
		p.more = func(line string) {
			a.to = p.number + 1
			now := &a.expects[len(a.expects)-1]
			now.lines = append(now.lines, line)
		}
	}
	if len(a.expects) == 0 {
		a.from = p.number
	}
	a.expects, a.to = append(a.expects, e), p.number+1
}

// last is what happened last; something must have.
func (p *parser) last(line string) *act {
	if len(p.now.acts) == 0 {
		p.report("nothing has happened before %q: write what the person says, in a line that begins with >", line)
		return nil
	}
	return &p.now.acts[len(p.now.acts)-1]
}

// checkVerbs are the commands that say what must be so.
var checkVerbs = []string{"state", "values", "language", "ends", "human", "variant", "goal"}

func (p *parser) command(line string) {
	verb, rest, _ := strings.Cut(line, " ")
	args, err := fieldsOf(rest)
	switch {
	case err != nil:
	case slices.Contains(checkVerbs, verb):
		err = p.check(verb, args)
	case verb == "flow":
		p.now.Given.Flow, err = p.word(args)
	case verb == "given":
		err = p.set(args)
	case verb == "table":
		err = p.table(verb, args, &p.now.Given.Tables)
	case verb == "slots":
		err = p.table(verb, args, &p.now.Given.Slots)
	case verb == "pool":
		err = p.table(verb, args, &p.now.Given.Pools)
	case verb == "pass":
		err = p.pass(args)
	case verb == "start":
		err = args.pairs()
		p.act(act{kind: starting, with: args})
	case verb == "others":
		err = args.pairs("service", "calendar", "day", "time")
		p.act(act{kind: othersBooking, with: args})
	case verb == "operator":
		_, err = operatorAction(args)
		p.act(act{kind: operating, with: args})
	case verb == "another":
		_, err = args.words(0)
		p.act(act{kind: showing})
	case verb == "merge":
		_, err = args.words(0)
		p.act(act{kind: merging})
	default:
		err = fmt.Errorf("%q is not understood: a line begins with >, <, or one of flow, given, table, slots, pool, pass, start, others, operator, another, merge, %s", verb, strings.Join(checkVerbs, ", "))
	}
	if err != nil {
		p.report("%v", err)
	}
}

// word is the one word of a command before anything happened.
func (p *parser) word(args fields) (string, error) {
	words, err := args.words(1)
	if err != nil {
		return "", err
	}
	if len(words) == 0 {
		return "", fmt.Errorf("a name is missing")
	}
	return words[0], p.early()
}

// early fails if the conversation has begun.
func (p *parser) early() error {
	if len(p.now.acts) > 0 {
		return fmt.Errorf("this is given from the start: move it above the first >")
	}
	return nil
}

// table begins the rows of something that is given.
func (p *parser) table(verb string, args fields, into *map[string]Table) error {
	name, err := p.word(args)
	if err != nil {
		return err
	}
	if *into == nil {
		*into = map[string]Table{}
	}
	if p.now.rows == nil {
		p.now.rows = map[string]*rowsOf{}
	}
	rows := &rowsOf{name: name, into: *into}
	p.now.rows[verb+" "+name] = rows
	p.more = func(line string) { rows.lines = append(rows.lines, line) }
	return nil
}

func (p *parser) pass(args fields) error {
	words, err := args.words(1)
	if err != nil || len(words) == 0 {
		return fmt.Errorf("pass needs how long, such as 3s, 2h or 30d")
	}
	d, err := durationOf(words[0])
	p.act(act{kind: passing, pass: d})
	return err
}

// passMax bounds what can pass at once: more overflows nothing, and means nothing.
const passMax = 100 * 365 * 24 * time.Hour

func durationOf(word string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(word, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 15)
		if err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(word)
	if err != nil || d <= 0 || d > passMax {
		return 0, fmt.Errorf("%q is no time to pass: write 3s, 2h or 30d", word)
	}
	return d, nil
}

func (p *parser) check(verb string, args fields) error {
	a := p.last(verb)
	if a == nil {
		return nil
	}
	a.checks = append(a.checks, check{p.number, verb, args})
	words, most := 1, 1
	switch verb {
	case "values", "variant":
		return args.pairs()
	case "ends":
		most = 2
	case "human":
		words = 0
	}
	given, err := args.words(most)
	if err != nil {
		return err
	}
	if len(given) < words {
		return fmt.Errorf("%s needs a word after it", verb)
	}
	if verb == "ends" && !slices.Contains(ends, given[0]) {
		return fmt.Errorf("a session ends %s, not %s", strings.Join(ends, ", "), given[0])
	}
	return nil
}
