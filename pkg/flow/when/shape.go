package when

import "strings"

// span is a phrase or a number of the text with one of its meanings.
type span struct {
	end   int // the token behind it
	class class
	value int
}

// sentence is a text as one language understands it.
type sentence struct {
	tokens []token
	lang   *language
	own    bool // it is the conversation's language
	order  order
	today  Date
	spans  [][]span // by the token where they begin
}

func newSentence(tokens []token, lang *language, own bool, numbers order, today Date) *sentence {
	s := &sentence{tokens: tokens, lang: lang, own: own, order: numbers, today: today, spans: make([][]span, len(tokens))}
	for at := range tokens {
		switch tokens[at].kind {
		case wordToken:
			s.phrasesAt(at)
		case numberToken:
			s.numberAt(at)
		case markToken:
			s.spans[at] = append(s.spans[at], span{end: at + 1, class: marks[tokens[at].text]})
		}
	}
	return s
}

var marks = map[string]class{".": dotClass, "/": slashClass, "-": dashClass, ":": colonClass}

// phrasesAt finds all phrases that begin with the word at this token.
func (s *sentence) phrasesAt(at int) {
	phrase := ""
	for end := at + 1; end <= len(s.tokens) && end-at <= phraseWordsMax && s.tokens[end-1].kind == wordToken; end++ {
		phrase = strings.TrimPrefix(phrase+" "+s.tokens[end-1].text, " ")
		for _, m := range s.lang.meanings[phrase] {
			if s.own || !m.own {
				s.spans[at] = append(s.spans[at], span{end: end, class: m.class, value: m.value})
			}
		}
	}
}

// numberAt finds what the number at this token can be. With a dot behind it, it is
// a day or a month only.
func (s *sentence) numberAt(at int) {
	t, end := s.tokens[at], at+1
	add := func(c class) { s.spans[at] = append(s.spans[at], span{end: end, class: c, value: t.number}) }
	size := len(t.text)
	if size <= 2 {
		s.dayAt(at)
		add(monthNumberClass)
	}
	if t.dotted {
		return
	}
	if size <= 2 {
		add(hourClass)
	}
	if size <= 3 {
		add(countClass)
	}
	switch size {
	case 2:
		add(minuteClass)
		s.spans[at] = append(s.spans[at], span{end: end, class: yearClass, value: 2000 + t.number})
	case 4:
		add(yearClass)
		add(longYearClass)
	}
}

// dayAt adds the day of the month that the number can be.
func (s *sentence) dayAt(at int) {
	t, end, how := s.tokens[at], at+1, bareDayClass
	if t.dotted {
		how = nthClass
	}
	if s.ordinalAt(end) {
		end, how = end+1, nthClass
	}
	s.spans[at] = append(s.spans[at], span{end: end, class: dayClass, value: t.number}, span{end: end, class: how, value: t.number})
}

// ordinalAt reports whether the token is the ending of an ordinal: "th".
func (s *sentence) ordinalAt(at int) bool {
	if at >= len(s.tokens) || !s.tokens[at].glued || s.tokens[at].kind != wordToken {
		return false
	}
	for _, m := range s.lang.meanings[s.tokens[at].text] {
		if m.class == ordinalClass {
			return true
		}
	}
	return false
}

// caught is what the parts of a shape caught.
type caught struct {
	value [classes]int
	has   [classes]bool
}

// part is one place of a shape.
type part struct {
	class    class
	optional bool
}

// shape is an order of meanings that makes a T.
type shape[T comparable] struct {
	parts []part
	read  func(*sentence, *caught) (T, error)
}

// newShape reads the notation of a shape: "day of? month", where "?" marks what can
// be left out.
func newShape[T comparable](notation string, read func(*sentence, *caught) (T, error)) shape[T] {
	sh := shape[T]{read: read}
	for word := range strings.FieldsSeq(notation) {
		word, optional := strings.CutSuffix(word, "?")
		c, ok := classNames[word]
		if !ok {
			panic("when: no such class: " + word)
		}
		sh.parts = append(sh.parts, part{class: c, optional: optional})
	}
	return sh
}

var classNames = map[string]class{
	"dayname": dayNameClass, "weekday": weekdayClass, "month": monthClass, "monthnumber": monthNumberClass, "day": dayClass, "bareday": bareDayClass, "nth": nthClass, "year": yearClass,
	"longyear": longYearClass, "count": countClass, "relative": relativeClass, "in": inClass, "agone": agoneClass, "days": daysClass,
	"weeks": weeksClass, "this": thisClass, "next": nextClass, "the": theClass, "of": ofClass, "hour": hourClass, "minute": minuteClass,
	"h": hClass, "oclock": oclockClass, "at": atClass, "part": partClass, "namedtime": namedTimeClass, "past": pastClass,
	"halfto": halfToClass, "and": andClass, ".": dotClass, "/": slashClass, "-": dashClass, ":": colonClass,
}

// readAll tries all shapes over all tokens from here to end; fillers at the edges
// can be left out.
func readAll[T comparable](s *sentence, from, end int, shapes []shape[T]) (T, error) {
	var v verdict[T]
	var c caught // match leaves it empty
	starts, ends := s.edges(from, end)
	for i := range shapes {
		found := func() { v.add(shapes[i].read(s, &c)) }
		for start := range starts {
			if starts[start] {
				s.match(shapes[i].parts, start, end, ends, &c, found)
			}
		}
	}
	return v.result()
}

// match calls found for each way in which the parts catch the tokens up to one of
// the ends. It leaves in c what was there before. Shapes have at most nine parts and
// phrases few meanings, so the number of ways is small.
func (s *sentence) match(parts []part, at, end int, ends []bool, c *caught, found func()) {
	if len(parts) == 0 {
		if ends[at] {
			found()
		}
		return
	}
	p, rest := parts[0], parts[1:]
	if p.optional {
		s.match(rest, at, end, ends, c, found)
	}
	if at >= end {
		return
	}
	for _, sp := range s.spans[at] {
		if sp.class == p.class && sp.end <= end {
			before, had := c.value[p.class], c.has[p.class]
			c.value[p.class], c.has[p.class] = sp.value, true
			s.match(rest, sp.end, end, ends, c, found)
			c.value[p.class], c.has[p.class] = before, had
		}
	}
}

// edges are the tokens where a shape can begin and end, so that nothing but fillers
// is left outside.
func (s *sentence) edges(from, end int) (starts, ends []bool) {
	starts, ends = make([]bool, end+1), make([]bool, end+1)
	starts[from], ends[end] = true, true
	for at := from; at < end; at++ {
		for _, sp := range s.spans[at] {
			if starts[at] && sp.class == fillerClass && sp.end <= end {
				starts[sp.end] = true
			}
		}
	}
	for at := end - 1; at >= from; at-- {
		for _, sp := range s.spans[at] {
			if sp.class == fillerClass && sp.end <= end && ends[sp.end] {
				ends[at] = true
			}
		}
	}
	return starts, ends
}
