package flow

import "fmt"

var statusNames = [...]string{None: "none", Active: "active", Completed: "completed", Cancelled: "cancelled"}

// String returns the status as it is stored: "active", "completed", "cancelled".
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
