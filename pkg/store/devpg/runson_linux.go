package devpg

import (
	"fmt"
	"os"
)

// runsOn reports whether the process is a PostgreSQL server on the cluster in data: every one of them works in that folder.
func runsOn(pid int, data string) bool {
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && dir == data
}
