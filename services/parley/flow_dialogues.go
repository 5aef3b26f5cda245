package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/pkg/flow/dialogue"
)

type flowTest struct {
	Paths       []string `arg:"" optional:"" name:"file|dir" help:"Folders with flows and dialogues, flows, or dialogue files. Without any: this folder."`
	Rewrite     bool     `help:"Correct the dialogues to what the flows say now. Read the diff afterwards."`
	MinCoverage float64  `placeholder:"PERCENT" help:"Fail if dialogues visit less of a flow's steps, ways and keywords."`
	Output      string   `short:"o" enum:"table,json,junit" default:"table" help:"How to print: ${enum}."`
}

// Help shows examples below the usage.
func (flowTest) Help() string {
	return `Plays the dialogues of .txt files with the flows of the folder, or of the one above, and says what they do not visit. Tables are the
.csv files beside the flows, in tables, or beside the dialogues.

  # A table for two
  given at="2026-12-01 10:00"
  > hello
  < Which day?
  > tomorrow
  < Wednesday, 2 December 2026. Is that right?
    [Yes] [No]
  > [Yes]
  values day="2026-12-02"

Examples:
  parley flow test deploy/flows
  parley flow test deploy/flows/tests/booking_es.txt --rewrite
  parley flow test deploy/flows --min-coverage 100

Exit codes: 0 all hold, 1 one does not, or too little is covered, 2 wrong usage.`
}

// Run plays the dialogues.
func (c flowTest) Run(line *kong.Context) error {
	to := newOutput(line)
	if len(c.Paths) == 0 {
		c.Paths = []string{"."}
	}
	all, err := suites(to.stderr, c.Paths)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := s.sound(to); err != nil {
			return err
		}
	}
	if c.Rewrite {
		if err := c.rewrite(to, all); err != nil {
			return err
		}
	}
	report := &testReport{}
	for _, s := range all {
		if err := c.play(to, s, report); err != nil {
			return err
		}
	}
	if err := c.finish(to, report); err != nil {
		return err
	}
	return c.verdict(to, report)
}

// sound fails if a flow has errors, and shows them.
func (s *suite) sound(to output) error {
	to.w = to.stderr
	files := map[string]string{}
	for _, source := range s.sources {
		for _, p := range source.problems.Errors() {
			to.problem(source.path, p)
		}
		if source.flow == nil {
			return fmt.Errorf("%s has %s: fix the file, then check it with: parley flow lint %[1]s", source.path, counted(len(source.problems.Errors()), "error"))
		}
		if first, twice := files[source.flow.Name()]; twice {
			return fmt.Errorf("flow %q is in %s and in %s: give each flow its own name", source.flow.Name(), first, source.path)
		}
		files[source.flow.Name()] = source.path
	}
	return nil
}

// testReport is the result for programs.
type testReport struct {
	Files    []testedFile  `json:"files"`
	Coverage []coveredFlow `json:"coverage"`
	Passed   int           `json:"passed"`
	Failed   int           `json:"failed"`
}

type testedFile struct {
	File      string           `json:"file"`
	Dialogues []testedDialogue `json:"dialogues"`
}

type testedDialogue struct {
	Title    string             `json:"title"`
	Line     int                `json:"line"`
	Passed   bool               `json:"passed"`
	Failures []dialogue.Failure `json:"failures,omitempty"`
}

type coveredFlow struct {
	File string `json:"file"`
	dialogue.Coverage
	// Percent is of steps, ways and keywords together.
	Percent float64 `json:"percent"`
}

func percent(c dialogue.Coverage) float64 {
	total := c.Steps.Total + c.Ways.Total + c.Keywords.Total
	return 100 * float64(c.Steps.Visited+c.Ways.Visited+c.Keywords.Visited) / float64(max(total, 1))
}

// play plays one suite, and shows each dialogue when it is done.
func (c flowTest) play(to output, s *suite, report *testReport) error {
	var results []dialogue.Result
	for _, path := range s.files {
		text, err := readFile(to.stderr, path)
		if err != nil {
			return err
		}
		dialogues, err := dialogue.Parse(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		file := testedFile{File: path}
		for _, d := range dialogues {
			result := s.world(path).Run(d)
			if results = append(results, result); !s.concerns(d, result) {
				continue
			}
			file.Dialogues = append(file.Dialogues, testedDialogue{titleOf(d), d.Line, len(result.Failures) == 0, result.Failures})
		}
		report.add(file)
		if c.Output == "table" {
			to.tested(file)
		}
	}
	s.measure(report, results)
	return nil
}

// measure adds the coverage of the named flow, or of all. Single files are not
// expected to visit every flow of the folder.
func (s *suite) measure(report *testReport, results []dialogue.Result) {
	for _, source := range s.sources {
		if only := s.named(); only != nil && source.flow != only {
			continue
		}
		covered := dialogue.Measure(source.flow, results...)
		if covered.Steps.Visited > 0 || !s.single {
			report.Coverage = append(report.Coverage, coveredFlow{source.path, covered, percent(covered)})
		}
	}
}

// concerns reports whether a dialogue is one of the named flow, if there is one.
func (s *suite) concerns(d dialogue.Dialogue, result dialogue.Result) bool {
	only := s.named()
	if only == nil || d.Given.Flow == only.Name() {
		return true
	}
	for place := range result.Visits {
		if place.Flow == only.Name() {
			return true
		}
	}
	return false
}

func titleOf(d dialogue.Dialogue) string {
	if d.Title == "" {
		return fmt.Sprintf("the dialogue on line %d", d.Line)
	}
	return d.Title
}

func (r *testReport) add(file testedFile) {
	if len(file.Dialogues) == 0 {
		return
	}
	r.Files = append(r.Files, file)
	for _, d := range file.Dialogues {
		if d.Passed {
			r.Passed++
		} else {
			r.Failed++
		}
	}
}

func (o output) tested(file testedFile) {
	if len(file.Dialogues) > 0 {
		o.printf("%s\n", o.paint(bold, file.File))
	}
	for _, d := range file.Dialogues {
		if d.Passed {
			o.printf("  %s %s\n", o.paint(green, "✓"), d.Title)
			continue
		}
		o.printf("  %s %s\n", o.paint(red, "✗"), d.Title)
		for _, f := range d.Failures {
			o.printf("    %s %s\n", o.paint(bold, fmt.Sprintf("%s:%d:", file.File, f.Line)), f.Message)
			for _, line := range f.Diff {
				o.printf("        %s\n", strings.TrimRight(o.paint(shadeOf(line), line), " "))
			}
		}
	}
}

// shadeOf is the colour of a line of a diff.
func shadeOf(line string) colour {
	switch {
	case strings.HasPrefix(line, "-"):
		return red
	case strings.HasPrefix(line, "+"):
		return green
	}
	return dim
}

// finish prints what is known only in the end.
func (c flowTest) finish(to output, report *testReport) error {
	switch c.Output {
	case "json":
		return to.json(report)
	case "junit":
		return to.junit(report)
	}
	to.printf("\n%s\n", to.paint(bold, "coverage"))
	for _, f := range report.Coverage {
		shade := green
		if f.Percent < max(c.MinCoverage, 100) {
			shade = yellow
		}
		to.printf("  %s %s\n", to.paint(shade, fmt.Sprintf("%3.0f %%", f.Percent)), f.Coverage)
		for _, m := range f.missing() {
			to.printf("        %s\n", m)
		}
	}
	to.printf("\n")
	return nil
}

// missing says what to write dialogues for. The ways out of a step to which nobody
// comes go without saying.
func (f coveredFlow) missing() []string {
	if f.Steps.Visited == 0 {
		return []string{"nobody comes to this flow  " + f.File}
	}
	var all []string
	unvisited := map[string]bool{}
	for _, m := range f.Missed {
		unvisited[m.Step] = unvisited[m.Step] || m.Kind == "step"
		switch {
		case m.Line == 0:
			all = append(all, m.String())
		case m.Kind == "step" || !unvisited[m.Step]:
			all = append(all, fmt.Sprintf("%s  %s:%d", m, f.File, m.Line))
		}
	}
	return all
}

// verdict sums up, and fails if something does not hold.
func (c flowTest) verdict(to output, report *testReport) error {
	again := "parley flow test " + strings.Join(c.Paths, " ")
	total := counted(report.Passed+report.Failed, "dialogue")
	switch thin := report.below(c.MinCoverage); {
	case report.Failed > 0:
		return fmt.Errorf("%d of %s failed: correct the flow, or take what it says now with: %s --rewrite", report.Failed, total, again)
	case report.Passed == 0:
		return fmt.Errorf("no dialogue visits %s: write one, or record one with: parley flow simulate FLOW, and /save tests/FLOW.txt", strings.Join(c.Paths, ", "))
	case thin != "":
		return fmt.Errorf("%s hold, but visit less than %g %% (%s): write dialogues for what is missing, or record them with: parley flow simulate FLOW",
			total, c.MinCoverage, thin)
	case c.Output == "table":
		to.printf("%s %s in %s, all hold\n", to.paint(green, "✓"), total, counted(len(report.Files), "file"))
	}
	return nil
}

// below lists the flows that are visited less than they should be.
func (r *testReport) below(least float64) string {
	var thin []string
	for _, f := range r.Coverage {
		if f.Percent < least {
			thin = append(thin, fmt.Sprintf("%s %.0f %%", f.Flow, f.Percent))
		}
	}
	return strings.Join(thin, ", ")
}

// rewrite corrects the dialogue files.
func (c flowTest) rewrite(to output, all []*suite) error {
	for _, s := range all {
		for _, path := range s.files {
			text, err := readFile(to.stderr, path)
			if err != nil {
				return err
			}
			rewritten, _, err := s.world(path).Rewrite(string(text))
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if bytes.Equal([]byte(rewritten), text) {
				continue
			}
			if err := writeFile(path, []byte(rewritten)); err != nil {
				return fmt.Errorf("%s could not be written: %s", path, reason(err))
			}
			fmt.Fprintf(to.stderr, "rewrote %s: read the diff\n", path)
		}
	}
	return nil
}
