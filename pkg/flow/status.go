package flow

import "fmt"

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
	// Human means that a person of the business has taken over: the bot is silent.
	Human
	// Expired means that the person has been silent for too long. A message takes the
	// session up again, with all it has.
	Expired
)

var statusNames = [...]string{None: "none", Active: "active", Completed: "completed", Cancelled: "cancelled", Human: "human", Expired: "expired"}

// String returns the status as it is stored: "active", "completed", "cancelled", "human", "expired".
func (s Status) String() string {
	if int(s) >= len(statusNames) {
		return fmt.Sprintf("status(%d)", uint8(s))
	}
	return statusNames[s]
}

// ParseStatus reads what String wrote.
func ParseStatus(name string) (Status, error) {
	for s, known := range statusNames {
		if known == name {
			return Status(s), nil
		}
	}
	return None, fmt.Errorf("unknown session status %q", name)
}
