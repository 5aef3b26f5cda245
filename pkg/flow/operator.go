package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Verbs of an [parleyv1.OperatorAction].
const (
	// ActTake gives the conversation to a human, ActGiveBack gives it back to the bot:
	// at a step, or where it was.
	ActTake     = "take"
	ActGiveBack = "give_back"
	// ActSay sends what a human writes. It takes the conversation.
	ActSay = "say"
	// ActRestart begins the flow again, on its newest version.
	ActRestart = "restart"
	// ActMove goes on at another step, ActSet gives a slot a value.
	ActMove = "move"
	ActSet  = "set"
	// ActEnd cancels the session without a word.
	ActEnd = "end"
	// ActOptOut and ActOptIn say what the person said elsewhere.
	ActOptOut = "opt_out"
	ActOptIn  = "opt_in"
	// ActBlock makes the business deaf to the person, and silent: what they write is
	// recorded only. ActUnblock undoes it.
	ActBlock   = "block"
	ActUnblock = "unblock"
	// ActMerge says that another contact is the person, too. Who keeps the contacts does
	// it; here it is on record.
	ActMerge = "merge"
)

const (
	// ReasonOperator: a person of the business did it.
	ReasonOperator = "operator"
	// ReasonApp: a person of the business wrote with the phone's own app.
	ReasonApp = "app"
	// ReasonBlocked: the business wants to hear nothing of the person.
	ReasonBlocked = "blocked"
)

// Actions lists the verbs.
func Actions() []string {
	return []string{ActTake, ActGiveBack, ActSay, ActRestart, ActMove, ActSet, ActEnd, ActOptOut, ActOptIn, ActBlock, ActUnblock, ActMerge}
}

// handBack says when the bot takes a conversation back that no human cares for.
type handBack struct {
	afterMs int64
	to      target
}

// operate does what a person of the business wants. What cannot be done is recorded
// with the reason, and changes nothing.
func (t *turn) operate(a *parleyv1.OperatorAction) {
	if t.state.Status == None {
		return
	}
	refused := t.refuses(a)
	t.emit(inputReceived(t.in))
	t.emit(operatorActed(a, refused))
	if refused != "" {
		return
	}
	switch a.GetVerb() {
	case ActTake:
		t.take(ReasonOperator)
	case ActGiveBack:
		to, _ := t.wayBack(a.GetStep())
		t.giveBack(to, ReasonOperator)
	case ActSay:
		t.sayAs(a)
	case ActRestart:
		if t.state.Status == Cancelled {
			t.begin(t.newest(), nil)
			return
		}
		t.restart()
	case ActMove:
		t.move(a.GetStep())
	case ActSet:
		t.emit(valueSet("", a.GetSlot(), givenValue(a)))
	case ActEnd:
		t.cancel(ReasonOperator)
	case ActOptOut:
		t.emit(optedOut())
		t.leave(ReasonStop)
	case ActOptIn:
		t.emit(optedIn())
	case ActBlock:
		t.emit(contactBlocked())
		t.leave(ReasonBlocked)
	case ActUnblock:
		t.emit(contactUnblocked())
	}
}

// leave ends what runs, or could be taken up again.
func (t *turn) leave(reason string) {
	if t.running() || t.state.Status == Expired {
		t.cancel(reason)
	}
}

// Refuses says why an operator's action cannot be done to a session now; "" if it
// can. pinned is the version of the session, live what serves its channel.
func Refuses(live Live, pinned *Flow, s State, in *parleyv1.Input) string {
	t := &turn{live: live, flow: pinned, state: s, in: in}
	return t.refuses(in.GetOperatorAction())
}

func (t *turn) refuses(a *parleyv1.OperatorAction) string {
	verb := a.GetVerb()
	speaks := slices.Contains([]string{ActGiveBack, ActSay, ActRestart, ActMove}, verb)
	switch {
	case !slices.Contains(Actions(), verb):
		return fmt.Sprintf("there is no action %q: there is %s", verb, strings.Join(Actions(), ", "))
	case speaks && t.blocked():
		return "the person is blocked: unblock them first"
	case verb == ActUnblock && !t.blocked():
		return "the person is not blocked"
	case speaks && t.silenced():
		return "the person has opted out: nothing is said to them before they opt in"
	case verb == ActSay:
		return refusesContent(a)
	case verb == ActRestart && t.newest() == nil:
		return "no flow serves the channel any more: publish one, or let the channels file name one"
	case slices.Contains([]string{ActOptOut, ActOptIn, ActBlock, ActUnblock, ActMerge, ActRestart}, verb):
		return ""
	case t.state.Status == Cancelled:
		return "the session was cancelled: restart it"
	case verb == ActEnd && t.state.Status == Completed:
		return "the session has ended already"
	}
	return t.refusesStep(a)
}

// refusesStep looks at what an action names of the flow.
func (t *turn) refusesStep(a *parleyv1.OperatorAction) (why string) {
	switch a.GetVerb() {
	case ActGiveBack:
		if t.state.Status != Human {
			return "the bot has the conversation already: move leads it to another step"
		}
		_, why = t.wayBack(a.GetStep())
	case ActMove:
		if t.state.completed() {
			return "the flow was completed: restart the session"
		}
		_, why = t.stand(a.GetStep())
	case ActSet:
		why = t.refusesValue(a.GetSlot(), givenValue(a))
	}
	return why
}

// givenValue is the value that an action sets, as it can be stored; nil if it cannot.
func givenValue(a *parleyv1.OperatorAction) any {
	switch v := decodeValue(a.GetJson()).(type) {
	case string:
		return storable(v)
	case float64:
		if n, ok := number(v); ok {
			return n
		}
	case bool:
		return v
	}
	return nil
}

func (t *turn) refusesValue(name string, value any) string {
	s := t.flow.slots[name]
	switch {
	case s == nil:
		return fmt.Sprintf("flow %s has no slot %q in version %d", t.flow.name, name, t.flow.version)
	case value == nil, !s.kind.holds(value):
		return fmt.Sprintf("slot %q is a %s: give a text, a number or a truth value that fits it", name, s.kind)
	}
	return ""
}

// stand is the way to a step, and why the session could not go on there.
func (t *turn) stand(step string) (to target, why string) {
	i, known := t.flow.index[step]
	switch {
	case step == "":
		return target{}, "name the step"
	case !known:
		return target{}, fmt.Sprintf("flow %s has no step %q in version %d", t.flow.name, step, t.flow.version)
	}
	if lacks := t.flow.Lacks(t.state, step); len(lacks) > 0 {
		return target{}, fmt.Sprintf("step %q needs what the session does not have: %s", step, strings.Join(lacks, ", "))
	}
	return target{kind: toStep, step: i}, ""
}

// wayBack is where the bot goes on: at a step; else at the question that was asked
// before; else where the flow wants it. If the flow had been completed, there is
// nowhere to go.
func (t *turn) wayBack(step string) (to target, why string) {
	at, known := t.flow.index[t.state.Step]
	switch {
	case t.state.completed() && step != "":
		return target{}, "the flow was completed: give the conversation back without a step, or restart it"
	case t.state.completed():
		return target{}, ""
	case step != "":
		return t.stand(step)
	case known && t.flow.steps[at].waits():
		return t.stand(t.state.Step)
	case t.flow.handBack != nil:
		return t.flow.handBack.to, ""
	}
	return target{}, "the conversation was at no question: name the step to go on at"
}

// take gives the conversation to a human, if the bot has it.
func (t *turn) take(reason string) {
	if t.state.Status != Human && t.state.Status != Cancelled {
		t.emit(handedOver(t.state.Step, "", reason))
	}
}

// giveBack lets the bot go on.
func (t *turn) giveBack(to target, reason string) {
	step := ""
	if to.kind == toStep {
		step = t.flow.steps[to.step].name
	}
	t.emit(givenBack(step, reason))
	if to.kind != toNothing {
		t.jumpTo(to)
	}
}

func (t *turn) move(step string) {
	to, _ := t.stand(step)
	switch t.state.Status {
	case Human:
		t.giveBack(to, ReasonOperator)
		return
	case Expired:
		t.emit(sessionResumed(t.state.Step))
	}
	t.emit(stepLeft(t.state.Step, ReasonOperator))
	t.jumpTo(to)
}

// jumpTo goes somewhere that the session was not led to. It is no loop.
func (t *turn) jumpTo(to target) {
	if to.kind != toStep || t.flow.steps[to.step].subflow == "" {
		t.leaveSubflows()
	}
	t.from, t.last = 0, ""
	t.goTo(to)
}

// sayAs sends what a human wrote.
func (t *turn) sayAs(a *parleyv1.OperatorAction) {
	t.take(ReasonOperator)
	m := &parleyv1.MessageQueued{Author: cmp.Or(a.GetBy(), ReasonOperator)}
	switch c := a.GetContent().(type) {
	case *parleyv1.OperatorAction_Text:
		m.Content = &parleyv1.MessageQueued_Text{Text: c.Text}
	case *parleyv1.OperatorAction_Media:
		m.Content = &parleyv1.MessageQueued_Media{Media: c.Media}
	case *parleyv1.OperatorAction_Location:
		m.Content = &parleyv1.MessageQueued_Location{Location: c.Location}
	case *parleyv1.OperatorAction_Contact:
		m.Content = &parleyv1.MessageQueued_Contact{Contact: c.Contact}
	case *parleyv1.OperatorAction_Template:
		m.Content = &parleyv1.MessageQueued_Template{Template: c.Template}
	}
	t.queue(m)
	m.Step = "" // no step says it
}

// echoed gives the conversation to whoever writes with the phone's own app, where the
// channel is set up like that: two voices at once would confuse. Where there is nothing
// to take, or all was over a day ago, nothing happens: the message is on record elsewhere.
func (t *turn) echoed(e *parleyv1.Echo) {
	if !e.GetTakesOver() || t.state.Status == None || t.state.Status == Cancelled || t.state.Progress.Archived {
		return
	}
	t.emit(inputReceived(t.in))
	t.take(ReasonApp)
}

// refusesContent holds what a human says against WhatsApp's limits (WIRE.md 3.2).
func refusesContent(a *parleyv1.OperatorAction) string {
	text, media := a.GetText(), a.GetMedia()
	switch {
	case a.GetContent() == nil:
		return "there is nothing to say: give a text, media, location, contact or template"
	case text != nil && strings.TrimSpace(text.GetBody()) == "":
		return "the text is empty"
	case text != nil && utf8.RuneCountInString(text.GetBody()) > TextCharactersMax:
		return fmt.Sprintf("the text is longer than %d characters: send it in parts", TextCharactersMax)
	case media != nil && !slices.Contains(mediaKinds, media.GetKind()):
		return fmt.Sprintf("%q is no kind of media: there is %s", media.GetKind(), strings.Join(mediaKinds, ", "))
	case media != nil && (media.GetId() == "") == (media.GetLink() == ""):
		return "media need an id or a link, and not both"
	case media != nil && utf8.RuneCountInString(media.GetCaption()) > captionMax:
		return fmt.Sprintf("the caption is longer than %d characters: shorten it", captionMax)
	case a.GetTemplate() != nil && a.GetTemplate().GetName() == "":
		return "the template has no name"
	}
	return ""
}

// humanSince is when a human was last seen to care for the conversation.
func (s State) humanSince() int64 { return cmp.Or(s.Progress.HumanMs, s.LastInteractionMs) }

// handBackAt is when the bot takes the conversation back; 0 if never.
func (t *turn) handBackAt() int64 {
	if t.flow.handBack == nil || t.silenced() {
		return 0
	}
	return t.state.humanSince() + t.flow.handBack.afterMs
}

// mindHuman takes back what no human cares for.
func (t *turn) mindHuman() {
	at := t.handBackAt()
	if at == 0 || at > t.in.GetAtMs() {
		return
	}
	to := t.flow.handBack.to
	if t.state.completed() {
		to = target{}
	}
	t.giveBack(to, ReasonTimeout)
}

// OperatorInput is the input for what an operator does.
func OperatorInput(id string, atMs int64, a *parleyv1.OperatorAction) *parleyv1.Input {
	return &parleyv1.Input{Id: id, AtMs: atMs, Body: &parleyv1.Input_OperatorAction{OperatorAction: a}}
}
