package flow

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parleyhq/parley/pkg/flow/when"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// answer weighs a message at the present step.
func (t *turn) answer(m *parleyv1.IncomingMessage) {
	s := t.step()
	e := s.expect
	t.from = s.position
	if t.state.Progress.Resuming && t.resumes(s, m) {
		return
	}
	if p := t.state.Progress.Pending; p != nil && t.confirmed(s, *p, m) {
		return
	}
	if e.kind == choiceAnswer {
		if page, ok := t.turnsPage(e, t.choices(e), m); ok {
			t.emit(choicesOffered(s.name, page, nil))
			t.prompt(s)
			return
		}
	}
	p, reason := t.read(e, m)
	switch {
	case reason == ReasonType && len(t.state.Progress.Fragments) > 0:
		// It is no part of the answer, and must not end it either.
	case reason == ReasonType && t.unexpected(s, m):
	case reason != "":
		t.reject(s, reason, nil)
	case e.quietMs > 0:
		t.keepFragment(s, p.Text)
	default:
		t.weigh(s, p)
	}
}

// confirmed takes a yes or a no to an answer that was said back. Everything else
// is a new answer.
func (t *turn) confirmed(s *step, p Pending, m *parleyv1.IncomingMessage) bool {
	switch t.readYesNo(s.expect, m) {
	case "yes":
		t.settle(s, p)
	case "no":
		t.emit(confirmationDenied(s.name))
		t.prompt(s)
	default:
		return false
	}
	return true
}

// unexpected does what the flow says about a photo where a number is due; false
// leaves the message to be rejected.
func (t *turn) unexpected(s *step, m *parleyv1.IncomingMessage) bool {
	switch m.GetType() {
	case "text", "button", "interactive":
		return false
	}
	switch {
	case t.flow.unexpected == ignoreTap:
	case t.flow.instead != nil:
		t.reject(s, ReasonType, t.flow.instead)
	default:
		return false
	}
	return true
}

// keepFragment keeps a part of an answer. It is weighed when the person has been
// quiet, or now if they have not been for too long.
func (t *turn) keepFragment(s *step, text string) {
	now, p := t.in.GetAtMs(), t.state.Progress
	until := p.UntilMs
	if len(p.Fragments) == 0 {
		until = now + s.expect.waitMs
	}
	t.emit(fragmentKept(s.name, text, min(now+s.expect.quietMs, until), until))
	// What is too long already need not be waited for.
	if all := joined(t.state.Progress.Fragments); now >= until || utf8.RuneCountInString(all) > AnswerCharactersMax {
		t.weigh(s, Pending{Text: all, Value: all})
	}
}

// weigh judges an answer that was understood.
func (t *turn) weigh(s *step, p Pending) {
	e := s.expect
	t.from = s.position
	if reason := t.judge(e, p); reason != "" {
		t.reject(s, reason, nil)
		return
	}
	for _, c := range e.checks {
		if !t.holds(c.program, map[string]any{"value": p.Value, e.slot: p.Value}) {
			t.reject(s, ReasonCheck, c.say)
			return
		}
	}
	if e.kind == dateAnswer || e.kind == timeAnswer {
		t.sayBack(s, p)
		return
	}
	t.settle(s, p)
}

// sayBack waits for an answer to be confirmed.
func (t *turn) sayBack(s *step, p Pending) {
	t.emit(confirmationAsked(s.name, p))
	t.confirm(s, p)
}

// confirm says an answer back, with yes and no.
func (t *turn) confirm(s *step, p Pending) {
	value := t.moment(s.expect.kind.value(), plain(p.Value))
	body := t.textWith(s.expect.confirm, value)
	if body == "" {
		body = strings.ReplaceAll(t.own("confirm_"+s.expect.kind.String()), "{value}", value)
	}
	t.buttons(bubble{}, clip(body, bodyMax), t.yesNo(s, "-"+digest(plain(p.Value))))
}

// settle accepts an answer, unless a table has to be asked first.
func (t *turn) settle(s *step, p Pending) {
	e := s.expect
	switch {
	case e.dynamic != nil:
		t.emit(lookupAsked(s.name, Lookup{
			Table: e.dynamic.table, Verb: e.dynamic.verb, Where: t.filters(e.dynamic.where, nil), Limit: OptionsMax, Answer: &Pending{p.Text, p.Value},
		}))
	case e.table != nil:
		more := map[string]any{"value": p.Value, e.slot: p.Value}
		t.emit(lookupAsked(s.name, Lookup{Table: e.table.name, Where: t.filters(e.table.where, more), Limit: 1, Answer: &Pending{p.Text, p.Value}}))
	default:
		t.accept(s, p)
	}
}

// lookedUp goes on with what a table has, or with what was done.
func (t *turn) lookedUp(rows [][]byte) {
	l := t.state.Progress.Lookup
	if l == nil {
		return
	}
	if l.Verb != "" && l.Verb != VerbFree {
		t.acted(*l, rows)
		return
	}
	s := t.step()
	t.from = s.position
	t.emit(lookupAnswered(s.name, rows))
	if s.expect.dynamic != nil {
		t.offered(s, rows, l.Answer)
		return
	}
	if s.expect.form != nil {
		t.replyWithRows(s, *l, rows)
		return
	}
	if len(rows) == 0 {
		t.reject(s, ReasonTable, nil)
		return
	}
	t.accept(s, *l.Answer, t.kept(s.name, s.expect.table.first, rows[0])...)
}

// kept are the values that a step keeps of a row.
func (t *turn) kept(step string, keep []column, row []byte) []*parleyv1.Event {
	columns, _ := decodeValue(row).(map[string]any)
	events := make([]*parleyv1.Event, len(keep))
	for i, col := range keep {
		events[i] = valueSet(step, col.slot, t.fitted(col.slot, clip(storable(plain(columns[col.column])), AnswerCharactersMax)))
	}
	return events
}

// offered shows choices from rows, or takes the answer if it is still among them.
func (t *turn) offered(s *step, rows [][]byte, answer *Pending) {
	d := s.expect.dynamic
	choices := t.offeredRows(d, rows)
	for _, c := range choices {
		if answer != nil && c.Value == answer.Value {
			t.accept(s, *answer, t.kept(s.name, d.keep, c.row)...)
			return
		}
	}
	choices = choices[:min(len(choices), int(d.limit))]
	if len(choices) == 0 {
		t.say(d.empty)
		t.emit(stepLeft(s.name, ReasonEmpty))
		t.goTo(d.emptyTo)
		return
	}
	t.emit(choicesOffered(s.name, 0, plainChoices(choices)))
	if answer != nil {
		t.reject(s, ReasonChoice, nil)
		return
	}
	t.prompt(s)
}

// accept keeps the answer and goes on.
func (t *turn) accept(s *step, p Pending, more ...*parleyv1.Event) {
	t.emit(answerAccepted(s.name, s.expect.slot, p))
	for _, e := range more {
		t.emit(e)
	}
	next := s.next
	for _, o := range s.expect.options {
		if o.value == p.Value && o.to.kind != toNothing {
			next = o.to
		}
	}
	t.goTo(next)
}

// reject keeps the session at its step, until it has failed too often. What is
// said is say, or the step's text for the rule, or how to write a date, or the
// question again; or what waits to be confirmed, if that is still all there is.
func (t *turn) reject(s *step, reason string, say []bubble) {
	e, waiting := s.expect, t.state.Progress.Pending
	t.emit(answerRejected(s.name, reason, t.state.Failures+1))
	if e.attempts > 0 && t.state.Failures >= e.attempts {
		t.giveUp(s)
		return
	}
	if waiting != nil && saysNothing(reason) {
		t.say(say)
		t.sayBack(s, *waiting)
		return
	}
	if say == nil {
		say = e.invalidFor(reason)
	}
	switch own := momentHelp(e.kind, reason); {
	case say != nil:
		t.sayWith(s, say)
	case own != "":
		t.emit(textQueued(t.own(own), false))
	default:
		t.sayWith(s, s.say)
	}
}

// momentHelp names what Parley says itself to a text that is no date or time, or
// two: the question alone would not tell how to write one.
func momentHelp(kind answerKind, reason string) string {
	switch {
	case kind == dateAnswer && (reason == ReasonDate || reason == ReasonAmbiguous):
		return "ask_date"
	case kind == timeAnswer && (reason == ReasonTime || reason == ReasonAmbiguous):
		return "ask_time"
	}
	return ""
}

// saysNothing reports whether an answer was rejected because no date and no time
// was found in it: it takes back nothing that was said before.
func saysNothing(reason string) bool {
	return reason == ReasonType || reason == ReasonDate || reason == ReasonTime
}

// invalidFor is the step's text for a broken rule. A message of the wrong type
// repeats the question unless there is a text for just that.
func (e *expectation) invalidFor(reason string) []bubble {
	say, ok := e.invalid[reason]
	if !ok && reason == ReasonAmbiguous {
		say, ok = e.invalid[e.kind.String()]
	}
	if !ok && reason != ReasonType {
		say = e.invalid[ruleOther]
	}
	return say
}

func (t *turn) giveUp(s *step) {
	switch s.expect.then.kind {
	case toCancelled:
		t.cancel(ReasonAttempts)
	case toHandover:
		t.emit(handedOver(s.name, "", ReasonAttempts))
	default:
		t.emit(stepLeft(s.name, ReasonAttempts))
		t.goTo(s.expect.then)
	}
}

// read understands a message as an answer of the step's type, or says which rule
// it breaks.
func (t *turn) read(e *expectation, m *parleyv1.IncomingMessage) (p Pending, reason string) {
	switch e.kind {
	case locationAnswer:
		return readLocation(m.GetLocation())
	case mediaAnswer:
		return e.readMedia(m)
	case contactAnswer:
		return t.readContact(m.GetContact())
	case formAnswer:
		return t.readForm(e, m)
	}
	p.Text = answerOf(m)
	if e.kind == phoneAnswer && m.GetContact() != nil { // the number on a card is one, too
		p.Text = storable(m.GetContact().GetPhone())
	}
	if p.Text == "" {
		return p, ReasonType
	}
	p.Value, reason = t.readText(e, p.Text, m)
	return p, reason
}

// readText understands a typed text or a tap.
func (t *turn) readText(e *expectation, said string, m *parleyv1.IncomingMessage) (value any, reason string) {
	switch e.kind {
	case numberAnswer:
		n, ok := parseNumber(said, t.state.Language)
		return n, unless(ok, ReasonNumber)
	case emailAnswer:
		return said, unless(isEmail(said), ReasonEmail)
	case phoneAnswer:
		region := regionOf(t.in.GetContact().GetPhone())
		if region == "" {
			region = e.region
		}
		number, ok := parsePhone(said, region)
		return number, unless(ok, ReasonPhone)
	case dateAnswer:
		d, err := when.ParseDate(said, t.state.Language, t.today())
		return d.String(), momentReason(err, ReasonDate)
	case timeAnswer:
		c, err := when.ParseClock(said, t.state.Language)
		return c.String(), momentReason(err, ReasonTime)
	case yesNoAnswer:
		word := t.readYesNo(e, m)
		return word == "yes", unless(word != "", ReasonYesNo)
	case choiceAnswer:
		choices := t.choices(e)
		i, ok := t.chosen(e, choices, m)
		if !ok {
			return nil, ReasonChoice
		}
		return choices[i].Value, ""
	}
	return said, ""
}

// unless is the reason if a rule does not hold.
func unless(holds bool, reason string) string {
	if holds {
		return ""
	}
	return reason
}

func momentReason(err error, reason string) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, when.ErrAmbiguous):
		return ReasonAmbiguous
	}
	return reason
}

// today is the day of the input in the flow's zone.
func (t *turn) today() when.Date {
	year, month, day := time.UnixMilli(t.in.GetAtMs()).In(t.flow.zone).Date()
	return when.Date{Year: year, Month: month, Day: day}
}

// readYesNo returns "yes", "no" or "": by a tap, or in any language of the flow.
func (t *turn) readYesNo(e *expectation, m *parleyv1.IncomingMessage) string {
	if tp, ours := parseTap(m.GetTap()); ours {
		word, _, _ := strings.Cut(tp.choice, "-")
		if word == tapYes || word == tapNo {
			return word
		}
		return ""
	}
	word := fold(answerOf(m))
	if word == "" {
		return ""
	}
	if e.yes != nil && word == fold(t.text(e.yes)) {
		return "yes"
	}
	if e.no != nil && word == fold(t.text(e.no)) {
		return "no"
	}
	lang := t.lang() // the session's own language first: a word may mean both
	for i := range t.flow.own {
		own := t.flow.own[(lang+i)%len(t.flow.own)]
		switch {
		case contains(own.yes, word):
			return "yes"
		case contains(own.no, word):
			return "no"
		}
	}
	return ""
}

// judge compares an answer with the bounds of its step.
func (t *turn) judge(e *expectation, p Pending) (reason string) {
	switch value := p.Value.(type) {
	case float64:
		if e.min != nil && value < *e.min || e.max != nil && value > *e.max {
			return ReasonRange
		}
		if e.integer && value != math.Trunc(value) {
			return ReasonNumber
		}
	case string:
		return t.judgeText(e, value)
	}
	return ""
}

func (t *turn) judgeText(e *expectation, value string) (reason string) {
	switch e.kind {
	case textAnswer:
		n := utf8.RuneCountInString(value)
		switch {
		case n > AnswerCharactersMax, e.max != nil && n > int(*e.max), e.min != nil && n < int(*e.min):
			return ReasonLength
		case e.pattern != nil && !e.pattern.MatchString(value):
			return ReasonPattern
		}
	case dateAnswer, timeAnswer:
		// Both are written so that their order is that of their letters.
		if e.earliest != nil && value < plain(t.run(e.earliest, nil)) || e.latest != nil && value > plain(t.run(e.latest, nil)) {
			return ReasonRange
		}
	}
	return ""
}

func readLocation(l *parleyv1.GeoPoint) (p Pending, reason string) {
	if l == nil || !(math.Abs(l.GetLatitude()) <= 90 && math.Abs(l.GetLongitude()) <= 180) {
		return p, ReasonType
	}
	text := storable(l.GetName())
	if text == "" {
		text = fmt.Sprintf("%.5f, %.5f", l.GetLatitude(), l.GetLongitude())
	}
	return Pending{Text: text, Value: map[string]any{
		"latitude": l.GetLatitude(), "longitude": l.GetLongitude(),
		"name": clip(storable(l.GetName()), placeMax), "address": clip(storable(l.GetAddress()), placeMax),
	}}, ""
}

func (e *expectation) readMedia(m *parleyv1.IncomingMessage) (p Pending, reason string) {
	file := m.GetMedia()
	switch {
	case file == nil:
		return p, ReasonType
	case len(e.kinds) > 0 && !contains(e.kinds, file.GetKind()):
		return p, ReasonKind
	case e.bytesMax > 0 && file.GetSizeBytes() > e.bytesMax:
		return p, ReasonSize
	}
	return Pending{Text: file.GetKind(), Value: map[string]any{
		"kind": valid(file.GetKind()), "id": valid(file.GetId()), "mime_type": valid(file.GetMimeType()), "size": float64(file.GetSizeBytes()),
		"filename": clip(storable(file.GetFilename()), filenameMax), "caption": clip(storable(m.GetText()), AnswerCharactersMax),
	}}, ""
}

func (t *turn) readContact(c *parleyv1.ContactCard) (p Pending, reason string) {
	if c == nil {
		return p, ReasonType
	}
	phone, ok := parsePhone(c.GetPhone(), regionOf(t.in.GetContact().GetPhone()))
	if !ok {
		phone = clip(storable(c.GetPhone()), numberMax)
	}
	name := clip(storable(c.GetName()), placeMax)
	return Pending{Text: name, Value: map[string]any{
		"name": name, "phone": phone, "email": clip(storable(c.GetEmail()), EmailBytesMax), "shared": c.GetRequested(),
	}}, ""
}
