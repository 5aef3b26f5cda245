package when

import (
	"errors"
	"testing"
	"time"
)

// day reads an ISO date of a test.
func day(s string) Date {
	d, err := ParseISODate(s)
	if err != nil {
		panic(s)
	}
	return d
}

func TestDate(t *testing.T) {
	d := day("2026-12-04")
	if d.String() != "2026-12-04" || d.Weekday() != time.Friday {
		t.Errorf("%v is a %v", d, d.Weekday())
	}
	if got := day("2028-02-28").AddDays(2); got != day("2028-03-01") {
		t.Errorf("two days after 28 February 2028: %v", got)
	}
	if got := d.AddDays(-4); got != day("2026-11-30") {
		t.Errorf("four days before: %v", got)
	}
	if got := day("1000-01-01").DaysUntil(day("9999-12-31")); got != 3287181 {
		t.Errorf("days until: %d", got)
	}
	if got := d.DaysUntil(day("2026-12-01")); got != -3 {
		t.Errorf("days until an earlier day: %d", got)
	}
	if d.Compare(day("2027-01-01")) != -1 || d.Compare(d) != 0 || d.Compare(day("2026-12-03")) != 1 {
		t.Error("compare")
	}
}

func TestClock(t *testing.T) {
	c := Clock{Hour: 9, Minute: 5}
	if c.String() != "09:05" || c.Compare(Clock{9, 6}) != -1 || c.Compare(c) != 0 || c.Compare(Clock{8, 59}) != 1 {
		t.Errorf("%v", c)
	}
}

func TestParseISO(t *testing.T) {
	for s, want := range map[string]error{
		"2026-12-04": nil, "2028-02-29": nil, "2026-02-29": ErrImpossible, "2026-13-01": ErrImpossible, "2026-00-01": ErrImpossible,
		"0000-01-01": ErrImpossible, "2026-12-4": ErrUnknown, " 2026-12-04": ErrUnknown, "2026/12/04": ErrUnknown, "+026-12-04": ErrUnknown,
		"2026-12-04T": ErrUnknown, "": ErrUnknown, "٢٠26-12-04": ErrUnknown,
	} {
		if d, err := ParseISODate(s); !errors.Is(err, want) || err == nil && d.String() != s {
			t.Errorf("%q: %v, %v, want %v", s, d, err, want)
		}
	}
	for s, want := range map[string]error{
		"15:30": nil, "00:00": nil, "23:59": nil, "24:00": ErrImpossible, "12:60": ErrImpossible, "9:30": ErrUnknown, "15h30": ErrUnknown,
		"+1:30": ErrUnknown, "": ErrUnknown, "15:30 ": ErrUnknown,
	} {
		if c, err := ParseISOClock(s); !errors.Is(err, want) || err == nil && c.String() != s {
			t.Errorf("%q: %v, %v, want %v", s, c, err, want)
		}
	}
}

func TestFormatDate(t *testing.T) {
	for _, c := range []struct{ date, language, want string }{
		{"2026-12-04", "en", "Friday, 4 December 2026"},
		{"2026-12-04", "en-GB", "Friday, 4 December 2026"},
		{"2026-12-04", "en-US", "Friday, December 4, 2026"},
		{"2026-12-04", "EN_us", "Friday, December 4, 2026"},
		{"2026-12-04", "en-x-us", "Friday, 4 December 2026"},
		{"2026-12-04", "es", "viernes, 4 de diciembre de 2026"},
		{"2026-12-04", "es-MX", "viernes, 4 de diciembre de 2026"},
		{"2026-12-04", "pt", "sexta-feira, 4 de dezembro de 2026"},
		{"2026-12-04", "fr", "vendredi 4 décembre 2026"},
		{"2026-05-01", "fr", "vendredi 1er mai 2026"},
		{"2026-12-04", "de", "Freitag, 4. Dezember 2026"},
		{"2026-12-04", "it", "2026-12-04"},
		{"2026-12-04", "", "2026-12-04"},
	} {
		if got := FormatDate(day(c.date), c.language); got != c.want {
			t.Errorf("%s in %q: %q, want %q", c.date, c.language, got, c.want)
		}
	}
	if got := FormatDate(Date{}, "en"); got != "0000-00-00" {
		t.Errorf("no date: %q", got)
	}
}

func TestFormatClock(t *testing.T) {
	for _, c := range []struct {
		clock          Clock
		language, want string
	}{
		{Clock{15, 30}, "en", "3:30 pm"},
		{Clock{0, 5}, "en-GB", "12:05 am"},
		{Clock{12, 0}, "en-US", "12:00 pm"},
		{Clock{15, 30}, "es", "15:30"},
		{Clock{9, 5}, "de", "09:05"},
		{Clock{9, 5}, "it", "09:05"},
	} {
		if got := FormatClock(c.clock, c.language); got != c.want {
			t.Errorf("%v in %q: %q, want %q", c.clock, c.language, got, c.want)
		}
	}
}
