package draw

import (
	"cmp"
	"slices"
)

// sweepsMax bounds the work; it ends after some sweeps that made nothing better.
const (
	sweepsMax    = 24
	sweepsInVain = 4
)

// order arranges each row so that few lines cross: every vertex goes to the mean
// place of those that it is joined to in the row before (the barycentre), down and
// up again, and the best arrangement is kept.
func (g *graph) order() {
	number(g.rows)
	best, fewest, since := copyRows(g.rows), crossings(g.rows), 0
	for sweep := 0; sweep < sweepsMax && fewest > 0 && since < sweepsInVain; sweep++ {
		if sweep%2 == 0 {
			for _, row := range g.rows[1:] {
				arrange(row, func(v *vertex) []link { return v.above })
			}
		} else {
			for _, row := range slices.Backward(g.rows[:len(g.rows)-1]) {
				arrange(row, func(v *vertex) []link { return v.below })
			}
		}
		since++
		if n := crossings(g.rows); n < fewest {
			best, fewest, since = copyRows(g.rows), n, 0
		}
	}
	g.rows = best
	number(g.rows)
}

func number(rows [][]*vertex) {
	for _, row := range rows {
		for i, v := range row {
			v.place = i
		}
	}
}

func copyRows(rows [][]*vertex) [][]*vertex {
	all := make([][]*vertex, len(rows))
	for i, row := range rows {
		all[i] = slices.Clone(row)
	}
	return all
}

func arrange(row []*vertex, joined func(*vertex) []link) {
	for _, v := range row {
		v.x = float64(v.place)
		if all := joined(v); len(all) > 0 {
			sum := 0.0
			for _, l := range all {
				sum += float64(l.to.place)
			}
			v.x = sum / float64(len(all))
		}
	}
	slices.SortStableFunc(row, func(a, b *vertex) int { return cmp.Compare(a.x, b.x) })
	number([][]*vertex{row})
}

// crossings counts the pairs of lines that cross between neighbouring rows.
func crossings(rows [][]*vertex) int {
	n := 0
	for i, row := range rows[:len(rows)-1] {
		var ends []int // places below, in the order of the places above
		for _, v := range row {
			from := len(ends)
			for _, l := range v.below {
				ends = append(ends, l.to.place)
			}
			slices.Sort(ends[from:])
		}
		n += inversions(ends, len(rows[i+1]))
	}
	return n
}

// inversions counts the pairs that are in the wrong order, of numbers below a limit.
// It keeps the sums of a Fenwick tree: how many so far were at most so large.
func inversions(ends []int, limit int) int {
	n := 0
	tree := make([]int, limit+1)
	for seen, end := range ends {
		n += seen
		for i := end + 1; i > 0; i -= i & -i {
			n -= tree[i]
		}
		for i := end + 1; i <= limit; i += i & -i {
			tree[i]++
		}
	}
	return n
}
