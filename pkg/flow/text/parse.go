package text

import (
	"slices"
	"strings"
)

// parser reads a source from left to right. Offsets are in bytes here.
type parser struct {
	source string
	at     int
	uses   []Use
}

// scope is where the parser is: in no branch (the zero scope) or in one.
type scope struct {
	depth   int    // branches around
	open    int    // the brace of the innermost placeholder, for errors
	counted string // the slot that # writes: that of the innermost plural
}

// special are the characters that are more than text.
func (s scope) special() string {
	if s.depth == 0 {
		return "{"
	}
	return "{}#"
}

// sequence reads text and placeholders up to the end: that of the source, or the
// brace that closes the branch. Braces in pairs are looked at before single ones.
func (p *parser) sequence(s scope) ([]part, error) {
	var found sequence
	pairs := 0 // {{ of this branch that have no }} yet
	for {
		found.addLiteral(p.until(s.special()))
		switch {
		case p.at == len(p.source):
			return found.all(), p.checkEnd(s)
		case strings.HasPrefix(p.source[p.at:], "{{"):
			if err := p.checkHabit(); err != nil {
				return nil, err
			}
			p.at, pairs = p.at+2, pairs+1
			found.addLiteral("{")
		case p.source[p.at] == '{':
			placeholder, err := p.placeholder(s)
			if err != nil {
				return nil, err
			}
			found.addUse(placeholder)
		case pairs > 0 && p.skip("}}"):
			pairs--
			found.addLiteral("}")
		case p.skip("}"):
			return found.all(), nil
		case p.skip("##"), s.counted == "" && p.skip("#"):
			found.addLiteral("#")
		default:
			p.at += len("#")
			found.addUse(part{slot: s.counted, kind: Number})
		}
	}
}

// sequence joins the literals between two uses of slots, so that a text without
// slots is one part.
type sequence struct {
	parts   []part
	literal []byte // since the last use
}

func (s *sequence) addLiteral(literal string) { s.literal = append(s.literal, literal...) }

func (s *sequence) addUse(p part) { s.parts = append(s.all(), p) }

func (s *sequence) all() []part {
	if len(s.literal) > 0 {
		s.parts = append(s.parts, part{literal: string(s.literal)})
		s.literal = s.literal[:0]
	}
	return s.parts
}

func (p *parser) checkEnd(s scope) error {
	if s.depth == 0 {
		return nil
	}
	return p.unclosed(s.open)
}

// checkHabit finds {{slot}}, the habit of other tools. Without it, such a text
// would compile and people would read "{slot}}".
func (p *parser) checkHabit() error {
	rest := p.source[p.at+len("{{"):]
	end := max(0, strings.IndexAny(rest, "{}"))
	if slot := strings.Trim(rest[:end], blanks); strings.HasPrefix(rest[end:], "}}") && isSlot(slot) {
		return p.fail(p.at, "write {%s} with single braces", slot)
	}
	return nil
}

// placeholder reads {slot}, {slot, format} or {slot, format, style or branches}.
func (p *parser) placeholder(s scope) (part, error) {
	s.open = p.at
	p.at += len("{")
	p.space()
	start := p.at
	slot := p.word()
	if slot == "" {
		return part{}, p.unclosed(s.open)
	}
	if !isSlot(slot) {
		return part{}, p.fail(start, `%q cannot be a slot: use a to z, 0 to 9 and _, beginning with a letter, or write "{{" for a brace`, slot)
	}
	use := len(p.uses)
	p.uses = append(p.uses, Use{Slot: slot, Offset: start})
	if p.skip("}") {
		return part{slot: slot}, nil
	}
	if !p.skip(",") {
		return part{}, p.unclosed(s.open)
	}
	p.space()
	kind, err := p.kind(s.open)
	p.uses[use].Kind = kind
	if err != nil {
		return part{}, err
	}
	return p.rest(part{slot: slot, kind: kind}, s)
}

// kind reads the word after the first comma.
func (p *parser) kind(open int) (Kind, error) {
	start := p.at
	word := p.word()
	if word == "" {
		return Plain, p.unclosed(open)
	}
	kind := Kind(max(0, slices.Index(kindNames[:], word)))
	if kind == Plain {
		return Plain, p.fail(start, "unknown format %q: use number, date, time, plural, selectordinal or select", word)
	}
	return kind, nil
}

// rest reads what follows the kind.
func (p *parser) rest(of part, s scope) (part, error) {
	switch of.kind {
	case Plural, Ordinal, Select:
		if !p.skip(",") {
			return part{}, p.fail(s.open, "{%s, %s} has no branches: write {%[1]s, %[2]s, other {…}}", of.slot, of.kind)
		}
		p.space()
		return p.branches(of, s)
	}
	if p.skip(",") {
		p.space()
		start := p.at
		style := p.word()
		if of.kind != Number || style != "integer" {
			return part{}, p.failStyle(start, of, style, s.open)
		}
		of.integer = true
	}
	if !p.skip("}") {
		return part{}, p.unclosed(s.open)
	}
	return of, nil
}

func (p *parser) failStyle(start int, of part, style string, open int) error {
	switch {
	case style == "":
		return p.unclosed(open)
	case of.kind == Number:
		return p.fail(start, "unknown style %q: write {%s, number} or {%[2]s, number, integer}", style, of.slot)
	default:
		return p.fail(start, "unknown style %q: write {%s, %s}", style, of.slot, of.kind)
	}
}

// branches reads the branches of a plural or select, and its closing brace.
func (p *parser) branches(of part, s scope) (part, error) {
	if s.depth == DepthMax {
		return part{}, p.fail(s.open, "%s is inside of %d others, the limit: split the text", of.kind, DepthMax)
	}
	s.depth++
	if of.kind != Select {
		s.counted = of.slot
	}
	for !p.skip("}") {
		if len(of.branches) == BranchesMax {
			return part{}, p.fail(p.last(), "{%s, %s} has more than %d branches, the limit: split it", of.slot, of.kind, BranchesMax)
		}
		b, err := p.branch(of, s)
		if err != nil {
			return part{}, err
		}
		of.branches = append(of.branches, b)
	}
	if !slices.ContainsFunc(of.branches, branch.isOther) {
		return part{}, p.fail(s.open, `{%s, %s} has no branch "other": add other {…} for all other values`, of.slot, of.kind)
	}
	return of, nil
}

// branch reads a key and the text in its braces.
func (p *parser) branch(of part, s scope) (branch, error) {
	start := p.at
	key := p.word()
	switch {
	case p.at == len(p.source):
		return branch{}, p.unclosed(s.open)
	case key == "":
		return branch{}, p.fail(start, "a branch has no name here: write other {…}")
	}
	b, problem := newBranch(of.kind, key)
	if problem != "" {
		return branch{}, p.fail(start, "%s", problem)
	}
	if slices.ContainsFunc(of.branches, b.same) {
		return branch{}, p.fail(start, "branch %q is here twice: keep one", key)
	}
	if !p.skip("{") {
		return branch{}, p.fail(start, "branch %q has no text: write %[1]s {…}", key)
	}
	var err error
	b.parts, err = p.sequence(s)
	p.space()
	return b, err
}

// blanks may stand around the words of a placeholder.
const blanks = " \t\r\n"

func (p *parser) space() { p.at = len(p.source) - len(strings.TrimLeft(p.source[p.at:], blanks)) }

// word reads up to what separates words, and the blanks behind it.
func (p *parser) word() string {
	word := p.until(blanks + ",{}")
	p.space()
	return word
}

func (p *parser) until(special string) string {
	start := p.at
	if length := strings.IndexAny(p.source[p.at:], special); length >= 0 {
		p.at += length
	} else {
		p.at = len(p.source)
	}
	return p.source[start:p.at]
}

func (p *parser) skip(prefix string) bool {
	found := strings.HasPrefix(p.source[p.at:], prefix)
	if found {
		p.at += len(prefix)
	}
	return found
}

// last is the place of the next character, or of the last one at the end: errors
// point at a character.
func (p *parser) last() int { return min(p.at, len(p.source)-1) }

func (p *parser) fail(at int, format string, arguments ...any) error {
	return failure(p.source, at, format, arguments...)
}

// unclosed points at the brace: what is missing has no place of its own.
func (p *parser) unclosed(open int) error {
	return p.fail(open, `"{" opens a slot, such as {name}: close it with "}", or write "{{" for a brace`)
}

// isSlot accepts names with dots between them: contact.name.
func isSlot(word string) bool {
	for name := range strings.SplitSeq(word, ".") {
		if name == "" || name[0] < 'a' || name[0] > 'z' || strings.Trim(name, nameCharacters) != "" {
			return false
		}
	}
	return true
}

const nameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_"
