package flow

import (
	"fmt"
	"slices"
	"strings"
)

// Flow is a compiled definition. It never changes, and may be used by many
// goroutines at a time.
type Flow struct {
	name     string
	language string
	digest   string
	version  uint32
	restart  []string // keywords
	steps    []step
	index    map[string]int // name of a step to its place in steps

	completed template // on reaching the end
	again     template // for each message after the end
}

// step is one question.
type step struct {
	name   string
	say    template
	expect expectation
}

// expectation is the answer that a step waits for.
type expectation struct {
	kind    answerKind
	slot    string   // empty if the answer is not kept
	invalid template // nil if the step's prompt is said again instead
}

// Name returns the flow's name.
func (f *Flow) Name() string { return f.name }

// Digest returns the SHA-256 of the source as hexadecimal digits.
func (f *Flow) Digest() string { return f.digest }

// Version returns the number under which the flow was published; 0 until then.
func (f *Flow) Version() uint32 { return f.version }

// WithVersion returns a copy that is bound to a published version.
func (f *Flow) WithVersion(v uint32) *Flow {
	published := *f
	published.version = v
	return &published
}

// Steps returns the names of the steps in order: the step at index i has
// position i+1.
func (f *Flow) Steps() []string {
	names := make([]string, len(f.steps))
	for i, s := range f.steps {
		names[i] = s.name
	}
	return names
}

// position returns the place of a step in the flow, from 1. A step that the flow
// does not have means that the caller pinned the session to another flow or
// version: nothing sensible can be decided.
func (f *Flow) position(name string) int {
	i, ok := f.index[name]
	if !ok {
		panic(fmt.Sprintf("flow %s/%d has no step %q", f.name, f.version, name))
	}
	return i + 1
}

// containsFold reports whether words holds word in any case.
func containsFold(words []string, word string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
}
