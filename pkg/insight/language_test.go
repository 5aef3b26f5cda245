package insight

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/dialogue"
	"github.com/parleyhq/parley/pkg/flow/hours"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// demos is where the demo flows, their tables and their dialogues are.
var demos = filepath.Join("..", "..", "deploy", "flows")

func glob(t testing.TB, pattern string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(demos, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	all := map[string][]byte{}
	for _, file := range files {
		if all[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func demoFlows(t testing.TB) []*flow.Flow {
	t.Helper()
	var flows []*flow.Flow
	sources := glob(t, "*.yaml")
	for _, file := range slices.Sorted(maps.Keys(sources)) {
		f, err := flow.Parse(sources[file])
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		flows = append(flows, f.WithVersion(1))
	}
	return flows
}

// TestDemoDialogues counts every dialogue of the demo flows, and compares with where
// the conversation ended.
func TestDemoDialogues(t *testing.T) {
	w := dialogue.World{Flows: demoFlows(t), Hours: map[string]*hours.Rules{}, Zone: time.LoadLocation}
	for file, source := range glob(t, "slots/*.yaml") {
		rules, err := hours.Parse(source, time.LoadLocation)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		w.Hours[rules.Service] = rules
	}
	ends := map[flow.Status]int{}
	for file, source := range glob(t, "tests/*.txt") {
		all, err := dialogue.Parse(string(source))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, d := range all {
			events := w.Run(d).Events
			counts := NewCounts()
			var s flow.State
			for _, e := range events {
				counts.Add(e)
				checkSteps(t, counts)
				s = flow.Evolve(s, e)
			}
			ends[s.Status]++
			checkStanding(t, counts, []flow.State{s}, "")
		}
	}
	for _, status := range []flow.Status{flow.Active, flow.Completed, flow.Cancelled, flow.Human} {
		if ends[status] == 0 {
			t.Errorf("no dialogue ends %v", status)
		}
	}
}

// checkStanding compares what the counts say with where everybody stands, who all
// are on one channel.
func checkStanding(t interface {
	Helper()
	Fatalf(string, ...any)
}, c *Counts, people []flow.State, channel string,
) {
	t.Helper()
	waiting, open, silent := map[StepKey]int64{}, map[Cohort]int64{}, map[Cohort]int64{}
	for key, n := range c.steps {
		if left := n.Entered - n.Answered - n.Departed; left != 0 {
			waiting[key] = left
		}
	}
	for cohort, n := range c.totals {
		if n.Started < 0 || n.Completed < 0 || n.Cancelled < 0 {
			t.Fatalf("%v: %+v", cohort, n)
		}
		if left := n.Started - n.Completed - n.Cancelled; left != 0 {
			open[cohort] = left
		}
		if n.Expired != 0 {
			silent[cohort] = n.Expired
		}
	}
	stand, running := map[StepKey]int64{}, map[Cohort]int64{}
	for _, s := range people {
		cohort := Cohort{s.Flow, s.FlowVersion, channel, cmp.Or(s.Progress.FirstLanguage, s.Language), s.StartedAtMs / dayMs}
		if s.Status == flow.Active {
			stand[StepKey{cohort, s.Step}]++
		}
		if s.Status == flow.Active || s.Status == flow.Expired || s.Status == flow.Human && s.Progress.EndedAtMs == 0 {
			running[cohort]++
		}
		if s.Status == flow.Expired {
			silent[cohort]--
		}
	}
	maps.DeleteFunc(silent, func(_ Cohort, left int64) bool { return left == 0 })
	if len(silent) > 0 {
		t.Fatalf("counted as expired, and not: %v", silent)
	}
	if !maps.Equal(waiting, stand) || !maps.Equal(open, running) {
		t.Fatalf("counted as waiting\n%v\n%v\nwaiting are\n%v\n%v", waiting, open, stand, running)
	}
}

// TestWholeLanguage lets several people say anything to the demo flows, whose
// versions change under them.
func TestWholeLanguage(t *testing.T) {
	flows := demoFlows(t)
	kinds := map[string]int{}
	defer func() {
		for _, kind := range []string{
			"SessionStarted", "StepEntered", "AnswerAccepted", "AnswerRejected", "SessionCompleted", "SessionCancelled", "StepLeft", "HandedOver",
			"LanguageChanged", "SessionMigrated", "SessionExpired", "SessionResumed", "SessionArchived", "KeywordUsed", "TapStale", "OptedOut", "VariantAssigned", "LookupAnswered", "ConfirmationAsked",
		} {
			if kinds[kind] == 0 && !testing.Short() {
				t.Errorf("nobody came to %s: %v", kind, kinds)
			}
		}
	}()
	rapid.Check(t, func(r *rapid.T) {
		c := &crowd{T: r, flows: flows, version: 1, now: monday.UnixMilli(), people: make([]speaker, rapid.IntRange(1, 3).Draw(r, "people"))}
		whole := NewCounts()
		for range 20 + rapid.IntRange(0, 60).Draw(r, "turns") {
			for _, e := range c.turn() {
				whole.Add(e)
				checkSteps(r, whole)
				kinds[string(e.ProtoReflect().WhichOneof(e.ProtoReflect().Descriptor().Oneofs().ByName("body")).Message().Name())]++
			}
		}
		states := make([]flow.State, 0, len(c.people))
		for i := range c.people {
			if p := &c.people[i]; p.state.Status != flow.None {
				states = append(states, p.state)
			}
		}
		checkStanding(r, whole, states, "ch1")
		if batches := inBatches(r, c.events); !reflect.DeepEqual(batches, whole) {
			r.Fatalf("in batches\n%+v\nas a whole\n%+v", batches, whole)
		}
	})
}

// crowd are people who talk to the same flows.
type crowd struct {
	*rapid.T
	flows   []*flow.Flow
	version uint32
	now     int64
	people  []speaker
	events  []*parleyv1.Event
}

type speaker struct {
	state   flow.State
	contact parleyv1.ContactInfo
	shown   []*parleyv1.Button
	token   string
}

func pick[T any](r *rapid.T, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(r, label)
}

// turn lets somebody say something.
func (c *crowd) turn() []*parleyv1.Event {
	p := &c.people[rapid.IntRange(0, len(c.people)-1).Draw(c.T, "person")]
	c.now += pick(c.T, "later", int64(0), 1000, 90_000, 43_200_000)
	if pick(c.T, "publishes", 0, 0, 0, 0, 1) == 1 {
		c.version = 3 - c.version
	}
	in := c.input(p)
	in.Id, in.AtMs, in.Channel, in.Contact = fmt.Sprint(len(c.events)), c.now, "ch1", proto.CloneOf(&p.contact)
	var releases []flow.Release
	var pinned *flow.Flow
	for _, f := range c.flows {
		releases = append(releases, flow.Release{Flow: f.WithVersion(c.version)})
		if f.Name() == p.state.Flow {
			pinned = f.WithVersion(p.state.FlowVersion)
		}
	}
	rows := pick(c.T, "rows", 0, 1, 14)
	serves := c.flows[rapid.IntRange(0, len(c.flows)-1).Draw(c.T, "serves")].Name()
	events, next, err := flow.Complete(flow.NewRouter("ch1", serves, releases...), pinned, p.state, in, func(flow.Lookup) ([][]byte, error) {
		var all [][]byte
		for i := range rows {
			row, err := json.Marshal(map[string]any{"time": fmt.Sprintf("%02d:00", 8+i), "with": "Ana"})
			if err != nil {
				return nil, err
			}
			all = append(all, row)
		}
		return all, nil
	})
	if err != nil {
		c.Fatalf("%v", err)
	}
	p.state = next
	for _, e := range events {
		e.Channel = "ch1"
		p.learn(e)
	}
	c.events = append(c.events, events...)
	return events
}

func (p *speaker) learn(e *parleyv1.Event) {
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_OptedOut:
		p.contact.OptedOut = true
	case *parleyv1.Event_OptedIn:
		p.contact.OptedOut = false
	case *parleyv1.Event_LanguageChanged:
		p.contact.Language = body.LanguageChanged.GetLanguage()
	case *parleyv1.Event_MessageQueued:
		m := body.MessageQueued
		p.shown = append(p.shown, m.GetButtons().GetButtons()...)
		for _, s := range m.GetList().GetSections() {
			for _, row := range s.GetRows() {
				p.shown = append(p.shown, &parleyv1.Button{Id: row.GetId(), Title: row.GetTitle()})
			}
		}
		p.token = cmp.Or(m.GetForm().GetToken(), p.token)
	}
}

func (c *crowd) input(p *speaker) *parleyv1.Input {
	message := func(kind, text string) *parleyv1.Input {
		return &parleyv1.Input{Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: kind, Text: text}}}
	}
	f := c.flows[rapid.IntRange(0, len(c.flows)-1).Draw(c.T, "flow")]
	if i := slices.IndexFunc(c.flows, func(f *flow.Flow) bool { return f.Name() == p.state.Flow }); i >= 0 {
		f = c.flows[i]
	}
	switch kind := rapid.IntRange(0, 19).Draw(c.T, "input"); {
	case kind < 3 && len(p.shown) > 0:
		last := p.shown[max(0, len(p.shown)-pick(c.T, "how old", 3, 3, 12, 100)):]
		b := last[len(last)-1-rapid.IntRange(0, len(last)-1).Draw(c.T, "tap")]
		in := message("interactive", b.GetTitle())
		in.GetMessage().Tap = b.GetId()
		return in
	case kind < 10 && (kind < 5 || p.state.Progress.WakeAtMs > 0) && p.state.WakeAt() > 0:
		c.now = max(c.now, p.state.WakeAt())
		return flow.TimerInput("", 0, p.state.Progress.Ref, p.state.WakeAt())
	case kind > 16:
		k := pick(c.T, "keyword", f.Describe().Keywords...)
		return message("text", pick(c.T, "word", k.Words...))
	case kind == 13:
		return &parleyv1.Input{Body: &parleyv1.Input_Start{Start: &parleyv1.StartRequest{Flow: f.Name()}}}
	case kind == 14, kind == 15:
		m := &parleyv1.Migration{Flow: p.state.Flow, FromVersion: p.state.FlowVersion, ToVersion: c.version}
		if rapid.Bool().Draw(c.T, "mapped") {
			m.Steps = map[string]string{p.state.Step: pick(c.T, "new step", f.Steps()...)}
		}
		return &parleyv1.Input{Body: &parleyv1.Input_Migration{Migration: m}}
	case kind == 16:
		in := message("interactive", "")
		data := []byte(`{"pain":7,"since":"2026-11-20","note":"x","symptoms":"cough","urgent":true}`)
		in.GetMessage().Content = &parleyv1.IncomingMessage_Form{Form: &parleyv1.FormResult{Token: p.token, Json: data}}
		return in
	}
	return message("text", pick(c.T, "text", "yes", "tomorrow", "3", "Ada", "a@b.de", "book", "support", "survey", "no", "", "12:00", "xyz"))
}
