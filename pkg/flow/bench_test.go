package flow

import "testing"

// BenchmarkTurn measures one turn that accepts an answer and asks the next
// question, the most frequent of all.
func BenchmarkTurn(b *testing.B) {
	f := load(b, "lead").WithVersion(1)
	_, s := Turn(f, nil, State{}, message("m1", "text", "hi"))
	in := message("m2", "text", "Ada Lovelace")
	b.ReportAllocs()
	for b.Loop() {
		Turn(f, f, s, in)
	}
}

// BenchmarkParse measures the compilation of the demo flow.
func BenchmarkParse(b *testing.B) {
	source := []byte(small)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(source); err != nil {
			b.Fatal(err)
		}
	}
}
