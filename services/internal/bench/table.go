package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// section is a part of the table: a title, what its columns are called, and rows.
type section struct {
	title   string
	columns []string
	rows    [][]string
	notes   []string
}

func (s *section) row(cells ...string) { s.rows = append(s.rows, cells) }

func (s *section) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// write prints the sections. Numbers stand right.
func write(w io.Writer, sections []section) error {
	for _, s := range sections {
		fmt.Fprintf(w, "\n%s\n", s.title)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		if len(s.columns) > 0 {
			fmt.Fprintf(t, "  \t%s\n", strings.Join(s.columns, "\t"))
		}
		for _, row := range s.rows {
			fmt.Fprintf(t, "  %s\n", strings.Join(row, "\t"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
		for _, note := range s.notes {
			fmt.Fprintf(w, "  (%s)\n", note)
		}
	}
	return nil
}

// pair is one round of a measurement with two sides.
type pair struct{ ours, raw float64 }

// compare writes what we reach, the limit below it, and the ratio of the two, which
// is taken in each round.
func (s *section) compare(ours, raw string, rounds []pair) {
	s.columns = []string{"median", "rounds"}
	var a, b, ratios []float64
	for _, round := range rounds {
		a, b, ratios = append(a, round.ours), append(b, round.raw), append(ratios, round.ours/round.raw)
	}
	s.rates(ours, a)
	s.rates(raw, b)
	s.row("ratio", fmt.Sprintf("%.2f", median(ratios)), each("%.2f", ratios))
}

// rates writes a row of something per second.
func (s *section) rates(name string, rounds []float64) {
	s.columns = []string{"median", "rounds"}
	s.row(name, fmt.Sprintf("%.0f/s", median(rounds)), each("%.0f", rounds))
}

func each(format string, values []float64) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf(format, v)
	}
	return strings.Join(texts, " ")
}

// median is the middle value, or the mean of the two in the middle; 0 of none.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
