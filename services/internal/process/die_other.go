//go:build !linux

package process

import "syscall"

// dieWithParent can promise less than on Linux: a parent that is killed leaves its
// processes behind.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
