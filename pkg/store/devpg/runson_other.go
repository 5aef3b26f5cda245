//go:build !linux

package devpg

import (
	"os/exec"
	"strconv"
	"strings"
)

// runsOn reports whether the process is a PostgreSQL server on the cluster in data. Servers that devpg starts have the folder on
// their command line.
func runsOn(pid int, data string) bool {
	out, err := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), "postgres") && strings.Contains(string(out), data)
}
