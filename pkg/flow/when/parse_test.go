package when

import (
	"errors"
	"strings"
	"testing"
)

// What a table says of a text that is not read.
const (
	unknown    = "unknown"
	ambiguous  = "ambiguous"
	impossible = "impossible"
)

func outcome(value string, err error) string {
	switch {
	case err == nil:
		return value
	case errors.Is(err, ErrAmbiguous):
		return ambiguous
	case errors.Is(err, ErrImpossible):
		return impossible
	case errors.Is(err, ErrUnknown):
		return unknown
	}
	return "a foreign error: " + err.Error()
}

// check reads a table: lines of "text => outcome".
func check(t *testing.T, table string, read func(text string) string) {
	t.Helper()
	for line := range strings.Lines(table) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		text, want, _ := strings.Cut(strings.TrimSpace(line), " => ")
		if got := read(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// thursday is today in most tables.
var thursday = day("2026-12-03")

func checkDates(t *testing.T, language string, today Date, table string) {
	t.Helper()
	check(t, table, func(text string) string {
		d, err := ParseDate(text, language, today)
		return outcome(d.String(), err)
	})
}

func checkClocks(t *testing.T, language, table string) {
	t.Helper()
	check(t, table, func(text string) string {
		c, err := ParseClock(text, language)
		return outcome(c.String(), err)
	})
}

func checkMoments(t *testing.T, language, table string) {
	t.Helper()
	check(t, table, func(text string) string {
		d, c, err := ParseDateTime(text, language, thursday)
		return outcome(d.String()+" "+c.String(), err)
	})
}

func TestEnglishDates(t *testing.T) {
	checkDates(t, "en", thursday, `
		today => 2026-12-03
		Tomorrow! => 2026-12-04
		the day after tomorrow, please => 2026-12-05
		TOMORROW => 2026-12-04
		*tomorrow* => 2026-12-04
		friday => 2026-12-04
		on Friday => 2026-12-04
		fri. => 2026-12-04
		this friday => 2026-12-04
		monday => 2026-12-07
		wednesday => 2026-12-09
		thursday => ambiguous
		this thursday => ambiguous
		next thursday => 2026-12-10
		next friday => ambiguous
		next sunday => ambiguous
		next monday => 2026-12-07
		next week => unknown
		fridays => unknown
		in 3 days => 2026-12-06
		in three days => 2026-12-06
		in 8 days => 2026-12-11
		in a week => 2026-12-10
		2 weeks from today => 2026-12-17
		in -3 days => unknown
		in 0 days => impossible
		in 400 days => 2028-01-07
		in 401 days => impossible
		in 58 weeks => impossible
		in 1.5 days => unknown
		in 2 months => unknown
		3 days => unknown
		3 days ago => unknown
		4 december => 2026-12-04
		4th of December => 2026-12-04
		the 4th of december, 2027 => 2027-12-04
		first of may => 2027-05-01
		december 4 => 2026-12-04
		december the 4th => 2026-12-04
		Dec. 4th, 2026 => 2026-12-04
		4-dec-2026 => 2026-12-04
		4dec => 2026-12-04
		3 december => 2026-12-03
		2 december => 2027-12-02
		2 december 2026 => 2026-12-02
		december => unknown
		december 2026 => unknown
		december 4-6 => unknown
		december 4 - 6 => unknown
		4 - 6 december => unknown
		4 december - 6 december => unknown
		4 dec 26 => unknown
		31 november => impossible
		32 december => impossible
		0 december => impossible
		29 february => impossible
		29 february 2028 => 2028-02-29
		friday 4 december => 2026-12-04
		saturday 4 december => impossible
		friday, december 4, 2026 => 2026-12-04
		tomorrow, friday => 2026-12-04
		saturday tomorrow => impossible
		friday the 4th => 2026-12-04
		friday 4 => 2026-12-04
		friday the 11th => 2026-12-11
		friday 11 => ambiguous
		monday 28 => 2026-12-28
		friday the 12th => impossible
		friday the 32nd => impossible
		the 4th => unknown
		3 => unknown
		03 => unknown
		2026 => unknown
		2026-12-04 => 2026-12-04
		2026–12–04 => 2026-12-04
		2026/12/4 => 2026-12-04
		2026-02-30 => impossible
		4/12 => ambiguous
		4/12/2026 => ambiguous
		5/5 => 2027-05-05
		13/12 => 2026-12-13
		12/13/26 => 2026-12-13
		sat 5/12 => 2026-12-05
		13/13 => impossible
		4/12/0026 => impossible
		4/12/126 => unknown
		4/12-26 => unknown
		friday or saturday => unknown
		not friday => unknown
		before friday => unknown
		by friday => unknown
		friday 3pm => unknown
		friday monday => unknown
		today tomorrow => unknown
		so => unknown
		mi => unknown
		sex => unknown
		do => unknown
		yes => unknown
		12345 => unknown
		٤ december => unknown
		tomorrow 🙂 => unknown
		4//12 => unknown
	`)
}

func TestEnglishRegions(t *testing.T) {
	checkDates(t, "en-US", thursday, `
		4/12/2026 => 2026-04-12
		12/4 => 2026-12-04
		12-04-26 => 2026-12-04
		13/12 => impossible
		4.12.2026 => ambiguous
		Friday, December 4, 2026 => 2026-12-04
	`)
	checkDates(t, "en-GB", thursday, "4/12/2026 => 2026-12-04\n 12/13 => impossible")
	checkDates(t, "en-AU", thursday, "4/12/2026 => 2026-12-04")
	checkDates(t, "en-001", thursday, "4/12/2026 => 2026-12-04")
	checkDates(t, "en-Latn-US", thursday, "4/12/2026 => 2026-04-12")
	checkDates(t, "en-Latn", thursday, "4/12/2026 => ambiguous")
}

func TestSpanishDates(t *testing.T) {
	checkDates(t, "es", thursday, `
		hoy => 2026-12-03
		mañana => 2026-12-04
		manana por favor => 2026-12-04
		pasado mañana => 2026-12-05
		el viernes => 2026-12-04
		para el viernes => 2026-12-04
		este viernes => 2026-12-04
		el próximo viernes => ambiguous
		viernes próximo => ambiguous
		el lunes que viene => 2026-12-07
		jueves => ambiguous
		los viernes => unknown
		en 3 días => 2026-12-06
		dentro de tres dias => 2026-12-06
		en una semana => 2026-12-10
		en 8 días => ambiguous
		en quince días => unknown
		en 15 dias => ambiguous
		4 de diciembre => 2026-12-04
		el día 4 de diciembre de 2027 => 2027-12-04
		4 de diciembre del 2026 => 2026-12-04
		1 de mayo => 2027-05-01
		1º de mayo => 2027-05-01
		1.º de mayo => 2027-05-01
		primero de mayo => 2027-05-01
		4 dic => 2026-12-04
		viernes, 4 de diciembre => 2026-12-04
		sábado 4 de diciembre => impossible
		el viernes 4 => 2026-12-04
		el viernes 11 => ambiguous
		martes 13 => impossible
		4/12 => 2026-12-04
		4-12-26 => 2026-12-04
		4.12.2026 => 2026-12-04
		12/13 => impossible
		30/2 => impossible
		2/12 => 2027-12-02
		mar 8 dic => 2026-12-08
		8 mar => 2027-03-08
		el 4 => unknown
		no mañana => unknown
		no sábado => unknown
		segunda => unknown
		sexta => unknown
		mi => unknown
		mañana por la mañana => unknown
		amanhã => 2026-12-04
		tomorrow => 2026-12-04
		a las 3 => unknown
	`)
}

func TestPortugueseDates(t *testing.T) {
	checkDates(t, "pt-BR", thursday, `
		hoje => 2026-12-03
		amanhã => 2026-12-04
		depois de amanhã => 2026-12-05
		sexta => 2026-12-04
		na sexta => 2026-12-04
		sexta-feira => 2026-12-04
		sexta feira => 2026-12-04
		no sábado => 2026-12-05
		próxima sexta => ambiguous
		segunda que vem => 2026-12-07
		quinta => ambiguous
		às sextas => unknown
		em 3 dias => 2026-12-06
		daqui a duas semanas => 2026-12-17
		daqui a 15 dias => ambiguous
		4 de dezembro => 2026-12-04
		dia 4 de dezembro de 2026 => 2026-12-04
		primeiro de maio => 2027-05-01
		1º de maio => 2027-05-01
		sexta-feira, 4 de dezembro => 2026-12-04
		ter, 8 dez => 2026-12-08
		ter => unknown
		4/12/26 => 2026-12-04
		dia 4 => unknown
		não amanhã => unknown
	`)
}

func TestFrenchDates(t *testing.T) {
	checkDates(t, "fr", thursday, `
		aujourd'hui => 2026-12-03
		aujourd’hui => 2026-12-03
		demain => 2026-12-04
		après-demain => 2026-12-05
		vendredi => 2026-12-04
		le vendredi => 2026-12-04
		ce vendredi => 2026-12-04
		vendredi prochain => ambiguous
		lundi prochain => 2026-12-07
		dans 3 jours => 2026-12-06
		dans une semaine => 2026-12-10
		dans 8 jours => ambiguous
		dans quinze jours => unknown
		1er mai => 2027-05-01
		le premier mai => 2027-05-01
		4 déc. 2026 => 2026-12-04
		le vendredi 4 décembre => 2026-12-04
		samedi 4 décembre => impossible
		dix-sept mai => unknown
		dix sept => unknown
		dans dix-sept jours => unknown
		4/12 => 2026-12-04
		4 mars => 2027-03-04
		mon => unknown
		pas vendredi => unknown
		demain matin => unknown
	`)
}

func TestGermanDates(t *testing.T) {
	checkDates(t, "de", thursday, `
		heute => 2026-12-03
		morgen => 2026-12-04
		übermorgen => 2026-12-05
		uebermorgen => 2026-12-05
		am Freitag => 2026-12-04
		Fr => 2026-12-04
		nächsten Freitag => ambiguous
		naechsten Montag => 2026-12-07
		kommenden Freitag => 2026-12-04
		freitags => unknown
		in 3 Tagen => 2026-12-06
		in zwei Wochen => 2026-12-17
		in 8 Tagen => ambiguous
		in acht Tagen => ambiguous
		in 14 Tagen => 2026-12-17
		4. Dezember => 2026-12-04
		4 Dezember 2026 => 2026-12-04
		am 4.12. => 2026-12-04
		4. 12. 2026 => 2026-12-04
		4.12.26 => 2026-12-04
		1. März => 2027-03-01
		Freitag, den 4. Dezember 2026 => 2026-12-04
		Samstag, 4. Dezember => impossible
		Fr, 4.12. => 2026-12-04
		So, 6.12. => 2026-12-06
		so => unknown
		Freitag der 11. => ambiguous
		Freitag der 11. bitte => 2026-12-11
		morgen früh => unknown
		nicht morgen => unknown
		ab Freitag => unknown
		15.30 => impossible
		4. => unknown
	`)
}

// TestNextWeekday has the rule of doc.go for each day of a week.
func TestNextWeekday(t *testing.T) {
	for today, table := range map[string]string{
		"2026-11-29": "next friday => ambiguous\n next sunday => 2026-12-06\n next monday => ambiguous\n next saturday => ambiguous", // Sunday
		"2026-11-30": "next friday => ambiguous\n next sunday => ambiguous\n next monday => 2026-12-07",                              // Monday
		"2026-12-04": "next friday => 2026-12-11\n next saturday => ambiguous\n next thursday => 2026-12-10",
		"2026-12-05": "next friday => 2026-12-11\n next sunday => ambiguous\n next monday => 2026-12-07", // Saturday
	} {
		checkDates(t, "en", day(today), table)
	}
}

func TestLeapDay(t *testing.T) {
	checkDates(t, "en", day("2027-03-01"), "29 february => 2028-02-29")
	checkDates(t, "en", day("2028-02-29"), "29 february => 2028-02-29\n 28 february => 2029-02-28")
	checkDates(t, "en", day("2028-03-01"), "29 february => impossible")
	checkDates(t, "en", day("9999-12-31"), "tomorrow => impossible\n monday => impossible\n today => 9999-12-31")
}

// TestOtherLanguages: all that understand a text must agree.
func TestOtherLanguages(t *testing.T) {
	checkDates(t, "it", thursday, `
		domani => unknown
		tomorrow => 2026-12-04
		domingo => 2026-12-06
		in 3 days => 2026-12-06
		4/12 => ambiguous
		13/12 => 2026-12-13
		12/13 => ambiguous
		2026-12-04 => 2026-12-04
		no domingo => unknown
		dom => unknown
	`)
	checkDates(t, "", thursday, "morgen => 2026-12-04\n 8 mai => 2027-05-08")
	checkDates(t, "de", thursday, "next friday => ambiguous\n el viernes => 2026-12-04\n vendredi 5 décembre => impossible")
}

func TestClocks(t *testing.T) {
	for _, language := range append(Languages(), "it", "") {
		checkClocks(t, language, `
			15:30 => 15:30
			9:30 => 09:30
			09:30 => 09:30
			00:00 => 00:00
			23:59. => 23:59
			15h => 15:00
			15h30 => 15:30
			15 h 30 => 15:30
			15:30h => 15:30
			3pm => 15:00
			3 PM => 15:00
			3:30 p.m. => 15:30
			3:30 p. m. => 15:30
			3.30pm => 15:30
			12am => 00:00
			12 pm => 12:00
			15pm => 15:00
			13 am => impossible
			0 pm => impossible
			15.30 => 15:30
			9.12 => ambiguous
			24:00 => impossible
			15:60 => impossible
			25h => impossible
			3 => unknown
			15 => unknown
			1530 => unknown
			3:3 => unknown
			15:30:00 => unknown
			15:30 16:30 => unknown
			3pm - 5pm => unknown
			-3pm => unknown
			3pm pm => unknown
		`)
	}
}

func TestClocksByLanguage(t *testing.T) {
	checkClocks(t, "en", `
		at 3 => ambiguous
		at three pm => 15:00
		3 o'clock => ambiguous
		at 15 => 15:00
		half past 3 => ambiguous
		half past 3 pm => 15:30
		quarter to 3 in the afternoon => 14:45
		half 9 => unknown
		noon => 12:00
		at 12 noon => 12:00
		3 noon => impossible
		midnight => 00:00
		10 in the morning => 10:00
		12 in the morning => ambiguous
		11 at night => 23:00
		1 at night => ambiguous
		11 in the afternoon => impossible
		around 3pm => unknown
		after 3pm => unknown
		three => unknown
	`)
	checkClocks(t, "es", `
		a las 3 => ambiguous
		a las tres => ambiguous
		a las 15 => 15:00
		a las 15 horas => 15:00
		3 horas => ambiguous
		3 de la tarde => 15:00
		a las 3 de la tarde por favor => 15:00
		3:30 de la tarde => 15:30
		tres y media de la tarde => 15:30
		3 y media => ambiguous
		1 menos cuarto de la tarde => 12:45
		a la una de la tarde => 13:00
		3 de la mañana => 03:00
		12 de la mañana => ambiguous
		12 del mediodía => 12:00
		12 de la noche => 00:00
		3 de la noche => ambiguous
		12 menos cuarto de la noche => 23:45
		9 de la noche => 21:00
		15:30 de la tarde => 15:30
		15:30 de la noche => impossible
		mediodía => 12:00
		al mediodía => 12:00
		15 hs => 15:00
		mañana => unknown
		sobre las 3 de la tarde => unknown
	`)
	checkClocks(t, "pt", `
		às 3 => ambiguous
		às 15 => 15:00
		10 da manhã => 10:00
		às 3 e meia da tarde => 15:30
		9 da noite => 21:00
		15 horas => 15:00
		8 horas => ambiguous
		meio-dia => 12:00
		ao meio dia => 12:00
		meia-noite => 00:00
	`)
	checkClocks(t, "fr", `
		à 3 heures => ambiguous
		à 15 => 15:00
		à 15h30 => 15:30
		8h => 08:00
		8h du soir => 20:00
		3h de l'après-midi => 15:00
		3 heures et demie de l’après-midi => 15:30
		10h du matin => 10:00
		midi => 12:00
		à midi => 12:00
		minuit => 00:00
		vers 15h => unknown
		dix-sept heures => unknown
	`)
	checkClocks(t, "de", `
		8 Uhr => 08:00
		um 15 Uhr => 15:00
		15 Uhr 30 => 15:30
		15.30 Uhr => 15:30
		9.12 Uhr => 09:12
		15:30 Uhr => 15:30
		um 3 => ambiguous
		um 15 => 15:00
		halb 9 => 08:30
		um halb neun => 08:30
		halb 3 => ambiguous
		halb 3 nachmittags => 14:30
		halb 1 mittags => 12:30
		halb 15 => impossible
		Viertel nach 8 => ambiguous
		Viertel vor 8 abends => 19:45
		8 Uhr abends => 20:00
		3 Uhr nachts => 03:00
		12 Uhr mittags => 12:00
		Mittag => 12:00
		Mitternacht => 00:00
		ab 15 Uhr => unknown
	`)
}

func TestDateTimes(t *testing.T) {
	checkMoments(t, "es", `
		el viernes a las 3 => ambiguous
		el viernes a las 15 => 2026-12-04 15:00
		el viernes a las 3 de la tarde => 2026-12-04 15:00
		viernes 4 de la tarde => 2026-12-04 16:00
		viernes 4 a las 15:30 => 2026-12-04 15:30
		mañana a las 10 de la mañana => 2026-12-04 10:00
		a las 10 de la mañana el viernes => 2026-12-04 10:00
		a las 10 mañana => ambiguous
		el viernes => unknown
		a las 15 => unknown
		el 4 a las 15 => unknown
		4 de diciembre 15 => unknown
		viernes a medianoche => ambiguous
		viernes a las 0 menos cuarto => ambiguous
		viernes a las 12 menos cuarto de la noche => ambiguous
		el jueves a las 15 => ambiguous
		31/11 15:00 => impossible
	`)
	checkMoments(t, "fr", `
		demain 14h => 2026-12-04 14:00
		demain à 14h30 => 2026-12-04 14:30
		14h demain => 2026-12-04 14:00
	`)
	checkMoments(t, "de", `
		morgen um 8 Uhr => 2026-12-04 08:00
		8 Uhr am Freitag => 2026-12-04 08:00
		Freitag, 4.12., 15 Uhr => 2026-12-04 15:00
		am 4.12. um 15.30 Uhr => 2026-12-04 15:30
		4.12. 15:30 => 2026-12-04 15:30
		4.12.26 15:30 => 2026-12-04 15:30
		4.12 10.11 => ambiguous
		4.12 10.30 => 2026-12-04 10:30
		heute Mittag => 2026-12-03 12:00
		Freitag 3 Uhr nachts => ambiguous
		um 3 am Freitag => ambiguous
	`)
	checkMoments(t, "pt", "amanhã às 10 da manhã => 2026-12-04 10:00\n sexta às 3 => ambiguous")
	checkMoments(t, "en", `
		tomorrow at 3pm please => 2026-12-04 15:00
		3:30 pm on friday => 2026-12-04 15:30
		2026-12-04 15:30 => 2026-12-04 15:30
		december 4 3pm => 2026-12-04 15:00
		december 4, 2026, 15:30 => 2026-12-04 15:30
		friday 4 pm => 2026-12-04 16:00
		friday 12am => ambiguous
		friday 0:00 => 2026-12-04 00:00
		3 => unknown
		el viernes a las 15 => 2026-12-04 15:00
		friday a las 15 => unknown
	`)
}

func TestLimits(t *testing.T) {
	checkDates(t, "en", thursday, strings.Repeat("the ", 30)+"friday => unknown\n"+strings.Repeat("the ", 23)+"friday => 2026-12-04")
	for _, text := range []string{"", "   ", "...", "\xff", strings.Repeat(" ", 101), "friday" + strings.Repeat(" ", 95)} {
		if _, err := ParseDate(text, "en", thursday); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", text, err)
		}
	}
	checkDates(t, "en", thursday, "\u200efri\u00addày\u200e => 2026-12-04\n４\u00a0december => 2026-12-04")
}
