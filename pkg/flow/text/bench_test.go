package text

import (
	"testing"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

const booking = "Hi {name}, {n, plural, =0 {no table} one {a table for # guest} few {# guests} other {# guests}} on {day, date}."

func BenchmarkRender(b *testing.B) {
	values := filling{"name": "Ada Lovelace", "n": 1234.0, "day": "2026-12-04", "yes": true}
	for _, c := range []struct{ name, source string }{
		{"static", "Hello, what is your name?"},
		{"plain", "Hello {name}, you said {n} and {yes}."},
		{"number", "{n, number}"},
		{"plural", "{n, plural, one {# guest} few {# guests} other {# guests}}"},
		{"select", "Hello {yes, select, true {again} other {stranger}}, {name}"},
	} {
		text := parse(b, "pl", c.source)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				text.Render(values)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, source string }{{"plain", "Hello {name}, how are you?"}, {"plural", booking}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parse(b, "pl", c.source)
			}
		})
	}
}

func BenchmarkMissingPlurals(b *testing.B) {
	text := parse(b, "pl", booking)
	b.ReportAllocs()
	for b.Loop() {
		text.MissingPlurals()
	}
}

// BenchmarkPrinter is what numbers would cost without the type numbers.
func BenchmarkPrinter(b *testing.B) {
	printer := message.NewPrinter(language.Polish)
	b.ReportAllocs()
	for b.Loop() {
		printer.Sprint(number.Decimal(1234.0))
	}
}
