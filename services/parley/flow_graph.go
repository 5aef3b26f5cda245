package main

import (
	"encoding/json"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/draw"
)

type flowGraph struct {
	File   string `arg:"" help:"The flow file."`
	Format string `enum:"text,svg,mermaid,json" default:"text" help:"What to draw: ${enum}. svg fits light and dark pages; mermaid is drawn by GitHub and many wikis; json describes the flow for programs."`
	Write  string `short:"w" placeholder:"FILE" help:"Write it to a file instead."`
}

// Help shows examples below the usage.
func (flowGraph) Help() string {
	return `Draws the steps with their questions, answers and ways, what starts the flow, and its keywords.

Examples:
  parley flow graph booking.yaml
  parley flow graph booking.yaml --format svg -w booking.svg
  parley flow graph booking.yaml --format mermaid

Exit codes: 0 drawn, 1 the flow has errors, 2 wrong usage.`
}

// Run draws.
func (c flowGraph) Run(line *kong.Context) error {
	to := newOutput(line)
	s, err := readFlow(to, c.File)
	if err != nil {
		return err
	}
	data, err := c.draw(s.flow.Describe())
	if err != nil {
		return err
	}
	return deliver(to, c.Write, data)
}

func (c flowGraph) draw(d flow.Description) ([]byte, error) {
	switch c.Format {
	case "svg":
		return []byte(draw.SVG(d)), nil
	case "mermaid":
		return []byte(draw.Mermaid(d)), nil
	case "json":
		data, err := json.MarshalIndent(d, "", "  ")
		return append(data, '\n'), err
	}
	return []byte(draw.Text(d)), nil
}

// deliver prints data, or writes it to a file if there is a path.
func deliver(to output, path string, data []byte) error {
	if path == "" {
		_, err := to.w.Write(data)
		return err
	}
	if err := writeFile(path, data); err != nil {
		return fmt.Errorf("%s could not be written: %s: give -w the path of a file in a folder that exists", path, reason(err))
	}
	fmt.Fprintf(to.stderr, "wrote %s\n", path)
	return nil
}
