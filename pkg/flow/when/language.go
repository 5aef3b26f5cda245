package when

import (
	"slices"
	"strings"
)

// class is a meaning that a phrase or a number can have.
type class int

const (
	dayNameClass class = iota // a weekday that can stand alone
	weekdayClass              // a weekday
	monthClass                // a month by its name
	monthNumberClass
	dayClass       // a day of the month, said in any way
	bareDayClass   // "11"
	nthClass       // "11th", "11.", "first"
	yearClass      // of two or four digits
	longYearClass  // of four digits
	countClass     // how many days or weeks
	relativeClass  // today, tomorrow, the day after
	inClass        // "in" 3 days
	agoneClass     // 3 days "from now"
	daysClass      // in 3 "days"
	weeksClass     // in 3 "weeks"
	thisClass      // "this" friday
	nextClass      // "next" friday, viernes "próximo"
	theClass       // friday "the" 4th
	ofClass        // 4 "de" diciembre
	ordinalClass   // 4"th"; only right behind a number
	fillerClass    // says nothing at the edges
	hourClass      // of a clock, 0 to 24
	minuteClass    // two digits
	hClass         // 15 "h", 15 "Uhr": the 24-hour clock
	oclockClass    // 3 "o'clock": either clock
	atClass        // "at" 15
	partClass      // a part of the day, "pm"; the value is a dayPart
	namedTimeClass // noon; the value is in minutes
	pastClass      // "half past" 3; the value is in minutes
	halfToClass    // "halb" 9
	andClass       // 3 "y media"; the value is in minutes
	dotClass
	slashClass
	dashClass
	colonClass
	classes
)

// words are the phrases of one language. Alternatives are parted by "|"; a phrase
// has up to phraseWordsMax words. Of names, the first is the one that is written.
type words struct {
	base                string
	weekdays            [7]string // from Sunday
	shortWeekdays       [7]string // count in their own language only
	besideWeekdays      [7]string // so, and only beside a date: they are common words
	months              [12]string
	shortMonths         [12]string // count in their own language only
	relative            [3]string  // today, tomorrow, the day after
	numbers             [12]string // one to twelve
	a                   string     // "a" week
	first               string     // "first" of May
	plain               map[class]string
	fillers, ownFillers string
	parts               map[dayPart]string
	noon, midnight      string
	past, and           map[int]string // minutes: phrases
	monthBeforeDay      bool           // "december 4"
	weeksSaidInDays     []int          // "dans 15 jours" may be two weeks
}

const phraseWordsMax = 4

// meaning is what a phrase can mean.
type meaning struct {
	class class
	value int
	own   bool // only in the conversation's own language
}

// language is what the phrases of one language mean.
type language struct {
	words
	meanings map[string][]meaning
}

var languages = []*language{newLanguage(english), newLanguage(spanish), newLanguage(portuguese), newLanguage(french), newLanguage(german)}

// Languages returns the languages that are read and written.
func Languages() []string {
	var bases []string
	for _, l := range languages {
		bases = append(bases, l.base)
	}
	return bases
}

func languageOf(base string) *language {
	if i := slices.IndexFunc(languages, func(l *language) bool { return l.base == base }); i >= 0 {
		return languages[i]
	}
	return nil
}

func newLanguage(w words) *language {
	l := &language{words: w, meanings: map[string][]meaning{}}
	for i := range w.weekdays {
		l.learn(w.weekdays[i], meaning{class: dayNameClass, value: i}, meaning{class: weekdayClass, value: i})
		l.learn(w.shortWeekdays[i], meaning{class: dayNameClass, value: i, own: true}, meaning{class: weekdayClass, value: i, own: true})
		l.learn(w.besideWeekdays[i], meaning{class: weekdayClass, value: i, own: true})
	}
	for i := range w.months {
		l.learn(w.months[i], meaning{class: monthClass, value: i + 1})
		l.learn(w.shortMonths[i], meaning{class: monthClass, value: i + 1, own: true})
	}
	for i, phrases := range w.numbers {
		l.learn(phrases, meaning{class: countClass, value: i + 1}, meaning{class: hourClass, value: i + 1})
	}
	for i, phrases := range w.relative {
		l.learn(phrases, meaning{class: relativeClass, value: i})
	}
	l.learn(w.a, meaning{class: countClass, value: 1})
	l.learn(w.first, meaning{class: dayClass, value: 1}, meaning{class: nthClass, value: 1})
	for c, phrases := range w.plain {
		l.learn(phrases, meaning{class: c})
	}
	l.learn(w.fillers, meaning{class: fillerClass})
	l.learn(w.ownFillers, meaning{class: fillerClass, own: true})
	l.learnTimes()
	return l
}

func (l *language) learnTimes() {
	for part, phrases := range l.parts {
		l.learn(phrases, meaning{class: partClass, value: int(part)})
	}
	l.learn(l.noon, meaning{class: namedTimeClass, value: noonMinutes}, meaning{class: partClass, value: int(noonPart)})
	l.learn(l.midnight, meaning{class: namedTimeClass}, meaning{class: partClass, value: int(midnightPart)})
	for minutes, phrases := range l.past {
		l.learn(phrases, meaning{class: pastClass, value: minutes})
	}
	for minutes, phrases := range l.and {
		l.learn(phrases, meaning{class: andClass, value: minutes})
	}
	l.learn("pm|p m", meaning{class: partClass, value: int(pm)})
	l.learn("h|hs|hrs", meaning{class: hClass})
}

// learn gives each of the phrases the meanings, once.
func (l *language) learn(phrases string, given ...meaning) {
	for phrase := range strings.SplitSeq(phrases, "|") {
		if phrase = phraseOf(phrase); phrase == "" {
			continue
		}
		for _, m := range given {
			if !slices.Contains(l.meanings[phrase], m) {
				l.meanings[phrase] = append(l.meanings[phrase], m)
			}
		}
	}
}

// phraseOf writes a phrase as its tokens will be found: "sexta-feira" is two words.
func phraseOf(phrase string) string {
	tokens, _ := tokensOf(phrase)
	var texts []string
	for _, t := range tokens {
		texts = append(texts, t.text)
	}
	return strings.Join(texts, " ")
}

// name is the written form of a name: the first of its phrases.
func name(phrases string) string {
	first, _, _ := strings.Cut(phrases, "|")
	return first
}
