package flow

import "testing"

func TestStatusNames(t *testing.T) {
	for s, want := range map[Status]string{None: "none", Active: "active", Completed: "completed", Cancelled: "cancelled", Human: "human"} {
		if got := s.String(); got != want {
			t.Errorf("status %d is %q, want %q", uint8(s), got, want)
		}
		if read, err := ParseStatus(want); err != nil || read != s {
			t.Errorf("%q is read as %v, %v", want, read, err)
		}
	}
	if got := Status(9).String(); got != "status(9)" {
		t.Errorf("an unknown status is %q", got)
	}
	if _, err := ParseStatus("paused"); err == nil {
		t.Error("an unknown name was read")
	}
}
