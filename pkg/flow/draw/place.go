package draw

import (
	"math"
	"slices"
)

// Distances, in pixels.
const (
	stepWidth   = 240
	stepGap     = 36 // between steps beside each other
	bendGap     = 16 // beside a line
	bendWidth   = 2
	rowGap      = 26 // between a row of steps and one of labels
	emptyRowGap = 20 // the same where nothing is labelled
	margin      = 28
)

// relaxations is how often the rows are moved, relaxedMax how many vertices are in
// all: the largest flows are not worth the time.
const (
	relaxations = 200
	relaxedMax  = 4_000_000
)

// place gives every vertex its coordinates.
func (g *graph) place() {
	for _, row := range g.rows {
		x := 0.0
		for i, v := range row {
			if i > 0 {
				x += apart(row[i-1], v)
			}
			v.x = x
		}
	}
	vertices := 0
	for _, row := range g.rows {
		vertices += len(row)
	}
	for n := range min(relaxations, relaxedMax/vertices) {
		if n%2 == 0 {
			for _, row := range g.rows {
				relax(row, n)
			}
		} else {
			for _, row := range slices.Backward(g.rows) {
				relax(row, n)
			}
		}
	}
	g.stack()
	g.moveToOrigin()
}

// apart is the distance that the middles of two neighbours need.
func apart(a, b *vertex) float64 {
	gap := float64(stepGap)
	if a.isPassing() || b.isPassing() {
		gap = bendGap
	}
	return (a.width+b.width)/2 + gap
}

// relax moves a row to where its links pull it, as far as its order and distances
// allow. In the first rounds only one side pulls, so that the whole unfolds.
func relax(row []*vertex, round int) {
	wanted, weights := make([]float64, len(row)), make([]float64, len(row))
	offset := 0.0
	for i, v := range row {
		if i > 0 {
			offset += apart(row[i-1], v)
		}
		pulls := slices.Concat(v.above, v.below)
		if round < 4 && round%2 == 0 && len(v.above) > 0 {
			pulls = v.above
		} else if round < 4 && round%2 == 1 && len(v.below) > 0 {
			pulls = v.below
		}
		x, weight := v.x, 0.0
		if len(pulls) > 0 {
			x, weight = mean(pulls)
		}
		wanted[i], weights[i] = x-offset, max(weight, 0.01)
	}
	offset = 0
	for i, x := range ascending(wanted, weights) {
		if i > 0 {
			offset += apart(row[i-1], row[i])
		}
		row[i].x = x + offset
	}
}

func mean(pulls []link) (x, weight float64) {
	for _, l := range pulls {
		x, weight = x+l.to.x*l.weight, weight+l.weight
	}
	return x / weight, weight
}

// ascending is the ascending sequence that is nearest to the wanted one, by the
// weighted squares: neighbours in the wrong order are pooled at their mean.
func ascending(wanted, weights []float64) []float64 {
	type pool struct {
		x, weight float64
		size      int
	}
	var pools []pool
	for i, x := range wanted {
		p := pool{x, weights[i], 1}
		for len(pools) > 0 && pools[len(pools)-1].x > p.x {
			last := pools[len(pools)-1]
			pools = pools[:len(pools)-1]
			sum := last.weight + p.weight
			p = pool{(last.x*last.weight + p.x*p.weight) / sum, sum, last.size + p.size}
		}
		pools = append(pools, p)
	}
	all := make([]float64, 0, len(wanted))
	for _, p := range pools {
		for range p.size {
			all = append(all, p.x)
		}
	}
	return all
}

// stack gives the rows their heights.
func (g *graph) stack() {
	g.tops, g.solid = make([]float64, len(g.rows)), make([][]*vertex, len(g.rows))
	y := 0.0
	for i, row := range g.rows {
		height, gap := 0.0, 0.0
		for _, v := range row {
			height = max(height, v.height)
		}
		if i%2 == 1 {
			gap = emptyRowGap
			if height > 0 {
				gap = rowGap
			}
		}
		y += gap
		g.tops[i] = y
		for _, v := range row {
			if v.kind != bendVertex {
				g.solid[i] = append(g.solid[i], v)
			}
			v.top, v.bottom = y, y+height
			if v.kind == startVertex { // near to its step
				v.top = y + height - v.height
			} else if !v.isPassing() {
				v.bottom = y + v.height
			}
		}
		y += height + gap
	}
	g.height = y
}

// moveToOrigin lets the picture begin at 0.
func (g *graph) moveToOrigin() {
	left, right := math.Inf(1), math.Inf(-1)
	for _, row := range g.rows {
		for _, v := range row {
			left, right = min(left, v.x-v.width/2), max(right, v.x+v.width/2)
		}
	}
	for _, row := range g.rows {
		for _, v := range row {
			v.x = math.Round(v.x - left)
		}
	}
	g.width = math.Ceil(right - left)
}
