package session

import (
	"testing"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// echoes are what the business wrote to a person with the phone's app: within the
// session, and beside any.
func (d *desk) echoes(p fake.Person) (within, beside []*parleyv1.Echo) {
	d.t.Helper()
	for _, e := range d.events(p) {
		switch echo := e.GetInputReceived().GetInput().GetEcho(); {
		case echo == nil:
		case e.SessionId == 0:
			beside = append(beside, echo)
		default:
			within = append(within, echo)
		}
	}
	return within, beside
}

func echo(p fake.Person, id, text string) fake.Item {
	return fake.Echo(p, id, start, "text", map[string]any{"body": text})
}

// Who writes from the phone's app takes the conversation, and is on record, once; an
// edit there takes nothing, and where there is no conversation there is none to take.
func TestEchoTakesOver(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	for range 2 {
		d.post(fake.Echo(ada, "wamid.e0", start, "revoke", map[string]any{"original_message_id": "wamid.x"}), echo(bob, "wamid.e1", "Hello Bob"))
		d.run(100)
	}
	if _, s := d.known(ada); s.State.Status != flow.Active {
		t.Errorf("a revocation left the session %v", s.State.Status)
	}
	for range 2 {
		d.post(echo(ada, "wamid.e2", "I will help you"), fake.Text(ada, "wamid.2", start, "Ada"))
		d.run(100)
	}
	d.wantReplies(ada, askName)
	d.wantReplies(bob)
	if _, s := d.known(ada); s.State.Status != flow.Human || s.State.Progress.HushedMs == 0 {
		t.Errorf("%+v", s.State)
	}
	within, beside := d.echoes(ada)
	if len(within) != 1 || within[0].GetMessage().GetText() != "I will help you" || len(beside) != 1 || beside[0].GetAside().GetKind() != "revoke" {
		t.Errorf("within %v, beside %v", within, beside)
	}
	if within, beside = d.echoes(bob); len(within) != 0 || len(beside) != 1 {
		t.Errorf("of Bob: within %v, beside %v", within, beside)
	}
	if letters := d.letters(""); len(letters) > 0 {
		t.Errorf("%+v", letters)
	}
	d.say(bob, "wamid.3", "hi")
	d.wantReplies(bob, askName)
	d.consistent(t)
}

// A channel can be set up to record what is written from the app, and no more.
func TestEchoIsRecorded(t *testing.T) {
	d := newDesk(t)
	d.Service.flows.serving = recordsEchoes{d.Service.flows.serving}
	d.say(ada, "wamid.1", "hi")
	d.post(echo(ada, "wamid.e1", "psst"))
	d.run(100)
	d.say(ada, "wamid.2", "Ada")
	d.wantReplies(ada, askName, askEmail("Ada"))
	if within, beside := d.echoes(ada); len(within) != 0 || len(beside) != 1 {
		t.Errorf("within %v, beside %v", within, beside)
	}
	d.consistent(t)
}

type recordsEchoes struct{ Serving }

func (recordsEchoes) TakesOver(string) bool { return false }

// Who wants no marketing is told apart from who wants to hear nothing: answers are
// sent, what the business begins says that it is marketing, and the contact remembers.
func TestPreference(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	wants := func(no bool) {
		t.Helper()
		if c, _ := d.known(ada); c.NoMarketing != no || c.OptedOut {
			t.Errorf("%+v, want no marketing %t", c, no)
		}
	}
	wants(false)
	d.post(fake.Preference(ada, start, "stop"), fake.Preference(ada, start, "dance"), fake.Preference(bob, start, "stop"))
	d.run(100)
	wants(true)
	if c, _ := d.known(bob); !c.NoMarketing {
		t.Errorf("somebody new: %+v", c)
	}
	d.say(ada, "wamid.2", "Ada")
	d.wantReplies(ada, askName, askEmail("Ada"))
	d.post(fake.Preference(ada, start.Add(1e9), "resume"))
	d.run(100)
	wants(false)
	d.input(ada, "failed/1", flow.FailureInput("failed/1", 0, &parleyv1.DeliveryFailure{Class: "permanent", Code: codeMarketing}))
	wants(true)
	for _, e := range d.events(ada) {
		if q := e.GetMessageQueued(); q != nil && q.GetMarketing() {
			t.Error("an answer is marketing")
		}
	}
	if letters := d.letters(""); len(letters) > 0 {
		t.Errorf("%+v", letters)
	}
	d.consistent(t)
}

// What is begun by the API is marketing; what is said later in it is not.
func TestStartIsMarketing(t *testing.T) {
	d := newDesk(t)
	d.publish(trip1)
	d.time = d.time.Add(liveFor)
	begin := &parleyv1.StartRequest{Flow: "trip", Slots: []byte(`{"code":"K7"}`)}
	d.input(ada, "start/1", &parleyv1.Input{Body: &parleyv1.Input_Start{Start: begin}})
	d.say(ada, "wamid.1", "Lima")
	var marketing []bool
	for _, e := range d.events(ada) {
		if q := e.GetMessageQueued(); q != nil {
			marketing = append(marketing, q.GetMarketing())
		}
	}
	if len(marketing) != 2 || !marketing[0] || marketing[1] {
		t.Errorf("%v", marketing)
	}
}
