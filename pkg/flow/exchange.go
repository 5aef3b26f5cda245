package flow

import (
	"slices"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Limits of what is remembered of an open form.
const (
	// FormAnswersMax is how many answers of an open form are remembered: an exchange
	// that is repeated gets the answer it got before, whatever has changed since.
	FormAnswersMax = 8
	// FormAnswersBytesMax bounds them together; the newest is always kept.
	FormAnswersBytesMax = 64 << 10
)

// The kinds of exchanges.
const (
	ExchangeOpen   = "open"   // the form opens, and asks for its first screen
	ExchangeSubmit = "submit" // a screen was filled in
	ExchangeBack   = "back"   // somebody went back to a screen that asks again
)

// formExchange keeps what an open form has sent so far, as far as it is an answer,
// and says what it shows next. A session that has expired goes on: its form is open
// still. One of a form that is not open any more does nothing.
func (t *turn) formExchange(x *parleyv1.FormExchange) {
	if t.state.Status != Active && t.state.Status != Expired || t.silenced() {
		return
	}
	s := t.step()
	if s.expect == nil || s.expect.form == nil || x.GetToken() != t.formToken(s) {
		return
	}
	t.emit(inputReceived(t.in))
	if t.state.Status == Expired {
		t.emit(sessionResumed(s.name))
	}
	if x.GetKind() != ExchangeOpen {
		t.keepForm(s, x)
	}
	t.reply(s, x)
}

func (t *turn) keepForm(s *step, x *parleyv1.FormExchange) {
	data := s.expect.form.fieldsOf(x.GetJson())
	if len(data) == 0 {
		return
	}
	t.emit(formDataKept(s.name, x.GetScreen(), encodeValue(data)))
	if s.expect.form.partial != "" {
		t.emit(valueSet(s.name, s.expect.form.partial, t.state.Progress.Form))
	}
}

// reply answers an exchange: as it was answered before, else by the first reply that
// fits. A screen that the definition does not know gets what is shown when no answer
// is in time; a form without replies gets none.
func (t *turn) reply(s *step, x *parleyv1.FormExchange) {
	if said, ok := t.state.FormAnswer(x.GetKey()); ok {
		t.emit(formAnswered(s.name, x.GetKey(), said, true))
		return
	}
	f := s.expect.form
	for i, r := range f.replies {
		if r.kind != exchangeKind(x) || r.screen != x.GetScreen() && r.kind != ExchangeOpen || r.when != nil && !t.holds(r.when, t.formValue(f)) {
			continue
		}
		if rows := r.rows; rows != nil {
			which := &Pending{Text: x.GetKey(), Value: float64(i)}
			o := rows.options
			t.emit(lookupAsked(s.name, Lookup{Table: o.table, Verb: o.verb, Where: t.filters(o.where, t.formValue(f)), Limit: o.limit, Answer: which}))
			return
		}
		t.show(s, r, x.GetKey(), nil)
		return
	}
	if received, ok := decodeValue(f.received).(map[string]any); ok {
		screen, _ := received["screen"].(string)
		t.emit(formAnswered(s.name, x.GetKey(), FormAnswer{Screen: screen, JSON: encodeValue(received["data"])}, false))
	}
}

func exchangeKind(x *parleyv1.FormExchange) string {
	if x.GetKind() == "" {
		return ExchangeSubmit
	}
	return x.GetKind()
}

// FormAnswer is what the open form was shown for an exchange.
func (s State) FormAnswer(key string) (FormAnswer, bool) {
	i := slices.IndexFunc(s.Progress.FormAnswers, func(a FormAnswer) bool { return a.Key == key && key != "" })
	if i < 0 {
		return FormAnswer{}, false
	}
	return s.Progress.FormAnswers[i], true
}

// replyWithRows goes on with the rows that a reply asked for.
func (t *turn) replyWithRows(s *step, l Lookup, rows [][]byte) {
	which, _ := l.Answer.Value.(float64)
	t.show(s, s.expect.form.replies[int(which)], l.Answer.Text, rows)
}

// show tells the form what comes next.
func (t *turn) show(s *step, r reply, key string, rows [][]byte) {
	value := t.formValue(s.expect.form)
	data := map[string]any{}
	if r.finish { // the result comes back with what is put in here
		for name, v := range t.state.Progress.Form {
			data[name] = v
		}
	}
	for _, a := range r.data {
		data[a.slot] = t.run(a.program, value)
	}
	for _, text := range r.texts {
		data[text.name] = t.text(text.text)
	}
	if r.rows != nil {
		data[r.rows.name] = t.items(&r.rows.options, rows)
	}
	if message := t.text(r.message); message != "" {
		data[messageField] = message
	}
	if r.rows != nil && len(rows) == 0 && r.rows.empty != nil {
		data[messageField] = t.text(r.rows.empty)
	}
	t.emit(formAnswered(s.name, key, FormAnswer{Screen: r.show, JSON: encodeValue(data), Finished: r.finish}, false))
}

// messageField is shown at the bottom of a screen. [Meta, "Implementing Endpoints for Flows"]
const messageField = "error_message"

// items are rows as the lists of screens want them.
func (t *turn) items(o *dynamicOptions, rows [][]byte) []any {
	choices := t.offeredRows(o, rows)
	items := make([]any, 0, len(choices))
	for _, c := range choices[:min(len(choices), int(o.limit))] {
		item := map[string]any{"id": c.Value, "title": c.Title}
		if c.Description != "" {
			item["description"] = c.Description
		}
		items = append(items, item)
	}
	return items
}

// formValue is what expressions see of the form: every field, as sent so far.
func (t *turn) formValue(f *form) map[string]any {
	value := make(map[string]any, len(f.fields))
	for name, kind := range f.fields {
		switch kind {
		case numberValue:
			value[name] = 0.0
		case booleanValue:
			value[name] = false
		default:
			value[name] = ""
		}
		if sent, ok := t.state.Progress.Form[name]; ok {
			value[name] = sent
		}
	}
	return map[string]any{answerName: value}
}

// remembered adds an answer, and forgets the oldest beyond the limits. One that was
// given again is the newest.
func remembered(answers []FormAnswer, e *parleyv1.FormAnswered) []FormAnswer {
	a := FormAnswer{Key: e.GetKey(), Screen: e.GetScreen(), JSON: e.GetJson(), Finished: e.GetFinished()}
	kept, size := []FormAnswer{a}, len(a.JSON)
	for _, old := range slices.Backward(answers) {
		if size += len(old.JSON); len(kept) == FormAnswersMax || size > FormAnswersBytesMax {
			break
		}
		if old.Key != a.Key {
			kept = append(kept, old)
		}
	}
	slices.Reverse(kept)
	return kept
}
