package platform

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow to four times what lives: the services keep
// little in memory, and collecting less often shortens the longest answers.
const gcPercent = 300

// PaceCollector sets the pace of the garbage collector, unless GOGC does.
func PaceCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
