// Package when reads a date or a time of day that a person typed, and writes them
// as a person reads them.
//
// A wrong date is worse than asking again. So a text is read wholly or not at all
// (ErrUnknown), and a text with two readings has none (ErrAmbiguous). The package
// knows no clock and no zone: the caller says which day is today.
//
// # How a text is read
//
//  1. fold.go    case, accents, blanks and dashes are levelled; the edges are trimmed
//  2. token.go   cut into numbers, words and the marks between numbers
//  3. language.go, words.go   each language says which phrases have which meaning
//  4. shape.go   a shape is an order of meanings, "day of? month"; all shapes are
//     tried, each over all tokens
//  5. verdict.go   readings that differ are ambiguous
//
// The conversation's language is asked first. If it understands nothing, the other
// languages are, and all that understand the text must agree. Abbreviations, and
// words that mean something else elsewhere ("segunda", "no sábado"), count in their
// own language only.
//
// # Weekdays
//
// Let F be the first such day strictly after today.
//
//   - "friday", "this friday": F. If today is a Friday: ambiguous.
//   - "next friday": F if F lies in the following week, and ambiguous if F lies in
//     this one, because some then mean F and some a week later. Some weeks begin on
//     Monday and some on Sunday: F must lie in the following week by both. On a Friday
//     it is today plus 7.
//   - beside a date a weekday only checks it: if they disagree, ErrImpossible.
//   - "friday the 11th", no month: the next 11th on or after today, which must be a
//     Friday. In "friday 11" the number can also be the hour, up to 24: then that
//     day must also be F, or it is ambiguous.
//
// # Other rules
//
//   - A date without a year is the next such date on or after today. The 29th of
//     February is impossible if neither this year nor the next one has it.
//   - Numbers: day first, but month first for en-US; plain "en" takes both orders (and
//     so does en-US between dots), so most are ambiguous. Two-digit years are 2000 to 2099.
//   - "in 8 Tagen", "dans 15 jours", "en quince días": 8 and 15 days are also said for
//     one and two weeks there, so they are ambiguous.
//   - "15:30", "15h", "8 Uhr" are of the 24-hour clock. An hour from 1 to 12 said
//     otherwise needs "pm" or a part of the day, or is ambiguous. "halb 9" is 8:30;
//     "halb 1" to "halb 6" are ambiguous.
//   - "12 de la mañana" and "1 at night" are ambiguous: people mean different hours.
//   - Midnight beside a date is ambiguous: the day's first minute, or its end?
package when
