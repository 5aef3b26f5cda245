package hours

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/flow/when"
)

// Span is a part of a day, in minutes from midnight; the end is not part of it.
type Span struct{ From, To int }

// Week are the spans of each day of the week, in order; Sunday is 0.
type Week [7][]Span

const minutesOfDay = 24 * 60

// ParseWeek reads days, or ranges of them, and their spans.
func ParseWeek(source map[string]string) (Week, error) {
	var week Week
	for days, spans := range source {
		from, to, isRange := strings.Cut(days, "-")
		if !isRange {
			to = from
		}
		first, last := dayNumber(from), dayNumber(to)
		if first < 0 || last < 0 {
			return week, fmt.Errorf("%q is no day: write monday, or monday-friday", days)
		}
		parsed, err := ParseSpans(spans)
		if err != nil {
			return week, fmt.Errorf("%s: %w", days, err)
		}
		for day := first; ; day = (day + 1) % 7 {
			if week[day] != nil {
				return week, fmt.Errorf("%s is there twice: write its hours in one line", strings.ToLower(time.Weekday(day).String()))
			}
			week[day] = parsed
			if day == last {
				break
			}
		}
	}
	return week, nil
}

func dayNumber(name string) int {
	for day := range 7 {
		if strings.EqualFold(strings.TrimSpace(name), time.Weekday(day).String()) {
			return day
		}
	}
	return -1
}

// ParseSpans reads "09:30-14:00, 16:00-20:00", or "closed".
func ParseSpans(source string) ([]Span, error) {
	spans := []Span{}
	if strings.TrimSpace(source) == "closed" {
		return spans, nil
	}
	for part := range strings.SplitSeq(source, ",") {
		from, to, ok := strings.Cut(strings.TrimSpace(part), "-")
		s := Span{minutes(from), minutes(to)}
		if !ok || s.From < 0 || s.To <= s.From {
			return nil, fmt.Errorf("%q are no hours: write 09:30-14:00, several with a comma, or closed", part)
		}
		spans = append(spans, s)
	}
	slices.SortFunc(spans, func(a, b Span) int { return a.From - b.From })
	for i := 1; i < len(spans); i++ {
		if spans[i].From < spans[i-1].To {
			return nil, fmt.Errorf("%q overlaps itself: write each time once", source)
		}
	}
	return spans, nil
}

// minutes reads a time of day; -1 if it is none. 24:00 is the end of the day.
func minutes(clock string) int {
	if clock == "24:00" {
		return minutesOfDay
	}
	c, err := when.ParseISOClock(clock)
	if err != nil {
		return -1
	}
	return c.Hour*60 + c.Minute
}

// Open reports whether a moment lies in the hours, in a zone. A week without any hours
// is always open.
func (w Week) Open(at time.Time, zone *time.Location) bool {
	if w.empty() {
		return true
	}
	local := at.In(zone)
	minute := local.Hour()*60 + local.Minute()
	return slices.ContainsFunc(w[local.Weekday()], func(s Span) bool { return s.From <= minute && minute < s.To })
}

func (w Week) empty() bool {
	return !slices.ContainsFunc(w[:], func(spans []Span) bool { return spans != nil })
}
