// Package schema describes flow files as a JSON Schema, from which editors
// complete, check and explain while a person types.
//
// The language is described once, in language.go, in words for flow authors. The
// package is pure: it gives the same bytes every time, and they are committed as
// deploy/flows/flow.schema.json.
//
// A schema can say what is written where, but not what it means: that a goto has a
// step, or a slot a value. That is what flow.Lint is for.
package schema
