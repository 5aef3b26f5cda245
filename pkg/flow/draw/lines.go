package draw

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
)

// ports are where edges leave and meet their vertices: beside each other, in the
// order of where they lead.
type ports struct{ upper, lower map[*edge]float64 }

func portsOf(g *graph) ports {
	p := ports{map[*edge]float64{}, map[*edge]float64{}}
	for _, v := range g.vertices {
		var bottom, top []*edge
		for _, e := range g.edges {
			if e.loops() {
				continue
			}
			if e.upper() == v {
				bottom = append(bottom, e)
			}
			if e.lower() == v {
				top = append(top, e)
			}
		}
		spread(v, bottom, p.upper, func(e *edge) float64 { return e.chain[0].x })
		spread(v, top, p.lower, func(e *edge) float64 { return e.chain[len(e.chain)-1].x })
	}
	return p
}

// portGap is the widest distance of two ports.
const portGap = 26

func spread(v *vertex, edges []*edge, ports map[*edge]float64, towards func(*edge) float64) {
	slices.SortStableFunc(edges, func(a, b *edge) int { return cmp.Compare(towards(a), towards(b)) })
	gap := min(portGap, (v.width-2*padding)/float64(max(len(edges), 1)))
	for i, e := range edges {
		ports[e] = v.x + gap*(float64(i)-float64(len(edges)-1)/2)
	}
}

type point struct{ x, y float64 }

func (c *canvas) edge(g *graph, e *edge, p ports) {
	path := selfLoop(e.from)
	if !e.loops() {
		path = g.route(e, point{p.upper[e], e.upper().bottom}, point{p.lower[e], e.lower().top})
	}
	class, head, end := "way", "head", "marker-end"
	if e.failing {
		class, head = class+" failing", "head-failing"
	}
	if e.back {
		class, end = class+" back", "marker-start"
	}
	c.put(`<path class="%s" d="%s" %s="url(#%s)">%s</path>`, class, path, end, head, e.tooltip())
	if lines := e.labelLines(); e.loops() && lines != nil {
		c.put(`<text x="%.0f" y="%.0f" class="soft">%s</text>`, e.from.x+e.from.width/2+22, (e.from.top+e.from.bottom)/2+4, escape(strings.Join(lines, ", ")))
	}
}

func (e *edge) tooltip() string {
	var labels []string
	for _, l := range e.labels {
		if l != "" {
			labels = append(labels, l)
		}
	}
	if labels == nil {
		return ""
	}
	return "<title>" + escape(strings.Join(labels, "\n")) + "</title>"
}

// selfLoop leads from the right side of a step back to it.
func selfLoop(v *vertex) string {
	x, y := v.x+v.width/2, (v.top+v.bottom)/2
	return fmt.Sprintf("M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f", x, y+10, x+24, y+16, x+24, y-16, x+2, y-10)
}

// route leads an edge from the upper vertex to the lower one: through its label,
// and through as few of its bends as keep it off everything else.
func (g *graph) route(e *edge, from, to point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%.0f %.0f", from.x, from.y)
	for at := 0; at <= len(e.chain); {
		next, bend := at, to
		for next < min(len(e.chain), at+lookAhead) && e.chain[next].kind != labelVertex {
			next++
		}
		for ; ; next-- {
			bend = to
			if next < len(e.chain) {
				bend = point{e.chain[next].x, e.chain[next].top}
			}
			if next <= at || g.isFree(e, from, bend) {
				break
			}
		}
		b.WriteString(curve(from, bend))
		from = bend
		if next < len(e.chain) {
			from.y = e.chain[next].bottom
			b.WriteString(curve(bend, from))
		}
		at = next + 1
	}
	return b.String()
}

// lookAhead is how many bends one curve can leave out.
const lookAhead = 60

// reach is how far a curve goes on straight before it turns, at most.
const reach = 90

// curve joins two points by a line that leaves and arrives vertically.
func curve(from, to point) string {
	switch {
	case from == to:
		return ""
	case from.x == to.x:
		return fmt.Sprintf("V%.0f", to.y)
	}
	k := handle(from, to)
	return fmt.Sprintf("C%.0f %.0f %.0f %.0f %.0f %.0f", from.x, from.y+k, to.x, to.y-k, to.x, to.y)
}

func handle(from, to point) float64 { return min(0.55*(to.y-from.y), reach) }

// samples is how many points of a curve are looked at.
const samples = 48

// isFree reports whether a curve keeps off everything that is not its edge's.
func (g *graph) isFree(e *edge, from, to point) bool {
	k := handle(from, to)
	for i := 1; i < samples; i++ {
		t := float64(i) / samples
		s := 1 - t
		x := s*s*(s+3*t)*from.x + t*t*(t+3*s)*to.x
		y := s*s*s*from.y + 3*s*s*t*(from.y+k) + 3*s*t*t*(to.y-k) + t*t*t*to.y
		if g.covered(e, point{x, y}) {
			return false
		}
	}
	return true
}

// keepOff is the distance of lines from what they pass.
const keepOff = 9

// covered reports whether something stands at a point.
func (g *graph) covered(e *edge, at point) bool {
	last := len(g.rows) - 1
	row := sort.Search(last, func(i int) bool { return g.tops[i+1] > at.y })
	for _, near := range g.solid[max(row-1, 0):min(row+2, last+1)] {
		for _, v := range near {
			if v != e.from && v != e.to && v.of != e &&
				math.Abs(at.x-v.x) < v.width/2+keepOff && at.y > v.top-keepOff && at.y < v.bottom+keepOff {
				return true
			}
		}
	}
	return false
}
