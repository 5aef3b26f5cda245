package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLintIsBounded gives the linter files of the largest size that are made to
// keep it busy. None may take longer than a person would wait.
func TestLintIsBounded(t *testing.T) {
	const most = 10 * time.Second // a bound for slow machines; it takes a tenth of it
	repeat := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	flow := func(steps string) string {
		return "name: n\nlanguage: en\nsteps:\n" + steps + "completed: {say: Bye., again: Done.}\n"
	}
	for name, source := range map[string]string{
		"slots that lack a value": flow(repeat(450, func(i int) string {
			return fmt.Sprintf("  - {name: s%d, say: \"{z} {z} {z}{z}{z}{z}{z}{z}\", expect: {type: text, max: 9, save: a%d}}\n", i, i)
		}) + "  - {name: z, say: Z, expect: {type: text, max: 9, save: z}}\n"),
		"ways back and forth": flow(repeat(490, func(i int) string {
			return fmt.Sprintf("  - {name: s%d, say: \"{a0}?\", expect: {type: text, max: 9, save: a%d, attempts: 1, then: s%d}, goto: s%d}\n", i, i, i*7%490, (i*13+1)%490)
		})),
		"values that wait for each other": flow(repeat(400, func(i int) string {
			return fmt.Sprintf("  - {name: s%d, set: {v%d: v%d + 1}, say: Hi}\n", i, i, i+1)
		})),
		"sub-flows in sub-flows": flow("  - {name: s, run: {subflow: f0}}\n") + "subflows:\n" + repeat(9, func(i int) string {
			return fmt.Sprintf("  f%d:\n", i) + repeat(40, func(j int) string { return fmt.Sprintf("    - {name: s%d, run: {subflow: f%d}}\n", j, i+1) })
		}) + "  f9: [{name: s, say: Hi, expect: {type: text}}]\n",
		"brackets": "name: " + strings.Repeat("[", 10_000),
		"plurals":  flow("  - {name: s, say: \"" + strings.Repeat("{n, plural, other {", 4) + strings.Repeat("x", 100_000) + "\"}\n"),
	} {
		began := time.Now()
		if len(source) > SourceBytesMax {
			t.Errorf("%s: %d bytes are too many to be read", name, len(source))
		}
		_, problems := Lint([]byte(source))
		if took := time.Since(began); took > most {
			t.Errorf("%s: %v, with %d problems", name, took, len(problems))
		} else {
			t.Logf("%s: %v, with %d problems", name, took.Round(time.Millisecond), len(problems))
		}
	}
}
