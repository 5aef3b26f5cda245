package webhook

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Contact is the person, as they are known when they are told of.
type Contact struct {
	ID       uuid.UUID `json:"id"`
	Phone    string    `json:"phone,omitempty"`
	BSUID    string    `json:"bsuid,omitempty"`
	Username string    `json:"username,omitempty"`
	Name     string    `json:"name,omitempty"`
}

// body is what is posted. The specification recommends its three fields.
type body struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"` // when it happened
	Data      data      `json:"data"`
}

// data is where it happened, and what: the fields of the type, from particulars.
type data struct {
	Channel     string         `json:"channel"`
	Contact     Contact        `json:"contact"`
	Session     uint64         `json:"session_id,omitempty"`
	Flow        string         `json:"flow,omitempty"`
	FlowVersion uint32         `json:"flow_version,omitempty"`
	Language    string         `json:"language,omitempty"`
	Event       map[string]any `json:"event"`
}

// Body is what is posted about an event. It is the same bytes whenever it is asked for
// with the same contact.
func Body(e *parleyv1.Event, of Contact) ([]byte, error) {
	kind, particulars := read(e)
	if kind == "" {
		return nil, fmt.Errorf("event %d/%d: nobody is told of %T", e.GetShard(), e.GetOffset(), e.GetBody())
	}
	return json.Marshal(body{Type: kind, Timestamp: time.UnixMilli(e.GetAtMs()).UTC(), Data: data{
		Channel: e.GetChannel(), Contact: of, Session: e.GetSessionId(), Flow: e.GetFlow(), FlowVersion: e.GetFlowVersion(),
		Language: e.GetLanguage(), Event: particulars,
	}})
}

// TypeTest is the type of what only tries whether the receiver is there.
const TypeTest = "webhook.test"

// TestBody is what is posted to try the receiver.
func TestBody(now time.Time) ([]byte, error) {
	return json.Marshal(map[string]any{"type": TypeTest, "timestamp": now.UTC(), "data": map[string]any{}})
}

// Type is the type under which an event is told; empty if nobody is told of it.
func Type(e *parleyv1.Event) string {
	kind, _ := read(e)
	return kind
}

// read is an event's type and what is told of it. The names are a promise to receivers:
// fields may be added.
func read(e *parleyv1.Event) (kind string, particulars map[string]any) {
	switch b := e.GetBody().(type) {
	case *parleyv1.Event_SessionStarted:
		return "session.started", map[string]any{"entry": b.SessionStarted.GetEntry()}
	case *parleyv1.Event_AnswerAccepted:
		a := b.AnswerAccepted
		return "session.answered", map[string]any{"step": a.GetStep(), "slot": a.GetSlot(), "value": value(a)}
	case *parleyv1.Event_SessionCompleted:
		return "session.completed", map[string]any{}
	case *parleyv1.Event_SessionCancelled:
		return "session.cancelled", map[string]any{"step": b.SessionCancelled.GetStep(), "reason": b.SessionCancelled.GetReason()}
	case *parleyv1.Event_SessionExpired:
		return "session.expired", map[string]any{"step": b.SessionExpired.GetStep()}
	case *parleyv1.Event_SessionResumed:
		return "session.resumed", map[string]any{"step": b.SessionResumed.GetStep()}
	case *parleyv1.Event_HandedOver:
		h := b.HandedOver
		return "session.handed_over", map[string]any{"step": h.GetStep(), "pool": h.GetPool(), "reason": h.GetReason()}
	case *parleyv1.Event_GivenBack:
		return "session.given_back", map[string]any{"step": b.GivenBack.GetStep(), "reason": b.GivenBack.GetReason()}
	case *parleyv1.Event_OptedOut:
		return "contact.opted_out", map[string]any{}
	case *parleyv1.Event_OptedIn:
		return "contact.opted_in", map[string]any{}
	case *parleyv1.Event_DeliveryFailed:
		d := b.DeliveryFailed
		return "delivery.failed", map[string]any{"delivery": d.GetDelivery(), "step": d.GetStep(), "class": d.GetClass(), "code": d.GetCode()}
	case *parleyv1.Event_InputReceived:
		return readInput(b.InputReceived.GetInput())
	}
	return readResource(e)
}

// kindPayment is the kind of aside that says what became of a payment.
const kindPayment = "payment"

// readInput reads what people do besides writing that no flow reacts to, so that another
// system can. What they write is told as answers.
func readInput(in *parleyv1.Input) (kind string, particulars map[string]any) {
	call, aside := in.GetVoiceCall(), in.GetAside()
	switch {
	case call != nil:
		return "contact.called", map[string]any{
			"call": call.GetCallId(), "state": call.GetState(), "seconds": call.GetSeconds(), "ours": call.GetOurs(), "video": call.GetVideo(),
		}
	case aside.GetKind() == kindPayment:
		return "payment.updated", map[string]any{
			"reference": aside.GetReference(), "state": aside.GetState(), "message": aside.GetMessageId(), "delivery": aside.GetOurs().GetDelivery(),
		}
	}
	return "", nil
}

// readResource reads what became of leads and slots.
func readResource(e *parleyv1.Event) (kind string, particulars map[string]any) {
	switch b := e.GetBody().(type) {
	case *parleyv1.Event_LeadAssigned:
		l := b.LeadAssigned
		return "lead.assigned", map[string]any{"lead": l.GetLead(), "pool": l.GetPool(), "agent": l.GetAgent(), "from": l.GetFrom(), "reason": l.GetReason()}
	case *parleyv1.Event_LeadQueued:
		l := b.LeadQueued
		return "lead.queued", map[string]any{"lead": l.GetLead(), "pool": l.GetPool(), "from": l.GetFrom(), "reason": l.GetReason()}
	case *parleyv1.Event_LeadClosed:
		l := b.LeadClosed
		return "lead.closed", map[string]any{"lead": l.GetLead(), "pool": l.GetPool(), "agent": l.GetAgent()}
	case *parleyv1.Event_SlotBooked:
		s := b.SlotBooked
		return "slot.booked", map[string]any{"booking": s.GetBooking(), "slot": slot(s.GetSlot()), "places": s.GetPlaces()}
	case *parleyv1.Event_BookingMoved:
		m := b.BookingMoved
		return "slot.moved", map[string]any{"booking": m.GetBooking(), "slot": slot(m.GetTo()), "from": slot(m.GetFrom())}
	case *parleyv1.Event_BookingCancelled:
		c := b.BookingCancelled
		return "slot.cancelled", map[string]any{"booking": c.GetBooking(), "slot": slot(c.GetSlot())}
	}
	return "", nil
}

// value is an answer as JSON: typed, or a text.
func value(a *parleyv1.AnswerAccepted) any {
	if json.Valid(a.GetJson()) {
		return json.RawMessage(a.GetJson())
	}
	return a.GetValue()
}

func slot(s *parleyv1.Bookable) map[string]any {
	return map[string]any{
		"id": s.GetId(), "service": s.GetService(), "calendar": s.GetCalendar(), "starts_at": time.UnixMilli(s.GetStartsAtMs()).UTC(),
		"day": s.GetDay(), "time": s.GetTime(),
	}
}
