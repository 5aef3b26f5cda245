package dialogue

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Dialogue is one conversation as a file tells it.
type Dialogue struct {
	// Title is the first comment, Line where the dialogue begins.
	Title string
	Line  int
	Given Given
	acts  []act
	rows  map[string]*rowsOf // the tables, while they are read
}

// Given is how a conversation begins.
type Given struct {
	// Flow answers when no entry of any flow fits; empty for the world's.
	Flow string
	// Phone has digits only. Language is what the person chose before.
	Phone, Name, Language string
	OptedOut              bool
	Channel               string
	// At is when it begins; zero is a Monday of 2026. It is read in Zone, or in the
	// zone of the flow that serves.
	At   time.Time
	Zone string
	// Files maps the name of a table to its file, Tables to its rows.
	Files  map[string]string
	Tables map[string]Table
	// Slots maps services to rows of slots, instead of their opening hours.
	Slots map[string]Table
	// Pools maps pools to rows of agents.
	Pools map[string]Table
	// Variants maps tests to the variants that the person draws.
	Variants map[string]string
}

// beginning is when dialogues take place that do not say it.
var beginning = time.Date(2026, time.January, 5, 10, 0, 0, 0, time.UTC)

// act is one thing that happens, with what must come of it.
type act struct {
	line int
	kind actKind
	says says          // of saying
	pass time.Duration // of passing
	with fields        // of starting, othersBooking and operating

	expects []expect
	// from and to are the lines of expects, the first and the one after the last.
	from, to int
	checks   []check
}

type actKind uint8

const (
	saying actKind = iota
	passing
	starting
	othersBooking
	operating
	showing // as another contact
	merging
)

// expect is one message that the flow must say.
type expect struct {
	lines   []string
	pattern *regexp.Regexp // instead of lines
	rest    bool           // any messages, or none
}

// check is something that must be so afterwards.
type check struct {
	line int
	verb string
	args fields
}

// Problem is a line that cannot be read.
type Problem struct {
	Line    int
	Message string
}

// Problems is the error of [Parse].
type Problems []Problem

// Error lists all problems, one below the other.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = fmt.Sprintf("%d: %s", problem.Line, problem.Message)
	}
	return strings.Join(lines, "\n")
}
