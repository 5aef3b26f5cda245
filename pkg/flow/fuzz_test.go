package flow

import (
	"errors"
	"strings"
	"testing"
)

// FuzzParse: any file is either a flow that works, or problems that say where.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(readFile(f, "testdata/flows/survey.yaml")))
	f.Add([]byte("steps: [{name: a, say: {}, expect: [x]}, *a, ? b]"))
	f.Add([]byte("a: \"\\xff\\0\"\n---\n<<: &x {}\n"))
	f.Fuzz(func(t *testing.T, source []byte) {
		flow, err := Parse(source)
		if err != nil {
			checkProblems(t, err)
			return
		}
		if flow.Name() == "" || len(flow.Steps()) == 0 {
			t.Fatalf("an empty flow of %q", source)
		}
		s := checkTurn(t, flow, nil, State{}, message("m1", "text", "hi"))
		checkTurn(t, flow, flow, s, message("m2", "text", "a@b.de"))
	})
}

func checkProblems(t *testing.T, err error) {
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("error without problems: %v", err)
	}
	for _, p := range problems {
		if p.Line < 1 || p.Column < 1 || p.Message == "" {
			t.Fatalf("problem without a place: %+v", p)
		}
	}
}

// FuzzTurn: a conversation whose messages are the lines of a text.
func FuzzTurn(f *testing.F) {
	f.Add("hi\nAda\nada@example.org\nthanks\nRESTART", "text")
	f.Add("\nrestart\n{name}\n%s\x00", "interactive")
	f.Add("a\nb", "image")
	flow := load(f, "lead").WithVersion(1)
	f.Fuzz(func(t *testing.T, lines, kind string) {
		// The strings of an input are valid UTF-8: they were read from JSON.
		lines, kind = strings.ToValidUTF8(lines, "\ufffd"), strings.ToValidUTF8(kind, "")
		var s State
		for line := range strings.SplitSeq(lines, "\n") {
			s = checkTurn(t, flow, flow, s, message("m", kind, line))
		}
	})
}
