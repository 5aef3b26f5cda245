package when

import (
	"slices"
	"time"
)

// relativeDaysMax bounds "in n days" and "in n weeks", so that it ends within 14
// months of today.
const relativeDaysMax = 400

// dateShapes are the ways to say a date that the languages share.
var dateShapes = slices.Concat([]shape[Date]{
	newShape("dayname", (*sentence).bareWeekday),
	newShape("this weekday", (*sentence).bareWeekday),
	newShape("next weekday", (*sentence).nextWeekday),
	newShape("weekday next", (*sentence).nextWeekday),
	newShape("weekday? relative", (*sentence).relative),
	newShape("relative weekday", (*sentence).relative),
	newShape("in count days", (*sentence).inDays),
	newShape("in count weeks", (*sentence).inWeeks),
	newShape("count days agone", (*sentence).inDays),
	newShape("count weeks agone", (*sentence).inWeeks),
	newShape("weekday the? bareday", (*sentence).weekdayAndNumber),
	newShape("weekday the? nth", (*sentence).weekdayAndNth),
	newShape("weekday? the? day of? month", (*sentence).dayOfMonth),
	newShape("weekday? the? day of? month of? longyear", (*sentence).dayOfMonth),
	newShape("weekday? longyear - monthnumber - day", (*sentence).isoDate),
	newShape("weekday? longyear / monthnumber / day", (*sentence).isoDate),
}, numericShapes("/"), numericShapes("-"), numericShapes("."), []shape[Date]{
	newShape("weekday? the? day . monthnumber .", (*sentence).numericDate),
})

func numericShapes(mark string) []shape[Date] {
	return []shape[Date]{
		newShape("weekday? the? day "+mark+" monthnumber", (*sentence).numericDate),
		newShape("weekday? the? day "+mark+" monthnumber "+mark+" year", (*sentence).numericDate),
	}
}

// monthBeforeDayShapes are of languages that say "december 4".
var monthBeforeDayShapes = []shape[Date]{
	newShape("weekday? month the? day", (*sentence).dayOfMonth),
	newShape("weekday? month the? day longyear", (*sentence).dayOfMonth),
}

// date reads a date from all tokens in the range.
func (s *sentence) date(from, end int) (Date, error) {
	var v verdict[Date]
	v.add(readAll(s, from, end, dateShapes))
	if s.lang.monthBeforeDay {
		v.add(readAll(s, from, end, monthBeforeDayShapes))
	}
	return v.result()
}

// upcoming is the first such weekday strictly after today.
func (s *sentence) upcoming(weekday time.Weekday) Date {
	days := (int(weekday) - int(s.today.Weekday()) + 7) % 7
	if days == 0 {
		days = 7
	}
	return s.today.AddDays(days)
}

// bareWeekday reads "friday". On a Friday it may be today or in a week.
func (s *sentence) bareWeekday(c *caught) (Date, error) {
	weekday := time.Weekday(c.value[dayNameClass])
	if c.has[weekdayClass] {
		weekday = time.Weekday(c.value[weekdayClass])
	}
	if weekday == s.today.Weekday() {
		return Date{}, ErrAmbiguous
	}
	return existing(s.upcoming(weekday))
}

// nextWeekday reads "next friday": the coming one, if no calendar has it in this
// week. See the rule in doc.go.
func (s *sentence) nextWeekday(c *caught) (Date, error) {
	coming := s.upcoming(time.Weekday(c.value[weekdayClass]))
	days := s.today.DaysUntil(coming)
	today := int(s.today.Weekday())
	leftFromSunday := 6 - today       // days of this week after today
	leftFromMonday := (7 - today) % 7 // the same, where weeks begin on Monday
	if days <= max(leftFromSunday, leftFromMonday) {
		return Date{}, ErrAmbiguous
	}
	return existing(coming)
}

// relative reads "tomorrow".
func (s *sentence) relative(c *caught) (Date, error) {
	return checked(s.today.AddDays(c.value[relativeClass]), c)
}

func (s *sentence) inDays(c *caught) (Date, error) {
	if slices.Contains(s.lang.weeksSaidInDays, c.value[countClass]) {
		return Date{}, ErrAmbiguous
	}
	return s.after(c.value[countClass])
}

func (s *sentence) inWeeks(c *caught) (Date, error) { return s.after(7 * c.value[countClass]) }

func (s *sentence) after(days int) (Date, error) {
	if days < 1 || days > relativeDaysMax {
		return Date{}, ErrImpossible
	}
	return existing(s.today.AddDays(days))
}

// hoursPerDay: a number up to it, beside a weekday, can be the hour.
const hoursPerDay = 24

// weekdayAndNumber reads "friday 11". If 11 can be the hour of a Friday, the next
// 11th must be the coming Friday.
func (s *sentence) weekdayAndNumber(c *caught) (Date, error) {
	date, err := s.nth(c.value[bareDayClass], c)
	if err == nil && date.Day <= hoursPerDay && date != s.upcoming(date.Weekday()) {
		return Date{}, ErrAmbiguous
	}
	return date, err
}

// weekdayAndNth reads "friday the 11th".
func (s *sentence) weekdayAndNth(c *caught) (Date, error) { return s.nth(c.value[nthClass], c) }

// nth is the next such day of a month, on or after today.
func (s *sentence) nth(day int, c *caught) (Date, error) {
	const daysMax = 61 // of two months in a row, one has a 31st
	for ahead := range daysMax {
		if date := s.today.AddDays(ahead); date.Day == day {
			return checked(date, c)
		}
	}
	return Date{}, ErrImpossible
}

// dayOfMonth reads "4 december", with or without a year.
func (s *sentence) dayOfMonth(c *caught) (Date, error) {
	return s.onDay(c.value[dayClass], c.value[monthClass], longYearClass, c)
}

func (s *sentence) isoDate(c *caught) (Date, error) {
	return s.onDay(c.value[dayClass], c.value[monthNumberClass], longYearClass, c)
}

// numericDate reads "4/12". The parts are named for the day-first order.
func (s *sentence) numericDate(c *caught) (Date, error) {
	left, right, order := c.value[dayClass], c.value[monthNumberClass], s.order
	if order == monthFirst && c.has[dotClass] {
		order = eitherFirst // dots are not how Americans write dates
	}
	var v verdict[Date]
	if order != monthFirst {
		v.add(s.onDay(left, right, yearClass, c))
	}
	if order != dayFirst {
		v.add(s.onDay(right, left, yearClass, c))
	}
	return v.result()
}

// onDay is the day of the year that was caught; without one, the next such day on or
// after today. The year after next is too far to be meant: the 29th of February.
func (s *sentence) onDay(day, month int, yearOf class, c *caught) (Date, error) {
	date := Date{Year: c.value[yearOf], Month: time.Month(month), Day: day}
	if c.has[yearOf] {
		return checked(date, c)
	}
	for date.Year = s.today.Year; date.Year <= s.today.Year+1; date.Year++ {
		if date.exists() && date.Compare(s.today) >= 0 {
			return checked(date, c)
		}
	}
	return Date{}, ErrImpossible
}

// checked is the date, if there is such a day and it is on the weekday that was
// said beside it.
func checked(date Date, c *caught) (Date, error) {
	if c.has[weekdayClass] && date.Weekday() != time.Weekday(c.value[weekdayClass]) {
		return Date{}, ErrImpossible
	}
	return existing(date)
}
