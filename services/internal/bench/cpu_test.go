package main

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	line := []byte("42 (a) (b c) S 7 42 42 0 -1 4194560 900 800 0 0 120 30 50 6 20 0 9 0 100 1 2\n")
	pid, state, err := parseStat(line)
	want := processState{name: "a) (b c", parent: 7, own: 1500 * time.Millisecond, ended: 560 * time.Millisecond}
	if err != nil || pid != 42 || state != want {
		t.Errorf("%d %+v, %v; want 42 %+v", pid, state, err, want)
	}
	for _, broken := range []string{"", "42 a S 7", "42 (a) S 7 42", "x (a) S 7 42 42 0 -1 1 1 1 1 1 1 1 1 1"} {
		if _, _, err := parseStat([]byte(broken)); err == nil {
			t.Errorf("%q was read", broken)
		}
	}
}

func TestTreeHoldsAllDescendants(t *testing.T) {
	all := processes{
		1: {own: 1, ended: 2},
		2: {parent: 1, own: 10, ended: 20},
		3: {parent: 2, name: "postgres", own: 100, ended: 200},
		4: {own: 1000},
	}
	if total, err := all.tree(1); err != nil || total != 333 {
		t.Errorf("%d, %v; want 333", total, err)
	}
	if own, err := all.own(2); err != nil || own != 10 {
		t.Errorf("%d, %v; want 10", own, err)
	}
	if _, err := all.tree(all.child(1, "postgres")); err == nil {
		t.Error("a grandchild was taken for a child, or what does not run has a CPU time")
	}
	if pid := all.child(2, "postgres"); pid != 3 {
		t.Errorf("child %d, want 3", pid)
	}
}

// TestReadProcesses finds this process and a child that used CPU and has ended.
func TestReadProcesses(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		if _, err := readProcesses(); err == nil {
			t.Error("processes were read without a /proc")
		}
		return
	}
	if err := exec.Command("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done").Run(); err != nil {
		t.Fatal(err)
	}
	all, err := readProcesses()
	if err != nil {
		t.Fatal(err)
	}
	self := os.Getpid()
	own, err := all.own(self)
	if err != nil || all[self].parent != os.Getppid() {
		t.Errorf("parent %d, %v; want %d", all[self].parent, err, os.Getppid())
	}
	if tree, err := all.tree(self); err != nil || tree < own+clockTick {
		t.Errorf("%v with children, %v without; want more, %v", tree, own, err)
	}
}
