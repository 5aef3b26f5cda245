package main

import (
	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/pkg/flow/schema"
)

type flowSchema struct {
	Write string `short:"w" placeholder:"FILE" help:"Write it to a file instead."`
}

// Help shows examples below the usage.
func (flowSchema) Help() string {
	return `Editors complete and check flows by it, with this as the first line of a flow:

  # yaml-language-server: $schema=./flow.schema.json

Examples:
  parley flow schema -w flow.schema.json

Exit codes: 0 done, 1 the file could not be written, 2 wrong usage.`
}

// Run prints or writes the schema.
func (c flowSchema) Run(line *kong.Context) error {
	return deliver(newOutput(line), c.Write, schema.JSON())
}
