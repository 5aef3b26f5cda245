package backtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestFlowsWithThemselves records random conversations with the demo flows and with
// random flows, and plays them through the same flow: everything must be the same.
func TestFlowsWithThemselves(t *testing.T) {
	demo := demoWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		flows := demo.Flows
		if rapid.Bool().Draw(t, "random flows") {
			flows = []*flow.Flow{randomFlow(t, "one"), randomFlow(t, "two")}
		}
		w := newStroll(t, flows)
		for range 5 + rapid.IntRange(0, 40).Draw(t, "turns") {
			w.turn()
		}
		all := map[string][][]*parleyv1.Event{}
		for _, events := range split(w.events) {
			name := events[len(events)-1].GetFlow()
			all[name] = append(all[name], events)
		}
		for _, f := range flows {
			checkSame(t, tried(f, all[f.Name()]...))
		}
	})
}

// stroll is one person who says anything to flows, whose versions change meanwhile.
type stroll struct {
	*rapid.T
	flows   []*flow.Flow
	version uint32
	state   flow.State
	contact *parleyv1.ContactInfo
	now     int64
	words   []string
	shown   []*parleyv1.Button
	tokens  []string
	events  []*parleyv1.Event
	found   int // rows, by any lookup of this turn
}

func newStroll(t *rapid.T, flows []*flow.Flow) *stroll {
	w := &stroll{
		T: t, flows: flows, version: 1, now: 1_796_119_200_000,
		contact: &parleyv1.ContactInfo{Phone: pick(t, "phone", "34600111222", "5511987654321", ""), Name: "Ada"},
		words:   []string{"Ada", "a@b.de", "3", "1990", "yes", "no", "tomorrow", "12:00", "more", "+34600111222", "xyz", "", "2026-12-04", "1", "2"},
	}
	for _, f := range flows {
		d := f.Describe()
		for _, k := range d.Keywords {
			w.words = append(w.words, k.Words...)
		}
		for _, s := range d.Steps {
			for _, o := range s.Options {
				w.words = append(w.words, o.Value)
			}
		}
		for _, e := range d.Entries {
			w.words = append(w.words, e.Label)
			w.words = append(w.words, strings.Fields(strings.ReplaceAll(e.Label, ",", ""))...)
		}
	}
	return w
}

func pick[T any](t *rapid.T, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(t, label)
}

func (w *stroll) turn() {
	w.now += pick(w.T, "later", int64(0), 1000, 4000, 90_000, 86_400_000)
	if pick(w.T, "publishes", false, false, false, false, false, false, true) {
		w.version = 3 - w.version
	}
	var releases []flow.Release
	var pinned *flow.Flow
	for _, f := range w.flows {
		releases = append(releases, flow.Release{Flow: f.WithVersion(w.version)})
		if f.Name() == w.state.Flow {
			pinned = f.WithVersion(w.state.FlowVersion)
		}
	}
	w.found = pick(w.T, "rows", 0, 1, 3, 14)
	in := w.input()
	in.Id, in.AtMs, in.Channel = fmt.Sprint("in", len(w.events), w.version), w.now, "ch1"
	in.Contact = proto.CloneOf(w.contact)
	live := flow.NewRouter("ch1", w.flows[0].Name(), releases...)
	events, next, err := flow.Complete(live, pinned, w.state, in, w.rows)
	if err != nil {
		w.Fatalf("%v", err)
	}
	w.state = next
	for _, e := range events {
		w.learn(e)
	}
	w.events = append(w.events, events...)
}

func (w *stroll) learn(e *parleyv1.Event) {
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_OptedOut:
		w.contact.OptedOut = true
	case *parleyv1.Event_OptedIn:
		w.contact.OptedOut = false
	case *parleyv1.Event_LanguageChanged:
		w.contact.Language = body.LanguageChanged.GetLanguage()
	case *parleyv1.Event_MessageQueued:
		m := body.MessageQueued
		w.shown = append(w.shown, m.GetButtons().GetButtons()...)
		for _, s := range m.GetList().GetSections() {
			for _, row := range s.GetRows() {
				w.shown = append(w.shown, &parleyv1.Button{Id: row.GetId(), Title: row.GetTitle()})
			}
		}
		if token := m.GetForm().GetToken(); token != "" {
			w.tokens = append(w.tokens, token)
		}
	}
}

func (w *stroll) rows(l flow.Lookup) ([][]byte, error) {
	var rows [][]byte
	for i := range w.found {
		row, err := json.Marshal(map[string]any{"time": fmt.Sprintf("%02d:00", 8+i), "with": "Ana", "value": fmt.Sprint("v", i), "v": fmt.Sprint("v", i)})
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows[:min(len(rows), int(l.Limit))], nil
}

func (w *stroll) input() *parleyv1.Input {
	switch kind := rapid.IntRange(0, 24).Draw(w.T, "input"); {
	case kind < 9:
		return said("text", pick(w.T, "word", w.words...))
	case kind < 16 && len(w.shown) > 0:
		b := pick(w.T, "tap", w.shown[max(0, len(w.shown)-pick(w.T, "how old", 3, 12, 100)):]...)
		in := said("interactive", b.GetTitle())
		in.GetMessage().Tap = b.GetId() + pick(w.T, "forged", "", "", "", "", "", "x")
		return in
	case kind < 18 && w.state.WakeAt() > 0:
		w.now = max(w.now, w.state.WakeAt())
		return flow.TimerInput("", 0, w.state.Progress.Ref, w.state.WakeAt())
	case kind < 20 && len(w.tokens) > 0:
		return w.form(pick(w.T, "token", w.tokens...))
	case kind == 20:
		return &parleyv1.Input{Body: &parleyv1.Input_Start{Start: &parleyv1.StartRequest{
			Flow: w.flows[rapid.IntRange(0, len(w.flows)-1).Draw(w.T, "start")].Name(), Language: pick(w.T, "start in", "", "es"), Slots: []byte(`{"t0":"x","n0":3}`),
		}}}
	case kind == 21:
		return w.migration()
	case kind == 22:
		in := said("image", "a caption")
		in.GetMessage().Content = &parleyv1.IncomingMessage_Media{Media: &parleyv1.IncomingMedia{Kind: "image", Id: "f"}}
		return in
	case kind == 23:
		in := said("location", "")
		in.GetMessage().Content = &parleyv1.IncomingMessage_Location{Location: &parleyv1.GeoPoint{Latitude: 41.38, Longitude: 2.17}}
		return in
	}
	return said("text", rapid.String().Draw(w.T, "text"))
}

func said(kind, text string) *parleyv1.Input {
	return &parleyv1.Input{Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: kind, Text: text}}}
}

func (w *stroll) form(token string) *parleyv1.Input {
	data := []byte(pick(w.T, "form", `{}`, `{"pain":7,"note":"x"}`, `{"pain":"7","note":"x","since":"2026-11-30"}`,
		`{"pain":7,"since":"2026-11-30","note":"x","symptoms":"cough","urgent":true}`))
	if rapid.Bool().Draw(w.T, "draft") {
		return &parleyv1.Input{Body: &parleyv1.Input_FormExchange{FormExchange: &parleyv1.FormExchange{Token: token, Screen: "A", Json: data}}}
	}
	in := said("interactive", "")
	in.GetMessage().Content = &parleyv1.IncomingMessage_Form{Form: &parleyv1.FormResult{Token: token, Json: data}}
	return in
}

// migration moves the session to the other version, perhaps to another step.
func (w *stroll) migration() *parleyv1.Input {
	m := &parleyv1.Migration{Flow: w.state.Flow, FromVersion: w.state.FlowVersion, ToVersion: w.version}
	if i := slices.IndexFunc(w.flows, func(f *flow.Flow) bool { return f.Name() == m.Flow }); i >= 0 && rapid.Bool().Draw(w.T, "mapped") {
		m.Steps = map[string]string{w.state.Step: pick(w.T, "new step", w.flows[i].Steps()...)}
	}
	return &parleyv1.Input{Body: &parleyv1.Input_Migration{Migration: m}}
}

// randomFlow writes a flow with all that a replay has to mind.
func randomFlow(t *rapid.T, name string) *flow.Flow {
	source := rapid.Custom(func(t *rapid.T) string { return (&author{T: t}).definition(name) }).Draw(t, name)
	f, err := flow.Parse([]byte(source))
	if err != nil {
		t.Skip(err.Error())
	}
	return f.WithVersion(1)
}

// author writes random definitions.
type author struct {
	*rapid.T
	strings.Builder
	steps, at int
	part      string
}

func (a *author) line(format string, args ...any) { fmt.Fprintf(a, format+"\n", args...) }

func (a *author) definition(name string) string {
	a.line("name: %s\nlanguage: en\nlanguages: [en, es]\nstale_taps: %s", name, pick(a.T, "stale", "ignore", "repeat", "jump"))
	a.line("slots: {t0: {type: text, default: x}, n0: {type: number, default: 1}, b0: {type: boolean, default: true}, d0: {type: date, default: 2026-01-31}}")
	a.steps, a.part = rapid.IntRange(2, 6).Draw(a.T, "steps"), "s"
	if rapid.Bool().Draw(a.T, "entries") {
		a.line("entry:\n  - {keyword: [go %s], interrupt: true, step: s1}\n  - {api: true}\n  - {regex: \"^x(?P<t0>.*)$\"}\n  - {default: true, step: s1, language: es}", name)
	}
	a.line("keywords:\n  restart: [RESTART]\n  stop: {words: [STOP], say: Bye}\n  agent: {words: [AGENT], handover: sales}")
	a.line("  help: {words: [HELP], say: Help}\n  spanish: {words: [ESPANOL], language: es}\n  done: {words: [DONE], goto: completed}")
	for i := range a.steps {
		a.line("  key%d: {words: [key%d], goto: s%d}", i, i, i)
	}
	a.line("steps:")
	for a.at = range a.steps {
		a.step()
	}
	a.steps, a.part = rapid.IntRange(1, 3).Draw(a.T, "sub-steps"), "sub"
	a.line("subflows:\n  sub:")
	for a.at = range a.steps {
		a.step()
	}
	a.line("completed: {say: Thanks, again: Bye, restart: %s}", pick(a.T, "restart", "message", "1d", "30d"))
	return a.String()
}

// ahead is a step below, or an end; anywhere is any.
func (a *author) ahead() string {
	to := []string{"completed", "cancelled", "handover"}
	for i := a.at + 1; i < a.steps; i++ {
		to = append(to, fmt.Sprint(a.part, i), fmt.Sprint(a.part, i))
	}
	return pick(a.T, "target", to...)
}

func (a *author) anywhere() string {
	return pick(a.T, "anywhere", a.ahead(), fmt.Sprint(a.part, rapid.IntRange(0, a.steps-1).Draw(a.T, "back")))
}

func (a *author) step() {
	name := fmt.Sprint(a.part, a.at)
	kind := rapid.IntRange(0, 9).Draw(a.T, "kind")
	if kind == 2 && a.part == "sub" {
		kind = 0
	}
	a.line("  - name: %s%s", name, pick(a.T, "sets", "", "", "\n    set: {n0: n0 + 1}", "\n    language: '\"es\"'"))
	switch kind {
	case 0:
		a.line("    branch: [{if: n0 > 2, goto: %s}, {if: 'today > \"2026-12-05\"', goto: %s}, {goto: %s}]", a.ahead(), a.ahead(), a.ahead())
	case 1:
		a.line("    split: {test: test_%s, goal: completed, variants: [{name: a, weight: 1, goto: %s}, {name: b, weight: 2, goto: %s}]}", name, a.ahead(), a.ahead())
	case 2:
		a.line("    run: {subflow: sub}")
	case 3:
		a.line("    say: Form\n    form: {id: \"1\", title: Open, fields: {pain: number, note: text}, save: f_%s, partial: p_%s}", name, name)
	default:
		a.question()
	}
}

func (a *author) question() {
	a.line("    say: Question?\n    expect:")
	a.line("      %s", pick(a.T, "answer",
		"type: text\n      quiet: 3s\n      save: t0", "type: text\n      max: 4", "type: number\n      min: 2\n      save: n0", "type: yes_no\n      save: b0",
		"type: date\n      min: today\n      save: d0", "type: email\n      invalid: No", "type: location", "type: media",
		"type: choice\n      save: t0\n      options: {table: rows, where: {k: t0, d: d0}, value: v, title: v, empty: {say: None, goto: "+a.ahead()+"}}",
		"type: choice\n      options:\n        - {value: first, title: {en: First, es: Primero}, goto: "+a.anywhere()+"}\n        - second\n        - third",
		"type: text\n      table: {name: rows, where: {v: value}, first: {t0: v}}",
	))
	if rapid.Bool().Draw(a.T, "attempts") {
		a.line("      attempts: 2\n      then: %s", a.anywhere())
	}
	a.line("    loop: {max: 2, then: %s}", a.ahead())
}

// TestRandomFlowsAreAccepted: else the property would be about few flows.
func TestRandomFlowsAreAccepted(t *testing.T) {
	accepted, refused := 0, map[string]int{}
	for seed := range 200 {
		source := rapid.Custom(func(t *rapid.T) string { return (&author{T: t}).definition("one") }).Example(seed)
		if f, problems := flow.Lint([]byte(source)); f != nil {
			accepted++
		} else {
			refused[problems.Errors()[0].Message]++
		}
	}
	if accepted < 120 {
		t.Errorf("%d of 200 were accepted; the others: %v", accepted, refused)
	}
}
