//go:build !linux

package e2e

import "syscall"

// dieWithTest can promise less than on Linux: a test process that is killed leaves
// its programs behind.
func dieWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
