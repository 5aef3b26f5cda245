package when

import (
	"cmp"
	"fmt"
	"time"
)

// The years that are read. All of them have four digits, so that every date that
// is read can be written and read again.
const (
	yearMin = 1000
	yearMax = 9999
)

// Date is a day of the Gregorian calendar, in no zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// String writes the date as 2026-12-04.
func (d Date) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.midnight().Weekday() }

// AddDays is the date n days later, or earlier if n is negative.
func (d Date) AddDays(n int) Date {
	year, month, day := d.midnight().AddDate(0, 0, n).Date()
	return Date{Year: year, Month: month, Day: day}
}

// DaysUntil counts the days from d to later; it is negative if later comes first.
func (d Date) DaysUntil(later Date) int {
	const secondsPerDay = 24 * 60 * 60 // UTC has no other days
	return int((later.midnight().Unix() - d.midnight().Unix()) / secondsPerDay)
}

// Compare is -1, 0 or +1, as d comes before, is, or comes after other.
func (d Date) Compare(other Date) int {
	return cmp.Or(cmp.Compare(d.Year, other.Year), cmp.Compare(d.Month, other.Month), cmp.Compare(d.Day, other.Day))
}

func (d Date) midnight() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
}

// exists reports whether the calendar has this day, and we read its year.
func (d Date) exists() bool {
	if d.Year < yearMin || d.Year > yearMax {
		return false
	}
	year, month, day := d.midnight().Date()
	return d == Date{Year: year, Month: month, Day: day}
}

// existing returns d, or ErrImpossible.
func existing(d Date) (Date, error) {
	if !d.exists() {
		return Date{}, ErrImpossible
	}
	return d, nil
}
