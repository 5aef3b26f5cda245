package flow

// Status says where a session is in its life.
type Status uint8

// The life of a session.
const (
	// None means that there is no session yet.
	None Status = iota
	// Active means that the session waits at a step.
	Active
	// Completed means that the flow reached its end; the session answers on.
	Completed
	// Cancelled means that the session ended before its flow did.
	Cancelled
)

// State is a session's events folded; the zero State means that there is no
// session. It is plain data, comparable with reflect.DeepEqual. Treat it as a
// value: its map is shared between copies, and never written to.
type State struct {
	Flow        string
	FlowVersion uint32
	Status      Status
	// Step is where an active session waits; otherwise empty.
	Step     string
	Language string
	// Failures counts the rejected answers since the step was entered.
	Failures uint32
	// Version counts the session's events.
	Version uint32
	// Answers maps a slot to its value. It is not nil once a session has started.
	Answers map[string]string
	// StartedAtMs is the time of SessionStarted, LastInteractionMs that of the
	// last input; both in Unix milliseconds.
	StartedAtMs, LastInteractionMs int64
}

const (
	stateCompleted = "completed"
	stateCancelled = "cancelled"
)

// CurrentState returns what SQL users see: the step of an active session,
// "completed", "cancelled", or "" if there is no session.
func (s State) CurrentState() string {
	switch s.Status {
	case Completed:
		return stateCompleted
	case Cancelled:
		return stateCancelled
	}
	return s.Step
}
