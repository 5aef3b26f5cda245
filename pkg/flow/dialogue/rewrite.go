package dialogue

import (
	"slices"
	"strings"
)

// edit replaces lines of a file: from the first up to but without the last.
type edit struct {
	from, to int
	lines    []string
}

// Rewrite plays the dialogues of a file and returns it with what the flows say
// now, and what is so now. Lines that hold stay as they are. The failures are
// those that no rewriting helps: a button that is not there, a turn that fails.
func (w World) Rewrite(source string) (rewritten string, failures []Failure, err error) {
	dialogues, err := Parse(source)
	if err != nil {
		return source, nil, err
	}
	var edits []edit
	for _, d := range dialogues {
		r := w.Run(d)
		edits = append(edits, r.edits...)
		if r.lost {
			failures = append(failures, r.Failures[len(r.Failures)-1])
		}
	}
	lines := strings.Split(source, "\n")
	for _, e := range slices.Backward(edits) {
		from, to := min(e.from-1, len(lines)), min(e.to-1, len(lines))
		lines = slices.Concat(lines[:from], e.lines, lines[to:])
	}
	return strings.Join(lines, "\n"), failures, nil
}
