package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// surroundings are the CPU times of the whole machine and of this program with all
// that it started, at one moment. Figures are worth less where others work too.
type surroundings struct {
	at         time.Time
	busy, ours time.Duration
}

// lookAround works where there is a /proc as Linux has it.
func lookAround() (surroundings, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return surroundings{}, err
	}
	busy, err := parseBusy(stat)
	if err != nil {
		return surroundings{}, err
	}
	all, err := readProcesses()
	if err != nil {
		return surroundings{}, err
	}
	ours, err := all.tree(os.Getpid())
	return surroundings{at: time.Now(), busy: busy, ours: ours}, err
}

// strangers is how many cores others have used since an earlier look.
func (s surroundings) strangers(earlier surroundings) float64 {
	others := (s.busy - earlier.busy) - (s.ours - earlier.ours)
	return max(0, others.Seconds()/s.at.Sub(earlier.at).Seconds())
}

// parseBusy reads from the first line of /proc/stat what all cores did: user, nice,
// system, irq, softirq, and what another virtual machine stole; not idle and iowait.
func parseBusy(stat []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	busy := 0
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		ticks, err := strconv.Atoi(fields[i])
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		busy += ticks
	}
	return time.Duration(busy) * clockTick, nil
}
