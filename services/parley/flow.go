package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/services/internal/flowfiles"
)

// flowCommand groups the tools for flows. Most work on files alone: no database, no
// network, no configuration. publish and versions talk to a running Parley; backtest
// reads the database.
//
// Exit codes, of all of them: 0 all is well, 1 something was found or failed, 2 the
// command line is wrong, or names a file that cannot be read.
type flowCommand struct {
	Lint        flowLint        `cmd:"" help:"Check flow files."`
	Schema      flowSchema      `cmd:"" help:"Print the JSON Schema of flow files, for editors."`
	Graph       flowGraph       `cmd:"" help:"Draw a flow."`
	Test        flowTest        `cmd:"" help:"Play dialogues with flows, and say what they do not visit."`
	Simulate    flowSimulate    `cmd:"" help:"Chat with a flow in the terminal."`
	Diff        flowDiff        `cmd:"" help:"Compare two versions of a flow."`
	ExportTexts flowExportTexts `cmd:"" name:"export-texts" help:"Write the texts of a flow for translators."`
	ImportTexts flowImportTexts `cmd:"" name:"import-texts" help:"Put translations into a flow file."`
	Publish     publishCommand  `cmd:"" help:"Make a version live; move the people who are in others."`
	Versions    versionsCommand `cmd:"" help:"List the versions of a flow, and who stands where."`
	Backtest    backtestCommand `cmd:"" help:"Play recorded conversations through another version."`
}

// source is one flow file that was read. Flow is nil if it has errors.
type source struct {
	path string
	// text is the definition as it is published; added, its end, is not in the file.
	text     []byte
	added    string
	files    []flowfiles.File
	flow     *flow.Flow
	problems flow.Problems
}

// misuse is an error of the command line, which the person has been told.
type misuse struct{ err error }

func (e misuse) Error() string { return e.err.Error() }

// Unwrap lets the process end as for a wrong configuration, and say no more.
func (e misuse) Unwrap() error { return errMisconfigured }

// misused tells the person what is wrong with the command line. The message names
// what to do.
func misused(w io.Writer, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	fmt.Fprintln(w, "parley:", err)
	return misuse{err}
}

// readFile reads a file that the command line names.
func readFile(stderr io.Writer, path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, misused(stderr, "%s cannot be read: %s: give the path of a file", path, reason(err))
	}
	return data, nil
}

// reason is what the system says, without the path.
func reason(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}

// readFlow reads one flow that must be without errors. Its problems are shown.
func readFlow(to output, path string) (source, error) {
	s, err := readSource(to.stderr, path)
	if err != nil || s.flow != nil {
		return s, err
	}
	to.w = to.stderr
	for _, p := range s.problems.Errors() {
		to.problem(path, p)
	}
	return s, fmt.Errorf("%s has %s: fix the file, then check it with: parley flow lint %[1]s", path, counted(len(s.problems.Errors()), "error"))
}

func readSource(stderr io.Writer, path string) (source, error) {
	text, err := readFile(stderr, path)
	if err != nil {
		return source{}, err
	}
	d, err := flowfiles.Read(os.DirFS(filepath.Dir(path)), text)
	if err != nil {
		return source{}, fmt.Errorf("%s: a file beside it cannot be read: %w", path, err)
	}
	s := source{path: path, text: d.Source, added: d.Added, files: d.Files}
	s.flow, s.problems = flow.Lint(s.text)
	return s, nil
}

// readSources reads the flow files that a command line names.
func readSources(stderr io.Writer, paths []string) ([]source, error) {
	files, err := flowFiles(stderr, paths)
	if err != nil {
		return nil, err
	}
	all := make([]source, len(files))
	for i, path := range files {
		if all[i], err = readSource(stderr, path); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// flowFiles replaces folders by the flow files in them. A file that is named is
// taken as it is.
func flowFiles(stderr io.Writer, paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, misused(stderr, "%s cannot be read: %s: give a flow file, or a folder with some", path, reason(err))
		case !info.IsDir():
			files = append(files, path)
			continue
		}
		inside, err := flowsIn(path)
		if err != nil {
			return nil, err
		}
		if len(inside) == 0 {
			return nil, misused(stderr, "%s has no flow files: a flow is a .yaml file with steps", path)
		}
		files = append(files, inside...)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// flowsIn lists the flow files of a folder: YAML with steps. Other YAML may stand
// beside them, such as the channels.
func flowsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if extension := filepath.Ext(path); entry.IsDir() || extension != ".yaml" && extension != ".yml" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if strings.Contains("\n"+string(text), "\nsteps:") {
			files = append(files, path)
		}
	}
	return files, nil
}

// writeFile replaces a file at once: a reader, or a crash, sees the old one or the
// new one.
func writeFile(path string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already if all went well
	_, err = temporary.Write(data)
	mode := fs.FileMode(0o644)
	if info, statErr := os.Stat(path); statErr == nil {
		mode = info.Mode().Perm()
	}
	if err = errors.Join(err, temporary.Chmod(mode), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// counted writes "1 error", "2 errors", "no errors".
func counted(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
