package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/pkg/flow"
)

type flowLint struct {
	Paths  []string `arg:"" optional:"" name:"file|dir" help:"Flow files, or folders with flow files. Without any: this folder."`
	Strict bool     `help:"Fail for warnings as well."`
	Output string   `short:"o" enum:"table,json,github" default:"table" help:"How to print: ${enum}. github makes annotations of a pull request."`
}

// Help shows examples below the usage.
func (flowLint) Help() string {
	return `Shows all problems at once: the line, the place in it, the rule, and what to do. Of several files it also checks that no two
flows begin with the same word, ad or payload.

Examples:
  parley flow lint booking.yaml
  parley flow lint --strict deploy/flows
  parley flow lint -o github deploy/flows      in a GitHub workflow

Exit codes: 0 no errors, 1 errors (or, with --strict, warnings), 2 wrong usage.`
}

// Run lints.
func (c flowLint) Run(line *kong.Context) error {
	to := newOutput(line)
	if len(c.Paths) == 0 {
		c.Paths = []string{"."}
	}
	sources, err := readSources(to.stderr, c.Paths)
	if err != nil {
		return err
	}
	addConflicts(sources)
	if err := c.print(to, sources); err != nil {
		return err
	}
	return c.verdict(to, sources)
}

func (c flowLint) print(to output, sources []source) error {
	switch c.Output {
	case "json":
		return to.json(lintReport(sources))
	case "github":
		for _, s := range sources {
			for _, p := range s.problems {
				to.printf("%s\n", annotation(s.path, p))
			}
		}
	default:
		for _, s := range sources {
			for _, p := range s.problems {
				to.problem(s.path, p)
			}
		}
	}
	return nil
}

// verdict sums up, and fails if there is something to fix.
func (c flowLint) verdict(to output, sources []source) error {
	errs, warnings := tally(sources)
	var found []string
	if errs > 0 {
		found = append(found, counted(errs, "error"))
	}
	if warnings > 0 {
		found = append(found, counted(warnings, "warning"))
	}
	summary, files := strings.Join(found, ", "), counted(len(sources), "flow")
	paths := strings.Join(c.Paths, " ")
	switch {
	case errs > 0:
		return fmt.Errorf("%s in %s: fix the errors, and run it again: parley flow lint %s", summary, files, paths)
	case c.Strict && warnings > 0:
		return fmt.Errorf("%s in %s, and --strict lets none pass: fix them, and run it again: parley flow lint --strict %s", summary, files, paths)
	case c.Output == "table":
		to.printf("%s %s, %s. Next: parley flow test %s\n", to.paint(green, "✓"), files, cmp.Or(summary, "no problems"), paths)
	}
	return nil
}

func tally(sources []source) (errs, warnings int) {
	for _, s := range sources {
		failing := len(s.problems.Errors())
		errs, warnings = errs+failing, warnings+len(s.problems)-failing
	}
	return errs, warnings
}

// lintedFile is a file in the report for programs.
type lintedFile struct {
	File string `json:"file"`
	// Flow is the flow's name; empty if the file has errors.
	Flow     string        `json:"flow,omitempty"`
	Problems flow.Problems `json:"problems"`
}

type lintedFiles struct {
	Files    []lintedFile `json:"files"`
	Errors   int          `json:"errors"`
	Warnings int          `json:"warnings"`
}

func lintReport(sources []source) lintedFiles {
	var report lintedFiles
	report.Errors, report.Warnings = tally(sources)
	for _, s := range sources {
		file := lintedFile{File: s.path, Problems: s.problems}
		if s.flow != nil {
			file.Flow = s.flow.Name()
		}
		if file.Problems == nil {
			file.Problems = flow.Problems{}
		}
		report.Files = append(report.Files, file)
	}
	return report
}

// annotation is a workflow command of GitHub Actions, which shows the problem
// beside the line in a pull request.
func annotation(path string, p flow.Problem) string {
	kind := "error"
	if p.Warning {
		kind = "warning"
	}
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	return fmt.Sprintf("::%s file=%s,line=%d,col=%d,title=%s::%s",
		kind, property.Replace(path), p.Line, p.Column, property.Replace("parley "+p.Rule), message.Replace(p.Message))
}
