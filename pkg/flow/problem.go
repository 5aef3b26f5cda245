package flow

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong in a definition.
type Problem struct {
	// Line and Column say where, both from 1; a column counts characters.
	Line, Column int
	// Message says what is wrong and what to do.
	Message string
	// Excerpt is the line concerned, with a caret under the column; it is empty if
	// the place is far to the right.
	Excerpt string
}

// String gives "[line:column] message" and the excerpt below it.
func (p Problem) String() string {
	headline := fmt.Sprintf("[%d:%d] %s", p.Line, p.Column, p.Message)
	if p.Excerpt == "" {
		return headline
	}
	return headline + "\n" + p.Excerpt
}

// Problems is everything that is wrong in one definition, in the order of its
// lines: the error of [Parse].
type Problems []Problem

// Error lists all problems, one below the other.
func (p Problems) Error() string {
	all := make([]string, len(p))
	for i, problem := range p {
		all[i] = problem.String()
	}
	return strings.Join(all, "\n")
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
