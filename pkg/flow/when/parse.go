package when

import (
	"errors"
	"strings"
	"time"
)

// What is wrong with a text that is not read. They come unwrapped.
var (
	// ErrUnknown: not wholly understood.
	ErrUnknown = errors.New("no date or time that is known")
	// ErrAmbiguous: understood in two ways.
	ErrAmbiguous = errors.New("more than one date or time fits")
	// ErrImpossible: understood, but there is no such day or time.
	ErrImpossible = errors.New("no such date or time")
)

// Limits of a text. What is longer is ErrUnknown.
const (
	textBytesMax = 100
	tokensMax    = 24
)

// ParseISODate reads exactly 2026-12-04.
func ParseISODate(s string) (Date, error) {
	if len(s) != len("2026-12-04") || s[4] != '-' || s[7] != '-' {
		return Date{}, ErrUnknown
	}
	year, okYear := digits(s[:4])
	month, okMonth := digits(s[5:7])
	day, okDay := digits(s[8:])
	if !okYear || !okMonth || !okDay {
		return Date{}, ErrUnknown
	}
	return existing(Date{Year: year, Month: time.Month(month), Day: day})
}

// ParseISOClock reads exactly 15:30.
func ParseISOClock(s string) (Clock, error) {
	if len(s) != len("15:30") || s[2] != ':' {
		return Clock{}, ErrUnknown
	}
	hour, okHour := digits(s[:2])
	minute, okMinute := digits(s[3:])
	if !okHour || !okMinute {
		return Clock{}, ErrUnknown
	}
	if c := (Clock{Hour: hour, Minute: minute}); c.exists() {
		return c, nil
	}
	return Clock{}, ErrImpossible
}

// digits reads ASCII digits only; strconv would take a sign.
func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

// ParseDate reads a date. language is the BCP 47 tag of the conversation.
func ParseDate(text, language string, today Date) (Date, error) {
	return inLanguages(text, language, today, func(s *sentence) (Date, error) { return s.date(0, len(s.tokens)) })
}

// ParseClock reads a time of day. language is the BCP 47 tag of the conversation.
func ParseClock(text, language string) (Clock, error) {
	t, err := inLanguages(text, language, Date{}, func(s *sentence) (timeOfDay, error) { return s.clock(0, len(s.tokens)) })
	return t.Clock, err
}

// moment is a date with a time.
type moment struct {
	date  Date
	clock Clock
}

// ParseDateTime reads a date and a time of day, in either order. Both are needed.
func ParseDateTime(text, language string, today Date) (Date, Clock, error) {
	m, err := inLanguages(text, language, today, (*sentence).moment)
	return m.date, m.clock, err
}

// moment tries each place where the date can end and the time begin, or the other
// way round.
func (s *sentence) moment() (moment, error) {
	var v verdict[moment]
	end := len(s.tokens)
	for cut := 1; cut < end; cut++ {
		v.add(s.together(0, cut, cut, end))
		v.add(s.together(cut, end, 0, cut))
	}
	return v.result()
}

// together reads a date from one range of tokens and the time from the other.
func (s *sentence) together(dateFrom, dateEnd, clockFrom, clockEnd int) (moment, error) {
	clock, clockErr := s.clock(clockFrom, clockEnd)
	if errors.Is(clockErr, ErrUnknown) {
		return moment{}, ErrUnknown
	}
	date, dateErr := s.date(dateFrom, dateEnd)
	switch {
	case errors.Is(dateErr, ErrUnknown):
		return moment{}, ErrUnknown
	case errors.Is(dateErr, ErrImpossible), errors.Is(clockErr, ErrImpossible):
		return moment{}, ErrImpossible
	case errors.Is(dateErr, ErrAmbiguous), errors.Is(clockErr, ErrAmbiguous), clock.adrift:
		return moment{}, ErrAmbiguous
	}
	return moment{date: date, clock: clock.Clock}, nil
}

// inLanguages reads the text in its own language, or else as all others agree.
func inLanguages[T comparable](text, tag string, today Date, read func(*sentence) (T, error)) (T, error) {
	var none T
	tokens, ok := tokensOf(text)
	if !ok {
		return none, ErrUnknown
	}
	base, order := localeOf(tag)
	own := languageOf(base)
	if own != nil {
		value, err := read(newSentence(tokens, own, true, order, today))
		if !errors.Is(err, ErrUnknown) {
			return value, err
		}
	}
	var v verdict[T]
	for _, l := range languages {
		if l != own {
			_, order := localeOf(l.base)
			v.add(read(newSentence(tokens, l, false, order, today)))
		}
	}
	return v.agreed()
}

// order is the order of the numbers in 4/12/2026.
type order int

const (
	dayFirst order = iota
	monthFirst
	eitherFirst
)

// localeOf cuts a tag into its language and the order of its numbers. English has
// an order only with a region.
func localeOf(tag string) (base string, numbers order) {
	subtags := strings.FieldsFunc(strings.ToLower(tag), func(c rune) bool { return c == '-' || c == '_' })
	if len(subtags) == 0 {
		return "", eitherFirst
	}
	base = subtags[0]
	if base != "en" {
		return base, dayFirst
	}
	for _, subtag := range subtags[1:] {
		switch {
		case len(subtag) == 1: // an extension: no region follows
			return base, eitherFirst
		case subtag == "us":
			return base, monthFirst
		case len(subtag) == 2 || len(subtag) == 3 && subtag[0] <= '9':
			return base, dayFirst
		}
	}
	return base, eitherFirst
}
