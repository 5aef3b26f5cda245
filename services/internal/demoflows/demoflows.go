// Package demoflows carries the flows of deploy/flows inside the binaries, with
// their tables and their dialogues, so that they run without a checkout. `make
// generate` copies the files; a test fails when they differ.
package demoflows

import "embed"

// Files are the flow definitions, one YAML file each; in tables/ the tables of
// allowed values that they read, and in tests/ the dialogues that they keep to.
//
//go:embed *.yaml slots/*.yaml tests/*.txt
var Files embed.FS
