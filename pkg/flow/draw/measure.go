package draw

import (
	"strings"
	"unicode"
)

// Sizes of text, in pixels.
const (
	nameSize  = 13.5
	textSize  = 12.0
	labelSpan = 15 // a line of a label
	padding   = 12
	boldness  = 1.08 // how much wider bold text is
)

// Labels are kept small; the whole is the tooltip.
const (
	labelWidthMax = 170
	labelLinesMax = 3
)

// width estimates how wide a text is drawn by the usual sans-serif fonts. It errs on
// the wide side: what it lets through fits.
func width(s string, size float64) float64 {
	sum := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("iljtf.,:;'|!()[] ", r):
			sum += 0.36
		case unicode.Is(unicode.Mn, r):
		case r >= 0x1100 && (unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) || r > 0xFFFF):
			sum += 1.05
		case strings.ContainsRune("mwMW@%", r):
			sum += 0.9
		case unicode.IsUpper(r):
			sum += 0.73
		default:
			sum += 0.61
		}
	}
	return sum * size
}

// fit shortens a text to a width.
func fit(s string, size, most float64) string {
	s = strings.Join(strings.Fields(s), " ")
	if width(s, size) <= most {
		return s
	}
	characters := []rune(s)
	for len(characters) > 0 && width(string(characters)+"…", size) > most {
		characters = characters[:len(characters)-1]
	}
	return strings.TrimRight(string(characters), " ") + "…"
}

// wrap breaks a text into lines of a width, the last of which may be shortened.
func wrap(s string, size, most float64, linesMax int) []string {
	var lines []string
	line := ""
	words := strings.Fields(s)
	for i, word := range words {
		longer := strings.TrimSpace(line + " " + word)
		if line == "" || width(longer, size) <= most {
			line = longer
			continue
		}
		if len(lines) == linesMax-1 {
			return append(lines, fit(line+" "+strings.Join(words[i:], " "), size, most))
		}
		lines, line = append(lines, fit(line, size, most)), word
	}
	if line != "" {
		lines = append(lines, fit(line, size, most))
	}
	return lines
}

// labelLines are the lines below each other that an edge's labels take; nil if the
// edge has none.
func (e *edge) labelLines() []string {
	var lines []string
	for i, l := range e.labels {
		switch {
		case l == "" && len(e.labels) == 1:
			continue
		case l == "":
			l = "otherwise"
		}
		if len(lines) == labelLinesMax-1 && len(e.labels)-i > 1 {
			return append(lines, "…")
		}
		lines = append(lines, fit(l, textSize, labelWidthMax))
	}
	return lines
}

func labelSize(lines []string) (w, h float64) {
	for _, line := range lines {
		w = max(w, width(line, textSize))
	}
	return w + 8, float64(len(lines)*labelSpan + 4)
}

// measure gives vertices the size of what they show.
func (g *graph) measure() {
	for _, v := range g.vertices {
		switch v.kind {
		case stepVertex:
			v.width, v.height = stepWidth, 2*padding+nameSize+float64(len(v.rows())*17)+2
		case startVertex, endVertex:
			w, h := labelSize(v.pill())
			v.width, v.height = w*boldness+2*padding, h+8
		}
	}
}
