package draw

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/flow"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files")

func rich(t testing.TB) flow.Description {
	t.Helper()
	source, err := os.ReadFile("testdata/rich.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f, err := flow.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return f.Describe()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%s differs: run the test with -rewrite and read the diff (%v)\n%s", path, err, got)
	}
}

func TestText(t *testing.T)    { golden(t, "rich.outline", Text(rich(t))) }
func TestMermaid(t *testing.T) { golden(t, "rich.mermaid", Mermaid(rich(t))) }

// words reads an SVG and returns what it shows. It fails if it is no XML.
func words(t testing.TB, svg string) string {
	t.Helper()
	var all strings.Builder
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return all.String()
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
		if text, ok := token.(xml.CharData); ok {
			all.Write(bytes.TrimSpace(text))
			all.WriteByte('\n')
		}
	}
}

func TestSVGShowsEverything(t *testing.T) {
	d := rich(t)
	svg := SVG(d)
	shown := words(t, svg)
	want := []string{"table\n", "keyword book, reservar\n", "payload BOOK\n", "menu → menu\n", "who, run by person\n", "completed\n", "cancelled\n", "handover\n", "return\n", "What can we do for you?\n", "choice → wish\n", "guests > 20\n", "Change a booking\n"}
	for _, s := range d.Steps {
		want = append(want, strings.TrimPrefix(s.Name, "who.")+"\n")
	}
	for _, word := range want {
		if !strings.Contains(shown, word) {
			t.Errorf("the picture does not show %q", word)
		}
	}
	if SVG(d) != svg {
		t.Error("the second picture is another one")
	}
}

// TestTextsCannotBreakOut: what authors write stays text.
func TestTextsCannotBreakOut(t *testing.T) {
	evil := "</text><script>alert(1)</script>\"'&|`#\x01\n\\]"
	d := flow.Description{Name: evil, Languages: []string{evil}, Steps: []flow.StepInfo{{
		Name: "a", Position: 1, Kind: "question", Answer: evil, Slot: evil, Text: evil, Options: []flow.OptionInfo{{Value: "x", Title: evil}},
		Ways: []flow.Way{{To: "a", Label: evil}, {To: "completed", Label: "x"}},
	}}, Entries: []flow.EntryInfo{{Label: evil, Step: "a"}}, Keywords: []flow.KeywordInfo{{Name: evil, Words: []string{evil}, To: evil}}}
	for name, picture := range map[string]string{"svg": SVG(d), "mermaid": Mermaid(d)} {
		if strings.Contains(picture, "<script") {
			t.Errorf("%s: a text broke out:\n%s", name, picture)
		}
	}
	words(t, SVG(d))
	for line := range strings.SplitSeq(Mermaid(d), "\n") {
		if strings.Count(line, `"`)%2 != 0 {
			t.Errorf("a quote broke out: %s", line)
		}
	}
}

// describe makes a flow of n steps with any ways between them.
func describe(r *rapid.T, most int) flow.Description {
	n := rapid.IntRange(1, most).Draw(r, "steps")
	d := flow.Description{Name: "random", Languages: []string{"en"}}
	for i := range n {
		s := flow.StepInfo{Name: fmt.Sprintf("s%d", i), Position: i + 1, Kind: "branch"}
		for range rapid.IntRange(1, 4).Draw(r, "ways") {
			to := rapid.SampledFrom([]string{"completed", "cancelled", "handover", ""}).Draw(r, "end")
			if to == "" {
				to = fmt.Sprintf("s%d", rapid.IntRange(0, n-1).Draw(r, "to"))
			}
			s.Ways = append(s.Ways, flow.Way{To: to, Label: rapid.SampledFrom([]string{"", "a", "guests > 20", "3 failures"}).Draw(r, "label")})
		}
		d.Steps = append(d.Steps, s)
	}
	return d
}

// TestNothingOverlaps lays out any flow: steps and labels keep their distance, and
// edges lead down unless they are drawn as going back.
func TestNothingOverlaps(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := describe(r, 14)
		words(t, SVG(d))
		g := split(d)[0]
		g.measure()
		g.chainUp()
		g.order()
		g.place()
		for i, row := range g.rows {
			for j, v := range row {
				if j > 0 && row[j-1].x+row[j-1].width/2 > v.x-v.width/2 {
					r.Fatalf("row %d: two overlap", i)
				}
				if i > 0 && v.top < g.tops[i-1] || v.x-v.width/2 < -1 || v.x+v.width/2 > g.width+1 {
					r.Fatalf("row %d: one is out of place", i)
				}
			}
		}
		for _, e := range g.edges {
			if !e.loops() && e.upper().bottom > e.lower().top {
				r.Fatal("an edge leads up")
			}
		}
	})
}

func TestOrderUncrosses(t *testing.T) {
	a, b, c, d := &vertex{}, &vertex{}, &vertex{}, &vertex{}
	tie(a, d)
	tie(b, c)
	g := &graph{rows: [][]*vertex{{a, b}, {c, d}}}
	g.order()
	if n := crossings(g.rows); n != 0 {
		t.Errorf("%d lines cross", n)
	}
}

func TestAscendingIsNearest(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		wanted := rapid.SliceOfN(rapid.Float64Range(-100, 100), 1, 8).Draw(r, "wanted")
		weights := make([]float64, len(wanted))
		for i := range weights {
			weights[i] = rapid.Float64Range(0.1, 9).Draw(r, "weight")
		}
		got := ascending(wanted, weights)
		cost := func(xs []float64) (sum float64) {
			for i, x := range xs {
				sum += weights[i] * (x - wanted[i]) * (x - wanted[i])
			}
			return sum
		}
		for i := range got {
			if i > 0 && got[i] < got[i-1] {
				r.Fatalf("%v is not ascending", got)
			}
		}
		// No shift of a run that keeps the order is nearer.
		for from := range got {
			for to := from + 1; to <= len(got); to++ {
				for _, by := range []float64{-0.01, 0.01} {
					other := append([]float64{}, got...)
					for i := from; i < to; i++ {
						other[i] += by
					}
					if (from == 0 || other[from] >= other[from-1]) && (to == len(got) || other[to] >= other[to-1]) && cost(other) < cost(got)-1e-3 {
						r.Fatalf("%v is nearer to %v than %v", other, wanted, got)
					}
				}
			}
		}
	})
}

// BenchmarkLargest draws a flow with as many steps as one can have.
func BenchmarkLargest(b *testing.B) {
	d := flow.Description{Name: "large", Languages: []string{"en"}}
	for i := range flow.StepsMax {
		s := flow.StepInfo{Name: fmt.Sprintf("s%d", i), Position: i + 1, Kind: "question", Text: "How many?"}
		for _, to := range []int{i + 1, i + 2, i * 7 % flow.StepsMax, i - 3} {
			if to >= 0 && to < flow.StepsMax {
				s.Ways = append(s.Ways, flow.Way{To: fmt.Sprintf("s%d", to), Label: "way"})
			}
		}
		s.Ways = append(s.Ways, flow.Way{To: "completed", Label: "3 failures"})
		d.Steps = append(d.Steps, s)
	}
	for b.Loop() {
		SVG(d)
	}
}
