package hours

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"github.com/parleyhq/parley/pkg/flow/when"
)

// Limits of rules. They bound how many slots one service can have.
const (
	// SourceBytesMax is the size of the largest file.
	SourceBytesMax = 64 << 10
	// HorizonMax is how many days ahead slots can be made.
	HorizonMax = 400
	// CapacityMax is how many places a slot can have.
	CapacityMax = 10_000
	// CalendarsMax is how many calendars a service can have.
	CalendarsMax = 200
	// SlotsMax is how many slots the rules of a service can make at a time.
	SlotsMax = 200_000
	// NameCharactersMax is the length of the longest name of a service or calendar.
	NameCharactersMax = 64
)

// Rules are the opening hours of one service.
type Rules struct {
	Service string
	Zone    *time.Location
	Length  time.Duration
	Horizon int
	// Calendars are who, or where: each has slots of its own.
	Calendars []Calendar
}

// Calendar is one of those who give a service.
type Calendar struct {
	Name     string
	Capacity int
	Week     Week
	// Except are days with other hours, by date as 2026-12-24; closed is no hours.
	Except map[string][]Span
}

// source is a file as it is written.
type source struct {
	Service   string                    `yaml:"service"`
	Zone      string                    `yaml:"zone"`
	Length    string                    `yaml:"length"`
	Capacity  int                       `yaml:"capacity"`
	Horizon   int                       `yaml:"horizon"`
	Hours     map[string]string         `yaml:"hours"`
	Except    map[string]string         `yaml:"except"`
	Calendars map[string]calendarSource `yaml:"calendars"`
}

type calendarSource struct {
	Capacity int               `yaml:"capacity"`
	Hours    map[string]string `yaml:"hours"`
	Except   map[string]string `yaml:"except"`
}

var servicePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Parse reads the rules of a service; zone finds a time zone by its name. The error
// tells all that is wrong.
func Parse(text []byte, zone func(string) (*time.Location, error)) (*Rules, error) {
	if len(text) > SourceBytesMax {
		return nil, fmt.Errorf("the file has %d bytes, the limit is %d", len(text), SourceBytesMax)
	}
	s := source{Zone: "UTC", Capacity: 1, Horizon: 60}
	if err := yaml.UnmarshalWithOptions(text, &s, yaml.Strict()); err != nil {
		return nil, errors.New(yaml.FormatError(err, false, false))
	}
	r := &Rules{Service: s.Service, Horizon: s.Horizon}
	var errs [4]error
	errs[0] = s.check()
	r.Length, errs[1] = time.ParseDuration(s.Length)
	if errs[1] == nil && (r.Length < time.Minute || r.Length > 24*time.Hour || r.Length%time.Minute != 0) {
		errs[1] = fmt.Errorf("length is %q: write whole minutes up to 24h, such as 30m", s.Length)
	}
	r.Zone, errs[2] = zone(s.Zone)
	if errs[2] != nil {
		errs[2] = fmt.Errorf("%q is no time zone: write one such as Europe/Madrid", s.Zone)
	}
	r.Calendars, errs[3] = s.calendars()
	return r, errors.Join(errs[:]...)
}

func (s source) check() error {
	var errs []error
	if err := CheckServiceName(s.Service); err != nil {
		errs = append(errs, err)
	}
	if s.Horizon < 1 || s.Horizon > HorizonMax {
		errs = append(errs, fmt.Errorf("horizon is %d: write 1 to %d days", s.Horizon, HorizonMax))
	}
	if len(s.Calendars) > CalendarsMax {
		errs = append(errs, fmt.Errorf("%d calendars, the limit is %d", len(s.Calendars), CalendarsMax))
	}
	return errors.Join(errs...)
}

// calendars reads them; a service without any has one of its own name.
func (s source) calendars() ([]Calendar, error) {
	if len(s.Calendars) == 0 {
		s.Calendars = map[string]calendarSource{s.Service: {}}
	}
	var errs []error
	var all []Calendar
	for _, name := range slices.Sorted(maps.Keys(s.Calendars)) {
		own := s.Calendars[name]
		c := Calendar{Name: name, Capacity: s.Capacity, Except: map[string][]Span{}}
		if own.Capacity != 0 {
			c.Capacity = own.Capacity
		}
		if c.Capacity < 1 || c.Capacity > CapacityMax {
			errs = append(errs, fmt.Errorf("calendar %s: capacity is %d: write 1 to %d", name, c.Capacity, CapacityMax))
		}
		if err := CheckCalendarName(name); err != nil {
			errs = append(errs, err)
		}
		hours := s.Hours
		if own.Hours != nil {
			hours = own.Hours
		}
		var err error
		if c.Week, err = ParseWeek(hours); err != nil || c.Week.empty() {
			errs = append(errs, fmt.Errorf("calendar %s: hours: %w", name, orNone(err)))
		}
		errs = append(errs, c.except(s.Except), c.except(own.Except))
		all = append(all, c)
	}
	return all, errors.Join(errs...)
}

func orNone(err error) error {
	if err != nil {
		return err
	}
	return errors.New("there are none: write such as {monday-friday: 09:00-17:00}")
}

// CheckServiceName refuses what is no name of a service.
func CheckServiceName(name string) error {
	if !servicePattern.MatchString(name) || len(name) > NameCharactersMax {
		return fmt.Errorf("service is %q: use a to z, 0 to 9 and _, beginning with a letter", name)
	}
	return nil
}

// CheckCalendarName refuses what could not stand in the id of a slot, or be shown.
func CheckCalendarName(name string) error {
	if name == "" || utf8.RuneCountInString(name) > NameCharactersMax || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == '.' || c == utf8.RuneError }) {
		return fmt.Errorf("calendar %q: its name has 1 to %d characters and no dot", name, NameCharactersMax)
	}
	return nil
}

func (c *Calendar) except(days map[string]string) error {
	for day, spans := range days {
		if _, err := when.ParseISODate(day); err != nil {
			return fmt.Errorf("except: %q is no day: write 2026-12-24", day)
		}
		parsed, err := ParseSpans(spans)
		if err != nil {
			return fmt.Errorf("except %s: %w", day, err)
		}
		c.Except[day] = parsed
	}
	return nil
}
