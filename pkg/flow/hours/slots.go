package hours

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Slot is one time of a calendar that can be booked.
type Slot struct {
	ID                string
	Service, Calendar string
	StartsAt, EndsAt  time.Time
	// Day and Time are the start in the service's zone: 2026-12-04, 15:30.
	Day, Time string
	Capacity  int
}

// SlotID names a slot by what it is: made again, it is the same one.
func SlotID(service, calendar string, startsAt time.Time) string {
	return fmt.Sprintf("%s.%s.%s", service, calendar, startsAt.UTC().Format("20060102T1504Z"))
}

// At makes one slot.
func At(service, calendar string, startsAt time.Time, length time.Duration, zone *time.Location, capacity int) Slot {
	local := startsAt.In(zone)
	return Slot{
		ID: SlotID(service, calendar, startsAt), Service: service, Calendar: calendar, StartsAt: startsAt, EndsAt: startsAt.Add(length),
		Day: local.Format(time.DateOnly), Time: local.Format("15:04"), Capacity: capacity,
	}
}

// Slots are those that begin from a moment on, up to the horizon, in the order of
// time. Hours are those of the clock on the wall: where it is put forward, the times
// that it skips have no slot, and where it is put back, those that come twice have one.
func (r *Rules) Slots(from time.Time) []Slot {
	var all []Slot
	year, month, day := from.In(r.Zone).Date()
	for i := range r.Horizon + 1 {
		date := time.Date(year, month, day+i, 12, 0, 0, 0, time.UTC)
		for _, c := range r.Calendars {
			all = c.day(all, r, date)
		}
		if len(all) > SlotsMax {
			break
		}
	}
	all = slices.DeleteFunc(all, func(s Slot) bool { return s.StartsAt.Before(from) })
	slices.SortStableFunc(all, func(a, b Slot) int {
		if order := a.StartsAt.Compare(b.StartsAt); order != 0 {
			return order
		}
		return strings.Compare(a.Calendar, b.Calendar)
	})
	return all[:min(len(all), SlotsMax)]
}

// day appends the slots of one day.
func (c Calendar) day(all []Slot, r *Rules, date time.Time) []Slot {
	spans, other := c.Except[date.Format(time.DateOnly)]
	if !other {
		spans = c.Week[date.Weekday()]
	}
	length := int(r.Length / time.Minute)
	for _, s := range spans {
		for minute := s.From; minute+length <= s.To; minute += length {
			start := time.Date(date.Year(), date.Month(), date.Day(), 0, minute, 0, 0, r.Zone)
			if start.Hour()*60+start.Minute() == minute { // or the clock skips it
				all = append(all, At(r.Service, c.Name, start, r.Length, r.Zone, c.Capacity))
			}
		}
	}
	return all
}
