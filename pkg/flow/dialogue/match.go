package dialogue

import (
	"slices"
	"strings"
)

// fits reports whether messages are the expected ones.
func fits(expects []expect, said [][]string) bool {
	return inOrder(expects, said, func(e expect) bool { return e.rest }, expect.fits)
}

// inOrder reports whether what is wanted comes one after the other. What is
// anything stands for any number. Going back to the last such place is enough:
// what came before it has its match.
func inOrder[W, G any](want []W, got []G, isAnything func(W) bool, fits func(W, G) bool) bool {
	i, j, last, from := 0, 0, -1, 0
	for j < len(got) {
		switch {
		case i < len(want) && isAnything(want[i]):
			last, from = i, j
			i++
		case i < len(want) && fits(want[i], got[j]):
			i, j = i+1, j+1
		case last >= 0:
			from++
			i, j = last+1, from
		default:
			return false
		}
	}
	for i < len(want) && isAnything(want[i]) {
		i++
	}
	return i == len(want)
}

func (e expect) fits(lines []string) bool {
	if e.pattern != nil {
		return e.pattern.MatchString(strings.Join(lines, "\n"))
	}
	return linesFit(trimmed(e.lines), lines)
}

// trimmed drops blank lines at the end, which are between messages.
func trimmed(lines []string) []string {
	for len(lines) > 1 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// anything stands for what a dialogue does not care about.
const anything = "..."

// linesFit compares the lines of a message. A line of three dots stands for any
// lines.
func linesFit(want, got []string) bool {
	return inOrder(want, got, func(line string) bool { return line == anything }, lineFits)
}

// lineFits compares a line. Three dots in it stand for any characters.
func lineFits(want, got string) bool {
	parts := strings.Split(want, anything)
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return want == got
	}
	if len(got) < len(first)+len(last) || !strings.HasPrefix(got, first) || !strings.HasSuffix(got, last) {
		return false
	}
	got = got[len(first) : len(got)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(got, part)
		if i < 0 {
			return false
		}
		got = got[i+len(part):]
	}
	return true
}

// shown are the lines of what is expected, as the file has them.
func shown(expects []expect) []string {
	var lines []string
	for _, e := range expects {
		switch {
		case e.rest:
			lines = append(lines, anything)
		case e.pattern != nil:
			lines = append(lines, "<~ "+strings.TrimPrefix(e.pattern.String(), "(?s)"))
		default:
			lines = append(lines, Lines([][]string{trimmed(e.lines)})...)
		}
	}
	return lines
}

// diff shows two lists of lines as one: what only the first has behind "-", what
// only the second has behind "+".
func diff(want, got []string) []string {
	common := longestCommon(want, got)
	var lines []string
	i, j := 0, 0
	for i < len(want) || j < len(got) {
		switch {
		case i < len(want) && j < len(got) && lineFits(want[i], got[j]):
			lines = append(lines, "  "+got[j])
			i, j = i+1, j+1
		case j == len(got) || i < len(want) && common[i+1][j] >= common[i][j+1]:
			lines = append(lines, "- "+want[i])
			i++
		default:
			lines = append(lines, "+ "+got[j])
			j++
		}
	}
	return lines
}

// longestCommon holds at [i][j] how many lines want[i:] and got[j:] share.
func longestCommon(want, got []string) [][]int {
	common := make([][]int, len(want)+1)
	for i := range common {
		common[i] = make([]int, len(got)+1)
	}
	for i := range slices.Backward(want) {
		for j := range slices.Backward(got) {
			if lineFits(want[i], got[j]) {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	return common
}
