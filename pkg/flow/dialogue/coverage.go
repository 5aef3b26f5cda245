package dialogue

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/parleyhq/parley/pkg/flow"
)

// Coverage is how much of a flow its dialogues visit.
type Coverage struct {
	Flow     string `json:"flow"`
	Steps    Count  `json:"steps"`
	Ways     Count  `json:"ways"`
	Keywords Count  `json:"keywords"`
	// Languages counts the steps that were visited in each language of the flow.
	Languages map[string]Count `json:"languages"`
	// Missed is what no dialogue visits, in the order of the file.
	Missed []Missed `json:"missed,omitempty"`
}

// Count is a share.
type Count struct {
	Visited int `json:"visited"`
	Total   int `json:"total"`
}

// Missed is a step, a way out of a step, or a keyword that no dialogue visits.
type Missed struct {
	// Kind is step, way or keyword.
	Kind string `json:"kind"`
	Step string `json:"step,omitempty"`
	// Way says when it is taken, as the flow's description labels it; To is where
	// it leads.
	Way     string `json:"way,omitempty"`
	To      string `json:"to,omitempty"`
	Keyword string `json:"keyword,omitempty"`
	// Line is where the step stands in the flow's file; 0 for a keyword.
	Line int `json:"line,omitempty"`
}

// String says what to write a dialogue for.
func (m Missed) String() string {
	switch m.Kind {
	case "keyword":
		return fmt.Sprintf("nobody uses keyword %s", m.Keyword)
	case "step":
		return fmt.Sprintf("nobody comes to step %s", m.Step)
	}
	return fmt.Sprintf("nobody goes from %s to %s (%s)", m.Step, m.To, cmp.Or(m.Way, "next"))
}

// Full reports whether everything was visited.
func (c Coverage) Full() bool { return len(c.Missed) == 0 }

// String is one line: "booking: 9 of 9 steps, 14 of 15 ways, 4 of 4 keywords".
func (c Coverage) String() string {
	return fmt.Sprintf("%s: %s steps, %s ways, %s keywords", c.Flow, c.Steps, c.Ways, c.Keywords)
}

// String is "9 of 10".
func (c Count) String() string { return fmt.Sprintf("%d of %d", c.Visited, c.Total) }

// Measure counts what dialogues visited of a flow.
func Measure(f *flow.Flow, results ...Result) Coverage {
	d := f.Describe()
	visited := Visits{}
	for _, r := range results {
		for place, n := range r.Visits {
			visited[place] += n
		}
	}
	c := Coverage{Flow: d.Name, Languages: map[string]Count{}}
	for _, language := range d.Languages {
		c.Languages[language] = Count{visited.stepsIn(d, language), len(d.Steps)}
	}
	for _, s := range d.Steps {
		c.Steps.add(c.miss(visited, Place{Flow: d.Name, Step: s.Name}, Missed{Kind: "step", Step: s.Name, Line: s.Line}))
		for i, way := range s.Ways {
			place := Place{Flow: d.Name, Step: s.Name, Way: i + 1}
			c.Ways.add(c.miss(visited, place, Missed{Kind: "way", Step: s.Name, Way: way.Label, To: way.To, Line: s.Line}))
		}
	}
	for _, k := range d.Keywords {
		c.Keywords.add(c.miss(visited, Place{Flow: d.Name, Keyword: k.Name}, Missed{Kind: "keyword", Keyword: k.Name}))
	}
	return c
}

// miss notes a place that was not visited.
func (c *Coverage) miss(visited Visits, place Place, m Missed) (seen bool) {
	if seen = visited.any(place); !seen {
		c.Missed = append(c.Missed, m)
	}
	return seen
}

func (c *Count) add(seen bool) {
	if c.Total++; seen {
		c.Visited++
	}
}

func (v Visits) stepsIn(d flow.Description, language string) int {
	n := 0
	for _, s := range d.Steps {
		if v[Place{Flow: d.Name, Language: language, Step: s.Name}] > 0 {
			n++
		}
	}
	return n
}

// any reports whether a place was visited in some language.
func (v Visits) any(place Place) bool {
	return slices.ContainsFunc(v.languages(place.Flow), func(language string) bool {
		place.Language = language
		return v[place] > 0
	})
}

func (v Visits) languages(flow string) []string {
	var all []string
	for place := range v {
		if place.Flow == flow && !slices.Contains(all, place.Language) {
			all = append(all, place.Language)
		}
	}
	return all
}
