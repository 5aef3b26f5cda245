package flow

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Live is what can begin on a channel: one flow, or a [Router] of several.
type Live interface {
	// begins returns the flow and the entry that an input begins; nil if none does.
	begins(in *parleyv1.Input, which entries) (*Flow, *entry)
	// again returns the version of a flow that a new session of it gets, or what
	// serves the channel if there is no such flow any more; nil if nothing does.
	again(name string, in *parleyv1.Input) *Flow
	// numbered returns one version of a flow; nil if it is not live.
	numbered(name string, version uint32) *Flow
}

// entries says which entries count.
type entries uint8

const (
	allEntries   entries = iota
	chosen               // all but the default
	typed                // keywords alone: who opted out has to say one
	interrupting         // those that end a session of another flow
)

// Turn is one whole turn: it decides with the version that the session is pinned
// to (nil if there is no session), and begins new sessions on live versions. It
// returns the events in order and the state after the last of them.
//
// If the state awaits a lookup, the caller answers it with the next input, made by
// [LookupInput], in the same transaction; [Complete] does that in a loop. No
// events at all mean that the input concerns no session.
//
// Each event is stamped with at_ms, version, flow, flow_version, language and
// session_started_at_ms, which describe the session after that event. After a
// restart the events up to SessionCancelled belong to the old session, those
// from SessionStarted on to the new one, whose versions begin at 1 again. The
// caller stamps the rest: shard, offset, session_id, channel, contact_id, and
// the recipient of MessageQueued.
func Turn(live Live, pinned *Flow, s State, in *parleyv1.Input) (events []*parleyv1.Event, next State) {
	t := &turn{live: live, flow: pinned, state: s, in: in}
	t.decide()
	t.keepTimer()
	return t.events, t.state
}

// Complete runs a turn to its end: it answers each lookup by calling rows.
func Complete(live Live, pinned *Flow, s State, in *parleyv1.Input, rows func(Lookup) ([][]byte, error)) (events []*parleyv1.Event, next State, err error) {
	t := &turn{live: live, flow: pinned, state: s, in: in, silent: in.GetMessage() == nil}
	t.decide()
	for t.state.Awaits() != nil {
		found, err := rows(*t.state.Awaits())
		if err != nil {
			return nil, s, err
		}
		t.in = LookupInput(in, found)
		t.decide()
	}
	t.keepTimer()
	return t.events, t.state, nil
}

// turn is one decision under way. The state is always the fold of all events so
// far: what is decided next sees what was decided before.
type turn struct {
	live   Live
	flow   *Flow
	state  State
	in     *parleyv1.Input
	events []*parleyv1.Event
	// passed counts the steps of this turn, from is the position of the last, and
	// last its name.
	passed int
	from   int
	last   string
	// silent says that no message of the person began the turn.
	silent bool
	// askedMs is when the present question was handed over, if that was later than it
	// was asked; promptPending says that it was not yet.
	askedMs       int64
	promptPending bool
	// fallback is the template of the message that is being said; nil if it has none.
	fallback *template
	// quotes says that it quotes the person's message.
	quotes bool
	// opening is said in place of the first message; nil if there is none, or it was said.
	opening *parleyv1.Template
	// understood is the {value} of the text that is being filled.
	understood string
}

// eventsUsual is the room for the events of most turns.
const eventsUsual = 8

// StepsPerTurnMax bounds a turn. A flow that was checked stays far below.
const StepsPerTurnMax = 100

// emit appends an event and folds it.
func (t *turn) emit(e *parleyv1.Event) {
	if t.events == nil {
		t.events = make([]*parleyv1.Event, 0, eventsUsual)
	}
	e.AtMs = t.in.GetAtMs() // first: Evolve reads it
	if t.state.Progress.Silence != nil && leavesQuestion(e) {
		t.endSilence(false)
	}
	if queued := e.GetMessageQueued(); queued != nil {
		t.dress(queued)
	}
	t.state = Evolve(t.state, e)
	e.Version = t.state.Version
	e.Flow = t.state.Flow
	e.FlowVersion = t.state.FlowVersion
	e.Language = t.state.Language
	e.FirstLanguage = t.state.Progress.FirstLanguage
	e.SessionStartedAtMs = t.state.StartedAtMs
	t.events = append(t.events, e)
	if t.state.Progress.Silence != nil && breaksSilence(e) {
		t.endSilence(t.cameBack())
	}
}

// speaker is the step that says something now; empty after the end.
func (t *turn) speaker() string {
	if !t.running() {
		return ""
	}
	return cmp.Or(t.last, t.state.Step)
}

// decide says what the input means.
func (t *turn) decide() {
	switch body := t.in.GetBody().(type) {
	case *parleyv1.Input_Message:
		t.hear(body.Message)
	case *parleyv1.Input_TimerDue:
		t.wake(body.TimerDue)
	case *parleyv1.Input_LookupResult:
		t.lookedUp(body.LookupResult.GetRows())
	case *parleyv1.Input_Start:
		t.start(body.Start)
	case *parleyv1.Input_Migration:
		t.migrate(body.Migration)
	case *parleyv1.Input_FormExchange:
		t.formExchange(body.FormExchange)
	case *parleyv1.Input_DeliveryFailure:
		t.undelivered(body.DeliveryFailure)
	case *parleyv1.Input_ResourceOrder:
		t.order(body.ResourceOrder)
	case *parleyv1.Input_CallResult:
		t.callAnswered(body.CallResult)
	case *parleyv1.Input_OperatorAction:
		t.operate(body.OperatorAction)
	case *parleyv1.Input_Echo:
		t.echoed(body.Echo)
	}
}

// hear reacts to a message of the person.
func (t *turn) hear(m *parleyv1.IncomingMessage) {
	switch {
	case t.blocked():
		t.hearBlocked()
	case t.optedOut():
		t.hearOptedOut(m)
	case t.state.Status == None, t.state.Status == Cancelled:
		t.open(m)
	case t.state.Status == Completed:
		t.hearAfterEnd(m)
	case t.state.Status == Expired:
		t.hearExpired(m)
	default:
		t.hearActive(m)
	}
}

// open begins a session, if the message begins one. After one that was cancelled a
// restart keyword begins the same flow, whatever serves the channel.
func (t *turn) open(m *parleyv1.IncomingMessage) {
	if f := t.restarts(m); f != nil && t.state.Status == Cancelled {
		t.begin(f, nil)
		return
	}
	if f, e := t.live.begins(t.in, allEntries); f != nil {
		t.begin(f, e)
	} else if t.state.Status == Cancelled {
		t.emit(inputReceived(t.in))
	}
}

func (t *turn) optedOut() bool { return t.in.GetContact().GetOptedOut() }

// blocked reports whether the business wants to hear nothing of the person.
func (t *turn) blocked() bool { return t.in.GetContact().GetBlocked() }

// silenced reports whether nothing may be said to the person.
func (t *turn) silenced() bool { return t.optedOut() || t.blocked() }

// hearBlocked records what is said, and reacts to nothing.
func (t *turn) hearBlocked() {
	if t.state.Status != None {
		t.emit(inputReceived(t.in))
	}
}

// hearOptedOut reacts to who opted out, in this session or in another: they are
// heard only if they say a word that begins something.
func (t *turn) hearOptedOut(m *parleyv1.IncomingMessage) {
	f, e := t.live.begins(t.in, typed)
	if f == nil {
		f = t.restarts(m)
	}
	if t.state.Status != None && (f == nil || t.running()) {
		t.emit(inputReceived(t.in))
	}
	if f == nil {
		return
	}
	if t.running() {
		t.cancel(ReasonStop)
	}
	t.begin(f, e)
}

// restarts is the flow that a message begins again because it is a restart keyword
// of it; nil if it is none.
func (t *turn) restarts(m *parleyv1.IncomingMessage) *Flow {
	if f := t.newest(); f != nil && f.keywordOf(m).is(keywordRestart) {
		return f
	}
	return nil
}

// newest is the version that a new session of the present flow gets. If there is
// none, and nothing else serves, it is the one of the session; nil if that was
// cancelled, because then it is not known which the caller still has.
func (t *turn) newest() *Flow {
	if f := t.live.again(t.state.Flow, t.in); f != nil || t.state.Status == Cancelled {
		return f
	}
	return t.flow
}

// running reports whether a session has not ended.
func (t *turn) running() bool { return t.state.Status == Active || t.state.Status == Human }

// begin opens a session at an entry, or at the first step.
func (t *turn) begin(f *Flow, e *entry) {
	if t.state.Status == Expired {
		t.abandon(f)
	}
	t.flow, t.from, t.last = f, 0, ""
	kind := byDefault
	if e != nil {
		kind = e.kind
	}
	t.emit(f.sessionStarted(t.firstLanguage(e), refOf(t.in.GetId()), kind, t.windowAtStart()))
	if !t.received() {
		t.emit(inputReceived(t.in))
	}
	if t.optedOut() {
		t.emit(optedIn())
	}
	t.keepGroups(e)
	t.keepStart()
	first := target{kind: toStep}
	if e != nil && e.step.kind != toNothing {
		first = e.step
	}
	t.goTo(first)
}

// abandon ends an expired session that nobody can come back to, because one of the
// flow f begins.
func (t *turn) abandon(f *Flow) {
	if !t.received() {
		t.emit(inputReceived(t.in))
	}
	reason := ReasonExpired
	if f.name != t.state.Flow {
		reason = ReasonSwitch
	}
	t.cancel(reason)
}

// received reports whether the input is among the events already.
func (t *turn) received() bool {
	for _, e := range t.events {
		if e.GetInputReceived() != nil {
			return true
		}
	}
	return false
}

// keepGroups sets the slots of an entry's named groups.
func (t *turn) keepGroups(e *entry) {
	if e == nil || e.pattern == nil {
		return
	}
	match := e.pattern.FindStringSubmatch(answerOf(t.in.GetMessage()))
	for i, name := range e.pattern.SubexpNames() {
		if name != "" && i < len(match) && match[i] != "" {
			t.emit(valueSet("", name, clip(match[i], AnswerCharactersMax)))
		}
	}
}

// keepStart sets the slots that a start by the API brings, as far as the flow
// declares them and their values fit.
func (t *turn) keepStart() {
	given, _ := decodeValue(t.in.GetStart().GetSlots()).(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := given[name]
		switch v := value.(type) {
		case string:
			value = storable(v)
		case float64:
			value, _ = number(v)
		}
		if s := t.flow.slots[name]; s != nil && s.initial != nil && s.kind.holds(value) {
			t.emit(valueSet("", name, value))
		}
	}
}

// firstLanguage is what the person chose before, else what the entry says, else
// the one of their phone's country, else the flow's.
func (t *turn) firstLanguage(e *entry) string {
	f := t.flow
	if len(f.languages) == 1 {
		return f.languages[0]
	}
	for _, wish := range []string{t.in.GetStart().GetLanguage(), t.in.GetContact().GetLanguage()} {
		if i := f.languageOf(wish); i > 0 || sameBase(f.languages[0], wish) {
			return f.languages[i]
		}
	}
	if e != nil && e.language > 0 {
		return f.languages[e.language-1]
	}
	return f.languages[f.languageOfPhone(t.in.GetContact().GetPhone())]
}

// refOf names a session: the same input always begins the same one.
func refOf(inputID string) string {
	sum := sha256.Sum256([]byte(inputID))
	return hex.EncodeToString(sum[:5])
}

// hearAfterEnd reacts to a message after the flow was completed. There is no step
// that a keyword could go to, but help and a human are there.
func (t *turn) hearAfterEnd(m *parleyv1.IncomingMessage) {
	f, e := t.live.begins(t.in, chosen)
	switch k := t.flow.keywordOf(m); {
	case k.is(keywordRestart):
		t.emit(inputReceived(t.in))
		t.restart()
	case k.is(keywordStop):
		t.emit(inputReceived(t.in))
		t.stop(k)
	case f != nil:
		t.begin(f, e)
	case t.flow.obeysAfterEnd(k):
		t.emit(inputReceived(t.in))
		t.keyword(k)
	case t.flow.completed.afterMs >= 0 && t.in.GetAtMs()-t.state.endedAt() >= t.flow.completed.afterMs:
		t.begin(t.newest(), nil)
	default:
		t.emit(inputReceived(t.in))
		t.say(t.flow.completed.again)
	}
}

// cancel ends the session before its end.
func (t *turn) cancel(reason string) {
	t.emit(sessionCancelled(reason, t.standing(), t.state.completed(), t.state.Status == Expired))
}

// restart ends the session and begins the flow again, on the version that is live.
func (t *turn) restart() {
	again := t.newest()
	t.cancel(ReasonRestart)
	t.begin(again, nil)
}

// standing is the question that the session waits at; "" if it does not, or if its
// answer was accepted in this turn.
func (t *turn) standing() string {
	if t.state.Status != Active {
		return ""
	}
	for _, e := range t.events {
		if e.GetAnswerAccepted() != nil || e.GetStepLeft() != nil || e.GetStepPassed() != nil {
			return ""
		}
	}
	return t.state.Step
}

// start begins a flow by the API. It does not interrupt a session that runs, and
// nobody is spoken to who opted out.
func (t *turn) start(s *parleyv1.StartRequest) {
	if t.running() || t.silenced() {
		return
	}
	if f, e := t.live.begins(t.in, chosen); f != nil && f.name == s.GetFlow() {
		t.opening = s.GetTemplate()
		t.begin(f, e)
	}
}

// step returns the step at which the session stands.
func (t *turn) step() *step { return t.flow.step(t.state.Step) }

// TimerInput is the input for a session that wanted to be woken.
func TimerInput(id string, atMs int64, ref string, wakeAtMs int64) *parleyv1.Input {
	return &parleyv1.Input{Id: id, AtMs: atMs, Body: &parleyv1.Input_TimerDue{
		TimerDue: &parleyv1.TimerDue{SessionRef: ref, WakeAtMs: wakeAtMs},
	}}
}

// LookupInput answers the lookup that a session awaits; of is the input whose turn
// it is.
func LookupInput(of *parleyv1.Input, rows [][]byte) *parleyv1.Input {
	return &parleyv1.Input{
		Id: of.GetId(), AtMs: of.GetAtMs(), ProviderAtMs: of.GetProviderAtMs(), Contact: of.GetContact(), Channel: of.GetChannel(),
		Body: &parleyv1.Input_LookupResult{LookupResult: &parleyv1.LookupResult{Rows: rows}},
	}
}
