package texts

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// document is a flow file that is being edited. Its bytes stay as they are but for
// the edits. Its lines end with a newline alone.
type document struct {
	source string
	lines  []int // offsets at which lines begin
	sites  map[place]site
	edits  []edit
	// words says that the text that is being edited is a list of words.
	words bool
}

// place is a line and a column, both from 1; columns count characters.
type place struct{ line, column int }

// site is a value with what is around it.
type site struct {
	node   ast.Node
	inFlow bool // in {} or []
	// indent is that of the mapping or list in which the value stands.
	indent int
	// inList says that it is an entry of a list.
	inList bool
}

// edit replaces bytes.
type edit struct {
	from, to int
	text     string
}

func newDocument(source string) (*document, error) {
	file, err := parser.ParseBytes([]byte(source), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, err
	}
	d := &document{source: source, lines: []int{0}, sites: map[place]site{}}
	for i := range len(source) {
		if source[i] == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			d.look(site{node: doc.Body})
		}
	}
	return d, nil
}

// look notes the places of all values.
func (d *document) look(s site) {
	d.sites[start(s.node)] = s
	switch n := s.node.(type) {
	case *ast.MappingNode:
		inFlow := s.inFlow || n.IsFlowStyle
		for _, entry := range n.Values {
			if entry.Value != nil {
				d.look(site{node: entry.Value, inFlow: inFlow, indent: placeOf(entry.Key.GetToken()).column - 1})
			}
		}
	case *ast.SequenceNode:
		inFlow := s.inFlow || n.IsFlowStyle
		for _, value := range n.Values {
			d.look(site{node: value, inFlow: inFlow, indent: start(value).column - 1, inList: true})
		}
	}
}

// start is where a value begins: of a block mapping, its first key.
func start(n ast.Node) place {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return placeOf(m.Values[0].Key.GetToken())
	}
	return placeOf(n.GetToken())
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{t.Position.Line, t.Position.Column}
}

// offset is where a place is in the source; -1 if it is nowhere.
func (d *document) offset(at place) int {
	if at.line < 1 || at.line > len(d.lines) {
		return -1
	}
	offset := d.lines[at.line-1]
	for range at.column - 1 {
		if offset >= len(d.source) {
			return -1
		}
		_, size := utf8.DecodeRuneInString(d.source[offset:])
		offset += size
	}
	return min(offset, len(d.source)-1)
}

// span is the bytes of a scalar, or of a list of them.
func (d *document) span(n ast.Node) (from, to int, err error) {
	if list, ok := n.(*ast.SequenceNode); ok {
		return d.listSpan(list)
	}
	from = d.offset(start(n))
	if from >= 0 {
		to = scalarEnd(d.source, from, valueOf(n))
	}
	if from < 0 || to < 0 {
		return 0, 0, fmt.Errorf("the text on line %d is written in a way that cannot be edited: put it in quotes", start(n).line)
	}
	return from, to, nil
}

// listSpan is the bytes of a list.
func (d *document) listSpan(list *ast.SequenceNode) (from, to int, err error) {
	from = d.offset(start(list))
	if list.IsFlowStyle {
		return from, d.offset(placeOf(list.End)) + 1, nil
	}
	if len(list.Values) > 0 {
		_, to, err = d.span(list.Values[len(list.Values)-1])
	}
	if err == nil && strings.Contains(d.source[from:to], "#") {
		err = fmt.Errorf("the words on line %d have a comment between them: write them as [one, two]", start(list).line)
	}
	return from, to, err
}

// instead writes another value where one was. A list with its entries on lines of
// their own makes place for one on the line of its key.
func (d *document) instead(old ast.Node, from, to int, written string) edit {
	if list, ok := old.(*ast.SequenceNode); ok && !list.IsFlowStyle {
		return edit{len(strings.TrimRight(d.source[:from], " \t\n")), to, " " + written}
	}
	return edit{from, to, written}
}

func valueOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.SequenceNode:
		values := make([]string, len(n.Values))
		for i, value := range n.Values {
			values[i] = strings.TrimSpace(valueOf(value))
		}
		return strings.Join(values, "\n")
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return n.GetToken().Value
}

// set gives a text new translations, in the order of the languages. Main is the
// language of a text that has no languages yet.
func (d *document) set(at place, main string, languages []string, translations map[string]string) error {
	s, ok := d.sites[at]
	if !ok {
		return fmt.Errorf("there is no text on line %d", at.line)
	}
	if mapping, ok := s.node.(*ast.MappingNode); ok {
		return d.extend(s, mapping, languages, translations)
	}
	return d.divide(s, main, languages, translations)
}

// extend changes and adds languages of a mapping.
func (d *document) extend(s site, mapping *ast.MappingNode, languages []string, translations map[string]string) error {
	missing := maps.Clone(translations)
	inFlow := s.inFlow || mapping.IsFlowStyle
	for _, entry := range mapping.Values {
		for lang, text := range translations {
			if !strings.EqualFold(entry.Key.GetToken().Value, lang) {
				continue
			}
			delete(missing, lang)
			if err := d.replace(entry.Value, text, inFlow, placeOf(entry.Key.GetToken()).column-1); err != nil {
				return err
			}
		}
	}
	last := mapping.Values[len(mapping.Values)-1]
	return d.add(last, languages, missing, inFlow)
}

// replace writes another text where one was, in the same manner.
func (d *document) replace(old ast.Node, text string, inFlow bool, indent int) error {
	from, to, err := d.span(old)
	if err != nil {
		return err
	}
	written := d.written(text, inFlow, strings.ContainsRune(`"'`, rune(d.source[from])))
	if !inFlow && strings.ContainsRune("|>", rune(d.source[from])) {
		written = d.block(text, indent+2)
	}
	d.edits = append(d.edits, d.instead(old, from, to, written))
	return nil
}

// written is a text on one line: words are a list.
func (d *document) written(text string, inFlow, quotes bool) string {
	if !d.words {
		return scalar(text, inFlow, quotes)
	}
	words := strings.Split(text, "\n")
	for i, word := range words {
		words[i] = scalar(word, true, quotes)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// block writes a text below a bar if it has lines.
func (d *document) block(text string, indent int) string {
	if block, ok := literal(text, strings.Repeat(" ", indent)); ok {
		return block
	}
	return scalar(text, false, false)
}

// add writes languages behind the last one of a mapping.
func (d *document) add(last *ast.MappingValueNode, languages []string, missing map[string]string, inFlow bool) error {
	from, to, err := d.span(last.Value)
	if err != nil || len(missing) == 0 {
		return err
	}
	quotes := strings.ContainsRune(`"'`, rune(d.source[from]))
	column := placeOf(last.Key.GetToken()).column - 1
	var b strings.Builder
	for _, lang := range languages {
		text, ok := missing[lang]
		switch {
		case !ok:
		case inFlow:
			b.WriteString(", " + lang + ": " + d.written(text, true, quotes))
		default:
			b.WriteString("\n" + strings.Repeat(" ", column) + lang + ": ")
			b.WriteString(d.entry(text, quotes, column+2))
		}
	}
	if !inFlow { // behind a comment
		to = d.lineEnd(to)
	}
	d.edits = append(d.edits, edit{to, to, b.String()})
	return nil
}

// entry is a text as the value in a block mapping.
func (d *document) entry(text string, quotes bool, indent int) string {
	if strings.Contains(text, "\n") && !d.words {
		return d.block(text, indent)
	}
	return d.written(text, false, quotes)
}

func (d *document) lineEnd(at int) int {
	line, _, _ := strings.Cut(d.source[at:], "\n")
	return at + len(line)
}

// lineMax is how long a line with all languages may get.
const lineMax = 130

// divide makes a mapping of languages of a plain text: in one line if it is short.
func (d *document) divide(s site, main string, languages []string, translations map[string]string) error {
	from, to, err := d.span(s.node)
	if err != nil {
		return err
	}
	value, raw := strings.TrimSpace(valueOf(s.node)), d.source[from:to]
	quotes := strings.ContainsRune(`"'`, rune(raw[0]))
	texts := map[string]string{main: value}
	maps.Copy(texts, translations)
	pairs := make([]string, 0, len(texts))
	for _, lang := range languages {
		if text, ok := texts[lang]; ok {
			pairs = append(pairs, lang+": "+d.written(text, true, quotes))
		}
	}
	short := "{" + strings.Join(pairs, ", ") + "}"
	several := !d.words && strings.Contains(strings.Join(slices.Collect(maps.Values(texts)), ""), "\n")
	if s.inFlow || !several && utf8.RuneCountInString(d.source[d.lines[start(s.node).line-1]:from]+short) <= lineMax {
		d.edits = append(d.edits, d.instead(s.node, from, to, short))
		return nil
	}
	d.edits = append(d.edits, d.divideInLines(s, edit{from, to, ""}, quotes, languages, texts))
	return nil
}

// divideInLines writes each language on a line.
func (d *document) divideInLines(s site, e edit, quotes bool, languages []string, texts map[string]string) edit {
	column := s.indent
	if !s.inList { // below the key
		column += 2
		e.from = len(strings.TrimRight(d.source[:e.from], " \t\n"))
	}
	var b strings.Builder
	for _, lang := range languages {
		text, ok := texts[lang]
		if !ok {
			continue
		}
		if b.Len() > 0 || !s.inList {
			b.WriteString("\n" + strings.Repeat(" ", column))
		}
		b.WriteString(lang + ": ")
		if strings.TrimSpace(d.source[e.to:d.lineEnd(e.to)]) == "" {
			b.WriteString(d.entry(text, quotes, column+2))
		} else { // a comment behind a block would be text
			b.WriteString(d.written(text, false, quotes))
		}
	}
	e.text = b.String()
	return e
}

// String is the source with the edits.
func (d *document) String() string {
	slices.SortStableFunc(d.edits, func(a, b edit) int { return a.from - b.from })
	var b strings.Builder
	at := 0
	for _, e := range d.edits {
		b.WriteString(d.source[at:e.from])
		b.WriteString(e.text)
		at = e.to
	}
	b.WriteString(d.source[at:])
	return b.String()
}
