package when

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var tags = []string{"en", "en-US", "en-GB", "es", "es-MX", "pt", "pt-BR", "fr", "fr-CA", "de", "de-AT", "it", ""}

func anyDay(t *rapid.T, label string, from, to string) Date {
	return day(from).AddDays(rapid.IntRange(0, day(from).DaysUntil(day(to))).Draw(t, label))
}

// TestRoundTrip: what we write we read, whatever today is.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, today := anyDay(t, "date", "1000-01-01", "9999-12-31"), anyDay(t, "today", "1990-01-01", "2100-01-01")
		c := Clock{Hour: rapid.IntRange(0, 23).Draw(t, "hour"), Minute: rapid.IntRange(0, 59).Draw(t, "minute")}
		for _, tag := range tags {
			text := FormatDate(d, tag)
			if got, err := ParseDate(text, tag, today); err != nil || got != d {
				t.Fatalf("%s: %q is read as %v, %v", tag, text, got, err)
			}
			clock := FormatClock(c, tag)
			if got, err := ParseClock(clock, tag); err != nil || got != c {
				t.Fatalf("%s: %q is read as %v, %v", tag, clock, got, err)
			}
			gotDate, gotClock, err := ParseDateTime(text+" "+clock, tag, today)
			if midnight := c.Hour == 0 && strings.HasSuffix(clock, "am"); midnight {
				if !errors.Is(err, ErrAmbiguous) {
					t.Fatalf("%s: %q: %v", tag, clock, err)
				}
			} else if err != nil || gotDate != d || gotClock != c {
				t.Fatalf("%s: %q is read as %v %v, %v", tag, text+" "+clock, gotDate, gotClock, err)
			}
		}
	})
}

// vocabulary has every phrase of every language, and numbers and marks.
func vocabulary() []string {
	all := map[string]bool{}
	for _, l := range languages {
		for phrase := range l.meanings {
			all[phrase] = true
		}
	}
	for _, more := range strings.Fields("1 2 3 4 5 8 9 11 12 13 15 29 30 31 32 0 00 05 24 59 60 366 400 999 1999 2026 2027 2028 4. 4/12 4.12. 15:30 th - . / : ,") {
		all[more] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// TestRandomPhrases: a text that has no year is today or at most 14 months away, and
// every result is a day, or one of our errors.
func TestRandomPhrases(t *testing.T) {
	words := vocabulary()
	rapid.Check(t, func(t *rapid.T) {
		today, tag := anyDay(t, "today", "1990-01-01", "2100-01-01"), rapid.SampledFrom(tags).Draw(t, "language")
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 6).Draw(t, "words"), rapid.SampledFrom([]string{" ", "", "-"}).Draw(t, "gap"))
		checkRead(t, text, tag, today)
	})
}

// TestRandomShapes writes what the grammar has, so that most of it is understood.
func TestRandomShapes(t *testing.T) {
	understood := 0
	rapid.Check(t, func(t *rapid.T) {
		l := rapid.SampledFrom(languages).Draw(t, "language")
		today := anyDay(t, "today", "1990-01-01", "2100-01-01")
		date := phrases(t, l, rapid.SampledFrom(slices.Concat(dateShapes, monthBeforeDayShapes)).Draw(t, "date").parts)
		clock := phrases(t, l, rapid.SampledFrom(clockShapes).Draw(t, "clock").parts)
		for _, text := range []string{date, clock, date + " " + clock, clock + " " + date} {
			checkRead(t, text, l.base, today)
		}
		if d, err := ParseDate(date, l.base, today); !errors.Is(err, ErrUnknown) {
			understood++
			checkAgreement(t, date, clock, l, today, d, err)
		}
	})
	if understood == 0 {
		t.Error("nothing was understood")
	}
}

// checkAgreement: a date that is understood alone is never another one beside a time.
func checkAgreement(t *rapid.T, date, clock string, l *language, today, alone Date, aloneErr error) {
	c, clockErr := ParseClock(clock, l.base)
	d, together, err := ParseDateTime(date+", "+clock, l.base, today)
	if aloneErr == nil && clockErr == nil && err == nil && (d != alone || together != c) {
		t.Fatalf("%q is %v and %q is %v, together %v %v", date, alone, clock, c, d, together)
	}
}

// phrases writes a phrase or a number for each part of a shape.
func phrases(t *rapid.T, l *language, parts []part) string {
	var texts []string
	for _, p := range parts {
		if p.optional && rapid.Bool().Draw(t, "left out") {
			continue
		}
		texts = append(texts, rapid.SampledFrom(said(l, p.class)).Draw(t, "phrase"))
	}
	return strings.Join(texts, " ")
}

// said lists what can be said for a class: phrases, numbers or a mark.
func said(l *language, c class) []string {
	var all []string
	for phrase, meanings := range l.meanings {
		if slices.ContainsFunc(meanings, func(m meaning) bool { return m.class == c }) {
			all = append(all, phrase)
		}
	}
	for mark, class := range marks {
		if class == c {
			all = append(all, mark)
		}
	}
	switch c {
	case dayClass, bareDayClass, monthNumberClass, hourClass, countClass:
		all = append(all, "1", "3", "04", "8", "9", "11", "12", "15", "28", "30", "31")
	case nthClass:
		all = append(all, "4.", "13.", "31.")
	case minuteClass:
		all = append(all, "00", "05", "30", "59", "60")
	case yearClass:
		all = append(all, "26", "2027")
	case longYearClass:
		all = append(all, "2026", "1985")
	}
	slices.Sort(all)
	return append(all, "?")
}

// TestRandomTexts reads what nobody types.
func TestRandomTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		today := Date{Year: rapid.Int().Draw(t, "year"), Month: time.Month(rapid.Int().Draw(t, "month")), Day: rapid.Int().Draw(t, "day")}
		text, tag := rapid.String().Draw(t, "text"), rapid.SampledFrom(append(tags, "-", "en-", "xx-yy")).Draw(t, "language")
		_, _ = ParseDate(text, tag, today)
		_, _ = ParseClock(text, tag)
		_, _, _ = ParseDateTime(text, tag, today)
	})
}

// tester is what rapid and fuzzing have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkRead reads a text in all ways and checks what must hold for any text.
func checkRead(t tester, text, tag string, today Date) {
	t.Helper()
	d, err := ParseDate(text, tag, today)
	checkDate(t, text, today, d, err)
	c, err := ParseClock(text, tag)
	checkClock(t, text, c, err)
	d, c, err = ParseDateTime(text, tag, today)
	checkDate(t, text, today, d, err)
	checkClock(t, text, c, err)
}

func checkDate(t tester, text string, today, d Date, err error) {
	t.Helper()
	if err != nil {
		if d != (Date{}) || !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrAmbiguous) && !errors.Is(err, ErrImpossible) {
			t.Fatalf("%q: %v, %v", text, d, err)
		}
		return
	}
	if !d.exists() {
		t.Fatalf("%q: no such day: %v", text, d)
	}
	if strings.ContainsAny(fold(text), "0123456789") && hasYear(text) {
		return
	}
	if d.Compare(today) < 0 || d.midnight().After(today.midnight().AddDate(0, 14, 0)) {
		t.Fatalf("%q: %v is far from %v", text, d, today)
	}
}

// hasYear reports whether a text can have a year: four digits, or three numbers.
func hasYear(text string) bool {
	tokens, _ := tokensOf(text)
	numbers := 0
	for _, token := range tokens {
		if token.kind == numberToken {
			numbers++
		}
		if len(token.text) == 4 && token.kind == numberToken {
			return true
		}
	}
	return numbers >= 3
}

func checkClock(t tester, text string, c Clock, err error) {
	t.Helper()
	if !c.exists() || err != nil && c != (Clock{}) {
		t.Fatalf("%q: %v, %v", text, c, err)
	}
}

// TestFolding: case, accents, blanks and fillers change nothing.
func TestFolding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		today, tag := anyDay(t, "today", "1990-01-01", "2100-01-01"), rapid.SampledFrom(tags).Draw(t, "language")
		text := rapid.SampledFrom([]string{"morgen", "el próximo lunes", "4 décembre", "sexta-feira", "in 3 days", "4/12", "mañana", "Freitag, 4. Dezember"}).Draw(t, "text")
		want, wantErr := ParseDate(text, tag, today)
		for _, same := range []string{strings.ToUpper(text), fold(text), " " + strings.ReplaceAll(text, " ", "\u00a0 ") + "!"} {
			if got, err := ParseDate(same, tag, today); got != want || !errors.Is(err, wantErr) {
				t.Fatalf("%q: %v, %v; %q: %v, %v", text, want, wantErr, same, got, err)
			}
		}
		if got, err := ParseDate(text+" perhaps", tag, today); err == nil {
			t.Fatalf("%q and a word more: %v", text, got)
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"next friday", "el viernes a las 3", "demain 14h", "3", "4.12. 15:30", "1er mai", "1.º de mayo", "4-dec-2026", "halb 9", "\u200e3 p. m."} {
		f.Add(seed, "en", 0)
		f.Add(seed, "de", 400)
	}
	f.Fuzz(func(t *testing.T, text, tag string, days int) {
		checkRead(t, text, tag, day("2026-12-03").AddDays(days%100_000))
	})
}

func BenchmarkParseDate(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"own", "el viernes, 4 de diciembre de 2026"},
		{"other", "Freitag, den 4. Dezember 2026"},
		{"unknown", "I don't know yet, can I tell you later?"},
		{"fillers", strings.Repeat("a ", 23) + "x"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ParseDate(c.text, "es", thursday)
			}
		})
	}
}

func BenchmarkParseDateTime(b *testing.B) {
	for _, c := range []struct{ name, text string }{{"own", "mañana a las 10 de la mañana"}, {"fillers", strings.Repeat("a ", 24)}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = ParseDateTime(c.text, "es", thursday)
			}
		})
	}
}
