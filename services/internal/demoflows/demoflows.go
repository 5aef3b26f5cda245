// Package demoflows carries the flows of deploy/flows inside the binaries, so
// that they run without a checkout. `make generate` copies the files; a test
// fails when they differ.
package demoflows

import "embed"

// Files are the flow definitions, one YAML file each.
//
//go:embed *.yaml
var Files embed.FS
