//go:build !linux

package devpg

import "syscall"

// dieWithParent keeps a Ctrl-C in the terminal from postgres: the parent stops its services first. There is no death signal outside
// Linux: what a killed parent leaves is stopped by the next start.
func dieWithParent(attr *syscall.SysProcAttr) {
	attr.Setpgid = true
}
