package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong, or likely to be, in a definition.
type Problem struct {
	// Rule names the check that found it; deploy/flows/README.md lists them all.
	Rule string `json:"rule"`
	// Warning says that the flow can be published all the same.
	Warning bool `json:"warning,omitempty"`
	// Line and Column say where, both from 1; a column counts characters.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Message says what is wrong and what to do.
	Message string `json:"message"`
	// Excerpt is the line concerned, with a caret under the column; it is empty if
	// the place is far to the right.
	Excerpt string `json:"excerpt,omitempty"`
}

// String gives "[line:column] message (rule)" and the excerpt below it.
func (p Problem) String() string {
	headline := fmt.Sprintf("[%d:%d] %s (%s)", p.Line, p.Column, p.Message, p.Rule)
	if p.Excerpt == "" {
		return headline
	}
	return headline + "\n" + p.Excerpt
}

// Problems is what is wrong in one definition, in the order of its lines: the
// error of [Parse].
type Problems []Problem

// Error lists all problems, one below the other.
func (p Problems) Error() string {
	all := make([]string, len(p))
	for i, problem := range p {
		all[i] = problem.String()
	}
	return strings.Join(all, "\n")
}

// Errors returns those for which a flow cannot be published.
func (p Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(p), func(p Problem) bool { return p.Warning })
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// excerptColumnsMax is how much of a line an excerpt shows.
const excerptColumnsMax = 160

// excerpt draws the line with a caret under the column; it is empty where that
// would not be readable.
func excerpt(lines []string, line, column int) string {
	if line > len(lines) || column > excerptColumnsMax {
		return ""
	}
	shown := strings.TrimSuffix(lines[line-1], "\r")
	if len(shown) > excerptColumnsMax {
		characters := []rune(shown[:min(len(shown), excerptColumnsMax*utf8.UTFMax)])
		shown = string(characters[:min(len(characters), excerptColumnsMax)])
	}
	number := fmt.Sprintf("%4d | ", line)
	return fmt.Sprintf("%s%s\n%*s^", number, shown, len(number)+column-1, "")
}
