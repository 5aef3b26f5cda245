package main

import (
	"math"
	"testing"
	"time"
)

func TestParseBusy(t *testing.T) {
	busy, err := parseBusy([]byte("cpu  1 2 4 800 1600 8 16 32 64 128\ncpu0 1 1 1 1 1 1 1 1 1 1\n"))
	if want := 63 * clockTick; err != nil || busy != want {
		t.Errorf("%v, %v; want %v", busy, err, want)
	}
	for _, broken := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8", "cpu 1 x 3 4 5 6 7 8"} {
		if _, err := parseBusy([]byte(broken)); err == nil {
			t.Errorf("%q was read", broken)
		}
	}
}

func TestStrangers(t *testing.T) {
	start := time.Now()
	before := surroundings{at: start, busy: 100 * time.Second, ours: 10 * time.Second}
	after := surroundings{at: start.Add(20 * time.Second), busy: 130 * time.Second, ours: 15 * time.Second}
	if cores := after.strangers(before); math.Abs(cores-1.25) > 1e-9 {
		t.Errorf("%v cores, want 1.25", cores)
	}
	// The two clocks do not tick together: nobody uses less than nothing.
	after.ours = 60 * time.Second
	if cores := after.strangers(before); cores != 0 {
		t.Errorf("%v cores, want 0", cores)
	}
}
