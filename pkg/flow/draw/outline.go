package draw

import (
	"fmt"
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
)

// outlineWidth is the column at which what a step asks stands.
const outlineWidth = 34

// Text draws the flow for a terminal: the steps in order, each with its ways.
func Text(d flow.Description) string {
	o := &outline{d: d, positions: map[string]int{}}
	for _, s := range d.Steps {
		o.positions[s.Name] = s.Position
	}
	o.put("%s  %s", d.Name, headline(d))
	o.put("")
	for _, e := range d.Entries {
		o.put("  ● %s ─▶ %s", e.Label, e.Step)
	}
	for _, name := range subflows(d) {
		o.part(name)
	}
	o.keywords()
	return o.b.String()
}

type outline struct {
	d         flow.Description
	b         strings.Builder
	positions map[string]int
}

func (o *outline) put(format string, args ...any) {
	o.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	o.b.WriteByte('\n')
}

func (o *outline) part(subflow string) {
	if subflow != "" {
		o.put("")
		o.put("sub-flow %s, run by %s", subflow, strings.Join(callers(o.d, subflow), ", "))
	}
	for _, s := range o.d.Steps {
		if s.Subflow == subflow {
			o.step(s)
		}
	}
}

func (o *outline) step(s flow.StepInfo) {
	o.put("")
	name := strings.TrimPrefix(s.Name, s.Subflow+".")
	o.put("%3d  %-*s %s", s.Position, outlineWidth, name, asks(s))
	if text := firstLine(s.Text); text != "" {
		o.put("     “%s”", fit(text, 1, 44))
	}
	for i, way := range s.Ways {
		branch := "├─"
		if i == len(s.Ways)-1 {
			branch = "└─"
		}
		o.put("     %s%s▶ %s", branch, labelled(s, way), o.target(s, way))
	}
}

func labelled(s flow.StepInfo, way flow.Way) string {
	if l := label(s, way); l != "" {
		return " " + l + " ─"
	}
	return ""
}

// target says where a way leads, and whether that is up.
func (o *outline) target(s flow.StepInfo, way flow.Way) string {
	to := way.To
	if s.Subflow != "" {
		to = strings.TrimPrefix(to, s.Subflow+".")
	}
	switch position, isStep := o.positions[way.To]; {
	case !isStep:
		return "■ " + to
	case position <= s.Position:
		return to + " ↑"
	}
	return to
}

func (o *outline) keywords() {
	if len(o.d.Keywords) == 0 {
		return
	}
	o.put("")
	o.put("keywords, at any step")
	for _, k := range o.d.Keywords {
		o.put("     %-*s %s", outlineWidth, strings.Join(k.Words, ", "), keywordDoes(k))
	}
}
