package when

import (
	"fmt"
	"strconv"
)

// FormatDate writes a date as the language does, with its weekday: "Friday, 4
// December 2026". A language that we don't speak gets 2026-12-04.
func FormatDate(d Date, language string) string {
	base, order := localeOf(language)
	l := languageOf(base)
	if l == nil || d.Month < 1 || d.Month > 12 {
		return d.String()
	}
	weekday, month := name(l.weekdays[d.Weekday()]), name(l.months[d.Month-1])
	switch {
	case base == "en" && order == monthFirst:
		return fmt.Sprintf("%s, %s %d, %d", weekday, month, d.Day, d.Year)
	case base == "en":
		return fmt.Sprintf("%s, %d %s %d", weekday, d.Day, month, d.Year)
	case base == "de":
		return fmt.Sprintf("%s, %d. %s %d", weekday, d.Day, month, d.Year)
	case base == "fr":
		return fmt.Sprintf("%s %s %s %d", weekday, frenchDay(d.Day), month, d.Year)
	}
	return fmt.Sprintf("%s, %d de %s de %d", weekday, d.Day, month, d.Year) // es, pt
}

func frenchDay(day int) string {
	if day == 1 {
		return "1er"
	}
	return strconv.Itoa(day)
}

// FormatClock writes a time as the language does: "3:30 pm" in English, and 15:30
// elsewhere.
func FormatClock(c Clock, language string) string {
	if base, _ := localeOf(language); base != "en" {
		return c.String()
	}
	half := "am"
	if c.Hour >= 12 {
		half = "pm"
	}
	return fmt.Sprintf("%d:%02d %s", (c.Hour+11)%12+1, c.Minute, half)
}
