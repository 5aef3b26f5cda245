package draw

import (
	"slices"
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
)

// graph is one part of a flow: its main part, or a sub-flow.
type graph struct {
	subflow  string // empty for the main part
	callers  []string
	vertices []*vertex
	edges    []*edge
	rows     [][]*vertex // from the top, each from the left; steps have the even rows
	tops     []float64   // where the rows begin
	solid    [][]*vertex // the rows without bends
	// The size of the picture.
	width, height float64
}

// vertex is something with a place: a step, what starts it, an end, and the
// labels and bends of edges.
type vertex struct {
	kind  vertexKind
	step  flow.StepInfo
	lines []string // of everything but steps
	name  string   // of an end
	runs  string   // the sub-flow that a step runs
	of    *edge    // of a label or a bend

	width, height  float64
	row, place     int
	x, top, bottom float64 // x of the middle
	above, below   []link
}

type vertexKind uint8

const (
	stepVertex vertexKind = iota
	startVertex
	endVertex
	labelVertex
	bendVertex
)

// link joins a vertex with one in the row above or below. Edges are chains of them.
type link struct {
	to     *vertex
	weight float64 // how much the two want to stand below each other
}

// edge is all the ways from one vertex to another.
type edge struct {
	from, to *vertex
	labels   []string
	failing  bool // only taken after failures
	// back says that it leads to a row above.
	back bool
	// chain are the vertices between, from the top.
	chain []*vertex
}

// loops reports whether the edge leads back to where it begins.
func (e *edge) loops() bool { return e.from == e.to }

// split takes a flow apart: the main part first, then its sub-flows.
func split(d flow.Description) []*graph {
	var all []*graph
	for _, name := range subflows(d) {
		g := &graph{subflow: name}
		if name != "" {
			g.callers = callers(d, name)
		}
		g.build(d)
		all = append(all, g)
	}
	return all
}

// subflows are the parts in the order of the file.
func subflows(d flow.Description) []string {
	var names []string
	for _, s := range d.Steps {
		if !slices.Contains(names, s.Subflow) {
			names = append(names, s.Subflow)
		}
	}
	return names
}

func callers(d flow.Description, subflow string) []string {
	var names []string
	for _, s := range d.Steps {
		if runs(d, s) == subflow {
			names = append(names, s.Name)
		}
	}
	return names
}

// runs is the sub-flow that a step runs; empty if it runs none.
func runs(d flow.Description, s flow.StepInfo) string {
	for _, way := range s.Ways {
		if s.Kind == "run" && way.Label == "run" {
			return stepOf(d, way.To).Subflow
		}
	}
	return ""
}

func stepOf(d flow.Description, name string) flow.StepInfo {
	for _, s := range d.Steps {
		if s.Name == name {
			return s
		}
	}
	return flow.StepInfo{}
}

func (g *graph) build(d flow.Description) {
	steps := map[string]*vertex{}
	for _, s := range d.Steps {
		if s.Subflow == g.subflow {
			steps[s.Name] = g.add(&vertex{kind: stepVertex, step: s, runs: runs(d, s)})
		}
	}
	if g.subflow == "" {
		g.starts(d, steps)
	}
	for _, s := range d.Steps {
		for _, way := range s.Ways {
			if from, to := steps[s.Name], steps[way.To]; from != nil && to != nil {
				g.join(from, to, s, way)
			}
		}
	}
	g.turnBack()
	g.assignRows()
	g.ends(steps)
}

func (g *graph) add(v *vertex) *vertex {
	g.vertices = append(g.vertices, v)
	return v
}

// starts adds what begins the flow, one vertex for each step that it leads to.
func (g *graph) starts(d flow.Description, steps map[string]*vertex) {
	first := d.Steps[0].Name
	var targets []string
	lines := map[string][]string{}
	for _, e := range d.Entries {
		lines[e.Step] = append(lines[e.Step], e.Label)
		if !slices.Contains(targets, e.Step) {
			targets = append(targets, e.Step)
		}
	}
	if lines[first] == nil {
		lines[first], targets = []string{"start"}, append(targets, first)
	}
	for _, name := range targets {
		if to := steps[name]; to != nil {
			start := g.add(&vertex{kind: startVertex, lines: lines[name]})
			g.edges = append(g.edges, &edge{from: start, to: to})
		}
	}
}

// join adds a way; ways between the same two are one edge.
func (g *graph) join(from, to *vertex, s flow.StepInfo, way flow.Way) {
	failing := isFailing(way.Label)
	for _, e := range g.edges {
		if e.from == from && e.to == to {
			e.labels, e.failing = append(e.labels, label(s, way)), e.failing && failing
			return
		}
	}
	g.edges = append(g.edges, &edge{from: from, to: to, labels: []string{label(s, way)}, failing: failing})
}

// isFailing knows ways by their label: "3 failures", "loop".
func isFailing(label string) bool { return label == "loop" || strings.HasSuffix(label, " failures") }

// label is what a way is for: the title of an option rather than its value.
func label(s flow.StepInfo, way flow.Way) string {
	for _, o := range s.Options {
		if o.Value == way.Label {
			return o.Title
		}
	}
	return way.Label
}

// ends adds the ways out of the part. All that complete it meet at the bottom;
// where somebody leaves earlier, the end stands below the step.
func (g *graph) ends(steps map[string]*vertex) {
	type place struct {
		name string
		row  int
	}
	known := map[place]*vertex{}
	for _, v := range slices.Clone(g.vertices) {
		for _, way := range v.step.Ways {
			if steps[way.To] != nil || way.Label == "run" && v.runs != "" {
				continue
			}
			at := place{way.To, v.row}
			if way.To == "completed" || way.To == "return" {
				at.row = 0
			}
			if known[at] == nil {
				known[at] = g.add(&vertex{kind: endVertex, name: way.To, lines: []string{way.To}})
			}
			known[at].row = max(known[at].row, v.row+2)
			g.join(v, known[at], v.step, way)
		}
	}
}
