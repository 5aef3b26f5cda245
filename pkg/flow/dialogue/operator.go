package dialogue

import (
	"fmt"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// echoVerb is what the person of the business does who writes with the phone's own app.
const echoVerb = "echo"

// operatorAction reads what stands behind "operator": the verb, and its particulars.
func operatorAction(args fields) (*parleyv1.OperatorAction, error) {
	if len(args) == 0 || args[0].set {
		return nil, fmt.Errorf("operator needs what is done: %v", append(flow.Actions(), echoVerb))
	}
	a := &parleyv1.OperatorAction{Verb: args[0].key}
	if err := args[1:].pairs("by", "reason", "step", "slot", "value", "text"); err != nil {
		return nil, err
	}
	for _, f := range args[1:] {
		switch f.key {
		case "by":
			a.By = f.value
		case "reason":
			a.Reason = f.value
		case "step":
			a.Step = f.value
		case "slot":
			a.Slot = f.value
		case "value":
			a.Json = encode(f.json())
		case "text":
			a.Content = &parleyv1.OperatorAction_Text{Text: &parleyv1.Text{Body: f.value}}
		}
	}
	return a, nil
}

// operate lets a person of the business act at a time. What is refused is an error.
func (c *Chat) operate(with fields, at time.Time) (said [][]string, err error) {
	if said, err = c.wait(at); err != nil {
		return said, err
	}
	a, err := operatorAction(with)
	if err != nil {
		return said, err
	}
	in := c.input()
	in.Body = &parleyv1.Input_OperatorAction{OperatorAction: a}
	if a.Verb == echoVerb {
		in.Body = &parleyv1.Input_Echo{Echo: &parleyv1.Echo{
			Message: &parleyv1.IncomingMessage{Type: "text", Text: a.GetText().GetBody()}, TakesOver: true,
		}}
	}
	before := len(c.events)
	more, err := c.turn(in)
	if err != nil {
		return said, err
	}
	if len(c.events) == before {
		return said, fmt.Errorf("there is no session that an operator could act on")
	}
	for _, e := range c.events[before:] {
		if why := e.GetOperatorActed().GetRefused(); why != "" {
			return said, fmt.Errorf("the action is refused: %s", why)
		}
	}
	return append(said, more...), nil
}
