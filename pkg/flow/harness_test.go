package flow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// dialogue is one contact's story.
type dialogue struct {
	versions map[string]*Flow // by "name/version"
	live     Live
	state    State
	history  [][]byte // every event so far, marshalled
	now      int64
	inputs   int
	contact  *parleyv1.ContactInfo
	tables   map[string][]map[string]any
	shown    []tappable        // every button and row so far
	sent     []*parleyv1.Event // every message so far
	form     string            // token of the form that was sent last
	wake     int64             // what the session asked for last
	timers   bool              // show when a session sets its timer, which each does
	prompt   int64             // of TimerDue: when the question was handed over
	advice   *parleyv1.ReminderAdvice
	other    State // the conversation of another contact, which left
}

// tappable is something that can be tapped.
type tappable struct{ title, id string }

func newDialogue() *dialogue {
	// A Tuesday morning.
	now := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC).UnixMilli()
	return &dialogue{versions: map[string]*Flow{}, now: now, contact: &parleyv1.ContactInfo{}, tables: map[string][]map[string]any{}}
}

func (d *dialogue) run(t *testing.T, command string) []string {
	t.Helper()
	if rows, ok := strings.CutPrefix(command, "table "); ok {
		return d.table(t, rows)
	}
	words := fieldsOf(t, command)
	argument := words["argument"]
	switch words[""] {
	case "publish":
		return d.publish(t, words)
	case "channel":
		return d.channel(words)
	case "contact":
		d.contact = &parleyv1.ContactInfo{Phone: words["phone"], Name: words["name"], Language: words["language"], OptedOut: words["opted_out"] == "true", Blocked: words["blocked"] == "true"}
		if words["window"] != "" {
			d.contact.WindowUntilMs = d.now + duration(t, words["window"]).Milliseconds()
		}
		return nil
	case "receive":
		return d.turn(t, d.message(t, words))
	case "tap":
		return d.tap(t, argument, max(number32(t, words["nth"]), 1))
	case "pass":
		return d.pass(t, argument)
	case "advise":
		d.advice = &parleyv1.ReminderAdvice{Step: words["step"], AfterMs: duration(t, words["after"]).Milliseconds(), Reason: words["reason"]}
		return nil
	case "show":
		d.timers = argument == "timers"
		return nil
	case "prompt":
		return d.promptOf(t, argument)
	case "late":
		d.now += duration(t, argument).Milliseconds()
		return nil
	case "timer":
		return d.turn(t, TimerInput("", 0, d.state.Progress.Ref, d.wake+int64(number32(t, words["wrong"]))))
	case "exchange":
		x := &parleyv1.FormExchange{Token: cmp.Or(words["token"], d.form), Screen: words["screen"], Json: []byte(words["json"]), Kind: words["kind"], Key: words["key"]}
		return d.turn(t, &parleyv1.Input{Body: &parleyv1.Input_FormExchange{FormExchange: x}})
	case "undelivered":
		return d.undelivered(t, words)
	case "called":
		return d.turn(t, CallInput("", 0, &parleyv1.CallResult{
			Ref: cmp.Or(words["ref"], d.state.Progress.Call), Ok: argument == "ok", Status: uint32(number32(t, words["status"])),
			Reason: words["reason"], Json: []byte(words["json"]),
		}))
	case "start":
		s := &parleyv1.StartRequest{Flow: words["flow"], Language: words["language"], Slots: []byte(words["slots"]), Campaign: words["campaign"], Line: uint32(number32(t, words["line"]))}
		if words["template"] != "" {
			s.Template = &parleyv1.Template{Name: words["template"], Language: "en_US"}
			if words["button"] != "" {
				s.Template.Buttons = []*parleyv1.TemplateButton{{Kind: words["button"]}}
			}
		}
		return d.turn(t, &parleyv1.Input{Body: &parleyv1.Input_Start{Start: s}})
	case "operate":
		a := &parleyv1.OperatorAction{
			Verb: argument, By: words["by"], Reason: words["reason"], Step: words["step"], Slot: words["slot"], Json: []byte(words["json"]),
		}
		if words["text"] != "" {
			a.Content = &parleyv1.OperatorAction_Text{Text: &parleyv1.Text{Body: words["text"]}}
		}
		return d.turn(t, OperatorInput("", 0, a))
	case "aside":
		return d.turn(t, &parleyv1.Input{Body: &parleyv1.Input_Aside{Aside: &parleyv1.Aside{Kind: argument, Emoji: words["emoji"]}}})
	case "echo":
		e := &parleyv1.Echo{Message: &parleyv1.IncomingMessage{Type: "text", Text: words["text"]}, TakesOver: argument != "record"}
		return d.turn(t, &parleyv1.Input{Body: &parleyv1.Input_Echo{Echo: e}})
	case "other":
		d.other, d.state, d.history = d.state, d.other, nil
		return nil
	case "merge":
		return d.merge(t)
	case "migrate":
		return d.migrate(t, words)
	case "order":
		o := &parleyv1.ResourceOrder{
			Verb: words["verb"], Booking: words["booking"], Slot: words["slot"], Lead: words["lead"], Agent: words["agent"], Reason: words["reason"],
		}
		return d.turn(t, &parleyv1.Input{Body: &parleyv1.Input_ResourceOrder{ResourceOrder: o}})
	}
	t.Fatalf("unknown command %q", command)
	return nil
}

func (d *dialogue) publish(t *testing.T, words map[string]string) []string {
	t.Helper()
	f := load(t, words["argument"]).WithVersion(uint32(number32(t, words["version"])))
	d.live, d.versions[label(f.Name(), f.Version())] = f, f
	return []string{"live    " + label(f.Name(), f.Version()) + " " + strings.Join(f.Steps(), " ")}
}

// channel makes published versions live together: flows=a/1,b/2+b/3:50 gives half
// of the new sessions of b its version 3.
func (d *dialogue) channel(words map[string]string) []string {
	var releases []Release
	for _, names := range strings.Fields(strings.ReplaceAll(words["flows"], ",", " ")) {
		main, canary, _ := strings.Cut(names, "+")
		version, weight, _ := strings.Cut(canary, ":")
		percent, _ := strconv.Atoi(weight)
		releases = append(releases, Release{Flow: d.versions[main], Canary: d.versions[version], Weight: percent})
	}
	r := NewRouter(words["id"], words["serves"], releases...)
	d.live = r
	var said []string
	for _, o := range r.Overlaps() {
		said = append(said, fmt.Sprintf("overlap %s %q and %s %q: %s begins", o.Flow, o.Entry, o.OtherFlow, o.OtherEntry, o.Wins))
	}
	return said
}

func (d *dialogue) table(t *testing.T, source string) []string {
	t.Helper()
	name, rows, _ := strings.Cut(source, ":")
	d.tables[name] = nil
	for decoder := json.NewDecoder(strings.NewReader(rows)); decoder.More(); {
		var row map[string]any
		if err := decoder.Decode(&row); err != nil {
			t.Fatalf("table %s: %v", source, err)
		}
		d.tables[name] = append(d.tables[name], row)
	}
	return nil
}

func (d *dialogue) message(t *testing.T, words map[string]string) *parleyv1.Input {
	t.Helper()
	in := message(words["id"], cmp.Or(words["type"], "text"), words["text"])
	m := in.GetMessage()
	m.Tap = words["tap"]
	if step := words["reply"]; step != "" {
		m.RepliedTo = &parleyv1.OurMessage{Step: step, QueuedAtMs: 1} // of an earlier session, unless this one said it
		for _, e := range d.sent {
			if e.GetMessageQueued().GetStep() == step && words["session"] != "earlier" {
				m.RepliedTo.QueuedAtMs = e.GetAtMs()
			}
		}
	}
	if id := words["ad"]; id != "" {
		m.Referral = &parleyv1.Referral{SourceId: id, SourceType: "ad"}
	}
	if kind := words["media"]; kind != "" {
		m.Type = kind
		size, _ := strconv.ParseInt(words["size"], 10, 64)
		m.Content = &parleyv1.IncomingMessage_Media{Media: &parleyv1.IncomingMedia{Kind: kind, Id: "f1", MimeType: words["mime"], Filename: words["filename"], SizeBytes: size}}
	}
	if place := words["location"]; place != "" {
		m.Type = "location"
		g := &parleyv1.GeoPoint{Name: words["name"], Address: words["address"]}
		if _, err := fmt.Sscanf(place, "%g,%g", &g.Latitude, &g.Longitude); err != nil {
			t.Fatal(err)
		}
		m.Content = &parleyv1.IncomingMessage_Location{Location: g}
	}
	if name := words["card"]; name != "" {
		m.Type = "contacts"
		m.Content = &parleyv1.IncomingMessage_Contact{Contact: &parleyv1.ContactCard{Name: name, Phone: words["phone"], Email: words["email"], Requested: words["shared"] != ""}}
	}
	if data := words["form"]; data != "" {
		m.Type = "interactive"
		token := cmp.Or(words["token"], d.form)
		if token == "none" {
			token = ""
		}
		m.Content = &parleyv1.IncomingMessage_Form{Form: &parleyv1.FormResult{Token: token, Json: []byte(data)}}
	}
	return in
}

func (d *dialogue) tap(t *testing.T, title string, nth int) []string {
	t.Helper()
	for _, s := range slices.Backward(d.shown) {
		if s.title == title {
			if nth--; nth > 0 {
				continue
			}
			in := message("", "interactive", title)
			in.GetMessage().Tap = s.id
			return d.turn(t, in)
		}
	}
	t.Fatalf("nothing with the title %q was shown", title)
	return nil
}

func (d *dialogue) pass(t *testing.T, argument string) []string {
	t.Helper()
	until := d.now + duration(t, argument).Milliseconds()
	var said []string
	for d.state.WakeAt() != 0 && d.state.WakeAt() <= until {
		d.now = d.state.WakeAt()
		in := TimerInput("", 0, d.state.Progress.Ref, d.state.WakeAt())
		in.GetTimerDue().PromptAtMs, in.GetTimerDue().Advice = d.prompt, d.advice
		said = append(said, d.turnAt(t, in)...)
	}
	d.now = until
	return said
}

// undelivered reports that a message which was sent does not arrive: the last, or the
// nth before it.
func (d *dialogue) undelivered(t *testing.T, words map[string]string) []string {
	t.Helper()
	sent := d.sent[max(0, len(d.sent)-1-number32(t, words["before"]))]
	failed := &parleyv1.DeliveryFailure{
		Step: sent.GetMessageQueued().GetStep(), Class: "permanent", Code: uint32(number32(t, words["code"])), QueuedAtMs: sent.GetAtMs(),
	}
	return d.turn(t, FailureInput("", 0, failed))
}

// promptOf says what became of the question: "pending", or that it was handed over
// now.
func (d *dialogue) promptOf(t *testing.T, argument string) []string {
	t.Helper()
	d.prompt = d.now
	if argument == "pending" {
		d.prompt = -1
	}
	return nil
}

func (d *dialogue) migrate(t *testing.T, words map[string]string) []string {
	t.Helper()
	from, to := uint32(number32(t, words["from"])), uint32(number32(t, words["to"]))
	m := &parleyv1.Migration{Flow: d.state.Flow, FromVersion: from, ToVersion: to, Steps: map[string]string{}}
	for _, pair := range strings.Split(words["steps"], ",") {
		if old, new, ok := strings.Cut(pair, ":"); ok {
			m.Steps[old] = new
		}
	}
	step := cmp.Or(m.Steps[d.state.Step], d.state.Step)
	var said []string
	if f := d.versions[label(d.state.Flow, to)]; f != nil {
		for _, what := range f.Lacks(d.state, step) {
			said = append(said, "lacks   "+what)
		}
	}
	return append(said, d.turn(t, &parleyv1.Input{Body: &parleyv1.Input_Migration{Migration: m}})...)
}

// merge makes one of the conversation and the other one. That the events fold to the
// states is seen for the one that is adopted.
func (d *dialogue) merge(t *testing.T) (said []string) {
	t.Helper()
	d.now += 1000
	pinned := func(s State) *Flow { return d.versions[label(s.Flow, s.FlowVersion)] }
	in := &parleyv1.Input{Id: "merge", AtMs: d.now, Contact: proto.CloneOf(d.contact)}
	m := Merge(d.state, Other{Session: 7, State: d.other}, pinned, in)
	for _, e := range m.Own {
		said = append(said, "own     "+lineOf(e))
	}
	d.history = nil
	for _, e := range m.Adopted {
		said, d.history = append(said, "adopted "+lineOf(e)), append(d.history, marshal(t, e))
	}
	if folded := replay(t, d.history); !reflect.DeepEqual(folded, m.AdoptedState) {
		t.Fatalf("the adopted events fold to\n%+v\nand not to\n%+v", folded, m.AdoptedState)
	}
	d.state, d.other = m.OwnState, State{}
	if m.AdoptedGoesOn {
		d.state = m.AdoptedState
	}
	return append(said, d.stateLine())
}

// turn runs a turn a second later.
func (d *dialogue) turn(t *testing.T, in *parleyv1.Input) []string {
	t.Helper()
	d.now += 1000
	return d.turnAt(t, in)
}

// turnAt runs a turn the way the session service does: state and events are
// marshalled between turns, and only the pinned version is handed in.
func (d *dialogue) turnAt(t *testing.T, in *parleyv1.Input) []string {
	t.Helper()
	d.inputs++
	in.Id, in.AtMs, in.Contact, in.Channel = cmp.Or(in.Id, fmt.Sprintf("i%d", d.inputs)), d.now, proto.CloneOf(d.contact), "ch1"
	pinned := d.versions[label(d.state.Flow, d.state.FlowVersion)]
	events, next, err := Complete(d.live, pinned, d.state, in, d.rows)
	if err != nil || next.Awaits() != nil {
		t.Fatalf("the turn ended with %v, awaiting %v", err, next.Awaits())
	}
	said := make([]string, 0, len(events)+1)
	for _, e := range events {
		if e.GetTimerSet() == nil || d.timers {
			said = append(said, lineOf(e))
		}
		d.history = append(d.history, marshal(t, e))
		d.remember(e)
	}
	d.state = restore(t, next)
	if folded := replay(t, d.history); !reflect.DeepEqual(folded, next) || !reflect.DeepEqual(d.state, next) {
		t.Fatalf("the events fold to\n%+v\nthe store gives\n%+v\nbut the turn returned\n%+v", folded, d.state, next)
	}
	d.wake = cmp.Or(d.state.WakeAt(), d.wake)
	if len(events) == 0 {
		return []string{"(nothing)"}
	}
	return append(said, d.stateLine())
}

// rows answers a lookup from the dialogue's tables.
func (d *dialogue) rows(l Lookup) ([][]byte, error) {
	var found [][]byte
	if l.Verb != "" {
		return d.outcomes(l), nil
	}
	for _, row := range d.tables[l.Table] {
		matches := true
		for column, value := range l.Where {
			matches = matches && plain(row[column]) == value
		}
		if matches && len(found) < int(l.Limit) {
			found = append(found, encodeValue(row))
		}
	}
	return found, nil
}

// outcomes are the rows of the table named by the verb: free slots, or what came of
// one action after the other.
func (d *dialogue) outcomes(l Lookup) (rows [][]byte) {
	list := d.tables[l.Verb]
	if l.Verb != VerbFree && len(list) > 1 {
		list, d.tables[l.Verb] = list[:1], list[1:]
	}
	for _, row := range list {
		rows = append(rows, encodeValue(row))
	}
	return rows
}

// remember keeps what later commands and inputs depend on.
func (d *dialogue) remember(e *parleyv1.Event) {
	switch body := e.GetBody().(type) {
	case *parleyv1.Event_LanguageChanged:
		d.contact.Language = body.LanguageChanged.GetLanguage()
	case *parleyv1.Event_OptedOut:
		d.contact.OptedOut = true
	case *parleyv1.Event_OptedIn:
		d.contact.OptedOut = false
	case *parleyv1.Event_ContactBlocked:
		d.contact.Blocked = true
	case *parleyv1.Event_ContactUnblocked:
		d.contact.Blocked = false
	case *parleyv1.Event_MessageQueued:
		d.sent = append(d.sent, proto.CloneOf(e))
		for _, b := range body.MessageQueued.GetButtons().GetButtons() {
			d.shown = append(d.shown, tappable{b.GetTitle(), b.GetId()})
		}
		for _, s := range body.MessageQueued.GetList().GetSections() {
			for _, r := range s.GetRows() {
				d.shown = append(d.shown, tappable{r.GetTitle(), r.GetId()})
			}
		}
		d.form = cmp.Or(body.MessageQueued.GetForm().GetToken(), d.form)
		for _, b := range body.MessageQueued.GetTemplate().GetButtons() {
			d.form = cmp.Or(b.GetForm().GetToken(), d.form)
		}
	}
}

// restore writes a state and reads it back, as pkg/store does: answers and progress
// are JSON, the rest are columns.
func restore(t tester, s State) State {
	t.Helper()
	answers, err := json.Marshal(s.Answers)
	if err != nil {
		t.Fatalf("answers: %v", err)
	}
	progress, err := json.Marshal(s.Progress)
	if err != nil {
		t.Fatalf("progress: %v", err)
	}
	status, err := ParseStatus(s.Status.String())
	if err != nil {
		t.Fatalf("%v", err)
	}
	read := State{
		Flow: s.Flow, FlowVersion: s.FlowVersion, Status: status, Step: s.Step, Language: s.Language, Failures: s.Failures,
		Version: s.Version, StartedAtMs: s.StartedAtMs, LastInteractionMs: s.LastInteractionMs,
	}
	if err := json.Unmarshal(answers, &read.Answers); err != nil {
		t.Fatalf("answers %s: %v", answers, err)
	}
	if err := json.Unmarshal(progress, &read.Progress); err != nil {
		t.Fatalf("progress %s: %v", progress, err)
	}
	if strings.Contains(string(answers)+string(progress), `\u0000`) {
		t.Fatalf("jsonb refuses NUL: %s %s", answers, progress)
	}
	return read
}

// replay folds a history from nothing.
func replay(t *testing.T, history [][]byte) State {
	t.Helper()
	var s State
	for _, data := range history {
		e := new(parleyv1.Event)
		if err := proto.Unmarshal(data, e); err != nil {
			t.Fatalf("unmarshal event: %v", err)
		}
		s = Evolve(s, e)
	}
	return s
}

func marshal(t *testing.T, e *parleyv1.Event) []byte {
	t.Helper()
	data, err := proto.Marshal(e)
	if err != nil {
		t.Fatalf("marshal event: %v", err)
	}
	return data
}

// fieldsOf splits a command: the verb is under "", a word without "=" under
// "argument", and a value in quotes is a Go string.
func fieldsOf(t *testing.T, command string) map[string]string {
	t.Helper()
	verb, rest, _ := strings.Cut(command, " ")
	words := map[string]string{"": verb}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		key := "argument"
		if name, after, assigned := strings.Cut(rest, "="); assigned && !strings.ContainsAny(name, " \"`") {
			key, rest = name, after
		}
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			words[key], _ = strconv.Unquote(quoted)
			rest = rest[len(quoted):]
			continue
		}
		words[key], rest, _ = strings.Cut(rest, " ")
	}
	return words
}

func number32(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(s, "0"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	if days, ok := strings.CutSuffix(s, "d"); ok {
		return time.Duration(number32(t, days)) * 24 * time.Hour
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
