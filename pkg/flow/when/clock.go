package when

import "fmt"

// Clock is a time of day, from 00:00 to 23:59, in no zone.
type Clock struct{ Hour, Minute int }

// String writes the time as 15:30.
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", c.Hour, c.Minute) }

// Compare is -1, 0 or +1, as c comes before, is, or comes after other.
func (c Clock) Compare(other Clock) int {
	switch minutes := (c.Hour-other.Hour)*60 + c.Minute - other.Minute; {
	case minutes < 0:
		return -1
	case minutes > 0:
		return 1
	}
	return 0
}

func (c Clock) exists() bool {
	return c.Hour >= 0 && c.Hour <= 23 && c.Minute >= 0 && c.Minute <= 59
}
