package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress tells the person at the terminal what happens while they wait.
// Everything goes to standard error; lines are short, lower case, without a period.
type progress struct {
	w       io.Writer
	started time.Time
}

// line is a name and where it is found.
type line struct{ name, value string }

func newProgress(w io.Writer) *progress { return &progress{w: w, started: time.Now()} }

// step says what is being done now.
func (p *progress) step(what string) {
	fmt.Fprintf(p.w, "  %5.1fs  %s\n", time.Since(p.started).Seconds(), what)
}

// ready says where everything is.
func (p *progress) ready(lines []line) {
	rule := strings.Repeat("─", 64)
	fmt.Fprintf(p.w, "\n  Parley is up, after %.1f s. Ctrl-C stops it; the data is kept.\n  %s\n", time.Since(p.started).Seconds(), rule)
	for _, l := range lines {
		fmt.Fprintf(p.w, "  %-10s %s\n", l.name, l.value)
	}
	fmt.Fprintf(p.w, "  %s\n\n", rule)
}
