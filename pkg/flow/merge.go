package flow

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// ReasonMerged: the person turned out to have two conversations, and the other goes on.
const ReasonMerged = "merged"

// Merging is what becomes of two conversations that turn out to be one person's: Own,
// that of the contact who goes on, and the other contact's, which is adopted as it was.
type Merging struct {
	// Own and Adopted are the events of each, OwnState and AdoptedState what they lead to.
	Own, Adopted           []*parleyv1.Event
	OwnState, AdoptedState State
	// AdoptedGoesOn says that the adopted one is the conversation from here on. The one
	// that does not go on is over.
	AdoptedGoesOn bool
}

// Other is a conversation as another contact's: its id and whose it was.
type Other struct {
	Session uint64
	Contact []byte
	State   State
}

// Merge makes one of two conversations. The one that goes on gets the values that it
// lacks and the other has, if that was not over. pinned finds the version of a session;
// it may be nil for one that is over.
func Merge(own State, other Other, pinned func(State) *Flow, in *parleyv1.Input) (m Merging) {
	mine := &turn{state: own, in: in}
	theirs := &turn{in: in}
	theirs.emit(sessionAdopted(other))
	m.AdoptedGoesOn = goesOn(theirs.state, own)
	stays, goes := mine, theirs
	if m.AdoptedGoesOn {
		stays, goes = theirs, mine
	}
	if stays.flow = pinned(stays.state); stays.flow != nil && goes.unfinished() {
		stays.inherit(goes.state.Answers)
	}
	goes.leave(ReasonMerged)
	if reason := silence(in.GetContact()); reason != "" {
		stays.leave(reason)
	}
	m.Own, m.OwnState, m.Adopted, m.AdoptedState = mine.events, mine.state, theirs.events, theirs.state
	return m
}

// silence is why nothing is said to a person any more; empty if it is.
func silence(c *parleyv1.ContactInfo) string {
	switch {
	case c.GetBlocked():
		return ReasonBlocked
	case c.GetOptedOut():
		return ReasonStop
	}
	return ""
}

// unfinished reports whether the session runs, or can be taken up again.
func (t *turn) unfinished() bool { return t.running() || t.state.Status == Expired }

// goesOn reports whether a, and not b, is the conversation that goes on: the one that a
// human cares for, else one that runs, else one that can be taken up; of two alike the
// one that asked last, for that is what the person saw.
func goesOn(a, b State) bool {
	alive := []Status{None, Cancelled, Completed, Expired, Active, Human}
	return cmp.Or(
		cmp.Compare(slices.Index(alive, a.Status), slices.Index(alive, b.Status)),
		cmp.Compare(a.spokeAt(), b.spokeAt()),
	) > 0
}

// spokeAt is when the session asked last, or was heard.
func (s State) spokeAt() int64 { return cmp.Or(s.Progress.AskedMs, s.LastInteractionMs) }

// inherit sets the values that the session lacks: those that its flow knows, and that
// fit there.
func (t *turn) inherit(answers map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		slot, value := t.flow.slots[name], answers[name]
		if _, has := t.state.Answers[name]; !has && slot != nil && slot.kind.holds(value) {
			t.emit(valueSet("", name, value))
		}
	}
}

func sessionAdopted(o Other) *parleyv1.Event {
	return &parleyv1.Event{Body: &parleyv1.Event_SessionAdopted{SessionAdopted: &parleyv1.SessionAdopted{
		Session: o.Session, Contact: o.Contact, State: encodeState(o.State),
	}}}
}

// storedState is a State as SessionAdopted carries it. Fields may be added.
type storedState struct {
	Flow            string         `json:"flow"`
	FlowVersion     uint32         `json:"flow_version"`
	Status          string         `json:"status"`
	Step            string         `json:"step,omitempty"`
	Language        string         `json:"language"`
	Failures        uint32         `json:"failures,omitempty"`
	Answers         map[string]any `json:"answers"`
	StartedAt       int64          `json:"started_at_ms"`
	LastInteraction int64          `json:"last_interaction_ms"`
	Progress        Progress       `json:"progress"`
}

// encodeState writes a state: all that is in one can be written.
func encodeState(s State) []byte {
	data, _ := json.Marshal(storedState{
		s.Flow, s.FlowVersion, s.Status.String(), s.Step, s.Language, s.Failures, s.Answers, s.StartedAtMs, s.LastInteractionMs, s.Progress,
	})
	return data
}

// adopted is the state that a session begins with; s itself if that cannot be read.
func (s State) adopted(e *parleyv1.SessionAdopted) State {
	var was storedState
	if json.Unmarshal(e.GetState(), &was) != nil {
		return s
	}
	status, err := ParseStatus(was.Status)
	if err != nil {
		return s
	}
	return State{
		Flow: was.Flow, FlowVersion: was.FlowVersion, Status: status, Step: was.Step, Language: was.Language, Failures: was.Failures,
		Version: 1, Answers: was.Answers, StartedAtMs: was.StartedAt, LastInteractionMs: was.LastInteraction, Progress: was.Progress,
	}
}
