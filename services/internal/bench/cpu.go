package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of CPU times in /proc: USER_HZ is 100 on every architecture
// that Go runs on.
const clockTick = 10 * time.Millisecond

// processes are all processes of the machine at one moment, by their number.
type processes map[int]processState

// processState is what /proc/<pid>/stat tells of one process.
type processState struct {
	name   string
	parent int
	own    time.Duration // CPU of all its threads
	ended  time.Duration // CPU of the children that have ended, and theirs
}

// readProcesses works where there is a /proc as Linux has it.
func readProcesses() (processes, error) {
	if _, err := os.ReadFile("/proc/self/stat"); err != nil {
		return nil, err
	}
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	all := processes{}
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		pid, state, err := parseStat(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all[pid] = state
	}
	return all, nil
}

// parseStat reads a line of /proc/<pid>/stat (proc(5)). The name is in parentheses
// and may hold anything, parentheses too.
func parseStat(line []byte) (pid int, state processState, err error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return 0, state, fmt.Errorf("no name in %q", line)
	}
	fields := strings.Fields(string(line[end+1:])) // from field 3 on
	if len(fields) < 15 {
		return 0, state, fmt.Errorf("only %d fields behind the name", len(fields))
	}
	var numbers [6]int
	texts := []string{strings.TrimSpace(string(line[:open])), fields[1], fields[11], fields[12], fields[13], fields[14]}
	for i, text := range texts {
		if numbers[i], err = strconv.Atoi(text); err != nil {
			return 0, state, err
		}
	}
	ticks := func(n int) time.Duration { return time.Duration(n) * clockTick }
	return numbers[0], processState{
		name: string(line[open+1 : end]), parent: numbers[1],
		own: ticks(numbers[2] + numbers[3]), ended: ticks(numbers[4] + numbers[5]),
	}, nil
}

// own is the CPU time of one process, without its children.
func (all processes) own(pid int) (time.Duration, error) {
	state, ok := all[pid]
	if !ok {
		return 0, fmt.Errorf("process %d does not run", pid)
	}
	return state.own, nil
}

// tree is the CPU time of a process and of all that it ever started.
func (all processes) tree(pid int) (time.Duration, error) {
	total, err := all.own(pid)
	if err != nil {
		return 0, err
	}
	return total + all[pid].ended + all.below(pid), nil
}

func (all processes) below(pid int) (total time.Duration) {
	for child, state := range all {
		if state.parent == pid {
			total += state.own + state.ended + all.below(child)
		}
	}
	return total
}

// child finds the child of a process by its name; 0 if there is none.
func (all processes) child(parent int, name string) int {
	for pid, state := range all {
		if state.parent == parent && state.name == name {
			return pid
		}
	}
	return 0
}
