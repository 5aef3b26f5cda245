package session

import (
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
