package devpg

import (
	"syscall"
	"testing"
	"time"
)

// Nobody stops the server here and nobody starts it again: the kernel alone must end it.
func TestPostgresDoesNotOutliveItsParent(t *testing.T) {
	dir := usedDir
	parent, dsn := startParent(t, dir)
	connect(t, dsn)
	h := homeOf(t, dir)
	pid := h.postmaster()
	if pid == 0 {
		t.Fatal("no server found")
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("postgres is in process group %d (%v): a Ctrl-C would reach it", group, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for deadline := time.Now().Add(10 * time.Second); runsOn(pid, h.data()); {
		if time.Now().After(deadline) {
			t.Fatal("postgres is still there")
		}
		<-time.After(leftoverPoll)
	}
}
