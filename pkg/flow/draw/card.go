package draw

import (
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
)

// textLinesMax is how much of a step's text its card shows.
const textLinesMax = 2

// rows are the lines on a step's card below its name.
func (v *vertex) rows() []row {
	var all []row
	for _, line := range wrap(firstLine(v.step.Text), textSize, stepWidth-2*padding, textLinesMax) {
		all = append(all, row{line, "soft"})
	}
	if titles := optionTitles(v.step); titles != "" {
		all = append(all, row{fit(titles, textSize, stepWidth-2*padding), ""})
	}
	if v.runs != "" {
		all = append(all, row{"runs " + v.runs, "soft"})
	}
	return all
}

type row struct{ text, class string }

// firstLine is the first line of what a step says, of a text if there is one.
func firstLine(text string) string {
	lines := strings.Split(text, "\n")
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "[") {
			return line
		}
	}
	return lines[0]
}

func optionTitles(s flow.StepInfo) string {
	titles := make([]string, len(s.Options))
	for i, o := range s.Options {
		titles[i] = o.Title
	}
	return strings.Join(titles, " · ")
}

// asks says what a step does: the type of its answer and where it is kept.
func asks(s flow.StepInfo) string {
	switch {
	case s.Answer != "" && s.Slot != "":
		return s.Answer + " → " + s.Slot
	case s.Answer != "":
		return s.Answer
	}
	return s.Kind
}

// pill are the lines of what is no step, shortened.
func (v *vertex) pill() []string {
	lines := make([]string, len(v.lines))
	for i, line := range v.lines {
		lines[i] = fit(line, textSize, 1.5*labelWidthMax)
	}
	return lines
}

func (c *canvas) vertex(v *vertex) {
	switch v.kind {
	case stepVertex:
		c.card(v)
	case startVertex:
		c.pill(v, "start")
	case endVertex:
		c.pill(v, v.name)
	case labelVertex:
		for i, line := range v.lines {
			y := (v.top+v.bottom-v.height)/2 + float64(i*labelSpan) + 14
			c.put(`<text x="%.0f" y="%.0f" class="label">%s</text>`, v.x, y, escape(line))
		}
	}
}

func (c *canvas) card(v *vertex) {
	x := v.x - v.width/2
	c.put(`<g class="%s"><title>%s</title>`, v.step.Kind, escape(v.step.Name+"\n"+v.step.Text))
	c.put(`<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="8" class="card"/>`, x, v.top, v.width, v.height)
	c.put(`<rect x="%.0f" y="%.0f" width="4" height="%.0f" rx="2" class="bar"/>`, x, v.top+8, v.height-16)
	does := asks(v.step)
	name := strings.TrimPrefix(v.step.Name, v.step.Subflow+".")
	room := stepWidth - 2*padding - 12
	does = fit(does, 11, float64(room)*0.6)
	c.text(x+padding, v.top+padding+11, "name", fit(name, nameSize, float64(room)-width(does, 11)))
	c.put(`<text x="%.0f" y="%.0f" class="kind" text-anchor="end">%s</text>`, x+v.width-padding, v.top+padding+11, escape(does))
	for i, row := range v.rows() {
		c.text(x+padding, v.top+padding+nameSize+float64(i*17)+17, row.class, row.text)
	}
	c.put("</g>")
}

func (c *canvas) pill(v *vertex, class string) {
	c.put(`<g class="%s"><title>%s</title>`, class, escape(strings.Join(v.lines, "\n")))
	c.put(`<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="14" class="pill"/>`, v.x-v.width/2, v.top, v.width, v.height)
	for i, line := range v.pill() {
		c.put(`<text x="%.0f" y="%.0f" class="pill-text">%s</text>`, v.x, v.top+float64(i*labelSpan)+18, escape(line))
	}
	c.put("</g>")
}
