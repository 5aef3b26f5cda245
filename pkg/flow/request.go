package flow

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/vm"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Results of a call.
const (
	callOK      = "ok"
	callFailed  = "failed"
	callTimeout = "timeout"
)

// ReasonCall: why a step was left whose call came to nothing.
const ReasonCall = "call"

// request is how a step asks a system of the business. The session waits at the step
// until the result comes, or the time is over.
type request struct {
	method      string
	url         []urlPart
	query, body []named
	headers     map[string]string
	timeoutMs   int64
	keep        []column // of the answer, by the path of a field
	busy        []bubble
	failed      outcomeWay
}

// urlPart is a piece of an address as it is written, or a value in it.
type urlPart struct {
	literal string
	program *vm.Program
}

// named is a value with a name.
type named struct {
	name    string
	program *vm.Program
}

// call asks for a step, and says so.
func (t *turn) call(s *step) {
	t.say(s.say)
	r := s.request
	queued := &parleyv1.CallQueued{
		Step: s.name, Ref: t.state.Progress.Ref + "." + strconv.FormatUint(uint64(t.state.Progress.Called)+1, 10),
		Method: r.method, Url: t.urlOf(r), Headers: r.headers, UntilMs: t.in.GetAtMs() + r.timeoutMs,
	}
	if len(r.body) > 0 {
		body := make(map[string]any, len(r.body))
		for _, b := range r.body {
			body[b.name] = t.run(b.program, nil)
		}
		queued.Body = encodeValue(body)
	}
	t.emit(&parleyv1.Event{Body: &parleyv1.Event_CallQueued{CallQueued: queued}})
}

// urlOf is the address of a call. A value cannot leave its place in it.
func (t *turn) urlOf(r *request) string {
	var b strings.Builder
	for _, p := range r.url {
		b.WriteString(p.literal)
		if p.program != nil {
			b.WriteString(url.PathEscape(plain(t.run(p.program, nil))))
		}
	}
	if len(r.query) == 0 {
		return b.String()
	}
	values := url.Values{}
	for _, q := range r.query {
		values.Set(q.name, plain(t.run(q.program, nil)))
	}
	return b.String() + "?" + values.Encode()
}

// callAnswered goes on with what came of a call. A result that the session does not
// wait for does nothing: it came twice, too late, or for a step that was left.
func (t *turn) callAnswered(r *parleyv1.CallResult) {
	if t.state.Status != Active || r.GetRef() == "" || r.GetRef() != t.state.Progress.Call || t.silenced() {
		return
	}
	s := t.step()
	t.emit(inputReceived(t.in))
	answered := &parleyv1.CallAnswered{Result: callFailed, Status: r.GetStatus(), Reason: r.GetReason()}
	if !r.GetOk() {
		t.callFailed(s, answered)
		return
	}
	answered.Result = callOK
	t.closeCall(s, answered)
	var answer any
	if json.Unmarshal(r.GetJson(), &answer) != nil {
		answer = nil
	}
	for _, col := range s.request.keep {
		value := clip(storable(plain(fieldAt(answer, col.column))), AnswerCharactersMax)
		t.emit(valueSet(s.name, col.slot, t.fitted(col.slot, value)))
	}
	t.emit(answerAccepted(s.name, "", Pending{Text: callOK, Value: callOK}))
	t.from = s.position
	t.goTo(s.next)
}

// callFailed goes the way of a call that came to nothing.
func (t *turn) callFailed(s *step, answered *parleyv1.CallAnswered) {
	t.closeCall(s, answered)
	t.emit(stepLeft(s.name, ReasonCall))
	t.say(s.request.failed.say)
	t.from = s.position
	t.goTo(s.request.failed.to)
}

func (t *turn) closeCall(s *step, answered *parleyv1.CallAnswered) {
	answered.Step, answered.Ref = s.name, t.state.Progress.Call
	t.emit(&parleyv1.Event{Body: &parleyv1.Event_CallAnswered{CallAnswered: answered}})
}

// fieldAt is the field at a path of names and numbers, as "items.0.id"; nil if there
// is none.
func fieldAt(value any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// CallInput is the input for what came of a call.
func CallInput(id string, atMs int64, r *parleyv1.CallResult) *parleyv1.Input {
	return &parleyv1.Input{Id: id, AtMs: atMs, Body: &parleyv1.Input_CallResult{CallResult: r}}
}
