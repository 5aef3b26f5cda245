package flow

import (
	"fmt"
	"strings"
	"testing"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// BenchmarkTurn measures one turn that accepts an answer and asks the next
// question, the most frequent of all.
func BenchmarkTurn(b *testing.B) {
	f := load(b, "lead").WithVersion(1)
	_, s := Turn(f, nil, State{}, message("m1", "text", "hi"))
	benchmark(b, f, s, message("m2", "text", "Ada Lovelace"))
}

// BenchmarkTurnRouted is the same behind a router of two flows.
func BenchmarkTurnRouted(b *testing.B) {
	f := load(b, "lead").WithVersion(1)
	_, s := Turn(f, nil, State{}, message("m1", "text", "hi"))
	r := NewRouter("ch1", "lead", Release{Flow: f}, Release{Flow: load(b, "book").WithVersion(1)})
	in := message("m2", "text", "Ada Lovelace")
	b.ReportAllocs()
	for b.Loop() {
		Turn(r, f, s, in)
	}
}

// BenchmarkChoice takes a typed choice by its title, and offers a list.
func BenchmarkChoice(b *testing.B) {
	f := load(b, "choices").WithVersion(1)
	_, s := Turn(f, nil, State{}, message("m1", "text", "hi"))
	benchmark(b, f, s, message("m2", "text", "green"))
}

// BenchmarkExpressions is an answer with two checks, both computed.
func BenchmarkExpressions(b *testing.B) {
	f := load(b, "rules").WithVersion(1)
	_, s := Turn(f, nil, State{}, message("m1", "text", "hi"))
	benchmark(b, f, s, message("m2", "text", "12"))
}

func benchmark(b *testing.B, f *Flow, s State, in *parleyv1.Input) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		Turn(f, f, s, in)
	}
}

// BenchmarkParse measures the compilation of a small flow.
func BenchmarkParse(b *testing.B) { benchmarkParse(b, small) }

// BenchmarkParseLarge measures that of one with 500 steps, each with a text, an
// answer, a condition and a computed value.
func BenchmarkParseLarge(b *testing.B) {
	var s strings.Builder
	s.WriteString("name: large\nlanguage: en\nslots: {n: {type: number, default: 0}}\nsteps:\n")
	for i := range StepsMax / 2 {
		fmt.Fprintf(&s, "  - {name: q%d, say: \"Question %d {n}?\", expect: {type: text, max: 20, save: a%d}}\n", i, i, i)
		fmt.Fprintf(&s, "  - {name: b%d, set: {n: \"n + len(a%d)\"}, branch: [{if: \"n > %d\", goto: completed}, {goto: q%d}]}\n", i, i, i*10, (i+1)%(StepsMax/2))
	}
	s.WriteString("completed: {say: Bye., again: Done.}\n")
	benchmarkParse(b, s.String())
}

func benchmarkParse(b *testing.B, source string) {
	b.Helper()
	b.SetBytes(int64(len(source)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse([]byte(source)); err != nil {
			b.Fatal(err)
		}
	}
}
