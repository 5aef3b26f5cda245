package console

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// callCheck is what the contacts of a campaign are checked against.
type callCheck struct {
	flow     *flow.Flow
	router   *flow.Router
	slots    map[string]string // name to type
	spoken   []string          // languages of the flow
	template *parleyv1.Template
	columns  []string // that the template names
}

// callCheck asks the engine what a start would do for somebody whom the business writes to
// first, and refuses a campaign that would start nobody, or say what is not delivered.
func (a *API) callCheck(ctx context.Context, body campaignRequest, template *parleyv1.Template) (*callCheck, error) {
	plain := startRequest{Channel: body.Channel}
	if err := a.canStart(ctx, body.Flow, plain); err != nil {
		return nil, err
	}
	live, err := a.live(ctx, body.Flow)
	if err != nil {
		return nil, err
	}
	f, err := a.compiled.get(ctx, a.store, live)
	if err != nil {
		return nil, err
	}
	d := f.Describe()
	c := &callCheck{
		flow: f, router: flow.NewRouter(body.Channel, "", flow.Release{Flow: f}), slots: d.Slots, spoken: d.Languages,
		template: template, columns: columnsOf(template),
	}
	windows, err := a.hasWindows(ctx, body.Channel)
	if err == nil && windows {
		err = c.window(body.Flow)
	}
	return c, err
}

// hasWindows reports whether free text can be sent for 24 h only: Meta's numbers have that
// rule (WIRE.md 3.4, 131047), sessions of WASenderApi have not.
func (a *API) hasWindows(ctx context.Context, channel string) (bool, error) {
	sessions, err := a.store.SessionsHealth(ctx)
	return !slices.ContainsFunc(sessions, func(h store.SessionHealth) bool { return h.Channel == channel }), err
}

// window refuses a flow that says free text at once to who has not written lately.
func (c *callCheck) window(name string) error {
	for _, e := range c.turn(&parleyv1.StartRequest{Flow: name, Template: c.template}) {
		m := e.GetMessageQueued()
		if i := slices.IndexFunc(m.GetTemplate().GetButtons(), opensNothing); i >= 0 {
			return refuse(http.StatusConflict, "the template's button %d opens a form, and flow %s does not begin with one: begin it at a step with form, or use a template without such a button", i, name)
		}
		if m == nil || m.GetTemplate() != nil || m.GetFallback() != nil || m.GetTyping() != nil {
			continue
		}
		advice := "give that message a template in the flow"
		if c.template == nil {
			advice += ", or the campaign one that goes in place of what the flow says first"
		}
		return refuse(http.StatusConflict, "flow %s says free text at step %s: WhatsApp takes templates only for people who have not written for 24 h: %s", name, m.GetStep(), advice)
	}
	return nil
}

// opensNothing reports whether a button would open a form, and has none.
func opensNothing(b *parleyv1.TemplateButton) bool {
	return b.GetKind() == "flow" && b.GetForm() == nil
}

func (c *callCheck) turn(start *parleyv1.StartRequest) []*parleyv1.Event {
	events, _ := flow.Turn(c.router, nil, flow.State{}, &parleyv1.Input{Body: &parleyv1.Input_Start{Start: start}})
	return events
}

// fits says what is wrong with the values of one contact; empty if nothing is.
func (c *callCheck) fits(values map[string]any) string {
	if len(values) == 0 {
		return ""
	}
	slots, err := json.Marshal(values)
	if err != nil {
		return "the values cannot be kept"
	}
	kept := map[string]bool{}
	for _, e := range c.turn(&parleyv1.StartRequest{Flow: c.flow.Name(), Slots: slots}) {
		kept[e.GetValueSet().GetSlot()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !kept[name] {
			return fmt.Sprintf("%s is a %s: what stands there is none, or is too long", name, c.slots[name])
		}
	}
	return ""
}

// speaks reports whether the flow has the language, in any region.
func (c *callCheck) speaks(language string) bool {
	base, _, _ := strings.Cut(language, "-")
	return slices.ContainsFunc(c.spoken, func(own string) bool {
		ownBase, _, _ := strings.Cut(own, "-")
		return strings.EqualFold(base, ownBase)
	})
}

// named is a column in a text of a template.
var named = regexp.MustCompile(`\{([^{}]*)\}`)

// texts are the places of a template that can name columns.
func texts(t *parleyv1.Template) (places []*string) {
	if h := t.GetHeader(); h != nil {
		places = append(places, &h.Text)
		if h.Media != nil {
			places = append(places, &h.Media.Link, &h.Media.Filename)
		}
	}
	for _, p := range t.GetBody() {
		places = append(places, &p.Text)
	}
	for _, b := range t.GetButtons() {
		places = append(places, &b.Text)
	}
	return places
}

// columnsOf are the columns that a template names.
func columnsOf(t *parleyv1.Template) (columns []string) {
	for _, place := range texts(t) {
		for _, found := range named.FindAllStringSubmatch(*place, -1) {
			columns = append(columns, found[1])
		}
	}
	return columns
}

// fill puts the cells of a contact into a template: in one line each, or WhatsApp refuses
// the message.
func fill(t *parleyv1.Template, cells map[string]string) {
	for _, place := range texts(t) {
		*place = named.ReplaceAllStringFunc(*place, func(found string) string {
			return strings.Join(strings.Fields(cells[found[1:len(found)-1]]), " ")
		})
	}
}
