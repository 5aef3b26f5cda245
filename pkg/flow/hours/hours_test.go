package hours

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const salon = `
service: cut
zone: Europe/Madrid
length: 30m
capacity: 4
horizon: 30
hours: {monday-friday: "09:00-10:00, 16:00-17:15"}
except: {2026-12-08: closed, 2026-12-09: 09:00-09:30}
calendars: {Ana: {}, Leo: {capacity: 2, hours: {saturday: 10:00-11:00}}}
`

func parse(t *testing.T, source string) *Rules {
	t.Helper()
	r, err := Parse([]byte(source), time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// of are the times of a calendar's day.
func of(slots []Slot, calendar, day string) string {
	var times []string
	for _, s := range slots {
		if s.Calendar == calendar && s.Day == day {
			times = append(times, s.Time)
		}
	}
	return strings.Join(times, " ")
}

func TestSlots(t *testing.T) {
	from := time.Date(2026, 12, 7, 8, 10, 0, 0, time.UTC) // a Monday, 09:10 in Madrid
	slots := parse(t, salon).Slots(from)
	for _, c := range []struct{ calendar, day, want string }{
		{"Ana", "2026-12-07", "09:30 16:00 16:30"}, // 09:00 is past, 17:00 would not end in time
		{"Ana", "2026-12-08", ""},
		{"Ana", "2026-12-09", "09:00"},
		{"Ana", "2026-12-12", ""},
		{"Leo", "2026-12-12", "10:00 10:30"},
		{"Leo", "2026-12-07", ""},
		{"Ana", "2027-01-06", "09:00 09:30 16:00 16:30"}, // the last day
		{"Ana", "2027-01-07", ""},
	} {
		if got := of(slots, c.calendar, c.day); got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.calendar, c.day, got, c.want)
		}
	}
	if s := slots[0]; s.ID != "cut.Ana.20261207T0830Z" || s.Capacity != 4 || s.EndsAt.Sub(s.StartsAt) != 30*time.Minute {
		t.Errorf("the first is %+v", s)
	}
	if !slices.IsSortedFunc(slots, func(a, b Slot) int { return a.StartsAt.Compare(b.StartsAt) }) {
		t.Error("they are not in the order of time")
	}
}

// TestSummerTime: the night of 28 March 2027 has no 02:00 to 03:00 in Madrid, that of
// 31 October has it twice; the hours of other days stay those of the wall.
func TestSummerTime(t *testing.T) {
	r := parse(t, "service: night\nzone: Europe/Madrid\nlength: 30m\nhorizon: 2\nhours: {monday-sunday: 01:30-03:30}\n")
	for _, c := range []struct {
		from time.Time
		day  string
		want string
	}{
		{time.Date(2027, 3, 27, 0, 0, 0, 0, time.UTC), "2027-03-28", "01:30 03:00"},
		{time.Date(2027, 3, 27, 0, 0, 0, 0, time.UTC), "2027-03-29", "01:30 02:00 02:30 03:00"},
		{time.Date(2027, 10, 30, 0, 0, 0, 0, time.UTC), "2027-10-31", "01:30 02:00 02:30 03:00"},
	} {
		slots := r.Slots(c.from)
		if got := of(slots, "night", c.day); got != c.want {
			t.Errorf("%s: %q, want %q", c.day, got, c.want)
		}
		ids := map[string]bool{}
		for _, s := range slots {
			if ids[s.ID] {
				t.Errorf("%s is there twice", s.ID)
			}
			ids[s.ID] = true
		}
	}
}

// TestSlotsAreStable: made a day later, what both have is the same.
func TestSlotsAreStable(t *testing.T) {
	r := parse(t, salon)
	from := time.Date(2026, 12, 7, 8, 10, 0, 0, time.UTC)
	known := map[string]Slot{}
	for _, s := range r.Slots(from) {
		known[s.ID] = s
	}
	same := 0
	for _, s := range r.Slots(from.Add(24 * time.Hour)) {
		if was, ok := known[s.ID]; ok {
			if same++; was != s {
				t.Errorf("%+v became %+v", was, s)
			}
		}
	}
	if same < 50 {
		t.Errorf("only %d are the same", same)
	}
}

func TestParseProblems(t *testing.T) {
	for source, want := range map[string]string{
		"service: Cut\nlength: 30m\nhours: {monday: 09:00-10:00}":                              "service is \"Cut\"",
		"service: cut\nlength: soon\nhours: {monday: 09:00-10:00}":                             "invalid duration",
		"service: cut\nlength: 90s\nhours: {monday: 09:00-10:00}":                              "whole minutes",
		"service: cut\nlength: 30m\nhours: {moonday: 09:00-10:00}":                             "is no day",
		"service: cut\nlength: 30m\nhours: {monday: 10:00-09:00}":                              "are no hours",
		"service: cut\nlength: 30m\nhours: {monday: \"09:00-10:00, 09:30-11:00\"}":             "overlaps",
		"service: cut\nlength: 30m\nhours: {monday-friday: 09:00-10:00, friday: 09:00-10:00}":  "twice",
		"service: cut\nlength: 30m\nhours: {}":                                                 "there are none",
		"service: cut\nlength: 30m\nzone: Madrid\nhours: {monday: 09:00-10:00}":                "no time zone",
		"service: cut\nlength: 30m\nhorizon: 900\nhours: {monday: 09:00-10:00}":                "horizon is 900",
		"service: cut\nlength: 30m\ncapacity: -1\nhours: {monday: 09:00-10:00}":                "capacity is -1",
		"service: cut\nlength: 30m\nexcept: {christmas: closed}\nhours: {monday: 09:00-10:00}": "is no day",
		"service: cut\nlength: 30m\nopen: 1\nhours: {monday: 09:00-10:00}":                     "open",
		"service: cut\nlength: 30m\ncalendars: {A.B: {}}\nhours: {monday: 09:00-10:00}":        "no dot",
		strings.Repeat("#", SourceBytesMax+1):                                                  "the limit is",
	} {
		if _, err := Parse([]byte(source), time.LoadLocation); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", source, err, want)
		}
	}
}

func TestOpen(t *testing.T) {
	madrid, _ := time.LoadLocation("Europe/Madrid")
	week, err := ParseWeek(map[string]string{"friday-monday": "09:00-17:00", "wednesday": "00:00-24:00"})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]bool{
		"2026-12-04T07:59:00Z": false, "2026-12-04T08:00:00Z": true, "2026-12-04T15:59:00Z": true, "2026-12-04T16:00:00Z": false,
		"2026-12-06T09:00:00Z": true, "2026-12-08T09:00:00Z": false, "2026-12-08T23:00:00Z": true, // already Wednesday there
	} {
		moment, _ := time.Parse(time.RFC3339, at)
		if got := week.Open(moment, madrid); got != want {
			t.Errorf("%s: open is %v", at, got)
		}
	}
	if !(Week{}).Open(time.Now(), time.UTC) {
		t.Error("no hours at all should be always")
	}
}
