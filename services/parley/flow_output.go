package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/pkg/flow"
)

// output is where a command writes. Results go to w, everything about them to
// stderr.
type output struct {
	w, stderr io.Writer
	coloured  bool
}

func newOutput(line *kong.Context) output {
	return output{w: line.Stdout, stderr: line.Stderr, coloured: coloured(line.Stdout)}
}

// coloured reports whether a person looks at a terminal and wants colours
// (no-color.org).
func coloured(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// colour is a way to write on a terminal (ECMA-48, SGR).
type colour string

const (
	plain  colour = ""
	bold   colour = "1"
	dim    colour = "2"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	blue   colour = "36"
)

func (o output) paint(c colour, text string) string {
	if !o.coloured || text == "" || c == plain {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

func (o output) printf(format string, args ...any) { fmt.Fprintf(o.w, format, args...) }

// json writes a value for programs.
func (o output) json(value any) error {
	encoder := json.NewEncoder(o.w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// problem shows one problem as compilers do, so that terminals and editors link to
// the place.
func (o output) problem(path string, p flow.Problem) {
	kind, c := "error", red
	if p.Warning {
		kind, c = "warning", yellow
	}
	place := o.paint(bold, fmt.Sprintf("%s:%d:%d:", path, p.Line, p.Column))
	o.printf("%s %s %s %s\n", place, o.paint(c, kind+":"), p.Message, o.paint(dim, "["+p.Rule+"]"))
	if p.Excerpt == "" {
		return
	}
	line, caret, _ := strings.Cut(p.Excerpt, "\n")
	o.printf("%s\n%s\n", line, o.paint(c, caret))
}
