package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/parleyhq/parley/pkg/flow"
)

const simulateHelp = `  text            what the person says
  [Title] or 2    taps a button
  (image) text    also (video), (audio), (document a.pdf), (sticker), (location) 41.38,2.17, (contact) Bo +346...,
                  (form) {"pain": 7}, (ad 120211) text, (payload BOOK), (old) [Title]
  /at +3h         lets time pass, also 3s, 20m, 2d; or a time: /at 2026-12-02 09:00
  /wait           lets time pass until the next timer
  /state          where the conversation stands
  /values         the answers and other values
  /events         everything that happened
  /restart        begins a new conversation
  /save FILE      writes the conversation as a dialogue test
  /quit           ends`

// command does what a line with a slash says; it reports false for /quit.
func (s *simulation) command(line string) bool {
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "quit", "exit", "q":
		return false
	case "help", "?":
		s.to.printf("%s\n", simulateHelp)
	case "at":
		s.at(rest)
	case "wait":
		s.wait()
	case "state":
		s.showState()
	case "values":
		s.showValues()
	case "events":
		s.showEvents()
	case "restart":
		if err := s.begin(); err != nil {
			s.complain("%v", err)
			break
		}
		s.to.printf("%s\n", s.to.paint(dim, "a new conversation begins"))
	case "save":
		if err := s.save(rest); err != nil {
			s.complain("%v", err)
			break
		}
		s.to.printf("wrote %s. Next: parley flow test %[1]s\n", rest)
	default:
		s.complain("there is no /%s: /help lists what there is; write \\/%[1]s for a text", word)
	}
	return true
}

func (s *simulation) state() flow.State { return s.chat.State() }

// at lets time pass by a duration, or until a time.
func (s *simulation) at(text string) {
	now := s.chat.Now()
	if d, err := span(strings.TrimPrefix(text, "+")); err == nil {
		s.pass(now.Add(d))
		return
	}
	until, err := moment(text, now.Location())
	if err != nil {
		s.complain("%q is no time: write /at +3h, /at +2d or /at 2026-12-02 09:00", text)
		return
	}
	s.pass(until)
}

func span(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 12)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

func (s *simulation) wait() {
	at, waits := s.chat.WakeAt()
	if !waits {
		s.complain("no timer is set: /at +3h lets time pass all the same")
		return
	}
	s.pass(at)
}

func (s *simulation) pass(until time.Time) {
	passed := until.Sub(s.chat.Now())
	if passed <= 0 {
		s.complain("it is %s already: time only goes on", s.chat.Now().Format(time.DateTime))
		return
	}
	said, err := s.chat.Wait(until)
	if err != nil {
		s.complain("%v", err)
		return
	}
	s.told = append(s.told, "pass "+passed.String())
	s.to.printf("%s\n", s.to.paint(dim, "it is "+s.chat.Now().Format("Monday 2006-01-02 15:04:05 MST")))
	s.show(said)
}

func (s *simulation) showState() {
	state := s.state()
	s.to.printf("  step      %s\n", orNone(state.CurrentState()))
	s.to.printf("  language  %s\n", orNone(state.Language))
	if state.Failures > 0 {
		s.to.printf("  failures  %d\n", state.Failures)
	}
	if len(state.Progress.Calls) > 0 {
		s.to.printf("  within    %s\n", strings.Join(state.Progress.Calls, " ▸ "))
	}
	for _, test := range slices.Sorted(maps.Keys(state.Progress.Variants)) {
		s.to.printf("  variant   %s of %s\n", state.Progress.Variants[test], test)
	}
	s.to.printf("  time      %s\n", s.chat.Now().Format(time.DateTime))
}

func orNone(text string) string {
	if text == "" {
		return "none yet"
	}
	return text
}

func (s *simulation) showValues() {
	answers := s.state().Answers
	if len(answers) == 0 {
		s.to.printf("  no values yet\n")
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		value, err := json.Marshal(answers[name])
		if err != nil {
			value = []byte(fmt.Sprint(answers[name]))
		}
		s.to.printf("  %-12s %s\n", name, value)
	}
}

// showEvents names each event, with what it says as JSON.
func (s *simulation) showEvents() {
	for i, e := range s.chat.Events() {
		fields := e.ProtoReflect()
		body := fields.WhichOneof(fields.Descriptor().Oneofs().ByName("body"))
		if body == nil {
			continue
		}
		data, err := protojson.Marshal(fields.Get(body).Message().Interface())
		if err != nil {
			data = []byte(err.Error())
		}
		s.to.printf("  %3d  %-18s %s\n", i+1, fields.Descriptor().Fields().ByNumber(body.Number()).Message().Name(), compact(data))
	}
}

// eventWidth is how much of an event is shown.
const eventWidth = 160

// compact takes out the blanks that protojson puts in at random.
func compact(data []byte) string {
	var value any
	if err := json.Unmarshal(data, &value); err == nil {
		data, _ = json.Marshal(value)
	}
	if characters := []rune(string(data)); len(characters) > eventWidth {
		return string(characters[:eventWidth]) + "…"
	}
	return string(data)
}
