package demoflows

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/dialogue"
	"github.com/parleyhq/parley/pkg/flow/hours"
)

// source is where the files are written; this package holds copies.
var source = filepath.Join("..", "..", "..", "deploy", "flows")

var rewrite = flag.Bool("rewrite", false, "write what the flows say now into deploy/flows/tests; then run make generate")

func TestCarriesWhatDeployHolds(t *testing.T) {
	for _, pattern := range []string{"*.yaml", "slots/*.yaml", "tests/*.txt"} {
		want, err := filepath.Glob(filepath.Join(source, pattern))
		if err != nil || len(want) == 0 {
			t.Fatalf("no %s in %s: %v", pattern, source, err)
		}
		carried, err := fs.Glob(Files, pattern)
		if err != nil || len(carried) != len(want) {
			t.Fatalf("carries %d of %s, deploy/flows holds %d: run make generate (%v)", len(carried), pattern, len(want), err)
		}
		for _, file := range want {
			compare(t, file, path.Join(path.Dir(pattern), filepath.Base(file)))
		}
	}
}

func compare(t *testing.T, file, carried string) {
	t.Helper()
	a, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Files.ReadFile(carried)
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("%s differs: run make generate (%v)", carried, err)
	}
}

func TestFlowsHaveNothingToComplainAbout(t *testing.T) {
	for _, file := range glob(t, "*.yaml") {
		f, problems := flow.Lint(read(t, file))
		for _, p := range problems {
			t.Errorf("%s:%v", file, p)
		}
		if f != nil && f.Name()+".yaml" != strings.ReplaceAll(file, "-", "_") {
			t.Errorf("%s holds flow %s", file, f.Name())
		}
	}
}

// TestFlowsKeepToTheirDialogues plays every dialogue, and wants them to visit all
// of each flow, and every step in each of its languages. After a change of a text
// run it with -rewrite, read the diff, and run make generate.
func TestFlowsKeepToTheirDialogues(t *testing.T) {
	w := world(t)
	var results []dialogue.Result
	for _, file := range glob(t, "tests/*.txt") {
		if *rewrite {
			rewriteFile(t, w, file)
		} else {
			results = append(results, play(t, w, file)...)
		}
	}
	if *rewrite {
		return
	}
	for _, f := range w.Flows {
		c := dialogue.Measure(f, results...)
		t.Log(c)
		for _, m := range c.Missed {
			t.Errorf("%s: %v (line %d)", f.Name(), m, m.Line)
		}
		for language, steps := range c.Languages {
			if steps.Visited < steps.Total {
				t.Errorf("%s: in %s only %s steps are visited", f.Name(), language, steps)
			}
		}
	}
}

func play(t *testing.T, w dialogue.World, file string) []dialogue.Result {
	t.Helper()
	dialogues, err := dialogue.Parse(string(read(t, file)))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	results := make([]dialogue.Result, len(dialogues))
	for i, d := range dialogues {
		results[i] = w.Run(d)
		for _, failure := range results[i].Failures {
			t.Errorf("%s:%v", file, failure)
		}
	}
	return results
}

func rewriteFile(t *testing.T, w dialogue.World, file string) {
	t.Helper()
	file = filepath.Join(source, filepath.FromSlash(file))
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	now, failures, err := w.Rewrite(string(old))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, failure := range failures {
		t.Errorf("%s:%v", file, failure)
	}
	if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
}

// world is a channel with all demo flows, as the sandbox has it.
func world(t *testing.T) dialogue.World {
	t.Helper()
	w := dialogue.World{Serves: "lead", Hours: map[string]*hours.Rules{}, Zone: time.LoadLocation}
	for _, file := range glob(t, "*.yaml") {
		f, err := flow.Parse(read(t, file))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		w.Flows = append(w.Flows, f)
	}
	for _, file := range glob(t, "slots/*.yaml") {
		rules, err := hours.Parse(read(t, file), time.LoadLocation)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		w.Hours[rules.Service] = rules
	}
	return w
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := fs.Glob(Files, pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("carries no %s: %v", pattern, err)
	}
	return files
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := Files.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
