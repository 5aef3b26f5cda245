package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/pkg/flow/dialogue"
)

type flowSimulate struct {
	File     string   `arg:"" help:"The flow file."`
	At       string   `placeholder:"TIME" help:"When the conversation begins, such as \"2026-12-01 10:00\". Without it: now."`
	Zone     string   `placeholder:"ZONE" default:"UTC" help:"The time zone of --at, such as Europe/Madrid."`
	Phone    string   `placeholder:"DIGITS" default:"447700900123" help:"The person's phone, with its country code: the country can decide the language."`
	Name     string   `default:"Ann" help:"The person's profile name."`
	Language string   `placeholder:"TAG" help:"The language that the person chose before."`
	Table    []string `placeholder:"FILE.csv" help:"A table, named by its file. Tables beside the flow and in tables are known."`

	In io.Reader `kong:"-"` // standard input unless a test says otherwise
}

// Help shows examples below the usage.
func (flowSimulate) Help() string {
	return `Chats with a flow in the terminal. Nothing is sent to anybody. What you write is what the person says; [Title] or its number taps a
button; (image), (location) 41.38,2.17 and others send what a phone can send. Lines with a slash are for you: /help lists them.

Examples:
  parley flow simulate booking.yaml
  parley flow simulate booking.yaml --at "2026-12-01 10:00" --phone 525512345678
  printf 'hello\n[Yes]\n/values\n' | parley flow simulate booking.yaml

Exit codes: 0 the conversation ended, 1 the flow has errors or could not go on, 2 wrong usage.`
}

// Run chats until the input ends.
func (c flowSimulate) Run(line *kong.Context) error {
	to := newOutput(line)
	s, err := c.open(to)
	if err != nil {
		return err
	}
	in := c.In
	if in == nil {
		in = os.Stdin
	}
	if s.talks = isTerminal(in); s.talks {
		to.printf("%s  %s\n\n", to.paint(bold, s.given.Flow), to.paint(dim, "write as the person does; /help shows what else, /quit ends"))
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for s.prompt(); lines.Scan(); s.prompt() {
		if !s.hear(strings.TrimRight(lines.Text(), "\r")) {
			break
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the input cannot be read: %w", err)
	}
	if s.failed && !s.talks {
		return fmt.Errorf("some lines could not be played: see above, and try them at a terminal with: parley flow simulate %s", c.File)
	}
	return nil
}

// open makes the conversation.
func (c flowSimulate) open(to output) (*simulation, error) {
	f, err := readFlow(to, c.File)
	if err != nil {
		return nil, err
	}
	given := dialogue.Given{
		Flow: f.flow.Name(), Phone: strings.TrimPrefix(c.Phone, "+"), Name: c.Name, Language: c.Language, Zone: c.Zone,
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return nil, misused(to.stderr, "--zone %s is no time zone: give one such as Europe/Madrid", c.Zone)
	}
	given.At = time.Now().In(zone).Truncate(time.Minute)
	if c.At != "" {
		if given.At, err = moment(c.At, zone); err != nil {
			return nil, misused(to.stderr, "--at %q is no time: write --at \"2026-12-01 10:00\"", c.At)
		}
	}
	tables, err := c.tables(to)
	if err != nil {
		return nil, err
	}
	hours, err := hoursIn(filepath.Join(filepath.Dir(c.File), "slots"))
	if err != nil {
		return nil, misused(to.stderr, "%s", reason(err))
	}
	s := &simulation{to: to, given: given, world: dialogue.World{Serves: f.flow.Name(), Tables: tables, Hours: hours, Zone: time.LoadLocation}}
	s.world.Flows = append(s.world.Flows, f.flow)
	return s, s.begin()
}

func (c flowSimulate) tables(to output) (map[string]dialogue.Table, error) {
	folder := filepath.Dir(c.File)
	tables, err := tablesIn([]string{folder, filepath.Join(folder, "tables")})
	if err != nil {
		return nil, err
	}
	for _, path := range c.Table {
		if tables[tableName(path)], err = readTable(path); err != nil {
			return nil, misused(to.stderr, "--table %s cannot be read: %s: give a .csv file whose first line names the columns", path, reason(err))
		}
	}
	return tables, nil
}

// moment reads a time as dialogues write it.
func moment(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", text)
}

// simulation is a conversation at the terminal.
type simulation struct {
	to    output
	world dialogue.World
	given dialogue.Given
	chat  *dialogue.Chat
	// told is the conversation so far, as a dialogue file has it.
	told []string
	// tappable says that the last messages had buttons: a number taps one.
	tappable bool
	// talks says that a person sits at a terminal.
	talks  bool
	failed bool
}

func (s *simulation) begin() error {
	chat, err := s.world.Open(s.given)
	s.chat, s.told, s.tappable = chat, nil, false
	return err
}

func (s *simulation) prompt() {
	if s.talks {
		s.to.printf("%s ", s.to.paint(blue, ">"))
	}
}

// hear takes a line; it reports false when the person is done.
func (s *simulation) hear(line string) bool {
	if command, isCommand := strings.CutPrefix(line, "/"); isCommand {
		return s.command(command)
	}
	if line == "" {
		return true
	}
	if strings.HasPrefix(line, `\/`) { // a text that begins with a slash
		line = line[1:]
	}
	line = s.tapOf(line)
	if !s.talks {
		s.to.printf("%s %s\n", s.to.paint(blue, ">"), line)
	}
	said, err := s.chat.Say(line, s.chat.Now().Add(time.Second))
	if err != nil {
		s.complain("%v", err)
		return true
	}
	s.told = append(s.told, "> "+line)
	s.show(said)
	return true
}

// tapOf turns the number of a button into a tap on it.
func (s *simulation) tapOf(line string) string {
	number := strings.Trim(line, "[]")
	for i, title := range s.chat.Buttons() {
		if number == fmt.Sprint(i+1) && (s.tappable || line != number) {
			return "[" + title + "]"
		}
	}
	return line
}

// show prints what the flow said, the buttons with their numbers.
func (s *simulation) show(said []string) {
	s.told = append(s.told, said...)
	s.tappable = false
	for _, line := range said {
		shade := plain
		if strings.HasPrefix(line, "  [") {
			s.tappable, shade = true, green
		}
		s.to.printf("%s\n", s.to.paint(shade, line))
	}
	if s.talks && s.tappable {
		hints := make([]string, 0, len(s.chat.Buttons()))
		for i, title := range s.chat.Buttons() {
			hints = append(hints, fmt.Sprintf("%d %s", i+1, title))
		}
		s.to.printf("%s\n", s.to.paint(dim, "  "+strings.Join(hints, " · ")))
	}
	if at, waits := s.chat.WakeAt(); waits && at.Sub(s.chat.Now()) < hintedTimer {
		s.to.printf("%s\n", s.to.paint(dim, fmt.Sprintf("  … a timer goes off at %s: /wait lets the time pass", at.Format(time.TimeOnly))))
	}
}

// hintedTimer is how soon a timer must go off to be worth a line: each session is
// looked after a day of silence.
const hintedTimer = 23 * time.Hour

func (s *simulation) complain(format string, args ...any) {
	s.failed = true
	s.to.printf("%s\n", s.to.paint(red, fmt.Sprintf("! "+format, args...)))
}

// save writes the conversation as a dialogue test.
func (s *simulation) save(path string) error {
	if path == "" {
		return fmt.Errorf("say where: /save tests/%s.txt", s.given.Flow)
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s is there already: choose another name, or copy the dialogue there yourself behind a line of ---", path)
	}
	lines := []string{"# " + cmp.Or(s.given.Name, "Somebody") + " talks with " + s.given.Flow, "flow " + s.given.Flow}
	given := fmt.Sprintf("given phone=%s at=%q", s.given.Phone, s.given.At.Format("2006-01-02 15:04:05"))
	for _, more := range []struct{ key, value string }{{"zone", s.given.Zone}, {"name", s.given.Name}, {"language", s.given.Language}} {
		if more.value != "" {
			given += fmt.Sprintf(" %s=%q", more.key, more.value)
		}
	}
	lines = append(append(lines, given), s.told...)
	lines = append(lines, "state "+cmp.Or(s.state().CurrentState(), "none"), "")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		return fmt.Errorf("%s could not be written: %s", path, reason(err))
	}
	return nil
}
