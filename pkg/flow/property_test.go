package flow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestTurnProperties plays random inputs on random flows of the whole language,
// which change versions under the session and share their channel with another.
func TestTurnProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 30).Draw(t, "turns") {
			w.play(t)
		}
	})
}

// world is a channel with random flows, and one person.
type world struct {
	flows    map[string]*Flow // by "name/version"
	versions int
	live     Live
	state    State
	now      int64
	contact  *parleyv1.ContactInfo
	shown    []tappable
	tokens   []string
	words    []string // that mean something to the flows
	rows     [][]byte
}

func newWorld(t *rapid.T) *world {
	w := &world{flows: map[string]*Flow{}, now: 1_796_119_200_000, contact: &parleyv1.ContactInfo{Phone: "34600111222", Name: "Ada"}}
	w.versions = rapid.IntRange(1, 2).Draw(t, "versions")
	for v := range w.versions {
		w.add(randomFlow(t, "random").WithVersion(uint32(v + 1)))
	}
	w.add(randomFlow(t, "other").WithVersion(1))
	w.route(t)
	w.words = append(w.words, "yes", "no", "2", "1.5", "more", "4 december", "tomorrow", "15:30", "a@b.de", "+34600111222", "restart", "stop", "xyz", "")
	return w
}

func (w *world) add(f *Flow) {
	w.flows[label(f.name, f.version)] = f
	w.words = append(w.words, slices.Sorted(maps.Keys(f.keywords))...)
	for _, e := range f.entries {
		w.words = append(w.words, e.words...)
	}
	for _, s := range f.steps {
		if s.expect != nil {
			for _, o := range s.expect.options {
				w.words = append(w.words, o.value)
			}
		}
	}
}

// route makes what is live: one flow alone, or a router with or without a canary.
func (w *world) route(t *rapid.T) {
	newest := w.flows[label("random", uint32(w.versions))]
	switch rapid.IntRange(0, 9).Draw(t, "live") % 4 {
	case 0:
		w.live = newest
	case 1:
		w.live = NewRouter("ch1", "random", Release{Flow: newest}, Release{Flow: w.flows["other/1"]})
	case 2:
		w.live = NewRouter("ch1", "random", Release{Flow: newest, Canary: w.flows["random/1"], Weight: 50}, Release{Flow: w.flows["other/1"]})
	default:
		w.live = NewRouter("ch1", "gone", Release{Flow: w.flows["other/1"]})
	}
}

// play runs one turn with a random input, and checks all that holds for any.
func (w *world) play(t *rapid.T) {
	if rapid.IntRange(0, 19).Draw(t, "publishes") == 0 {
		w.route(t)
	}
	w.now += rapid.SampledFrom([]int64{0, 1000, 4000, 86_400_000}).Draw(t, "later")
	w.rows = randomRows(t)
	in := w.apt(t)
	if in == nil {
		in = w.input(t)
	}
	in.Id, in.AtMs, in.Channel = rapid.StringMatching("[a-z]{1,3}").Draw(t, "id"), w.now, "ch1"
	w.contact.OptedOut = rapid.IntRange(0, 29).Draw(t, "opted out") == 0
	w.contact.Blocked = rapid.IntRange(0, 29).Draw(t, "blocked") == 0
	w.contact.Language = rapid.SampledFrom([]string{"", "", "es", "pt-BR", "xx"}).Draw(t, "chosen language")
	w.contact.Name = rapid.SampledFrom([]string{"Ada", "", "\x00é", strings.Repeat("w", 200)}).Draw(t, "contact name")
	in.Contact = proto.CloneOf(w.contact)
	w.reply(t, in.GetMessage())
	pinned := w.flows[label(w.state.Flow, w.state.FlowVersion)]
	var events []*parleyv1.Event
	w.state, events = checkTurn(t, w.live, pinned, w.state, in, w.rows)
	w.check(t, events)
}

// reply makes some messages replies to what a step said: of this session or an
// earlier one, or of no flow that is known.
func (w *world) reply(t *rapid.T, m *parleyv1.IncomingMessage) {
	if m == nil || rapid.IntRange(0, 5).Draw(t, "replies") > 0 {
		return
	}
	steps := []string{"", "gone"}
	for _, f := range w.flows {
		steps = append(steps, f.Steps()...)
	}
	slices.Sort(steps)
	m.RepliedTo = &parleyv1.OurMessage{
		Step:       rapid.SampledFrom(steps).Draw(t, "answered step"),
		QueuedAtMs: w.state.StartedAtMs + rapid.SampledFrom([]int64{-1, 0, 5000}).Draw(t, "said"),
	}
}

// check is about the session after a turn, and remembers what can be tapped.
func (w *world) check(t *rapid.T, events []*parleyv1.Event) {
	if f := w.flows[label(w.state.Flow, w.state.FlowVersion)]; w.state.Status != None && f == nil {
		t.Fatalf("the session is on %s/%d, which nobody published", w.state.Flow, w.state.FlowVersion)
	} else if w.state.Status == Active && !f.step(w.state.Step).waits() {
		t.Fatalf("the session is stuck at %s, which waits for nothing", w.state.Step)
	} else if f != nil {
		checkProgress(t, f, w.state)
	}
	for _, e := range events {
		m := e.GetMessageQueued()
		for _, b := range m.GetButtons().GetButtons() {
			w.shown = append(w.shown, tappable{b.GetTitle(), b.GetId()})
		}
		for _, s := range m.GetList().GetSections() {
			for _, r := range s.GetRows() {
				w.shown = append(w.shown, tappable{r.GetTitle(), r.GetId()})
			}
		}
		if token := m.GetForm().GetToken(); token != "" {
			w.tokens = append(w.tokens, token)
		}
	}
}

// checkProgress is about what the engine keeps while a session waits.
func checkProgress(t tester, f *Flow, s State) {
	t.Helper()
	p := s.Progress
	if s.Status != Active && s.Status != Expired {
		if p.Calls != nil && s.Status != Human || p.Pending != nil || p.WakeAtMs != 0 || p.Offered != nil || s.Status != Human && s.Step != "" {
			t.Fatalf("a session that has ended keeps %+v", s)
		}
		return
	}
	at := f.step(s.Step)
	e := at.expect
	if e == nil {
		e = &expectation{}
	}
	switch {
	case (p.Call != "") != (at.request != nil), p.Call != "" && s.Status == Active && s.WakeAt() == 0:
		t.Fatalf("%s waits for call %q, until %d", s.Step, p.Call, s.WakeAt())
	case (len(p.Fragments) > 0) != (p.WakeAtMs != 0), len(p.Fragments) > 0 && e.quietMs == 0:
		t.Fatalf("fragments %q, to be weighed at %d", p.Fragments, p.WakeAtMs)
	case p.Pending != nil && e.kind != dateAnswer && e.kind != timeAnswer:
		t.Fatalf("%s waits for a yes or no to %+v", s.Step, p.Pending)
	case (p.Offered != nil) != (e.dynamic != nil):
		t.Fatalf("%s offers %+v", s.Step, p.Offered)
	case e.attempts > 0 && s.Failures >= e.attempts:
		t.Fatalf("%s has failed %d times", s.Step, s.Failures)
	}
	part := ""
	for _, name := range p.Calls {
		caller := f.step(name)
		if caller.run == nil || caller.subflow != part {
			t.Fatalf("calls %v", p.Calls)
		}
		part = caller.run.subflow
	}
	if part != at.subflow {
		t.Fatalf("the session is at %s, in the calls %v", s.Step, p.Calls)
	}
	for name, value := range s.Answers {
		if slot := f.slots[name]; slot != nil && !slot.fits(value) && slot.kind != formValue {
			t.Fatalf("slot %s, a %s, holds %v", name, slot.kind, value)
		}
	}
}

// tester is what rapid, fuzzing and plain tests have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkTurn runs a turn and checks everything that holds for all turns.
func checkTurn(t tester, live Live, pinned *Flow, s State, in *parleyv1.Input, rows [][]byte) (State, []*parleyv1.Event) {
	t.Helper()
	before, argument := restore(t, s), proto.CloneOf(in)
	run := func() ([]*parleyv1.Event, State) {
		lookups := 0
		events, next, err := Complete(live, pinned, s, in, func(l Lookup) ([][]byte, error) {
			if lookups++; lookups > StepsPerTurnMax {
				t.Fatalf("a turn looks up for ever: %+v", l)
			}
			return rows[:min(len(rows), int(l.Limit))], nil
		})
		if err != nil || next.Awaits() != nil {
			t.Fatalf("the turn ended with %v, awaiting %+v", err, next.Awaits())
		}
		return events, next
	}
	events, next := run()
	again, nextAgain := run()
	if !reflect.DeepEqual(next, nextAgain) || !equal(events, again) {
		t.Fatalf("the same turn twice gave\n%v\n%v", events, again)
	}
	if !reflect.DeepEqual(s, before) || !proto.Equal(in, argument) {
		t.Fatalf("the arguments were changed to\n%+v\n%v", s, in)
	}
	if folded := checkEvents(t, s, events); !reflect.DeepEqual(folded, next) {
		t.Fatalf("the events fold to\n%+v\nbut Turn returned\n%+v", folded, next)
	}
	if read := restore(t, next); !reflect.DeepEqual(read, next) {
		t.Fatalf("the store gives\n%+v\nbut Turn returned\n%+v", read, next)
	}
	return next, events
}

// checkEvents folds a turn's events after a journey through their stored form,
// and checks each on the way.
func checkEvents(t tester, s State, events []*parleyv1.Event) State {
	t.Helper()
	steps := 0
	for _, e := range events {
		version := s.Version + 1
		if e.GetSessionStarted() != nil {
			version = 1
		}
		s = Evolve(s, stored(t, e))
		if e.Version != version || s.Version != version {
			t.Fatalf("event %v has version %d, state %d, want %d", e, e.Version, s.Version, version)
		}
		if e.GetStepEntered() != nil || e.GetStepPassed() != nil {
			steps++
		}
		if message := e.GetMessageQueued(); message != nil {
			checkMessage(t, message)
		}
	}
	if steps > StepsPerTurnMax {
		t.Fatalf("a turn went through %d steps", steps)
	}
	return s
}

func stored(t tester, e *parleyv1.Event) *parleyv1.Event {
	t.Helper()
	data, err := proto.Marshal(e)
	if err != nil {
		t.Fatalf("marshal %v: %v", e, err)
	}
	if e.GetInputReceived() == nil && bytes.Contains(data, []byte(`\u0000`)) {
		t.Fatalf("an event that cannot be stored: %v", e)
	}
	read := new(parleyv1.Event)
	if err := proto.Unmarshal(data, read); err != nil {
		t.Fatalf("unmarshal %v: %v", e, err)
	}
	return read
}

func equal(a, b []*parleyv1.Event) bool {
	return slices.EqualFunc(a, b, func(a, b *parleyv1.Event) bool { return proto.Equal(a, b) })
}

// apt is an answer that fits the question, most of the time: else no session would
// come far. It is nil where nothing fits.
func (w *world) apt(t *rapid.T) *parleyv1.Input {
	f := w.flows[label(w.state.Flow, w.state.FlowVersion)]
	if w.state.Status != Active || rapid.IntRange(0, 3).Draw(t, "apt") == 0 {
		return nil
	}
	e := f.step(w.state.Step).expect
	if e == nil {
		return w.called(t)
	}
	text := func(words ...string) *parleyv1.Input {
		return message("", "text", rapid.SampledFrom(words).Draw(t, "says"))
	}
	switch {
	case w.state.Progress.Pending != nil:
		return text("yes", "yes", "no", "2 february")
	case len(w.state.Progress.Fragments) > 0 && rapid.Bool().Draw(t, "wakes"):
		return w.timer(t)
	}
	switch e.kind {
	case textAnswer:
		return text("abc", "no way", "x")
	case numberAnswer:
		return text("1", "3", "4.5", "1 000")
	case emailAnswer:
		return text("ada@example.org")
	case phoneAnswer:
		return text("600 111 222", "+49 171 1234567")
	case dateAnswer:
		return text("tomorrow", "4 december", "2026-12-20", "next friday")
	case timeAnswer:
		return text("15:30", "3 pm")
	case yesNoAnswer:
		return text("yes", "NO", "👍", "of course", "sí")
	case choiceAnswer:
		return text("1", "2", "first", "begin", "o0", "primero", "more", "Title 1", "odd")
	}
	return w.aptFile(t, f.step(w.state.Step))
}

// aptFile is an answer that is no text.
func (w *world) aptFile(t *rapid.T, s *step) *parleyv1.Input {
	in := message("", "image", "")
	m := in.GetMessage()
	switch s.expect.kind {
	case locationAnswer:
		m.Type, m.Content = "location", &parleyv1.IncomingMessage_Location{Location: &parleyv1.GeoPoint{Latitude: 41.38, Longitude: 2.17}}
	case mediaAnswer:
		m.Content = &parleyv1.IncomingMessage_Media{Media: &parleyv1.IncomingMedia{Kind: "image", Id: "f"}}
	case contactAnswer:
		m.Type, m.Content = "contacts", &parleyv1.IncomingMessage_Contact{Contact: &parleyv1.ContactCard{Name: "Bob", Phone: "600111222"}}
	default:
		token := tapPrefix + w.state.Progress.Ref + "." + s.name + ".form"
		data := []byte(`{"pain":"7","since":"2026-11-30","note":"x"}`)
		if rapid.IntRange(0, 2).Draw(t, "unfinished") == 0 {
			return &parleyv1.Input{Body: &parleyv1.Input_FormExchange{FormExchange: &parleyv1.FormExchange{Token: token, Json: randomForm(t)}}}
		}
		m.Type, m.Content = "interactive", &parleyv1.IncomingMessage_Form{Form: &parleyv1.FormResult{Token: token, Json: data}}
	}
	return in
}

// input is anything that can reach the session.
func (w *world) input(t *rapid.T) *parleyv1.Input {
	switch rapid.IntRange(0, 24).Draw(t, "input") {
	case 0:
		return w.timer(t)
	case 1:
		s := &parleyv1.StartRequest{Flow: rapid.SampledFrom([]string{"random", "other", "gone"}).Draw(t, "start")}
		s.Slots = []byte(rapid.SampledFrom([]string{"", "{", `{"t0":"x\u0000","n0":5,"d0":"2026-01-02","b0":true,"t1":7}`}).Draw(t, "slots"))
		return &parleyv1.Input{Body: &parleyv1.Input_Start{Start: s}}
	case 2:
		return w.migration(t)
	case 24:
		return w.called(t)
	case 23:
		return &parleyv1.Input{Body: &parleyv1.Input_Echo{Echo: &parleyv1.Echo{TakesOver: rapid.Bool().Draw(t, "takes over")}}}
	case 3:
		x := &parleyv1.FormExchange{Token: w.token(t), Screen: "A", Json: randomForm(t)}
		return &parleyv1.Input{Body: &parleyv1.Input_FormExchange{FormExchange: x}}
	case 4, 5, 6, 7, 8:
		return w.tapped(t)
	case 9, 10:
		return w.file(t)
	case 21, 22:
		return w.operator(t)
	case 20:
		at := w.now - rapid.SampledFrom([]int64{0, 0, 1000, 1 << 40}).Draw(t, "queued")
		return FailureInput("", 0, &parleyv1.DeliveryFailure{Delivery: "p1.0.1", Step: "s0", Class: "permanent", QueuedAtMs: at})
	}
	text := rapid.OneOf(rapid.SampledFrom(w.words), rapid.SampledFrom([]string{"\x00", strings.Repeat("é", 1001), "{t0}"}), rapid.String()).Draw(t, "text")
	return message("", rapid.SampledFrom([]string{"text", "text", "text", "button", "hologram"}).Draw(t, "type"), text)
}

// called is the result of a call, of the one that is waited for most of the time.
func (w *world) called(t *rapid.T) *parleyv1.Input {
	return CallInput("", 0, &parleyv1.CallResult{
		Ref:  w.state.Progress.Call + rapid.SampledFrom([]string{"", "", "", ".1"}).Draw(t, "call"),
		Ok:   rapid.Bool().Draw(t, "works"),
		Json: []byte(rapid.SampledFrom([]string{"", "{", "[]", `{"a":"x","b":[7]}`, `{"a":"\u0000","b":["x"]}`, `{"a":{"b":1},"b":[1e999]}`}).Draw(t, "result")),
	})
}

// operator is anything that a person of the business can want.
func (w *world) operator(t *rapid.T) *parleyv1.Input {
	a := &parleyv1.OperatorAction{Verb: rapid.SampledFrom(append(Actions(), "dance", "")).Draw(t, "action"), By: "Ana"}
	f := w.flows[label(w.state.Flow, w.state.FlowVersion)]
	if f != nil && rapid.IntRange(0, 4).Draw(t, "names a step") > 0 {
		a.Step = rapid.SampledFrom(append(f.Steps(), "nowhere")).Draw(t, "to step")
	}
	a.Slot = rapid.SampledFrom([]string{"t0", "n0", "b0", "d0", "q0", "gone"}).Draw(t, "slot")
	a.Json = []byte(rapid.SampledFrom([]string{"", "{", "7", `"x"`, "true", `"2026-01-02"`}).Draw(t, "json"))
	if rapid.Bool().Draw(t, "writes") {
		a.Content = &parleyv1.OperatorAction_Text{Text: &parleyv1.Text{Body: rapid.SampledFrom([]string{"Hello", " ", strings.Repeat("é", 5000)}).Draw(t, "written")}}
	}
	return OperatorInput("", 0, a)
}

func (w *world) timer(t *rapid.T) *parleyv1.Input {
	wake := w.state.WakeAt() + rapid.SampledFrom([]int64{0, 0, 0, 1}).Draw(t, "wrong")
	w.now = max(w.now, wake)
	return TimerInput("", 0, w.state.Progress.Ref, wake)
}

func (w *world) migration(t *rapid.T) *parleyv1.Input {
	m := &parleyv1.Migration{Flow: w.state.Flow, FromVersion: w.state.FlowVersion, ToVersion: uint32(rapid.IntRange(1, 2).Draw(t, "to"))}
	if to := w.flows[label(m.Flow, m.ToVersion)]; to != nil && rapid.Bool().Draw(t, "mapped") {
		m.Steps = map[string]string{w.state.Step: rapid.SampledFrom(to.Steps()).Draw(t, "new step")}
	}
	return &parleyv1.Input{Body: &parleyv1.Input_Migration{Migration: m}}
}

func (w *world) tapped(t *rapid.T) *parleyv1.Input {
	tap := tappable{"Yes", "p1.0123456789.s0.yes"}
	if len(w.shown) > 0 {
		last := w.shown[max(0, len(w.shown)-rapid.SampledFrom([]int{3, 12, 100}).Draw(t, "how old")):]
		tap = rapid.SampledFrom(last).Draw(t, "tap")
	}
	in := message("", "interactive", tap.title)
	in.GetMessage().Tap = tap.id + rapid.SampledFrom([]string{"", "", "", "", "", "x", ".", "-"}).Draw(t, "forged")
	return in
}

func (w *world) token(t *rapid.T) string {
	return rapid.SampledFrom(append([]string{"", "p1.x.y.form", "p1"}, w.tokens...)).Draw(t, "token")
}

// file is a message with something besides a text.
func (w *world) file(t *rapid.T) *parleyv1.Input {
	in := message("", "", "a caption")
	m := in.GetMessage()
	switch m.Type = rapid.SampledFrom([]string{"image", "audio", "location", "contacts", "interactive"}).Draw(t, "file"); m.Type {
	case "image", "audio":
		size := rapid.SampledFrom([]int64{0, 1 << 30}).Draw(t, "size")
		m.Content = &parleyv1.IncomingMessage_Media{Media: &parleyv1.IncomingMedia{Kind: m.Type, Filename: rapid.String().Draw(t, "filename"), SizeBytes: size}}
	case "location":
		latitude := rapid.SampledFrom([]float64{0, 41.38, -91}).Draw(t, "latitude")
		m.Content = &parleyv1.IncomingMessage_Location{Location: &parleyv1.GeoPoint{Latitude: latitude, Name: rapid.String().Draw(t, "place")}}
	case "contacts":
		phone := rapid.SampledFrom([]string{"", "600111222", "x"}).Draw(t, "card phone")
		m.Content = &parleyv1.IncomingMessage_Contact{Contact: &parleyv1.ContactCard{Name: rapid.String().Draw(t, "card"), Phone: phone}}
	default:
		m.Content = &parleyv1.IncomingMessage_Form{Form: &parleyv1.FormResult{Token: w.token(t), Json: randomForm(t)}}
	}
	return in
}

func randomForm(t *rapid.T) []byte {
	return []byte(rapid.SampledFrom([]string{
		"", "[]", "{", "{}", `{"pain":"7","since":"2026-11-30","note":"x"}`, `{"pain":7,"since":"2026-11-30","note":"\u0000"}`, `{"pain":1e999}`,
		`{"pain":-0.0,"note":5,"since":""}`,
	}).Draw(t, "form"))
}

func randomRows(t *rapid.T) [][]byte {
	var rows [][]byte
	for i := range rapid.SampledFrom([]int{0, 1, 2, 3, 12, 250}).Draw(t, "rows") {
		row := map[string]any{
			"v": rapid.SampledFrom([]any{fmt.Sprint("v", i), fmt.Sprint("v", i), float64(i), "", "same", strings.Repeat("é", 201)}).Draw(t, "v"),
			"l": rapid.SampledFrom([]any{fmt.Sprint("Title ", i), "Same", "", nil, strings.Repeat("w", 30)}).Draw(t, "l"),
			"d": rapid.SampledFrom([]any{nil, "somewhere"}).Draw(t, "d"),
		}
		data, err := json.Marshal(row)
		if err != nil {
			t.Fatalf("%v", err)
		}
		rows = append(rows, data)
	}
	return rows
}
