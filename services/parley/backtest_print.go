package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parleyhq/parley/pkg/flow/backtest"
)

// print shows a report to people: what became of all, the funnels, and why they differ.
func (c backtestCommand) print(to output, r *backtest.Report, took time.Duration) {
	if r.Conversations == 0 {
		to.printf("No conversation of flow %s began in the last %s. Look further back with --since; parley flow versions %[1]s says since when it is live.\n", r.Flow, c.Since)
		return
	}
	to.printf("%s  %s of the last %s, played in %.1f s (%.0f/s)\n\n", to.paint(bold, r.Flow), counted(r.Conversations, "conversation"), c.Since,
		took.Seconds(), float64(r.Conversations)/took.Seconds())
	count := func(n int, tone colour, what string) {
		if n > 0 {
			to.printf("  %s  %s\n", to.paint(tone, fmt.Sprintf("%6d", n)), what)
		}
	}
	count(r.Same, green, "go the same way")
	count(r.Changed, yellow, "go another way")
	count(r.Unknown, yellow, "go the same way up to where rows are looked up that were not recorded")
	count(r.Failed, red, "cannot be played by this version")
	to.printf("\n")
	printFunnels(to, r)
	printCauses(to, r)
	printWaiting(to, r)
}

// cell is one field of a table.
type cell struct {
	text string
	tone colour
	left bool // aligned
}

// printFunnels lays the two funnels side by side. Where nothing differs, a number
// stands once.
func printFunnels(to output, r *backtest.Report) {
	rows := [][]cell{{
		{"STEP", dim, true},
		{"RECORDED", dim, true},
		{"", dim, false},
		{"NOW", dim, true},
		{"", dim, false},
		{"", dim, false},
		{"ANSWERED", dim, false},
		{"REJECTED", dim, false},
		{"LEFT", dim, false},
	}}
	for _, s := range r.Steps {
		was, now := s.Recorded, s.Replayed
		if was == now && was == (backtest.Counts{}) {
			continue
		}
		name := s.Step
		if s.Gone {
			name += " (gone)"
		}
		row := bars(name, was.Entered, now.Entered, r.Conversations)
		rows = append(rows, append(row, pair(was.Answered, now.Answered), pair(was.Rejected, now.Rejected), pair(was.Left, now.Left)))
	}
	rows = append(rows, []cell{{}})
	for _, end := range []struct {
		name     string
		was, now int
	}{
		{"completed", r.Recorded.Completed, r.Replayed.Completed},
		{"cancelled", r.Recorded.Cancelled, r.Replayed.Cancelled},
		{"with a human", r.Recorded.Human, r.Replayed.Human},
		{"still there", r.Recorded.Active, r.Replayed.Active},
		{"do not begin", r.Recorded.Unbegun, r.Replayed.Unbegun},
		{"nobody knows", r.Recorded.Unknown, r.Replayed.Unknown},
	} {
		if end.was+end.now > 0 {
			rows = append(rows, bars(end.name, end.was, end.now, r.Conversations))
		}
	}
	to.table(rows)
}

// bars are the fields for two counts of all the conversations.
func bars(name string, was, now, all int) []cell {
	diff := cell{}
	switch {
	case now > was:
		diff = cell{fmt.Sprintf("%+d", now-was), bold, false}
	case now < was:
		diff = cell{fmt.Sprintf("%+d", now-was), yellow, false}
	}
	return []cell{
		{name, plain, true},
		{drawn(was, all), dim, true},
		{fmt.Sprint(was), plain, false},
		{drawn(now, all), blue, true},
		{fmt.Sprint(now), plain, false},
		diff,
	}
}

// countBarWidth is the width of a bar for all conversations.
const countBarWidth = 16

// eighths fill a character from the left.
var eighths = []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

// drawn is a bar. Whoever was there is seen; a step that is entered several times in
// one conversation has no longer bar than all.
func drawn(n, all int) string {
	parts := min(n*countBarWidth*8/max(all, 1), countBarWidth*8)
	if n > 0 {
		parts = max(parts, 1)
	}
	return strings.Repeat("█", parts/8) + eighths[parts%8]
}

func pair(was, now int) cell {
	if was == now {
		return cell{fmt.Sprint(was), plain, false}
	}
	return cell{fmt.Sprintf("%d → %d", was, now), bold, false}
}

// table prints rows in columns.
func (o output) table(rows [][]cell) {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
			line.WriteString("  ")
			if c.left {
				line.WriteString(o.paint(c.tone, c.text) + gap)
			} else {
				line.WriteString(gap + o.paint(c.tone, c.text))
			}
		}
		o.printf("%s\n", strings.TrimRight(line.String(), " "))
	}
}

// causesShown is how many ways to part are printed.
const causesShown = 10

// printCauses says where and how conversations go another way.
func printCauses(to output, r *backtest.Report) {
	if len(r.Causes) == 0 {
		return
	}
	to.printf("\n%s\n", to.paint(bold, "Where they part first"))
	for i, c := range r.Causes {
		if i == causesShown {
			to.printf("          … and %s more: -o json has them\n", counted(len(r.Causes)-i, "way"))
			break
		}
		to.printf("  %6d  was  %s\n          now  %s\n", c.People, c.Was, to.paint(yellow, c.Now))
	}
	d := r.Divergences[0]
	to.printf("  %s\n", to.paint(dim, fmt.Sprintf("Session %d is the first, at turn %d (%s); -o json names %d.", d.Session, d.Turn, d.Said, len(r.Divergences))))
}

// printWaiting says where people would now be left.
func printWaiting(to output, r *backtest.Report) {
	if len(r.Waiting) == 0 {
		return
	}
	recorded := map[string]bool{}
	gone := ""
	for _, s := range r.Steps {
		recorded[s.Step] = s.Recorded.Entered > 0
		if s.Gone {
			gone = s.Step
		}
	}
	to.printf("\n%s\n", to.paint(bold, "Where people would now wait who went on or ended then"))
	for _, w := range r.Waiting {
		note := ""
		if !recorded[w.Step] {
			note = "nobody was asked this then, so nobody knows how they go on"
			if gone != "" {
				note += fmt.Sprintf("; if it is %s renamed, write migrate: {%s: %s}", gone, gone, w.Step)
			}
		}
		if note != "" {
			note = "  " + to.paint(dim, note)
		}
		to.printf("  %6d  %s%s\n", w.People, w.Step, note)
	}
}
