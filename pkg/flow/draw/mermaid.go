package draw

import (
	"fmt"
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
)

// Mermaid draws the flow as a Mermaid flowchart, which GitHub and many wikis show.
func Mermaid(d flow.Description) string {
	m := &mermaid{d: d, ids: map[string]string{}}
	for _, s := range d.Steps {
		m.ids[s.Name] = fmt.Sprintf("s%d", s.Position)
	}
	m.put("flowchart TD")
	for _, name := range subflows(d) {
		m.part(name)
	}
	m.starts()
	for _, s := range d.Steps {
		for _, way := range s.Ways {
			m.way(s, way)
		}
	}
	m.keywords()
	return m.b.String()
}

type mermaid struct {
	d   flow.Description
	b   strings.Builder
	ids map[string]string // of steps and ends
}

func (m *mermaid) put(format string, args ...any) {
	fmt.Fprintf(&m.b, format, args...)
	m.b.WriteByte('\n')
}

func (m *mermaid) part(subflow string) {
	if subflow != "" {
		m.put("  subgraph %s", quoted(subflow))
		defer m.put("  end")
	}
	for _, s := range m.d.Steps {
		if s.Subflow == subflow {
			m.step(s)
		}
	}
}

// shapes are the brackets around a step's text, by its kind.
var shapes = map[string][2]string{
	"branch": {"{", "}"}, "split": {"{{", "}}"}, "run": {"[[", "]]"}, "message": {"(", ")"}, "handover": {"[/", "/]"}, "end": {"(", ")"},
}

func (m *mermaid) step(s flow.StepInfo) {
	shape, ok := shapes[s.Kind]
	if !ok {
		shape = [2]string{"[", "]"}
	}
	lines := []string{"<b>" + mermaidText(strings.TrimPrefix(s.Name, s.Subflow+".")) + "</b>"}
	if text := firstLine(s.Text); text != "" {
		lines = append(lines, mermaidText(fit(text, textSize, 2*stepWidth)))
	}
	if s.Answer != "" {
		lines = append(lines, "<i>"+mermaidText(asks(s))+"</i>")
	}
	m.put(`  %s%s"%s"%s`, m.ids[s.Name], shape[0], strings.Join(lines, "<br/>"), shape[1])
}

func (m *mermaid) starts() {
	for i, e := range m.d.Entries {
		m.put("  e%d([%s]) --> %s", i+1, quoted(e.Label), m.ids[e.Step])
	}
	if len(m.d.Entries) == 0 {
		m.put(`  e1(["start"]) --> %s`, m.ids[m.d.Steps[0].Name])
	}
}

func (m *mermaid) way(s flow.StepInfo, way flow.Way) {
	to, known := m.ids[way.To]
	if !known {
		to = "end_" + way.To
		if way.To == "return" {
			to += "_" + s.Subflow
		}
		m.ids[to] = to
		to += "([" + quoted(way.To) + "])"
	}
	arrow := "-->"
	if isFailing(way.Label) || s.Kind == "run" && way.Label == "run" {
		arrow = "-.->"
	}
	if l := label(s, way); l != "" {
		arrow += "|" + quoted(fit(l, textSize, labelWidthMax)) + "|"
	}
	m.put("  %s %s %s", m.ids[s.Name], arrow, to)
}

// keywords stand beside the flow; those that jump have a way.
func (m *mermaid) keywords() {
	for i, k := range m.d.Keywords {
		id := fmt.Sprintf("k%d", i+1)
		m.put("  %s>%s]", id, quoted(strings.Join(k.Words, ", ")+" → "+keywordDoes(k)))
		if to := m.ids[k.To]; to != "" {
			m.put("  %s -.-> %s", id, to)
		}
	}
}

func quoted(s string) string { return `"` + mermaidText(s) + `"` }

// mermaidText writes what Mermaid or HTML would take for their own as entities.
func mermaidText(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("#", "#35;", "&", "#amp;", "<", "#lt;", ">", "#gt;", `"`, "#quot;", "`", "#96;", "|", "#124;", `\`, "#92;").Replace(s)
}
