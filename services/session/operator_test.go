package session

import (
	"slices"
	"testing"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestOperator: what a human writes goes out once, in the contact's order; the bot is
// silent until it is given back; an opt-out outlives the session.
func TestOperator(t *testing.T) {
	d := newDesk(t)
	act := func(id string, a *parleyv1.OperatorAction) {
		a.By = "Ana"
		d.input(ada, id, flow.OperatorInput(id, 0, a))
	}
	d.post(fake.Text(ada, "wamid.o1", start, "hi"))
	d.run(10)
	act("operator/1", &parleyv1.OperatorAction{
		Verb: flow.ActSay, Content: &parleyv1.OperatorAction_Text{Text: &parleyv1.Text{Body: "Hello, this is Ana."}},
	})
	act("operator/1", &parleyv1.OperatorAction{
		Verb: flow.ActSay, Content: &parleyv1.OperatorAction_Text{Text: &parleyv1.Text{Body: "Hello, this is Ana."}},
	})
	d.post(fake.Text(ada, "wamid.o2", start, "Ada"))
	d.run(10)
	d.wantReplies(ada, askName, "Hello, this is Ana.")
	if _, session := d.known(ada); session.State.Status != flow.Human {
		t.Errorf("the bot has the conversation: %+v", session.State)
	}
	act("operator/2", &parleyv1.OperatorAction{Verb: flow.ActGiveBack})
	d.wantReplies(ada, askName, "Hello, this is Ana.", askName)
	act("operator/3", &parleyv1.OperatorAction{Verb: flow.ActOptOut})
	act("operator/4", &parleyv1.OperatorAction{Verb: flow.ActRestart})
	d.wantReplies(ada, askName, "Hello, this is Ana.", askName)
	contact, session := d.known(ada)
	if !contact.OptedOut || session.State.Status != flow.Cancelled {
		t.Errorf("%+v %+v", contact, session.State)
	}
	d.consistent(t)
}

// TestBlocked: what somebody writes who is blocked is in the log, on any channel, and
// nobody answers; unblocked they begin anew.
func TestBlocked(t *testing.T) {
	d := newDesk(t)
	act := func(id, verb string) {
		d.input(ada, id, flow.OperatorInput(id, 0, &parleyv1.OperatorAction{Verb: verb, By: "Ana", Reason: "spam"}))
	}
	d.say(ada, "wamid.b1", "hi")
	act("operator/1", flow.ActBlock)
	d.say(ada, "wamid.b2", "hello?")
	d.say(ada, "wamid.b3", "restart")
	d.exec(`DELETE FROM sessions`) // as on a channel where they have none
	d.say(ada, "wamid.b4", "hi")
	d.wantReplies(ada, askName)
	if contact, session := d.known(ada); !contact.Blocked || session.State.Status != flow.None {
		t.Errorf("%+v %+v", contact, session.State)
	}
	d.wantNoLetters()
	var heard []string
	for _, e := range d.events(ada) {
		if in := e.GetInputReceived().GetInput(); in.GetMessage() != nil {
			heard = append(heard, in.GetId())
		}
	}
	if want := []string{"wamid.b1", "wamid.b2", "wamid.b3", "wamid.b4"}; !slices.Equal(heard, want) {
		t.Errorf("heard %v", heard)
	}
}

// TestUnblocked undoes it.
func TestUnblocked(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.b1", "hi")
	for _, verb := range []string{flow.ActBlock, flow.ActUnblock} {
		d.input(ada, "operator/"+verb, flow.OperatorInput("", 0, &parleyv1.OperatorAction{Verb: verb, By: "Ana"}))
	}
	d.say(ada, "wamid.b2", "hi")
	if contact, session := d.known(ada); contact.Blocked || session.State.Status != flow.Active {
		t.Errorf("%+v %+v", contact, session.State)
	}
	d.wantReplies(ada, askName, askName)
	d.consistent(t)
}
