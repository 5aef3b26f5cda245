package flow

import (
	"encoding/json"
	"maps"
	"slices"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// readForm takes the result of a form whose fields are all there.
func (t *turn) readForm(e *expectation, m *parleyv1.IncomingMessage) (p Pending, reason string) {
	result := m.GetForm()
	if result == nil || result.GetToken() != "" && result.GetToken() != t.formToken(t.step()) {
		return p, ReasonType
	}
	value := e.form.fieldsOf(result.GetJson())
	if len(value) < len(e.form.fields) {
		return p, ReasonForm
	}
	return Pending{Text: storable(m.GetText()), Value: value}, ""
}

// fieldsOf are the fields of the form that the data has, and of the right type.
func (f *form) fieldsOf(data []byte) map[string]any {
	var sent map[string]any
	if json.Unmarshal(data, &sent) != nil {
		return nil
	}
	fields := make(map[string]any, len(f.fields))
	for _, name := range slices.Sorted(maps.Keys(f.fields)) {
		if value, ok := fieldValue(f.fields[name], sent[name]); ok {
			fields[name] = value
		}
	}
	return fields
}

// fieldValue reads a field of a form, which writes some numbers as texts.
func fieldValue(kind valueType, value any) (v any, ok bool) {
	switch kind {
	case numberValue:
		if n, isNumber := number(value); isNumber {
			return n, true
		}
		source, _ := value.(string)
		n, ok := parseNumber(source, "en")
		return n, ok
	case booleanValue:
		v, ok := value.(bool)
		return v, ok
	}
	source, ok := value.(string)
	source, problem := checkText(kind, storable(source))
	return clip(source, AnswerCharactersMax), ok && problem == ""
}

// formToken names a form that was sent, in its result.
func (t *turn) formToken(s *step) string { return t.tapID(s.name, "form") }

// queueForm sends the form of a step below a text.
func (t *turn) queueForm(s *step, b bubble) {
	f := s.expect.form
	m := &parleyv1.Form{
		Header: t.header(b.header), Body: t.body(b.body), Footer: t.text(b.footer), FormId: f.id, Title: t.body(f.title),
		Token: t.formToken(s), Screen: f.screen, Received: f.received,
	}
	if len(f.data) > 0 {
		data := make(map[string]any, len(f.data))
		for _, a := range f.data {
			data[a.slot] = t.run(a.program, nil)
		}
		m.Data = encodeValue(data)
	}
	t.queue(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Form{Form: m}})
}
