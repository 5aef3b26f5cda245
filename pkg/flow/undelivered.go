package flow

import parleyv1 "github.com/parleyhq/parley/proto/parley/v1"

// undelivered records that a message of ours will not arrive, and goes the way that
// the flow has for it.
func (t *turn) undelivered(d *parleyv1.DeliveryFailure) {
	if t.state.Status == None {
		return
	}
	to, leaves := t.wayUndelivered(d)
	t.emit(inputReceived(t.in))
	t.emit(deliveryFailed(d, d.GetQueuedAtMs() < t.state.StartedAtMs, to.kind != toNothing))
	if to.kind == toNothing {
		return
	}
	t.emit(stepLeft(t.state.Step, ReasonUndelivered))
	if leaves {
		t.leaveSubflows()
	}
	t.from = 0 // and is no loop: it happens once until the person writes again
	t.goTo(to)
}

// wayUndelivered is where the session goes on: the way of the question that it
// stands at, else the flow's, which ends sub-flows. It goes nowhere if the person
// has written since the message was queued, for then they saw enough to do so; if it
// has reacted already, so that what it says then cannot make it react again; and if
// it waits for nobody, or for another system.
func (t *turn) wayUndelivered(d *parleyv1.DeliveryFailure) (to target, leaves bool) {
	s := t.state
	if s.Status != Active || t.silenced() || s.Progress.Undelivered || d.GetQueuedAtMs() < s.LastInteractionMs {
		return target{}, false
	}
	if t.step().request != nil {
		return target{}, false
	}
	if own := t.step().undelivered; own.kind != toNothing {
		return own, false
	}
	return t.flow.undelivered, true
}

// FailureInput is the input for a message that will not arrive.
func FailureInput(id string, atMs int64, d *parleyv1.DeliveryFailure) *parleyv1.Input {
	return &parleyv1.Input{Id: id, AtMs: atMs, Body: &parleyv1.Input_DeliveryFailure{DeliveryFailure: d}}
}
