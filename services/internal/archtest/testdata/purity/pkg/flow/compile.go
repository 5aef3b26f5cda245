package flow

import (
	"time"
	_ "time/tzdata"
)

// Compiling may look a zone up, and nothing else of the kind.
func zone(name string) (*time.Location, error) {
	_ = time.Local // bad
	return time.LoadLocation(name)
}
