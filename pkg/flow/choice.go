package flow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parleyhq/parley/pkg/flow/when"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Ids of buttons and rows: "p1.<session ref>.<step>.<choice>". The session and
// the step are in them, so that a tap on an old message is known for what it is.
// Choices are named by a digest of their value, which bounds the length of the
// id: WhatsApp takes 200 bytes in a list.
const (
	tapPrefix = "p1."
	tapYes    = "yes"
	tapNo     = "no"
	tapPage   = "page-"
)

func (t *turn) tapID(step, choice string) string {
	return tapPrefix + t.state.Progress.Ref + "." + step + "." + choice
}

// tap is a tap on one of our buttons.
type tap struct{ ref, step, choice string }

// tapOf is the tap that a message is; the result of a form is one on its button.
func tapOf(m *parleyv1.IncomingMessage) (tp tap, ours bool) {
	if form := m.GetForm(); form != nil {
		return parseTap(form.GetToken())
	}
	return parseTap(m.GetTap())
}

// confirmation takes the choice of a tap apart that is a yes or a no to something
// said back: nonce is the digest of that.
func (tp tap) confirmation() (word, nonce string, ok bool) {
	word, nonce, ok = strings.Cut(tp.choice, "-")
	return word, nonce, ok && (word == tapYes || word == tapNo)
}

// parseTap reads the id of a button; ok is false if it is none of ours.
func parseTap(id string) (tp tap, ok bool) {
	rest, ok := strings.CutPrefix(id, tapPrefix)
	if !ok {
		return tap{}, false
	}
	ref, rest, ok := strings.Cut(rest, ".")
	step, choice, found := cutLast(rest, ".") // a step of a sub-flow has a dot
	return tap{ref, step, choice}, ok && found
}

// digest names a value in an id.
func digest(value string) string {
	h := fnv.New64a()
	h.Write([]byte(value))
	return strconv.FormatUint(h.Sum64(), 36)
}

// choices are what the present step offers, in the session's language.
func (t *turn) choices(e *expectation) []Choice {
	if e.dynamic != nil {
		return t.state.Progress.Offered
	}
	all := make([]Choice, len(e.options))
	for i, o := range e.options {
		title := t.text(o.title)
		if strings.TrimSpace(title) == "" { // of slots that are empty
			title = o.value
		}
		all[i] = Choice{Title: title, Description: t.text(o.description), Value: o.value}
	}
	return all
}

// question queues a text with the choices of its step.
func (t *turn) question(s *step, b bubble) {
	e := s.expect
	switch e.kind {
	case choiceAnswer:
		t.offer(s, b, t.choices(e))
	case yesNoAnswer:
		t.buttons(b, t.body(b.body), t.yesNo(s, ""))
	case formAnswer:
		t.queueForm(s, b)
	default:
		if !e.share {
			t.say([]bubble{b})
			return
		}
		t.queue(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Share{Share: &parleyv1.ShareRequest{Body: t.body(b.body), What: e.shared()}}})
	}
}

// shared is what the button of a question shares: of a phone number, the card that it is on.
func (e *expectation) shared() string {
	if e.kind == locationAnswer {
		return "location"
	}
	return "contact"
}

// yesNo are the buttons of a yes or no, to what nonce names. Titles with slots may
// come out the same: then Parley's own are shown.
func (t *turn) yesNo(s *step, nonce string) []*parleyv1.Button {
	yes, no := clip(t.text(s.expect.yes), buttonMax), clip(t.text(s.expect.no), buttonMax)
	yes, no = cmp.Or(yes, t.own("yes")), cmp.Or(no, t.own("no"))
	if yes == no {
		yes, no = t.own("yes"), t.own("no")
	}
	return []*parleyv1.Button{{Id: t.tapID(s.name, tapYes+nonce), Title: yes}, {Id: t.tapID(s.name, tapNo+nonce), Title: no}}
}

func (t *turn) buttons(b bubble, body string, buttons []*parleyv1.Button) {
	t.queue(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Buttons{Buttons: &parleyv1.Buttons{
		Header: t.header(b.header), Body: body, Footer: t.text(b.footer), Buttons: buttons,
	}}})
}

// offer shows choices as buttons, as a list, or as a numbered text.
func (t *turn) offer(s *step, b bubble, choices []Choice) {
	switch {
	case s.expect.show == showNumbers:
		body := t.body(b.body) + "\n" + t.numbered(choices)
		t.emit(textQueued(clip(body, TextCharactersMax), false))
	case s.expect.show != showList && fitButtons(choices):
		buttons := make([]*parleyv1.Button, len(choices))
		for i, c := range choices {
			buttons[i] = &parleyv1.Button{Id: t.tapID(s.name, digest(c.Value)), Title: c.Title}
		}
		t.buttons(b, t.body(b.body), buttons)
	default:
		t.list(s, b, choices)
	}
}

// fitButtons reports whether choices can be buttons without losing anything.
// WhatsApp takes no two buttons with one title.
func fitButtons(choices []Choice) bool {
	if len(choices) > buttonsMax {
		return false
	}
	for i, c := range choices {
		sameTitle := func(o Choice) bool { return o.Title == c.Title }
		if utf8.RuneCountInString(c.Title) > buttonMax || c.Description != "" || slices.ContainsFunc(choices[:i], sameTitle) {
			return false
		}
	}
	return true
}

// numbered is one page of the choices as lines of a text.
func (t *turn) numbered(choices []Choice) string {
	p := pagesOf(choices, numbersMax)
	from, to := p.bounds(int(t.state.Progress.Page))
	var lines []string
	for i, c := range choices[from:to] {
		line := fmt.Sprintf("%d. %s", from+i+1, c.Title)
		if c.Description != "" {
			line += " (" + c.Description + ")"
		}
		lines = append(lines, line)
	}
	if p.count > 1 {
		lines = append(lines, fmt.Sprintf("%s (%d/%d)", t.own("more"), p.after(int(t.state.Progress.Page))+1, p.count))
	}
	return strings.Join(lines, "\n")
}

// list shows one page of the choices. If there are more than a list can hold,
// the last row turns the page.
func (t *turn) list(s *step, b bubble, choices []Choice) {
	page, p := int(t.state.Progress.Page), pagesOf(choices, rowsMax)
	from, to := p.bounds(page)
	rows := make([]*parleyv1.Row, 0, rowsMax)
	for _, c := range choices[from:to] {
		rows = append(rows, &parleyv1.Row{
			Id: t.tapID(s.name, digest(c.Value)), Title: clip(c.Title, titleMax), Description: clip(c.Description, descriptionMax),
		})
	}
	if p.count > 1 {
		next := p.after(page)
		rows = append(rows, &parleyv1.Row{
			Id: t.tapID(s.name, tapPage+strconv.Itoa(next)), Title: t.own("more"), Description: fmt.Sprintf("%d/%d", next+1, p.count),
		})
	}
	list := &parleyv1.List{
		Body: t.body(b.body), Footer: t.text(b.footer), Button: cmp.Or(t.text(s.expect.button), t.own("choose")),
		Sections: []*parleyv1.Section{{Rows: rows}},
	}
	if b.header != nil {
		list.Header = t.text(b.header.text)
	}
	t.queue(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_List{List: list}})
}

// paging divides choices that do not fit one message into pages.
type paging struct{ choices, size, count int }

// pagesOf is the paging of choices of which a message holds so many, a row to turn
// the page included.
func pagesOf(choices []Choice, fit int) paging {
	n := len(choices)
	if n <= fit {
		return paging{n, n, 1}
	}
	return paging{n, fit - 1, (n + fit - 2) / (fit - 1)}
}

// bounds are those of the choices on a page; after is the page behind it, round and
// round.
func (p paging) bounds(page int) (from, to int) {
	from = min(page*p.size, p.choices)
	return from, min(from+p.size, p.choices)
}

func (p paging) after(page int) int { return (page + 1) % p.count }

// fit is how many choices one message of the step holds.
func (e *expectation) fit() int {
	if e.show == showNumbers {
		return numbersMax
	}
	return rowsMax
}

// chosen finds the choice that a message names: by its tap, its number, its
// title, its value or a synonym.
func (t *turn) chosen(e *expectation, choices []Choice, m *parleyv1.IncomingMessage) (i int, ok bool) {
	if tp, ours := parseTap(m.GetTap()); ours {
		for i, c := range choices {
			if digest(c.Value) == tp.choice {
				return i, true
			}
		}
		return 0, false
	}
	said := answerOf(m)
	word := fold(said)
	if word == "" {
		return 0, false
	}
	for i, c := range choices { // all titles first: what is shown goes before what is meant besides
		if word == fold(c.Title) {
			return i, true
		}
	}
	for i, c := range choices {
		if word == fold(c.Value) || e.dynamic == nil && t.means(e.options[i], word) {
			return i, true
		}
	}
	if i, ok := t.timedChoice(e, choices, said); ok {
		return i, true
	}
	return t.numberedChoice(e, choices, word)
}

// timedChoice finds a free slot by its time, however the person writes it.
func (t *turn) timedChoice(e *expectation, choices []Choice, said string) (i int, ok bool) {
	if e.dynamic == nil || e.dynamic.verb != VerbFree {
		return 0, false
	}
	clock, err := when.ParseClock(said, t.state.Language)
	if err != nil {
		return 0, false
	}
	title := when.FormatClock(clock, t.state.Language)
	i = slices.IndexFunc(choices, func(c Choice) bool { return c.Title == title })
	return i, i >= 0
}

// numberedChoice finds a choice by its number: the one that stands before it in a
// numbered text, or that of its row on the page that is shown.
func (t *turn) numberedChoice(e *expectation, choices []Choice, word string) (i int, ok bool) {
	from, to := 0, len(choices)
	if e.show != showNumbers {
		from, to = pagesOf(choices, e.fit()).bounds(int(t.state.Progress.Page))
	}
	n, err := strconv.Atoi(word)
	return from + n - 1, err == nil && n >= 1 && from+n <= to
}

// means reports whether a word names an option by a synonym, or by its title in
// another language.
func (t *turn) means(o option, word string) bool {
	if contains(o.synonyms, word) {
		return true
	}
	for lang := range o.title {
		if word == fold(o.title[lang].Render((*filling)(t))) {
			return true
		}
	}
	return false
}

// turnsPage reports which page of a long list a message asks for.
func (t *turn) turnsPage(e *expectation, choices []Choice, m *parleyv1.IncomingMessage) (page int, ok bool) {
	p := pagesOf(choices, e.fit())
	if p.count == 1 {
		return 0, false
	}
	if tp, ours := parseTap(m.GetTap()); ours {
		digits, isPage := strings.CutPrefix(tp.choice, tapPage)
		page, err := strconv.Atoi(digits)
		return page, isPage && err == nil && page >= 0 && page < p.count
	}
	return p.after(int(t.state.Progress.Page)), contains(t.flow.own[t.lang()].more, fold(answerOf(m)))
}

// rowChoice is a choice with the row that it comes from.
type rowChoice struct {
	Choice
	row []byte
}

func plainChoices(list []rowChoice) []Choice {
	plain := make([]Choice, len(list))
	for i, c := range list {
		plain[i] = c.Choice
	}
	return plain
}

// offeredRows makes choices of rows, each value once.
func (t *turn) offeredRows(d *dynamicOptions, rows [][]byte) []rowChoice {
	var choices []rowChoice
	seen := map[string]bool{}
	for _, row := range rows {
		var columns map[string]any
		if json.Unmarshal(row, &columns) != nil {
			continue
		}
		c := Choice{Title: clip(storable(t.titleOf(d, columns)), titleMax), Value: valid(plain(columns[d.value]))}
		if d.description != "" {
			c.Description = clip(storable(t.readableColumn(d, columns, d.description)), descriptionMax)
		}
		c.Title = cmp.Or(c.Title, clip(storable(c.Value), titleMax))
		fits := c.Value != "" && utf8.RuneCountInString(c.Value) <= ChoiceCharactersMax
		if c.Title != "" && fits && !seen[c.Value] && len(choices) < OptionsMax {
			seen[c.Value] = true
			choices = append(choices, rowChoice{c, row})
		}
	}
	return choices
}

// titleOf is what people see of a row. A free slot is its time, with the day before
// it unless one day was asked for.
func (t *turn) titleOf(d *dynamicOptions, columns map[string]any) string {
	if d.verb != VerbFree {
		return plain(columns[d.title])
	}
	clock := t.readableColumn(d, columns, "time")
	if slices.ContainsFunc(d.where, func(f filter) bool { return f.column == "day" }) {
		return clock
	}
	return plain(columns["day"]) + " " + clock
}

// readableColumn is a value of a row. Days and times of slots come as people read
// them; those of tables are texts like any other.
func (t *turn) readableColumn(d *dynamicOptions, columns map[string]any, column string) string {
	value := plain(columns[column])
	if d.verb != VerbFree {
		return value
	}
	return t.moment(columnKind(column), value)
}
