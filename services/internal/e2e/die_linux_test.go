package e2e

import "syscall"

// dieWithTest makes the kernel kill a process when the test process is gone,
// however it went.
func dieWithTest() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
