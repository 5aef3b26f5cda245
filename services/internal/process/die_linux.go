package process

import "syscall"

// dieWithParent makes the kernel kill a process when its parent is gone, however it
// went. The own process group keeps a Ctrl-C in the terminal from it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
