package dialogue

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/booking"
	"github.com/parleyhq/parley/pkg/flow/hours"
	"github.com/parleyhq/parley/pkg/flow/leads"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// World is what conversations happen in. It never changes.
type World struct {
	Flows []*flow.Flow
	// Serves is the flow that answers when no entry fits; a dialogue can name another.
	Serves string
	// Tables are the tables of allowed values, by name.
	Tables map[string]Table
	// Hours are the opening hours of services, by name: their slots are free.
	Hours map[string]*hours.Rules
	// Zone finds a time zone: time.LoadLocation, which asks the system. Without it
	// there are only those of the flows, and UTC.
	Zone func(name string) (*time.Location, error)
}

// Chat is one person's conversation. It holds the state as it is stored, so that
// nothing survives a turn which would not survive a restart.
type Chat struct {
	world   World
	given   Given
	router  *flow.Router
	contact *parleyv1.ContactInfo
	seed    int // begins the ids of inputs; they decide which variants are drawn
	inputs  int
	now     time.Time
	shown   *screen
	events  []*parleyv1.Event
	desk    *booking.Desk // what is free and booked; nil until it is asked for
	pools   map[string]*leads.Pool

	state             flow.State // without what is stored as JSON
	answers, progress []byte

	former *flow.State // of the contact as whom the person showed before; nil for none
}

// Open begins a conversation. Nothing is said yet.
func (w World) Open(given Given) (*Chat, error) { return w.open(given, 0) }

func (w World) open(given Given, seed int) (*Chat, error) {
	c := &Chat{world: w, given: given, seed: seed, shown: &screen{}}
	c.contact = &parleyv1.ContactInfo{Phone: given.Phone, Name: given.Name, Language: given.Language, OptedOut: given.OptedOut}
	serves := w.Serves
	if given.Flow != "" {
		serves = given.Flow
	}
	releases := make([]flow.Release, len(w.Flows))
	known, zone := serves == "", time.UTC
	for i, f := range w.Flows {
		releases[i] = flow.Release{Flow: f.WithVersion(1)}
		if f.Name() == serves {
			known, zone = true, f.Zone()
		}
	}
	if !known {
		return nil, fmt.Errorf("there is no flow %q", serves)
	}
	c.router = flow.NewRouter(given.Channel, serves, releases...)
	return c, c.begin(zone)
}

// begin sets the clock, by the zone of the flow that serves unless one is given.
func (c *Chat) begin(zone *time.Location) error {
	at := c.given.At
	if at.IsZero() {
		at = beginning
	}
	if c.given.Zone != "" {
		if c.world.Zone == nil {
			return errors.New("time zones are not known here: leave zone out")
		}
		var err error
		if zone, err = c.world.Zone(c.given.Zone); err != nil {
			return err
		}
	}
	year, month, day := at.Date()
	c.now = time.Date(year, month, day, at.Hour(), at.Minute(), at.Second(), 0, zone)
	return nil
}

// Now is the conversation's time.
func (c *Chat) Now() time.Time { return c.now }

// State is what the flow keeps.
func (c *Chat) State() flow.State {
	s := c.state
	restore(c.answers, &s.Answers)
	restore(c.progress, &s.Progress)
	return s
}

// restore reads what encode wrote; nothing was written before the first turn.
func restore(data []byte, into any) {
	if data == nil {
		return
	}
	if err := json.Unmarshal(data, into); err != nil {
		panic(fmt.Sprintf("dialogue: stored state cannot be read: %v", err))
	}
}

// Events are everything that happened.
func (c *Chat) Events() []*parleyv1.Event { return c.events }

// Say lets the person say something at a time, as a file has it behind ">": a
// text, "[Title]", "(image)". It returns the lines that the flow says, with those
// of timers that went off before.
func (c *Chat) Say(line string, at time.Time) ([]string, error) {
	s, err := parseSays(line)
	if err != nil {
		return nil, err
	}
	said, err := c.say(s, at)
	return Lines(said), err
}

// Start lets the API start a flow at a time, as a file has it behind "start".
func (c *Chat) Start(with string, at time.Time) ([]string, error) {
	args, err := fieldsOf(with)
	if err != nil {
		return nil, err
	}
	if err := args.pairs(); err != nil {
		return nil, err
	}
	said, err := c.start(args, at)
	return Lines(said), err
}

// Wait lets time go by, so that timers go off. It returns what the flow says.
func (c *Chat) Wait(until time.Time) ([]string, error) {
	said, err := c.wait(until)
	return Lines(said), err
}

// WakeAt is when the next timer goes off, if there is one.
func (c *Chat) WakeAt() (at time.Time, ok bool) {
	ms := c.State().WakeAt()
	return time.UnixMilli(ms).In(c.now.Location()), ms > 0
}

// Buttons are the titles that the present question offers to tap.
func (c *Chat) Buttons() []string {
	var titles []string
	for _, m := range c.shown.present() {
		for _, b := range buttonsOf(m) {
			titles = append(titles, b.title)
		}
	}
	return titles
}

// Lines tells messages as a file does, with "< " and below it two blanks.
func Lines(said [][]string) []string {
	var lines []string
	for _, bubble := range said {
		for i, line := range bubble {
			prefix := "  "
			if i == 0 {
				prefix = "< "
			}
			lines = append(lines, strings.TrimRight(prefix+line, " "))
		}
	}
	return lines
}

// exchangeOf are the ways in which an open form asks what comes next.
var exchangeOf = map[sayKind]string{sayDraft: flow.ExchangeSubmit, sayOpen: flow.ExchangeOpen, sayBack: flow.ExchangeBack}

func (c *Chat) say(s says, at time.Time) (said [][]string, err error) {
	if said, err = c.wait(at); err != nil {
		return said, err
	}
	message, err := s.message(c.shown)
	if err != nil {
		return said, err
	}
	in := c.input()
	in.Body = &parleyv1.Input_Message{Message: message}
	switch s.kind {
	case sayReply:
		if message.RepliedTo = c.saidBy(s.args[0]); message.RepliedTo == nil {
			return said, fmt.Errorf("step %s has said nothing that could be answered", s.args[0])
		}
	case sayCall:
		ok, status := s.called()
		result := &parleyv1.CallResult{Ref: c.State().Progress.Call, Ok: ok, Status: uint32(status), Json: []byte(s.text)}
		if in.Body = flow.CallInput("", 0, result).GetBody(); result.Ref == "" {
			return said, errors.New("the session waits for no call")
		}
	case sayReaction, sayEdit, sayRevoke:
		in.Body = &parleyv1.Input_Aside{Aside: &parleyv1.Aside{Kind: string(s.kind), Emoji: strings.Join(s.args, "")}}
	}
	if kind, isExchange := exchangeOf[s.kind]; isExchange {
		in.Body = &parleyv1.Input_FormExchange{FormExchange: &parleyv1.FormExchange{
			Token: c.shown.token(), Screen: strings.Join(s.args, ""), Json: []byte(cmp.Or(s.text, "{}")), Kind: kind,
			Key: strings.Join([]string{c.shown.token(), kind, strings.Join(s.args, ""), s.text}, " "),
		}}
	}
	more, err := c.turn(in)
	return append(said, more...), err
}

// saidBy is what a step said last; nil if it said nothing.
func (c *Chat) saidBy(step string) *parleyv1.OurMessage {
	for _, e := range slices.Backward(c.events) {
		if e.GetMessageQueued().GetStep() == step {
			return &parleyv1.OurMessage{Step: step, QueuedAtMs: e.GetAtMs()}
		}
	}
	return nil
}

// timersMax bounds the timers of one wait: a flow that sets one for ever is none.
const timersMax = 1000

func (c *Chat) wait(until time.Time) (said [][]string, err error) {
	for range timersMax {
		at, ok := c.WakeAt()
		if !ok || at.After(until) {
			if until.After(c.now) {
				c.now = until
			}
			return said, nil
		}
		if at.After(c.now) {
			c.now = at
		}
		in := c.input()
		due := flow.TimerInput(in.GetId(), in.GetAtMs(), c.State().Progress.Ref, at.UnixMilli())
		due.Contact, due.Channel = in.GetContact(), in.GetChannel()
		more, err := c.turn(due)
		said = append(said, more...)
		if err != nil {
			return said, err
		}
	}
	return said, fmt.Errorf("more than %d timers went off", timersMax)
}

// start is what the API does. It starts the flow that serves.
func (c *Chat) start(with fields, at time.Time) (said [][]string, err error) {
	if said, err = c.wait(at); err != nil {
		return said, err
	}
	request := &parleyv1.StartRequest{Flow: c.given.Flow}
	if request.Flow == "" {
		request.Flow = c.world.Serves
	}
	slots := map[string]any{}
	for _, f := range with {
		switch f.key {
		case "flow":
			request.Flow = f.value
		case "language":
			request.Language = f.value
		default:
			slots[f.key] = f.json()
		}
	}
	request.Slots = encode(slots)
	in := c.input()
	in.Body = &parleyv1.Input_Start{Start: request}
	more, err := c.turn(in)
	return append(said, more...), err
}

func (c *Chat) input() *parleyv1.Input {
	c.inputs++
	return &parleyv1.Input{
		Id: "in." + strconv.Itoa(c.seed) + "." + strconv.Itoa(c.inputs), AtMs: c.now.UnixMilli(), Channel: c.given.Channel,
		Contact: &parleyv1.ContactInfo{
			Phone: c.contact.Phone, Name: c.contact.Name, Language: c.contact.Language, OptedOut: c.contact.OptedOut, Blocked: c.contact.Blocked,
		},
	}
}

// turn runs one turn, and stores what came of it. A flow that cannot decide
// panics: that is an error here.
func (c *Chat) turn(in *parleyv1.Input) (said [][]string, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("the turn failed: %v", reason)
		}
	}()
	before := c.State()
	events, next, err := flow.Complete(c.router, c.pinned(before), before, in, c.rows)
	if err != nil {
		return nil, err
	}
	c.store(next)
	for _, e := range events {
		c.events = append(c.events, e)
		c.remember(e)
		c.shown.event(e)
		if m := e.GetMessageQueued(); m != nil {
			said = append(said, Render(m))
		}
		if call := e.GetCallQueued(); call != nil {
			said = append(said, []string{callLine(call)})
		}
		if a := e.GetFormAnswered(); a != nil {
			said = append(said, []string{screenLine(a)})
		}
	}
	return said, nil
}

// pinned is the flow of a session; nil if it is of none.
func (c *Chat) pinned(s flow.State) *flow.Flow {
	for _, f := range c.world.Flows {
		if f.Name() == s.Flow {
			return f.WithVersion(1)
		}
	}
	return nil
}

func (c *Chat) store(next flow.State) {
	c.answers, c.progress = encode(next.Answers), encode(next.Progress)
	next.Answers, next.Progress = nil, flow.Progress{}
	c.state = next
}

// remember keeps what belongs to the person, whatever becomes of the session.
func (c *Chat) remember(e *parleyv1.Event) {
	switch {
	case e.GetOptedOut() != nil:
		c.contact.OptedOut = true
	case e.GetOptedIn() != nil:
		c.contact.OptedOut = false
	case e.GetContactBlocked() != nil:
		c.contact.Blocked = true
	case e.GetContactUnblocked() != nil:
		c.contact.Blocked = false
	case e.GetLanguageChanged() != nil:
		c.contact.Language = e.GetLanguageChanged().GetLanguage()
	}
}

// rows answers a lookup from the tables, and does what is to be done with slots and
// leads.
func (c *Chat) rows(l flow.Lookup) ([][]byte, error) {
	switch l.Verb {
	case "":
	case flow.VerbAssign:
		return c.assigned(l)
	default:
		return c.booked(l)
	}
	table, ok := c.given.Tables[l.Table]
	if file := c.given.Files[l.Table]; !ok && file != "" {
		table, ok = c.world.Tables[tableName(file)]
	} else if !ok {
		table, ok = c.world.Tables[l.Table]
	}
	if !ok {
		return nil, fmt.Errorf("there is no table %q: write its rows below table %s, or its file as given table=%s.csv", l.Table, l.Table, l.Table)
	}
	var rows [][]byte
	for _, row := range table.find(l.Where, int(l.Limit)) {
		rows = append(rows, encode(row))
	}
	return rows, nil
}
