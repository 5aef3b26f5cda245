package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/services/internal/platform"
)

var rewrite = flag.Bool("rewrite", false, "write what the sessions print now")

// TestFlowSessions plays testdata/flow/*.session: each line with a dollar is run in
// a copy of testdata/flow/files, and what stands below it must be what it prints.
func TestFlowSessions(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "flow", "*.session"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".session"), func(t *testing.T) {
			path, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			copied := t.TempDir()
			if err := os.CopyFS(copied, os.DirFS(filepath.Dir(path))); err != nil {
				t.Fatal(err)
			}
			t.Chdir(filepath.Join(copied, "files"))
			got := play(t, string(want))
			if *rewrite {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("it went otherwise: run the test with -rewrite and read the diff\n%s", got)
			}
		})
	}
}

// play runs the commands of a session and returns the session as it went. Comments
// and blank lines before a command stay.
func play(t *testing.T, session string) string {
	t.Helper()
	var b strings.Builder
	var kept []string
	for line := range strings.SplitSeq(session, "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case isCommand:
			for _, line := range kept {
				fmt.Fprintln(&b, line)
			}
			kept = nil
			fmt.Fprintln(&b, line)
			b.WriteString(execute(t, command))
		case line == "", strings.HasPrefix(line, "# "):
			kept = append(kept, line)
		default:
			kept = nil
		}
	}
	return b.String()
}

func execute(t *testing.T, command string) string {
	t.Helper()
	command, file, _ := strings.Cut(command, " < ")
	var in []byte
	if file != "" {
		var err error
		if in, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	words := wordsOf(command)
	var out, errs bytes.Buffer
	code := 0
	if words[0] == "parley" {
		code = run(words[1:], string(in), &out, &errs)
	} else {
		process := exec.Command(words[0], words[1:]...)
		process.Stdout, process.Stderr = &out, &errs
		if err := process.Run(); err != nil {
			code = process.ProcessState.ExitCode()
		}
	}
	printed := shown(out.String()) + shown(errs.String())
	if code != 0 {
		printed += fmt.Sprintf("[exit %d]\n", code)
	}
	return printed
}

// shown marks blank lines, and what looks like a comment, so that a session that is
// read again knows them for output.
func shown(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		if line == "\n" || strings.HasPrefix(line, "# ") {
			b.WriteByte('|')
		}
		b.WriteString(line)
	}
	return b.String()
}

// wordsOf takes a command line apart; double quotes keep words together.
func wordsOf(line string) []string {
	var words []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// exited is how a command ends the process.
type exited int

// run is main without a process around it.
func run(args []string, in string, out, errs *bytes.Buffer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			c, ok := r.(exited)
			if !ok {
				panic(r)
			}
			code = int(c)
		}
	}()
	all := &commands{}
	all.Flow.Simulate.In = strings.NewReader(in)
	parser, err := kong.New(all, kong.Name("parley"), kong.Writers(out, errs), kong.Exit(func(code int) { panic(exited(code)) }),
		kong.BindTo(context.Background(), (*context.Context)(nil)))
	if err != nil {
		panic(err)
	}
	line, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(errs, "parley: error:", err)
		return platform.ExitMisconfigured
	}
	switch err := line.Run(); {
	case errors.Is(err, errMisconfigured):
		return platform.ExitMisconfigured
	case err != nil:
		fmt.Fprintln(errs, "parley:", err)
		return platform.ExitFailed
	}
	return 0
}

func TestFlowCommandsExplainThemselves(t *testing.T) {
	for _, command := range []string{"lint", "schema", "graph", "test", "simulate", "diff", "export-texts", "import-texts"} {
		var out, errs bytes.Buffer
		if code := run([]string{"flow", command, "--help"}, "", &out, &errs); code != 0 {
			t.Errorf("%s --help exits with %d", command, code)
		}
		for _, part := range []string{"Usage: parley flow " + command, "Examples:\n", "Exit codes: 0"} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s --help does not say %q", command, part)
			}
		}
		out.Reset()
		if code := run([]string{"flow", command, "--no-such-flag"}, "", &out, &errs); code != platform.ExitMisconfigured {
			t.Errorf("%s with a wrong flag exits with %d", command, code)
		}
	}
}

// TestColoursAreForTerminals: files and pipes get none.
func TestColoursAreForTerminals(t *testing.T) {
	if coloured(&bytes.Buffer{}) {
		t.Error("a buffer is coloured")
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if coloured(file) {
		t.Error("a file is coloured")
	}
	var out bytes.Buffer
	if (output{w: &out, coloured: true}).paint(red, "x") != "\x1b[31mx\x1b[0m" {
		t.Error("a terminal is not coloured")
	}
}

func TestWriteFileKeepsTheModeAndTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("%d files are left", len(entries))
	}
}
