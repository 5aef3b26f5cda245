package flow

import (
	"encoding/json"
	"slices"

	"github.com/expr-lang/expr/ast"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Verbs of a [Lookup] that reads no table. All but the first do something: the caller
// does it in the transaction of the turn, and answers with one row, an [Outcome].
const (
	// VerbFree reads the slots that are free: "service", "calendar", "day", "places".
	VerbFree = "free"
	// VerbBook and VerbHold take "places" of a "slot"; a hold runs out after "for", in
	// milliseconds.
	VerbBook = "book"
	VerbHold = "hold"
	// VerbReschedule moves a "booking" to another "slot", VerbCancel ends it. Without
	// "booking" it is the person's next one, of a "service" if that is given.
	VerbReschedule = "reschedule"
	VerbCancel     = "cancel"
	// VerbRelease ends a hold that has run out. Only an order does that.
	VerbRelease = "release"
	// VerbAssign gives the person's lead to an agent of a "pool" with all "skills".
	VerbAssign = "assign"
	// VerbTake says that an "agent" works on a "lead", VerbClose that it is done. Only
	// orders do that.
	VerbTake  = "take"
	VerbClose = "close"
)

// Results of an outcome. What is not done changes nothing.
const (
	ResultDone = "done"
	// ResultTaken: the slot is full, closed or past.
	ResultTaken = "taken"
	// ResultMissing: there is no such booking, or no such lead, any more.
	ResultMissing = "missing"
	// ResultQueued: the lead waits for an agent.
	ResultQueued = "queued"
	// ResultNone: the pool has nobody who could ever take the lead.
	ResultNone = "none"
)

// Bookable is a slot of a calendar, as rows and outcomes describe it.
type Bookable struct {
	Slot       string `json:"slot,omitempty"`
	Service    string `json:"service,omitempty"`
	Calendar   string `json:"calendar,omitempty"`
	StartsAtMs int64  `json:"starts_at_ms,omitempty"`
	// Day and Time are those of the service's zone: 2026-12-04, 15:30.
	Day  string `json:"day,omitempty"`
	Time string `json:"time,omitempty"`
}

func (b *Bookable) event() *parleyv1.Bookable {
	if b == nil {
		return nil
	}
	return &parleyv1.Bookable{Id: b.Slot, Service: b.Service, Calendar: b.Calendar, StartsAtMs: b.StartsAtMs, Day: b.Day, Time: b.Time}
}

// Outcome is what came of a verb. It is the row that answers its lookup.
type Outcome struct {
	Result string `json:"result,omitempty"`
	Bookable
	Booking string `json:"booking,omitempty"`
	Places  uint32 `json:"places,omitempty"`
	UntilMs int64  `json:"until_ms,omitempty"`
	// From is where a booking was that moved.
	From *Bookable `json:"from,omitempty"`

	Lead      string `json:"lead,omitempty"`
	Pool      string `json:"pool,omitempty"`
	Agent     string `json:"agent,omitempty"`
	AgentName string `json:"agent_name,omitempty"`
	// FromAgent had the lead before; Reason is why it changed hands.
	FromAgent string `json:"from_agent,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// Row is the outcome as the answer to its lookup.
func (o Outcome) Row() []byte { return encodeValue(o) }

// outcomeOf reads the answer to a verb. No row is nothing done.
func outcomeOf(rows [][]byte) (o Outcome) {
	if len(rows) == 0 || json.Unmarshal(rows[0], &o) != nil {
		return Outcome{Result: ResultMissing}
	}
	return o
}

// ResultOf is the result of the outcome that rows are.
func ResultOf(rows [][]byte) string { return outcomeOf(rows).Result }

// IsAction reports whether a kind of step, as [StepInfo] has it, is an action.
func IsAction(kind string) bool { return slices.Contains(actionVerbs, kind) }

// Event is the fact that an outcome is; nil if nothing happened.
func (o Outcome) Event(step, verb string) *parleyv1.Event {
	switch {
	case o.Result == ResultTaken:
		return &parleyv1.Event{Body: &parleyv1.Event_SlotTaken{SlotTaken: &parleyv1.SlotTaken{Step: step, Slot: o.Slot, Verb: verb}}}
	case o.Result == ResultQueued:
		return &parleyv1.Event{Body: &parleyv1.Event_LeadQueued{LeadQueued: &parleyv1.LeadQueued{
			Step: step, Lead: o.Lead, Pool: o.Pool, From: o.FromAgent, Reason: o.Reason,
		}}}
	case o.Result != ResultDone:
		return nil
	}
	return o.done(step, verb)
}

// done is the fact of what was done.
func (o Outcome) done(step, verb string) *parleyv1.Event {
	slot := o.Bookable.event()
	switch verb {
	case VerbBook:
		return &parleyv1.Event{Body: &parleyv1.Event_SlotBooked{SlotBooked: &parleyv1.SlotBooked{
			Step: step, Booking: o.Booking, Slot: slot, Places: o.Places,
		}}}
	case VerbHold:
		return &parleyv1.Event{Body: &parleyv1.Event_SlotHeld{SlotHeld: &parleyv1.SlotHeld{
			Step: step, Booking: o.Booking, Slot: slot, Places: o.Places, UntilMs: o.UntilMs,
		}}}
	case VerbReschedule:
		return &parleyv1.Event{Body: &parleyv1.Event_BookingMoved{BookingMoved: &parleyv1.BookingMoved{
			Step: step, Booking: o.Booking, From: o.From.event(), To: slot,
		}}}
	case VerbCancel:
		return &parleyv1.Event{Body: &parleyv1.Event_BookingCancelled{BookingCancelled: &parleyv1.BookingCancelled{
			Step: step, Booking: o.Booking, Slot: slot,
		}}}
	case VerbRelease:
		return &parleyv1.Event{Body: &parleyv1.Event_SlotReleased{SlotReleased: &parleyv1.SlotReleased{Booking: o.Booking, Slot: slot}}}
	case VerbAssign, VerbTake:
		return &parleyv1.Event{Body: &parleyv1.Event_LeadAssigned{LeadAssigned: &parleyv1.LeadAssigned{
			Step: step, Lead: o.Lead, Pool: o.Pool, Agent: o.Agent, From: o.FromAgent, Reason: o.Reason,
		}}}
	case VerbClose:
		return &parleyv1.Event{Body: &parleyv1.Event_LeadClosed{LeadClosed: &parleyv1.LeadClosed{Lead: o.Lead, Pool: o.Pool, Agent: o.Agent}}}
	}
	return nil
}

// action is what a step does to slots, bookings and leads.
type action struct {
	verb  string
	where []filter          // its particulars, computed
	fixed map[string]string // and those that the file says
	keep  []column          // of the outcome, if it was done
	ways  []outcomeWay
}

// outcomeWay is where a step goes if its action came to a certain result.
type outcomeWay struct {
	result string
	say    []bubble
	to     target
}

// act asks for what the step does. The turn goes on with [turn.acted].
func (t *turn) act(s *step) {
	where := t.filters(s.action.where, nil)
	for name, value := range s.action.fixed {
		where[name] = value
	}
	t.emit(lookupAsked(s.name, Lookup{Verb: s.action.verb, Where: where, Limit: 1}))
}

// acted goes on with what came of an action: of a step's, or of an order.
func (t *turn) acted(l Lookup, rows [][]byte) {
	t.emit(lookupAnswered(l.Step, rows))
	o := outcomeOf(rows)
	if e := o.Event(l.Step, l.Verb); e != nil {
		t.emit(e)
	}
	if l.Step == "" {
		return
	}
	s := t.flow.step(l.Step)
	t.from, t.last = s.position, s.name
	i := slices.IndexFunc(s.action.ways, func(w outcomeWay) bool { return w.result == o.Result })
	if i >= 0 {
		t.say(s.action.ways[i].say)
		t.goTo(s.action.ways[i].to)
		return
	}
	if len(rows) > 0 {
		for _, e := range t.kept(s.name, s.action.keep, rows[0]) {
			t.emit(e)
		}
	}
	t.say(s.say)
	t.goTo(s.next)
}

// order does what was ordered, whatever the session is at: only it knows the history
// that the fact belongs to.
func (t *turn) order(o *parleyv1.ResourceOrder) {
	if t.state.Status == None {
		return
	}
	where := map[string]string{}
	for name, value := range map[string]string{
		"booking": o.GetBooking(), "slot": o.GetSlot(), "lead": o.GetLead(), "agent": o.GetAgent(), "reason": o.GetReason(),
	} {
		if value != "" {
			where[name] = value
		}
	}
	t.emit(inputReceived(t.in))
	t.emit(lookupAsked("", Lookup{Verb: o.GetVerb(), Where: where, Limit: 1}))
}

// OrderInput is the input that changes a booking or a lead from outside.
func OrderInput(id string, atMs int64, o *parleyv1.ResourceOrder) *parleyv1.Input {
	return &parleyv1.Input{Id: id, AtMs: atMs, Body: &parleyv1.Input_ResourceOrder{ResourceOrder: o}}
}

// resources are the services and pools that the flow names. A service that is computed
// is known only when it is.
func (f *Flow) resources() (services, pools []string) {
	for _, s := range f.steps {
		if s.expect != nil && s.expect.dynamic != nil && s.expect.dynamic.verb == VerbFree {
			services = appendNew(services, fixedService(s.expect.dynamic.where))
		}
		if s.action != nil {
			services = appendNew(services, fixedService(s.action.where))
			pools = appendNew(pools, s.action.fixed["pool"])
		}
	}
	return services, pools
}

func appendNew(list []string, name string) []string {
	if name == "" || slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// fixedService is the service that particulars name as it is; "" if it is computed.
func fixedService(where []filter) string {
	for _, w := range where {
		if literal, ok := w.program.Node().(*ast.StringNode); ok && w.column == "service" {
			return literal.Value
		}
	}
	return ""
}
