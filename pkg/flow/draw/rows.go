package draw

// turnBack marks the edges that lead back to a step that is still being left: what
// remains has no circles. Steps are left in the order of the file, so that an edge
// back is one to what people read as earlier.
func (g *graph) turnBack() {
	const (
		open = 1
		done = 2
	)
	state := map[*vertex]int{}
	var leave func(v *vertex)
	leave = func(v *vertex) {
		state[v] = open
		for _, e := range g.edges {
			switch {
			case e.from != v:
			case state[e.to] == open:
				e.back = true
			case state[e.to] == 0:
				leave(e.to)
			}
		}
		state[v] = done
	}
	for _, v := range g.vertices {
		if state[v] == 0 {
			leave(v)
		}
	}
}

// assignRows puts every vertex two rows below the lowest that leads to it: the row
// between is for labels. What starts the flow stands right above its step.
func (g *graph) assignRows() {
	for moved := true; moved; {
		moved = false
		for _, e := range g.edges {
			upper, lower := e.upper(), e.lower()
			if upper != lower && lower.row < upper.row+2 {
				lower.row, moved = upper.row+2, true
			}
		}
	}
	for _, e := range g.edges {
		if e.from.kind == startVertex {
			e.from.row = e.to.row - 2
		}
	}
}

func (e *edge) upper() *vertex {
	if e.back {
		return e.to
	}
	return e.from
}

func (e *edge) lower() *vertex {
	if e.back {
		return e.from
	}
	return e.to
}

// chainUp gives every edge a vertex in each row that it passes, and fills the rows.
func (g *graph) chainUp() {
	last := 0
	for _, v := range g.vertices {
		last = max(last, v.row)
	}
	g.rows = make([][]*vertex, last+1)
	for _, v := range g.vertices {
		g.rows[v.row] = append(g.rows[v.row], v)
	}
	for _, e := range g.edges {
		if !e.loops() {
			g.chain(e)
		}
	}
}

func (g *graph) chain(e *edge) {
	upper, lower := e.upper(), e.lower()
	labelled := upper.row + 1
	if e.back {
		labelled = lower.row - 1
	}
	before := upper
	for row := upper.row + 1; row < lower.row; row++ {
		v := &vertex{kind: bendVertex, of: e, row: row, width: bendWidth}
		if lines := e.labelLines(); row == labelled && lines != nil {
			v.kind, v.lines = labelVertex, lines
			v.width, v.height = labelSize(lines)
		}
		g.rows[row] = append(g.rows[row], v)
		e.chain = append(e.chain, v)
		tie(before, v)
		before = v
	}
	tie(before, lower)
}

// tie links two vertices of neighbouring rows. Bends of one edge want to stand
// below each other more than steps do: a line that passes many rows should be straight.
func tie(above, below *vertex) {
	weight := 1.0
	if above.isPassing() {
		weight *= 3
	}
	if below.isPassing() {
		weight *= 3
	}
	above.below = append(above.below, link{below, weight})
	below.above = append(below.above, link{above, weight})
}

func (v *vertex) isPassing() bool { return v.kind == bendVertex || v.kind == labelVertex }
