package flow

import (
	"strings"
	"testing"
)

// TestReadmeExample compiles the flow that the language's description begins with:
// a newcomer copies it first.
func TestReadmeExample(t *testing.T) {
	_, rest, _ := strings.Cut(readFile(t, "../../deploy/flows/README.md"), "```yaml\n")
	source, _, found := strings.Cut(rest, "```")
	f, problems := Lint([]byte(source))
	if !found || f == nil || len(problems) > 0 {
		t.Fatalf("%s\n%v", source, problems)
	}
	if f.Name() != "hello" {
		t.Errorf("the flow is %q", f.Name())
	}
}
