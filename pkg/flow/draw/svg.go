package draw

import (
	"fmt"
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
)

// style is for light pages, and for dark ones where the reader prefers them.
const style = `
  svg { --paper: #ffffff; --ink: #1c2733; --soft: #5b6b7b; --line: #93a1b0; --card: #f6f8fa; --edge: #d5dce3; --question: #2f6fdd;
    --choice: #b7791f; --test: #b83280; --run: #0f8a8a; --human: #d05c1e; --done: #2b8a4b; --stop: #c2384b; --frame: #eef2f6;
    font-family: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #0f151b; --ink: #e6edf3; --soft: #9aa8b6; --line: #64748b; --card: #1a232c; --edge: #33414e; --question: #6ea8ff;
      --choice: #e0a84a; --test: #ee7fbb; --run: #4fc7c7; --human: #f2925c; --done: #5bc47d; --stop: #f0788a; --frame: #151d25 }
  }
  text { fill: var(--ink); font-size: 12px }
  .title { font-size: 20px; font-weight: 650 }
  .part { font-size: 14px; font-weight: 600 }
  .name { font-size: 13.5px; font-weight: 600 }
  .soft { fill: var(--soft) }
  .kind { font-size: 11px; fill: var(--k) }
  .card { fill: var(--card); stroke: var(--edge) }
  .bar { fill: var(--k) }
  .frame { fill: var(--frame); stroke: var(--edge) }
  .pill { fill: var(--paper); stroke: var(--k); stroke-width: 1.5 }
  .pill-text { fill: var(--k); text-anchor: middle; font-weight: 550 }
  .way { fill: none; stroke: var(--line); stroke-width: 1.5 }
  .failing { stroke: var(--stop); opacity: .75 }
  .back { stroke-dasharray: 5 4 }
  .label { text-anchor: middle; fill: var(--ink); stroke: var(--behind); stroke-width: 5; paint-order: stroke; stroke-linejoin: round }
  .head { fill: var(--line) }
  .head-failing { fill: var(--stop) }
  .question, .form { --k: var(--question) } .branch { --k: var(--choice) } .split { --k: var(--test) } .run { --k: var(--run) }
  .handover { --k: var(--human) } .completed, .return { --k: var(--done) } .cancelled { --k: var(--stop) }
  .message, .end, .start, .keyword { --k: var(--soft) }
`

// headHeight is the room for the title, keywordHeight that for a row of keywords.
const (
	headHeight    = 64
	keywordHeight = 34
	frameHead     = 40
	partGap       = 48
	pictureMin    = 420
)

// SVG draws the flow as a picture that stands alone.
func SVG(d flow.Description) string {
	parts := split(d)
	for _, g := range parts {
		g.measure()
		g.chainUp()
		g.order()
		g.place()
	}
	w, h := extent(parts)
	c := &canvas{}
	keywords := c.keywords(d, w)
	h += headHeight + keywords
	body := c.b.String()
	c.b.Reset()
	c.put(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%[1]g" height="%[2]g" role="img" aria-label="%s">`, w, h, escape("Flow "+d.Name))
	c.put("<style>%s</style>", style)
	c.put(`<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path class="head" d="M0 0 8 4 0 8z"/></marker>` +
		`<marker id="head-failing" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path class="head-failing" d="M0 0 8 4 0 8z"/></marker></defs>`)
	c.put(`<rect width="%.0f" height="%.0f" rx="10" fill="var(--paper)"/>`, w, h)
	c.text(margin, 38, "title", d.Name)
	c.text(margin+width(d.Name, 20)*boldness+14, 38, "soft", headline(d))
	c.b.WriteString(body)
	c.parts(parts, headHeight+keywords, w)
	c.put("</svg>")
	return c.b.String()
}

// headline sums the flow up.
func headline(d flow.Description) string {
	words := []string{strings.Join(d.Languages, ", "), fmt.Sprintf("%d steps", len(d.Steps))}
	if d.Version > 0 {
		words = append(words, fmt.Sprintf("version %d", d.Version))
	}
	return strings.Join(words, " · ")
}

// extent is the size of the parts: the main one, and the others below each other at
// its right.
func extent(parts []*graph) (w, h float64) {
	aside, below := 0.0, 0.0
	for _, g := range parts[1:] {
		aside = max(aside, g.frameWidth()+partGap)
		below += g.height + frameHead + margin + partGap/2
	}
	return max(parts[0].width+2*margin+aside, pictureMin), max(parts[0].height, below) + margin
}

func (g *graph) frameWidth() float64 {
	return max(g.width, width(g.caption(), 14)) + 2*margin
}

// caption is the title of a sub-flow.
func (g *graph) caption() string {
	return g.subflow + ", run by " + strings.Join(g.callers, ", ")
}

// canvas is a picture being drawn.
type canvas struct{ b strings.Builder }

func (c *canvas) put(format string, args ...any) {
	fmt.Fprintf(&c.b, format, args...)
	c.b.WriteByte('\n')
}

func (c *canvas) text(x, y float64, class, s string) {
	c.put(`<text x="%.0f" y="%.0f" class="%s">%s</text>`, x, y, class, escape(s))
}

// escape makes a text part of XML. Control characters, which XML does not know, are
// left out.
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, s)
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

// keywords draws a row of pills, and tells its height.
func (c *canvas) keywords(d flow.Description, most float64) float64 {
	if len(d.Keywords) == 0 {
		return 0
	}
	x, y := float64(margin), float64(headHeight-6)
	for _, k := range d.Keywords {
		s := fit(strings.Join(k.Words, ", ")+" → "+keywordDoes(k), textSize, most-4*margin)
		w := width(s, textSize)*boldness + 2*padding
		if x > margin && x+w > most-margin {
			x, y = margin, y+keywordHeight
		}
		c.put(`<g class="keyword"><rect x="%.0f" y="%.0f" width="%.0f" height="24" rx="12" class="pill"/><text x="%.0f" y="%.0f" class="pill-text">%s</text></g>`,
			x, y, w, x+w/2, y+16, escape(s))
		x += w + 8
	}
	return y + keywordHeight - headHeight + 14
}

// keywordDoes says what a keyword is for.
func keywordDoes(k flow.KeywordInfo) string {
	switch {
	case k.To != "":
		return k.To
	case k.Name == "restart":
		return "begins again"
	case k.Name == "stop":
		return "opts out"
	}
	return k.Name
}

func (c *canvas) parts(parts []*graph, top, w float64) {
	left := float64(margin)
	if len(parts) == 1 {
		left = (w - parts[0].width) / 2
	}
	c.part(parts[0], left, top, "--paper")
	x, y := margin+parts[0].width+partGap, top
	for _, g := range parts[1:] {
		c.put(`<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="10" class="frame"/>`, x, y, g.frameWidth(), g.height+frameHead+margin)
		c.text(x+margin, y+26, "part", g.caption())
		c.part(g, x+(g.frameWidth()-g.width)/2, y+frameHead, "--frame")
		y += g.height + frameHead + margin + partGap/2
	}
}

// part draws one part: its lines, then what stands on them.
func (c *canvas) part(g *graph, x, y float64, behind string) {
	c.put(`<g transform="translate(%.0f %.0f)" style="--behind: var(%s)">`, x, y, behind)
	p := portsOf(g)
	for _, e := range g.edges {
		c.edge(g, e, p)
	}
	for _, row := range g.rows {
		for _, v := range row {
			c.vertex(v)
		}
	}
	c.put("</g>")
}
